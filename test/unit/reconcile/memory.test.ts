/** A comparison holds what lies between its lanes, however long the topics are. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { reconcile } from '../../../bridge/src/reconcile/reconcile.ts';
import type { SourceRecord } from '../../../bridge/src/values.ts';
import { type BuiltBlock, buildBlock, CHAINCODE, MSP_ID } from '../../support/blocks.ts';
import { testClock } from '../../support/fakes.ts';
import {
  type Batch,
  batchTransaction,
  layoutTransaction,
  STREAM,
  TOPIC,
} from '../../support/reconcile-world.ts';

/** More for a long run: a million took what docs/reconcile.md says. */
const RECORDS = Number(process.env.SHUTTLE_RECONCILE_RECORDS ?? 60_000);
const PER_BATCH = 500;
const BATCHES = RECORDS / PER_BATCH;
const GROWTH_BYTES_MAX = 16 * 1024 * 1024;

/** Batch n carries the records from n * PER_BATCH on, in one lane. */
function recordsOf(batch: number): SourceRecord[] {
  return Array.from({ length: PER_BATCH }, (_, n) => ({
    offset: BigInt(batch * PER_BATCH + n),
    timestamp: 1,
    key: Buffer.from(`key-${n}`),
    value: Buffer.from(`{"batch":${batch},"n":${n}}`),
    headers: [],
  }));
}

function batchOf(number: number): Batch {
  const records = recordsOf(number);
  return {
    partition: 0,
    lane: 0,
    versions: records.map(({ key, offset, value }) => ({
      key: String(key),
      offset,
      value: String(value),
    })),
    rejections: [],
    last: records.at(-1)?.offset ?? -1n,
  };
}

/** The chain, one block at a time. */
async function* chain(): AsyncGenerator<Uint8Array> {
  let previous: BuiltBlock | null = null;
  for (let number = 0; number < BATCHES + 1; number++) {
    const transaction: Parameters<typeof buildBlock>[0]['transactions'][number] =
      number === 0 ? layoutTransaction(0, 1) : batchTransaction(batchOf(number - 1), number);
    previous = buildBlock({ number, previous, transactions: [transaction] });
    yield previous.bytes;
  }
}

async function* source(): AsyncGenerator<readonly SourceRecord[]> {
  for (let batch = 0; batch < BATCHES; batch++) {
    yield recordsOf(batch);
  }
}

async function* none<T>(): AsyncGenerator<T> {}

test(`${RECORDS} records need no more memory than the first fifth of them`, async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heaps: number[] = [];
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
        height: async () => BigInt(BATCHES + 1),
        blocks: chain,
      },
      openTopics: async () => ({
        partitions: [
          {
            partition: 0,
            logStart: 0n,
            logEnd: BigInt(RECORDS),
            compacted: false,
            records: source(),
          },
        ],
        letters: none(),
        blocks: chain(),
      }),
    },
    {
      stream: STREAM,
      topic: TOPIC,
      keyExpression: '',
      compareValues: true,
      complete: true,
      toldMax: 10,
      onFinding: () => {},
      onProgress: (blocks) => {
        if (Number(blocks) % Math.floor(BATCHES / 5) === 0) {
          collect();
          const { heapUsed, external } = process.memoryUsage();
          heaps.push(heapUsed + external);
        }
      },
    },
    new AbortController().signal,
  );
  expect(summary).toMatchObject({ findingCount: 0, applied: RECORDS, topicBlocks: BATCHES + 1 });
  const [first = 0] = heaps;
  expect(Math.max(...heaps) - first).toBeLessThan(GROWTH_BYTES_MAX);
}, 600_000);
