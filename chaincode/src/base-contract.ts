/**
 * The exactly-once half of a contract: layouts, watermarks and batches, for any team's chaincode.
 *
 * A team extends BatchContract and overrides `apply` with its own rules; whatever `apply` decides,
 * each record is decided once and in order, because the watermark moves in the same transaction.
 */
import { Context, Contract, Returns, Transaction } from 'fabric-contract-api';
import { batchEvent, checkLanes, decodeBatch } from './batch.ts';
import {
  checkRecord,
  parseShared,
  putClaims,
  readClaims,
  requirePrefix,
  withClaim,
  withoutClaim,
} from './claims.ts';
import { checkDocument, utf8Text, VersionsByKey } from './documents.ts';
import {
  laneKey,
  type PartitionIdentity,
  parseCut,
  parseIdentity,
  parseOffset,
  parsePartitions,
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
  encodeClaims,
  encodeLayout,
  encodePartitionState,
  encodeWatermark,
  WATERMARK_TYPE,
  type Watermark,
} from './ledger.ts';
import { currentDocument } from './queries.ts';
import { Refusal } from './refusal.ts';
import { openState, type State } from './state.ts';
import { adoptTransactions, Inheritable } from './transactions.ts';
import { effectiveWatermark, placeBatch } from './watermark.ts';
import {
  encodeReceipt,
  encodeRecords,
  type RecordRefusalCode,
  type Rejection,
  sha256Hex,
  type WireRecord,
} from './wire.ts';

/** What `apply` answers to refuse a record: the batch goes on, the record is a dead letter. */
export const REFUSED = 'RULE_REFUSED';

/** A record on its way to the ledger; `value` null asks to delete the document. */
export interface IncomingRecord {
  readonly key: string;
  readonly value: Uint8Array | null;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly stream: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** The document to store, null for a tombstone, or REFUSED. */
export type Applied = Uint8Array | null | typeof REFUSED;

/** Name of the event of a batch's transaction. */
export const BATCH_EVENT = 'batch';

@Inheritable()
export class BatchContract extends Contract {
  constructor(name?: string) {
    super(name);
    adoptTransactions(this);
  }

  /**
   * Decides about one record; override it with one's own rules. Without rules of its own, a
   * record's value becomes the document as it is.
   *
   * It must depend on nothing but its arguments: every endorser has to decide the same. The
   * document is stored byte for byte and must be JSON. An error that it throws fails the whole
   * batch and stops the lane; a record that is at fault itself is REFUSED.
   *
   * @param record - its key and value have passed all checks
   * @param current - the document that the key has, with the batch's earlier records applied; null
   *   when there is none, and always null unless readsCurrent() says true
   */
  protected apply(record: IncomingRecord, current: Uint8Array | null): Applied {
    void current;
    return record.value;
  }

  /**
   * Whether `apply` is given the current document. Off, because a read for each record costs
   * several times the throughput. It causes no conflicts: a batch's keys are written by its own
   * lane only.
   */
  protected readsCurrent(): boolean {
    return false;
  }

