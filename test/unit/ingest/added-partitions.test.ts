import { describe, expect, it } from '@jest/globals';
import type { IngestOptions, IngestSummary } from '../../../bridge/src/ingest/context.ts';
import { runIngest } from '../../../bridge/src/ingest/ingest.ts';
import { createTestLog, MemoryDeadLetters, silentMeter, testClock } from '../../support/fakes.ts';
import { MemoryLedger } from '../../support/memory-ledger.ts';
import { MemorySource, MemoryTopic } from '../../support/memory-source.ts';

const OPTIONS: IngestOptions = {
  stream: 'cluster',
  lanes: 2,
  keyExpression: '',
  batchRecords: 5,
  batchBytes: 64 * 1024,
  batchAgeMs: 1,
  inFlightMax: 8,
  bufferRecordsMax: 1_000,
  bufferBytesMax: 1024 * 1024,
  ackIntervalMs: 2,
  gapPatienceMs: 50,
  acceptTruncation: false,
  untilEnd: true,
};

const KEYS = 6;

/** A topic of one partition that was carried once, and has grown to two with records in both. */
async function grown() {
  const topic = new MemoryTopic('cleaned', 1);
  const ledger = new MemoryLedger();
  const log = createTestLog();
  const deps = { deadLetters: new MemoryDeadLetters(), clock: testClock, meter: silentMeter };
  const run = (
    source = new MemorySource(topic),
    options: Partial<IngestOptions> = {},
  ): Promise<IngestSummary> =>
    runIngest(
      { ...deps, source, ledger, log },
      { ...OPTIONS, ...options },
      new AbortController().signal,
    );
  const append = (partition: number, from: number, to: number): void => {
    for (let n = from; n < to; n++) {
      topic.append(partition, `key-${n % KEYS}`, `${n}`);
    }
  };
  append(0, 0, 20);
  await run();
  append(0, 20, 80);
  topic.partitions.push({ records: [], logStart: 0n, logEnd: 0n });
  append(1, 80, 120);
  return { topic, ledger, log, run, append };
}

/** By key, the numbers as the ledger applied them. */
function appliedByKey({ channel }: MemoryLedger): number[][] {
  const byKey = new Map<string, number[]>();
  for (const { key, value } of channel.applied) {
    byKey.set(key, [...(byKey.get(key) ?? []), Number(value)]);
  }
  return [...byKey].toSorted(([a], [b]) => a.localeCompare(b)).map(([, numbers]) => numbers);
}

const IN_ORDER = Array.from({ length: KEYS }, (_, key) =>
  Array.from({ length: 120 / KEYS }, (__, n) => n * KEYS + key),
);

describe('a partition that was added to the topic', () => {
  it('begins when the older one is drained, so keys that have moved keep their order', async () => {
    const { ledger, log, run } = await grown();
    const order: number[] = [];
    ledger.faults.beforeEndorse = (header) => {
      order.push(header.partition);
    };
    const { applied } = await run();
    expect(applied).toBe(100);
    expect(appliedByKey(ledger)).toEqual(IN_ORDER);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    const told = log.lines.filter(({ message }) => message.includes('older partitions'));
    expect(told).toEqual([
      expect.objectContaining({ fields: expect.objectContaining({ older: [0] }) }),
    ]);
  });

  it('waits for an older one that another instance owns', async () => {
    const { topic, ledger, run } = await grown();
    const added = run(new MemorySource(topic, [1]));
    const older = run(new MemorySource(topic, [0]));
    await Promise.all([added, older]);
    expect(appliedByKey(ledger)).toEqual(IN_ORDER);
  });

  it('does not take the ack of another ledger for the word of this one', async () => {
    const { topic, ledger, run } = await grown();
    topic.acks.set('cleaned/0', { offset: 80n, metadata: '{"v":1,"channel":"another"}' });
    const added = run(new MemorySource(topic, [1]), { deadlineMs: 100 });
    await expect(added).rejects.toMatchObject({ code: 'DEADLINE' });
    expect(ledger.channel.applied).toHaveLength(20);
  });

  it('waits for what open transactions of the older one may still bring', async () => {
    const { topic, ledger, run } = await grown();
    const source = new MemorySource(topic);
    const ends = source.ends.bind(source);
    source.ends = async () =>
      (await ends()).map((end) => ({
        ...end,
        writtenEnd: end.logEnd + (end.partition === 0 ? 2n : 0n),
      }));
    await expect(run(source, { deadlineMs: 100 })).rejects.toMatchObject({ code: 'DEADLINE' });
    expect(
      ledger.channel.applied.map(({ value }) => Number(value)).toSorted((a, b) => a - b),
    ).toEqual(Array.from({ length: 80 }, (_, n) => n));
  });

  it('waits no more once it has begun', async () => {
    const { topic, ledger, run, append } = await grown();
    await run();
    append(0, 120, 130);
    append(1, 130, 140);
    await run(new MemorySource(topic, [1]), { untilEnd: true, deadlineMs: 2_000 }).catch(() => 0);
    expect(ledger.channel.applied.slice(-10).map(({ value }) => Number(value))).toEqual(
      expect.arrayContaining([130, 139]),
    );
  });
});
