/**
 * The exactly-once half of a contract: layouts, watermarks and batches, for any team's chaincode.
 *
 * A team extends BatchContract and overrides `apply` with its own rules; whatever `apply` decides,
 * each record is decided once and in order, because the watermark moves in the same transaction.
 */
import { Context, Returns, Transaction } from 'fabric-contract-api';
import { batchEvent, checkLanes, decodeBatch } from './batch.ts';
import { checkRecord, readClaims } from './claims.ts';
import { type Decision, decide, isRefused, withinRulesBytes, withoutValues } from './decide.ts';
import { utf8Text, VersionsByKey } from './documents.ts';
import { DocumentsContract } from './documents-contract.ts';
import { IndexesByKey, type IndexKey, putIndex } from './index-keys.ts';
import {
  laneKey,
  type PartitionIdentity,
  parseCut,
  parseIdentity,
  parseOffset,
  parsePartitions,
  parseWhole,
  partitionId,
  readLane,
  readLayout,
  requireBelow,
  requireCut,
  requireOpened,
  requireOwn,
  writeLayout,
} from './layout.ts';
import {
  type Claim,
  encodeLayout,
  encodePartitionState,
  encodeWatermark,
  WATERMARK_TYPE,
} from './ledger.ts';
import { currentDocument } from './queries.ts';
import { Refusal } from './refusal.ts';
import { type Applied, type IncomingRecord } from './rule.ts';
import { openState, type State } from './state.ts';
import { noteCount, olderThan, readCounts } from './topic.ts';
import { Inheritable } from './transactions.ts';
import { effectiveWatermark, placeBatch } from './watermark.ts';
import {
  BATCH_BYTES_MAX,
  encodeReceipt,
  encodeRecords,
  type Rejection,
  type RuleRefusal,
  recordBytes,
  sha256Hex,
  type WireRecord,
} from './wire.ts';

/** Name of the event of a batch's transaction. */
export const BATCH_EVENT = 'batch';

@Inheritable()
export class BatchContract extends DocumentsContract {
  /**
   * The contract's own rule: decides about one record. Override it; without a rule, a record's
   * value becomes the document as it is.
   *
   * It must depend on nothing but its arguments, because every endorser has to decide the same:
   * no clock, no random number, no network or file, no environment, no locale, nothing kept from
   * one call to the next. It answers at once, not with a promise. A document that it answers is
   * stored byte for byte and must be JSON. When it throws, the record is refused with RULE_FAILED.
   *
   * @param record - its key and value have passed all checks, claims included
   * @param current - the document that the key has, with the batch's earlier records applied; null
   *   when there is none, and always null unless readsCurrent() says true
   */
  protected apply(record: IncomingRecord, current: Uint8Array | null): Applied {
    void current;
    return record.value;
  }

  /**
   * Whether `apply` is given the current document. Off, because it is a message between chaincode
   * and peer for each key of a batch. It adds no conflicts between batches: a key is written by its
   * own lane only. Another writer of the key makes the batch be decided anew, never lost.
   */
  protected readsCurrent(): boolean {
    return false;
  }

  /**
   * The contract's own index: keys to write beside a document, so that queries of its own find it.
   * Override it; without it there are none. It is bound to what `apply` is bound to, and refuse()
   * refuses the record. Keys of earlier versions stay: a query asks the document whether it is
   * still so. Index keys and records of a batch take BATCH_BYTES_MAX together at most.
   */
  protected index(key: string, document: Uint8Array): readonly IndexKey[] | RuleRefusal {
    void key;
    void document;
    return [];
  }

  /**
   * Opens a partition of the submitter's organisation: writes how it is cut into lanes, once.
   * Repeating it with the same layout writes nothing and succeeds.
   *
   * @param partitions - how many partitions the topic has now
   * @param older - how many partitions were waited for, because keys may have moved from them
   * @returns the layout, as encodeLayout() writes it
   * @throws Refusal ARGUMENT_INVALID; LAYOUT_MISMATCH when the partition has another layout;
   *   OLDER_PARTITIONS when others are older than were waited for
   */
  @Transaction()
  @Returns('string')
  async openPartition(
    ctx: Context,
    stream: string,
    topic: string,
    partition: string,
    partitions: string,
    older: string,
    lanes: string,
    hashVersion: string,
    keyExpressionDigest: string,
  ): Promise<string> {
    const state = openState(ctx);
    const identity = parseIdentity(stream, topic, partition, state.mspId);
    const count = parsePartitions(partitions, identity);
    const waitedFor = parseWhole('older', older, 0, identity.partition);
    const cut = parseCut(lanes, hashVersion, keyExpressionDigest);
    const id = partitionId(identity);
    const stored = await readLayout(state, id);
    if (stored === null) {
      await noteCount(state, identity, count, waitedFor);
      const first = { ...identity, ...cut, base: -1n };
      writeLayout(state, id, first);
      await state.flush();
      return encodeLayout(first);
    }
    requireOwn(stored, identity);
    if (encodeLayout({ ...stored, ...cut }) !== encodeLayout(stored)) {
      throw new Refusal(
        'LAYOUT_MISMATCH',
        `The partition has another layout: ${encodeLayout(stored)}.`,
      );
    }
    return encodeLayout(stored);
  }