  /**
   * Opens a partition of the submitter's organisation: writes how it is cut into lanes, once.
   * Repeating it with the same layout writes nothing and succeeds.
   *
   * @returns the layout, as encodeLayout() writes it
   * @throws Refusal ARGUMENT_INVALID; LAYOUT_MISMATCH when the partition has another layout
   */
  @Transaction()
  @Returns('string')
  async openPartition(
    ctx: Context,
    stream: string,
    topic: string,
    partition: string,
    partitions: string,
    lanes: string,
    hashVersion: string,
    keyExpressionDigest: string,
  ): Promise<string> {
    const state = openState(ctx);
    const identity = parseIdentity(stream, topic, partition, state.mspId);
    const count = parsePartitions(partitions, identity);
    const cut = parseCut(lanes, hashVersion, keyExpressionDigest);
    const id = partitionId(identity);
    const stored = await readLayout(state, id);
    if (stored === null) {
      const first = { ...identity, partitions: count, ...cut, base: -1n };
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
   * Reads the partition's layout, the lane's watermark and the claims, nothing else.
   *
   * @param header - a BatchHeader, as encodeHeader() writes it
   * @returns the receipt, as encodeReceipt() writes it
   * @throws Refusal BATCH_INVALID, DIGEST_MISMATCH, LAYOUT_MISSING, LAYOUT_MISMATCH, LANE_MISMATCH;
   *   GAP when the watermark is below the batch's `after`; REPEATED when nothing of it is new, so
   *   that no empty transaction is ordered
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
    const placement = placeBatch(effective, after, batch.records);
    if (placement.kind === 'gap') {
      throw new Refusal(
        'GAP',
        `Lane ${lane} is finished up to offset ${effective}; the batch continues from ${after}.`,
      );
    }
    if (placement.kind === 'repeated') {
      throw new Refusal(
        'REPEATED',
        `Lane ${lane} is finished up to offset ${effective}, which covers the whole batch.`,
      );
    }
    const fresh = batch.records.slice(placement.from);
    const claims = await readClaims(state);
    const refused = await this.applyRecords(state, id, identity, fresh, claims);
    const rejections = [...unseenRejections(watermark, after), ...refused];
    const last = fresh.at(-1) as WireRecord;
    state.put(laneKey(state, id, lane), Buffer.from(nextWatermark(state, last, rejections)));
    const applied = fresh.length - refused.length;
    state.emit(BATCH_EVENT, batchEvent(batch, fresh, applied));
    await state.flush();
    return encodeReceipt({ offset: last.offset, applied, repeated: placement.from, rejections });
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
      return encodePartitionState(null, []);
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
    return encodePartitionState(encodeLayout(layout), watermarks);
  }

  /**
   * Claims the keys that start with a prefix for the submitter's organisation: nobody else writes
   * documents there, but those that it is shared with. The first claim wins. Repeated by its
   * owner, it sets anew whom the claim is shared with.
   *
   * @param shared - a JSON array of MSP ids, "[]" to share with nobody
   * @returns all claims, as encodeClaims() writes them
   * @throws Refusal ADMIN_REQUIRED, ARGUMENT_INVALID, CLAIMS_FULL; CLAIM_TAKEN when the prefix
   *   lies within, above or on another organisation's
   */
  @Transaction()
  @Returns('string')
  async claim(ctx: Context, prefix: string, shared: string): Promise<string> {
    const state = openState(ctx);
    requireAdmin(state);
    requirePrefix(prefix, state.isArgumentUtf8(1));
    const { mspId } = state;
    const claims = await readClaims(state);
    const wanted = { prefix, mspId, shared: parseShared(shared, mspId) };
    return await replaceClaims(state, claims, withClaim(claims, wanted));
  }

  /**
   * Gives a claim of the submitter's organisation up.
   *
   * @returns all claims, as encodeClaims() writes them
   * @throws Refusal ADMIN_REQUIRED, ARGUMENT_INVALID, CLAIM_TAKEN, NOT_FOUND
   */
  @Transaction()
  @Returns('string')
  async releaseClaim(ctx: Context, prefix: string): Promise<string> {
    const state = openState(ctx);
    requireAdmin(state);
    requirePrefix(prefix, state.isArgumentUtf8(1));
    const claims = await readClaims(state);
    return await replaceClaims(state, claims, withoutClaim(claims, prefix, state.mspId));
  }

  /** All claims, of every organisation, as encodeClaims() writes them. */
  @Transaction(false)
  @Returns('string')
  async getClaims(ctx: Context): Promise<string> {
    return encodeClaims(await readClaims(openState(ctx)));
  }

  /** Puts the documents of the records that are accepted; answers the others. */
  private async applyRecords(
    state: State,
    id: string,
    identity: PartitionIdentity,
    records: readonly WireRecord[],
    claims: readonly Claim[],
  ): Promise<Rejection[]> {
    const { stream, topic, partition } = identity;
    const rejections: Rejection[] = [];
    const versions = new VersionsByKey();
    const readsCurrent = this.readsCurrent();
    for (const { offset, timestamp, key: keyBytes, value } of records) {
      const code = checkRecord(keyBytes, value, claims, identity.mspId);
      if (code !== null) {
        rejections.push({ offset, code });
        continue;
      }
      const key = utf8Text(keyBytes);
      const current = readsCurrent ? await documentSoFar(state, versions, key) : null;
      const record = { key, value, timestamp, stream, topic, partition, offset };
      const document = this.apply(record, current);
      const refusal = checkApplied(document, value);
      if (refusal !== null || document === REFUSED) {
        rejections.push({ offset, code: refusal ?? REFUSED });
        continue;
      }
      versions.add(key, { offset, timestamp, document });
    }
    for (const [key, envelope] of versions.envelopes({ kind: 'source', shortId: id })) {
      state.put(key, envelope);
    }
    return rejections;
  }
}

/** A document that `apply` made is checked like a record's value; the value itself already was. */
function checkApplied(document: Applied, value: Uint8Array | null): RecordRefusalCode | null {
  if (document === null || document === REFUSED || document === value) {
    return null;
  }
  return checkDocument(document);
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

function requireAdmin(state: State): void {
  if (!state.isAdmin) {
    throw new Refusal('ADMIN_REQUIRED', `Only an admin of ${state.mspId} can do this.`);
  }
}

async function replaceClaims(
  state: State,
  claims: readonly Claim[],
  next: readonly Claim[] | null,
): Promise<string> {
  if (next === null) {
    return encodeClaims(claims);
  }
  putClaims(state, next);
  await state.flush();
  return encodeClaims(next);
}

/**
 * Rejections behind the watermark that the batch continues from: another transaction has moved it
 * meanwhile, and nobody may have sent their dead letters. They stay, and the receipt tells of them.
 */
function unseenRejections(watermark: Watermark | null, after: bigint): readonly Rejection[] {
  return watermark?.rejections.filter(({ offset }) => offset > after) ?? [];
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
