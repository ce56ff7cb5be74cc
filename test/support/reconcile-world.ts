/** A source, its letters, a channel and a blocks topic that agree, for tests that plant defects. */

import type { Finding } from '../../bridge/src/reconcile/findings.ts';
import type { Letter } from '../../bridge/src/reconcile/letters.ts';
import { digestOf } from '../../bridge/src/reconcile/partition.ts';
import { type ReconcileSummary, reconcile } from '../../bridge/src/reconcile/reconcile.ts';
import type { SourceRecord } from '../../bridge/src/values.ts';
import { encodeEnvelope, type Version } from '../../chaincode/src/envelope.ts';
import { encodeLayout, type Layout } from '../../chaincode/src/ledger.ts';
import { encodeHeader, encodeReceipt, laneOf, shortId } from '../../chaincode/src/wire.ts';
import { buildChain, CHAINCODE, MSP_ID, type TransactionSpec } from './blocks.ts';
import { testClock } from './fakes.ts';
import { randomBySeed } from './faults.ts';

export const STREAM = 'cluster';
export const TOPIC = 'shuttle.cleaned';
const LANES = 4;
const PARTITIONS = 2;

/** One transaction's batch, as it can be spoiled before it is built into a block. */
export interface Batch {
  readonly partition: number;
  readonly lane: number;
  versions: { key: string; offset: bigint; value: string | null }[];
  rejections: { offset: bigint; code: 'VALUE_NOT_JSON' }[];
  readonly last: bigint;
}

export interface Compared {
  readonly findings: Finding[];
  readonly summary: ReconcileSummary;
}

export class ReconcileWorld {
  readonly random: (below: number) => number;
  /** By partition. */
  readonly source: SourceRecord[][] = [];
  readonly letters: Letter[] = [];
  readonly batches: Batch[] = [];
  /** Changes the finished blocks topic. */
  spoilTopic: (blocks: Uint8Array[]) => void = () => {};
  logStart = 0n;
  logEnds: bigint[] = [];

  constructor(seed: number, records = 120) {
    const next = randomBySeed(seed);
    this.random = (below) => Math.floor(next() * below);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      this.produce(partition, records);
      this.carry(partition);
    }
    this.batches.sort((a, b) => Number(a.last - b.last));
  }

  /** Offsets with gaps, as markers and compaction leave them; some records are refused. */
  private produce(partition: number, count: number): void {
    const records: SourceRecord[] = [];
    let offset = 0n;
    for (let n = 0; n < count; n++) {
      offset += this.random(9) === 0 ? 5n : 1n;
      const key = this.random(30) === 0 ? null : `p${partition}-k${this.random(12)}`;
      const text = this.random(15) === 0 ? 'no json' : JSON.stringify({ n, offset: `${offset}` });
      const value = this.random(20) === 0 ? null : text;
      records.push({
        offset,
        timestamp: 1_700_000_000_000 + n,
        key: key === null ? null : Buffer.from(key),
        value: value === null ? null : Buffer.from(value),
        headers: [],
      });
    }
    this.source.push(records);
    this.logEnds.push(offset + 3n);
  }

  private carry(partition: number): void {
    const lanes = Array.from({ length: LANES }, (): SourceRecord[] => []);
    for (const record of this.source[partition] ?? []) {
      if (record.key === null) {
        this.letter(partition, record, 'KEY_MISSING');
      } else {
        lanes[laneOf(record.key, LANES)]?.push(record);
      }
    }
    for (const [lane, records] of lanes.entries()) {
      while (records.length > 0) {
        this.cut(partition, lane, records.splice(0, 2 + this.random(8)));
      }
    }
  }

  private cut(partition: number, lane: number, records: readonly SourceRecord[]): void {
    const text = (bytes: Uint8Array | null) => (bytes === null ? null : String(bytes));
    const refused = records.filter(({ value }) => text(value) === 'no json');
    for (const record of refused) {
      this.letter(partition, record, 'VALUE_NOT_JSON');
    }
    this.batches.push({
      partition,
      lane,
      versions: records
        .filter((record) => !refused.includes(record))
        .map(({ key, offset, value }) => ({ key: String(key), offset, value: text(value) })),
      rejections: refused.map(({ offset }) => ({ offset, code: 'VALUE_NOT_JSON' })),
      last: records.at(-1)?.offset ?? -1n,
    });
  }

  private letter(partition: number, { key, value, offset }: SourceRecord, code: string): void {
    const digest = digestOf(key, value);
    this.letters.push({ stream: STREAM, topic: TOPIC, partition, offset, code, digest });
  }

  async compare(complete = false): Promise<Compared> {
    const layouts = this.source.map((_, partition) => layoutTransaction(partition));
    const batches = this.batches.map((batch, index) => [batchTransaction(batch, index)]);
    const chain = buildChain([layouts, ...batches]).map(({ bytes }) => bytes);
    const topic = [...chain];
    this.spoilTopic(topic);
    const findings: Finding[] = [];
    const summary = await reconcile(
      {
        clock: testClock,
        ledger: {
          identity: async () => ({
            channel: 'mychannel',
            genesisHash: 'a1'.repeat(32),
            chaincode: CHAINCODE,
            mspId: MSP_ID,
          }),
          height: async () => BigInt(chain.length),
          blocks: (from) => each(chain.slice(Number(from))),
        },
        openTopics: async () => ({
          partitions: this.source.map((records, partition) => ({
            partition,
            logStart: this.logStart,
            logEnd: this.logEnds[partition] ?? 0n,
            compacted: false,
            records: portions(records.filter(({ offset }) => offset >= this.logStart)),
          })),
          letters: each(this.letters),
          blocks: each(topic),
        }),
      },
      {
        stream: STREAM,
        topic: TOPIC,
        keyExpression: '',
        compareValues: true,
        complete,
        toldMax: 1_000,
        onFinding: (finding) => findings.push(finding),
        onProgress: () => {},
      },
      new AbortController().signal,
    );
    return { findings, summary };
  }
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