  /**
   * Cuts a partition into other lanes, or by another key expression, at a position that it is
   * drained at: every record below is finished, none from there on is begun. Whatever is in flight
   * under the old layout is refused from then on. Asked for the cut that stands it writes nothing.
   *
   * @param drained - the first offset that is not finished
   * @returns the layout, as encodeLayout() writes it
   * @throws Refusal ARGUMENT_INVALID, LAYOUT_MISSING, LAYOUT_MISMATCH; NOT_DRAINED when a lane has
   *   finished the record at `drained` or one behind it
   */
  @Transaction()
  @Returns('string')
  async relane(
    ctx: Context,
    stream: string,
    topic: string,
    partition: string,
    drained: string,
    lanes: string,
    hashVersion: string,
    keyExpressionDigest: string,
  ): Promise<string> {
    const state = openState(ctx);
    const identity = parseIdentity(stream, topic, partition, state.mspId);
    const position = parseOffset('drained', drained);
    const cut = parseCut(lanes, hashVersion, keyExpressionDigest);
    const id = partitionId(identity);
    const stored = requireOpened(await readLayout(state, id), identity);
    const next = { ...stored, ...cut, base: position - 1n };
    if (encodeLayout({ ...next, base: stored.base }) === encodeLayout(stored)) {
      return encodeLayout(stored);
    }
    for (let lane = 0; lane < stored.lanes; lane++) {
      requireBelow(position, lane, effectiveWatermark(stored, await readLane(state, id, lane)));
    }
    writeLayout(state, id, next);
    await state.flush();
    return encodeLayout(next);
  }

  /**
   * Applies a batch: the records of one lane, in the transient map under RECORDS_TRANSIENT_KEY.
   * Reads the partition's layout, the lane's watermark and the claims, and nothing else unless the
   * contract's own rule reads the current documents.
   *
   * @param header - a BatchHeader, as encodeHeader() writes it
   * @returns the receipt, as encodeReceipt() writes it
   * @throws Refusal BATCH_INVALID, DIGEST_MISMATCH, LAYOUT_MISSING, LAYOUT_MISMATCH, LANE_MISMATCH;
   *   GAP when the watermark is below the batch's `after`, REPEATED when it is above: another
   *   transaction has finished records of the batch, and maybe refused some
   */
  @Transaction()
  @Returns('string')
  async submitBatch(ctx: Context, header: string): Promise<string> {
    const state = openState(ctx);
    const batch = decodeBatch(header, state);
    const { lane, after } = batch.header;
    const identity = { ...batch.header, mspId: state.mspId };
    const id = partitionId(identity);
    const layout = requireCut(await readLayout(state, id), identity, batch.header.layout);
    checkLanes(batch, layout.lanes);

    const watermark = await readLane(state, id, lane);
    const effective = effectiveWatermark(layout, watermark);
    const placement = placeBatch(effective, after);
    if (placement !== 'next') {
      throw new Refusal(
        placement === 'gap' ? 'GAP' : 'REPEATED',
        `Lane ${lane} is finished up to offset ${effective}; the batch continues from ${after}.`,
      );
    }
    const { records } = batch;
    const claims = await readClaims(state);
    const refused = await this.applyRecords(state, id, identity, records, claims);
    const rejections = withinRulesBytes(refused);
    const last = records.at(-1) as WireRecord;
    state.put(laneKey(state, id, lane), Buffer.from(nextWatermark(state, last, rejections)));
    const applied = records.length - refused.length;
    state.emit(BATCH_EVENT, batchEvent(batch, applied));
    await state.flush();
    return encodeReceipt({ offset: last.offset, applied, rejections });
  }

