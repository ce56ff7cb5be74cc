/** A channel in memory behind the Ledger port: watermarks, layouts and blocks under MVCC rules. */
import {
  decodeLayout,
  encodeLayout,
  type Layout,
  type PartitionState,
  type Watermark,
} from '@shuttle/chaincode/ledger';
import {
  type BatchHeader,
  decodeRecords,
  encodeRecords,
  layoutDigest,
  type Rejection,
  sha256Hex,
  shortId,
  type WireRecord,
} from '@shuttle/chaincode/wire';
import { ShuttleError } from '../../bridge/src/errors.ts';
import type { Ledger, Opening, Receipt, Submitted } from '../../bridge/src/ports.ts';
import type { LedgerIdentity, TopicPartition } from '../../bridge/src/values.ts';
import { olderThan } from '../../chaincode/src/topic.ts';

/** One committed version of a document. */
export interface Applied {
  readonly key: string;
  readonly value: string | null;
  readonly at: string;
  readonly offset: bigint;
}

/** Where a test may step in; throwing there is the fault. */
export interface LedgerFaults {
  beforeEndorse?: (header: BatchHeader) => void | Promise<void>;
  beforeCommit?: (header: BatchHeader) => void | Promise<void>;
  afterCommit?: (header: BatchHeader) => void | Promise<void>;
  beforeRead?: () => void | Promise<void>;
}

/** A code alone, or what a contract's own rule says too. */
export type Judgement = string | Omit<Rejection, 'offset'>;

/** What all peers of the channel share; several MemoryLedgers may look at one. */
export class MemoryChannel {
  readonly layouts = new Map<string, string>();
  /** By topic, how many partitions it had at openings. */
  readonly counts = new Map<string, readonly number[]>();
  readonly watermarks = new Map<string, Watermark>();
  readonly applied: Applied[] = [];
  readonly batches: BatchHeader[] = [];
  genesisHash = 'a1'.repeat(32);
  transactions = 0;
  /** Judges a record; null accepts it. */
  judge: (record: WireRecord) => Judgement | null = () => null;
}

export class MemoryLedger implements Ledger {
  readonly channel: MemoryChannel;
  faults: LedgerFaults = {};
  /** Calls of submitBatch, whatever became of them. */
  submits = 0;
  inFlight = 0;
  inFlightMax = 0;
  private readonly mspId: string;

  constructor(channel = new MemoryChannel(), mspId = 'Org1MSP') {
    this.channel = channel;
    this.mspId = mspId;
  }

  async identity(): Promise<LedgerIdentity> {
    const { genesisHash } = this.channel;
    return { channel: 'mychannel', genesisHash, chaincode: 'shuttle', mspId: this.mspId };
  }

  private id(stream: string, at: TopicPartition): string {
    return shortId(stream, at.topic, at.partition, this.mspId);
  }

  private layout(id: string): Layout | null {
    const json = this.channel.layouts.get(id);
    return json === undefined ? null : decodeLayout(json);
  }

  async getPartition(stream: string, at: TopicPartition): Promise<PartitionState> {
    await this.faults.beforeRead?.();
    const id = this.id(stream, at);
    const layout = this.layout(id);
    const lanes = Array.from({ length: layout?.lanes ?? 0 }, (_, lane) => lane);
    return {
      layout,
      watermarks: lanes.map((lane) => this.channel.watermarks.get(`${id}/${lane}`) ?? null),
      older: olderThan(
        at.partition,
        this.channel.counts.get(`${stream}/${at.topic}/${this.mspId}`) ?? [],
      ),
    };
  }

  async openPartition(
    stream: string,
    at: TopicPartition,
    { partitions, older, lanes, keyExpressionDigest }: Opening,
  ): Promise<Layout> {
    const id = this.id(stream, at);
    const { topic, partition } = at;
    const layout = {
      stream,
      topic,
      partition,
      mspId: this.mspId,
      lanes,
      hashVersion: 1,
      keyExpressionDigest,
      base: -1n,
    };
    const name = `${stream}/${topic}/${this.mspId}`;
    const counts = this.channel.counts.get(name) ?? [];
    if (!this.channel.layouts.has(id)) {
      if (olderThan(partition, counts) !== older) {
        const at = { refusal: 'OLDER_PARTITIONS' };
        throw new ShuttleError('ENDORSE_FAILED', 'Others are older.', { at });
      }
      this.channel.counts.set(
        name,
        [...new Set([...counts, partitions])].sort((a, b) => a - b),
      );
      this.channel.layouts.set(id, encodeLayout(layout));
    }
    return this.layout(id) ?? layout;
  }

  async submitBatch(header: BatchHeader, records: Uint8Array): Promise<Receipt> {
    this.submits += 1;
    this.inFlight += 1;
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight);
    try {
      return await this.transact(header, records);
    } finally {
      this.inFlight -= 1;
    }
  }

  private async transact(header: BatchHeader, bytes: Uint8Array): Promise<Receipt> {
    await this.faults.beforeEndorse?.(header);
    const id = this.id(header.stream, header);
    const lane = `${id}/${header.lane}`;
    const layout = this.layout(id);
    if (layout === null || layoutDigest(layout) !== header.layout) {
      throw new ShuttleError('LAYOUT_MISMATCH', 'another layout');
    }
    const read = this.channel.watermarks.get(lane);
    const effective = read?.offset ?? layout.base;
    if (effective !== header.after) {
      const code = effective < header.after ? 'GAP' : 'REPEATED';
      throw new ShuttleError(code, `the lane is at ${effective}`);
    }
    // What endorsed may be overtaken until it commits.
    await new Promise((resolve) => setImmediate(resolve));
    await this.faults.beforeCommit?.(header);
    if (this.channel.watermarks.get(lane) !== read) {
      throw new ShuttleError('COMMIT_INVALID', 'MVCC_READ_CONFLICT');
    }
    const receipt = this.commit(header, lane, decodeRecords(bytes));
    await this.faults.afterCommit?.(header);
    return receipt;
  }

  private commit(header: BatchHeader, lane: string, records: readonly WireRecord[]): Receipt {
    const { channel } = this;
    channel.transactions += 1;
    channel.batches.push(header);
    const txId = `tx${channel.transactions}`;
    const rejections: Rejection[] = [];
    for (const record of records) {
      const judgement = channel.judge(record);
      if (judgement === null) {
        channel.applied.push({
          key: Buffer.from(record.key).toString(),
          value: record.value === null ? null : Buffer.from(record.value).toString(),
          at: `${header.topic}/${header.partition}`,
          offset: record.offset,
        });
      } else {
        const refused = typeof judgement === 'string' ? { code: judgement } : judgement;
        rejections.push({ offset: record.offset, ...refused });
      }
    }
    const last = records.slice(-1);
    const { offset = -1n, timestamp = 0 } = last[0] ?? {};
    const sha256 = sha256Hex(encodeRecords(last));
    channel.watermarks.set(lane, { offset, txId, timestamp, sha256, rejections });
    const applied = records.length - rejections.length;
    const blockNumber = BigInt(channel.transactions);
    return { offset, applied, rejections, txId, blockNumber };
  }

  async evaluate(): Promise<Uint8Array> {
    throw new Error('not part of this fake');
  }

  async submit(): Promise<Submitted> {
    throw new Error('not part of this fake');
  }

  async height(): Promise<bigint> {
    return BigInt(this.channel.transactions + 1);
  }

  blocks(): AsyncIterable<Uint8Array> {
    throw new Error('not part of this fake');
  }

  async close(): Promise<void> {}
}