async function* portions(records: readonly SourceRecord[]): AsyncGenerator<SourceRecord[]> {
  for (let from = 0; from < records.length; from += 7) {
    yield records.slice(from, from + 7);
  }
}

const identity = (partition: number) => [STREAM, TOPIC, partition, MSP_ID] as const;

export function layoutTransaction(partition: number, lanes = LANES): TransactionSpec {
  const layout: Layout = {
    stream: STREAM,
    topic: TOPIC,
    partition,
    mspId: MSP_ID,
    lanes,
    hashVersion: 1,
    keyExpressionDigest: '',
    base: -1n,
  };
  const key = `\u0000layout\u0000${shortId(...identity(partition))}\u0000`;
  return {
    txId: `open${partition}`,
    args: ['openPartition'],
    writes: { [CHAINCODE]: [{ key, value: encodeLayout(layout) }] },
  };
}

export function batchTransaction(batch: Batch, index: number): TransactionSpec {
  const { partition, lane, versions, rejections, last } = batch;
  const byKey = new Map<string, Version[]>();
  for (const { key, offset, value } of versions) {
    const document = value === null ? null : Buffer.from(value);
    const earlier = byKey.get(key) ?? [];
    byKey.set(key, [...earlier, { offset, timestamp: 1, document }]);
  }
  const writer = { kind: 'source', shortId: shortId(...identity(partition)) } as const;
  const header = encodeHeader({
    stream: STREAM,
    topic: TOPIC,
    partition,
    lane,
    layout: 'ab'.repeat(32),
    after: -1n,
    first: 0n,
    last,
    count: versions.length + rejections.length,
    digest: 'cd'.repeat(32),
  });
  const applied = versions.length;
  return {
    txId: `tx${index}`,
    args: ['submitBatch', header],
    response: encodeReceipt({
      offset: last,
      applied,
      rejections,
    }),
    writes: {
      [CHAINCODE]: [...byKey].map(([key, all]) => ({ key, value: encodeEnvelope(writer, all) })),
    },
  };
}