  /**
   * The layout and the watermarks of a partition of the submitter's organisation.
   *
   * @returns a PartitionState, as encodePartitionState() writes it; its layout is null when the
   *   partition was never opened
   * @throws Refusal ARGUMENT_INVALID, LAYOUT_MISMATCH
   */
  @Transaction(false)
  @Returns('string')
  async getWatermarks(
    ctx: Context,
    stream: string,
    topic: string,
    partition: string,
  ): Promise<string> {
    const state = openState(ctx);
    const identity = parseIdentity(stream, topic, partition, state.mspId);
    const id = partitionId(identity);
    const layout = await readLayout(state, id);
    if (layout === null) {
      const older = olderThan(identity.partition, await readCounts(state, identity));
      return encodePartitionState(null, [], older);
    }
    requireOwn(layout, identity);
    const watermarks = Array.from<unknown, string | null>({ length: layout.lanes }, () => null);
    const first = state.compositeKey(WATERMARK_TYPE, [id]);
    for await (const { key, value } of state.byPartialKey(WATERMARK_TYPE, [id])) {
      const lane = Number(key.slice(first.length, -1));
      if (lane < layout.lanes) {
        watermarks[lane] = utf8Text(value);
      }
    }
    return encodePartitionState(encodeLayout(layout), watermarks, 0);
  }

  /** Puts the documents of the records that are accepted; answers the others. */
  private async applyRecords(
    state: State,
    id: string,
    identity: PartitionIdentity,
    records: readonly WireRecord[],
    claims: readonly Claim[],
  ): Promise<Rejection[]> {
    const rejections: Rejection[] = [];
    const versions = new VersionsByKey();
    const indexes = new IndexesByKey();
    const readsCurrent = this.readsCurrent();
    const failed = tellFirst(identity);
    for (const record of records) {
      const { offset, timestamp, value } = record;
      const key = utf8Text(record.key);
      const code = checkRecord(record.key, value, claims, identity.mspId);
      let decision: Decision;
      if (code === null) {
        const current = readsCurrent ? await documentSoFar(state, versions, key) : null;
        decision = this.askRule(identity, record, key, current, failed);
      } else {
        decision = { code };
      }
      if (isRefused(decision)) {
        rejections.push({ offset, ...decision });
      } else {
        versions.add(key, { offset, timestamp, document: decision.document });
        indexes.add(key, decision.index);
      }
    }
    requireFit(records, indexes);
    for (const [key, envelope] of versions.envelopes({ kind: 'source', shortId: id })) {
      state.put(key, envelope);
    }
    putIndex(state, indexes.current());
    return rejections;
  }

  private askRule(
    { stream, topic, partition, mspId }: PartitionIdentity,
    { offset, timestamp, value }: WireRecord,
    key: string,
    current: Uint8Array | null,
    failed: (offset: bigint, error: unknown) => void,
  ): Decision {
    const about = { key, timestamp, mspId, stream, topic, partition, offset };
    return decide(
      {
        apply: (copy) => this.apply({ ...about, value: copy }, current && Buffer.from(current)),
        index: (document) => this.index(key, document),
      },
      value,
      (error) => failed(offset, error),
    );
  }
}

/** Tells the chaincode's log of the first record of a batch that the rule failed on, not of all. */
function tellFirst({ topic, partition }: PartitionIdentity) {
  let told = false;
  return (offset: bigint, error: unknown): void => {
    if (!told) {
      told = true;
      const place = `offset ${offset} of ${topic}, partition ${partition}`;
      process.stderr.write(`The contract's rule failed on ${place}: ${withoutValues(error)}\n`);
    }
  };
}

/** @throws Refusal BATCH_INVALID; a record that is alone always fits */
function requireFit(records: readonly WireRecord[], { bytes }: IndexesByKey): void {
  const all = records.reduce((sum, record) => sum + recordBytes(record), bytes);
  if (bytes > 0 && records.length > 1 && all > BATCH_BYTES_MAX) {
    const sentence = `The records and their index take more than ${BATCH_BYTES_MAX} bytes.`;
    throw new Refusal('BATCH_INVALID', sentence);
  }
}

/** The document of a key, with the batch's earlier records applied. */
async function documentSoFar(
  state: State,
  versions: VersionsByKey,
  key: string,
): Promise<Uint8Array | null> {
  const earlier = versions.latest(key);
  return earlier === undefined ? currentDocument(state, key) : earlier.document;
}

function nextWatermark(state: State, last: WireRecord, rejections: readonly Rejection[]): string {
  return encodeWatermark({
    offset: last.offset,
    txId: state.txId,
    timestamp: last.timestamp,
    sha256: sha256Hex(encodeRecords([last])),
    rejections,
  });
}
