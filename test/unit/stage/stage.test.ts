/** The clean stage on a topic in memory: what it promises when things go wrong. */
import { describe, expect, it } from '@jest/globals';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import { Outage } from '../../../bridge/src/outage.ts';
import type { StageCleaner, StageOptions } from '../../../bridge/src/stage/context.ts';
import { runStage } from '../../../bridge/src/stage/stage.ts';
import { createTestLog, silentMeter, testClock } from '../../support/fakes.ts';
import { MemoryCleanTarget } from '../../support/memory-clean.ts';
import { MemorySource, MemoryTopic } from '../../support/memory-source.ts';

const OPTIONS: StageOptions = {
  acceptTruncation: false,
  acceptLostPosition: false,
  untilEnd: true,
  deadlineMs: 5_000,
  transactionRecordsMax: 10,
  transactionBytesMax: 10_000,
  transactionAgeMs: 1,
  bufferRecordsMax: 50,
  bufferBytesMax: 100_000,
  fencedPatienceMs: 1,
};

/** Says each value once more; refuses what says so. */
const echo = (): StageCleaner => ({
  clean: async ({ value }) => {
    const text = String(value);
    return text.startsWith('bad')
      ? {
          documents: null,
          refused: { rule: 'good', code: 'DOCUMENT_INVALID', sentence: 'It is bad.' },
        }
      : { documents: [{ key: Buffer.from('k'), value }], refused: null, dropped: 0 };
  },
});

interface Given {
  readonly options?: Partial<StageOptions>;
  readonly createCleaner?: () => StageCleaner;
  readonly signal?: AbortSignal;
}

function world(partitions: number, records: number) {
  const topic = new MemoryTopic('raw', partitions);
  for (let n = 0; n < records; n++) {
    for (let partition = 0; partition < partitions; partition++) {
      topic.append(partition, null, `${n % 7 === 3 ? 'bad' : 'good'}-${partition}-${n}`);
    }
  }
  const target = new MemoryCleanTarget(topic);
  const source = new MemorySource(topic);
  const run = ({ options = {}, createCleaner = echo, signal }: Given = {}) => {
    const log = createTestLog();
    const outage = new Outage(log, silentMeter, testClock);
    const { createSink } = target;
    const deps = { source, createSink, createCleaner, clock: testClock, log, outage };
    const never = new AbortController().signal;
    const all = { ...OPTIONS, ...options };
    return runStage({ ...deps, meter: silentMeter }, all, signal ?? never);
  };
  return { topic, target, source, run };
}

const expected = (partitions: number, records: number, kind: 'good' | 'bad'): string[] =>
  Array.from({ length: partitions }, (_, partition) =>
    Array.from({ length: records }, (__, n) => `${n % 7 === 3 ? 'bad' : 'good'}-${partition}-${n}`),
  )
    .flat()
    .filter((value) => value.startsWith(kind))
    .sort();

function expectOnce(target: MemoryCleanTarget, partitions: number, records: number): void {
  expect([...target.values].sort()).toEqual(expected(partitions, records, 'good'));
  const letters = target.letters.map(({ record }) => String(record.value)).sort();
  expect(letters).toEqual(expected(partitions, records, 'bad'));
}

describe('each raw record becomes its documents or its letter, once', () => {
  it('in the order of each partition, in transactions of bounded size', async () => {
    const { target, run } = world(2, 100);
    const summary = await run();
    expect(summary).toMatchObject({ recordsRead: 200, cleaned: 172, refused: 28, stops: [] });
    expect(summary.refusals).toEqual([{ rule: 'good', code: 'DOCUMENT_INVALID', records: 28 }]);
    expectOnce(target, 2, 100);
    for (const { cleaned, letters } of target.steps) {
      expect(cleaned.length + letters.length).toBeLessThanOrEqual(10);
    }
    for (const partition of [0, 1]) {
      const own = target.steps.filter((step) => step.partition === partition);
      const offsets = own.flatMap(({ cleaned }) => cleaned.map(({ raw }) => raw.offset));
      expect(offsets).toEqual([...offsets].sort((a, b) => Number(a - b)));
    }
  });

  it.each(['before it took effect', 'after it took effect'])(
    'when the outcome of a transaction is lost %s',
    async (when) => {
      const { topic, target, run } = world(1, 60);
      let failures = 0;
      target.beforeCommit = (step) => {
        if (step.cleaned.length > 0 && failures < 3) {
          failures += 1;
          if (when.startsWith('after')) {
            topic.acks.set('raw/0', { offset: step.next, metadata: '' });
            target.steps.push({ ...step, partition: 0 });
          }
          throw new ShuttleError('PRODUCE_FAILED', 'No answer.');
        }
      };
      expect((await run()).stops).toEqual([]);
      expect(failures).toBe(3);
      expectOnce(target, 1, 60);
    },
  );

  it('when another instance takes the partition over in the middle, and gives it back', async () => {
    const { target, run } = world(1, 60);
    let other = 0;
    target.beforeCommit = async (step) => {
      if (step.cleaned.length > 0 && other < 2) {
        other += 1;
        await target.createSink({ topic: 'raw', partition: 0 }).open();
      }
    };
    expect((await run()).stops).toEqual([]);
    expectOnce(target, 1, 60);
  });

  it('when gaps stand for what is no record', async () => {
    const { topic, target, run } = world(1, 20);
    topic.skip(0, 5);
    await run();
    expectOnce(target, 1, 20);
    expect(topic.acks.get('raw/0')?.offset).toBe(25n);
  });

  it('and a document that the topic does not take is a letter', async () => {
    const { target, run } = world(1, 3);
    target.valueBytesMax = 3;
    expect(await run()).toMatchObject({ cleaned: 0, refused: 3 });
    expect(target.letters[0]).toMatchObject({ code: 'RECORD_TOO_LARGE', stage: 'clean' });
  });
});

describe('a cleaner that looks back', () => {
  it('is of one assignment, and has seen the records before the position again', async () => {
    const { topic, target, run } = world(1, 40);
    topic.acks.set('raw/0', { offset: 30n, metadata: '' });
    const seen: bigint[][] = [];
    const createCleaner = (): StageCleaner => {
      const mine: bigint[] = [];
      seen.push(mine);
      return {
        windowRecords: 12,
        clean: (raw) => {
          mine.push(raw.offset);
          return echo().clean(raw);
        },
      };
    };
    await run({ createCleaner });
    expect(seen).toEqual([Array.from({ length: 22 }, (_, n) => BigInt(18 + n))]);
    expect(target.values).toHaveLength(8);
  });
});

describe('the stage stops, with nothing written,', () => {
  it('when the group has no position although the target has records', async () => {
    const { target, run } = world(2, 5);
    target.isTargetWritten = true;
    const { stops } = await run();
    expect(stops.map(({ error }) => error.code)).toEqual(['POSITION_LOST', 'POSITION_LOST']);
    expect(target.steps).toEqual([]);
  });

  it('when records are gone that were not cleaned, unless that is accepted', async () => {
    const { topic, target, run } = world(1, 40);
    topic.acks.set('raw/0', { offset: 5n, metadata: '' });
    topic.truncate(0, 20n);
    expect((await run()).stops[0]?.error.code).toBe('SOURCE_TRUNCATED');
    expect(target.steps).toEqual([]);
  });

  it('when the topic ends before the position', async () => {
    const { topic, run } = world(1, 5);
    topic.acks.set('raw/0', { offset: 9n, metadata: '' });
    expect((await run()).stops[0]?.error.code).toBe('SOURCE_REWOUND');
  });

  it('when nothing moves until the deadline', async () => {
    const { target, run } = world(1, 5);
    target.beforeCommit = () => {
      throw new ShuttleError('KAFKA_UNREACHABLE', 'Nobody there.');
    };
    await expect(run({ options: { deadlineMs: 50 } })).rejects.toMatchObject({ code: 'DEADLINE' });
  });
});

describe('memory stays bounded', () => {
  it('by pausing a partition whose transactions are slow', async () => {
    const { target, source, run } = world(1, 2_000);
    source.batchRecordsMax = 20;
    target.beforeCommit = () => testClock.sleep(2);
    await run();
    expectOnce(target, 1, 2_000);
    expect(source.pauses.get('raw/0')).toBeGreaterThan(3);
  });
});

describe('an orderly stop', () => {
  it('commits what is in flight, and begins nothing new', async () => {
    const { target, run } = world(1, 200);
    const stop = new AbortController();
    target.beforeCommit = async (step) => {
      if (step.next > 30n) {
        stop.abort();
        await testClock.sleep(5);
      }
    };
    const summary = await run({ signal: stop.signal, options: { untilEnd: false } });
    const last = target.steps.at(-1)?.next ?? 0n;
    expect(summary.cleaned + summary.refused).toBe(Number(last));
    expect(last).toBeLessThan(80n);
  });
});
