/** What is given of a topic, from where on and up to where. */
import { describe, expect, it } from '@jest/globals';
import {
  type ConsumeOptions,
  type ConsumeSummary,
  consume,
  type TopicLog,
} from '../../../bridge/src/consume/consume.ts';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import { Outage } from '../../../bridge/src/outage.ts';
import { createTestLog, silentMeter, testClock } from '../../support/fakes.ts';

/** Records by partition; null is an offset of a marker or of an aborted record. */
class MemoryTopic implements TopicLog {
  readonly topic = 't';
  readonly partitions: (string | null)[][];
  logStart = 0n;
  fetchMax = 2;
  /** Calls that fail before one is answered again. */
  outages = 0;
  /** Told before each fetch that finds nothing. */
  onNothing: () => void = () => {};

  constructor(partitions: (string | null)[][]) {
    this.partitions = partitions;
  }

  async ends() {
    this.fail();
    return this.partitions.map((log, partition) => {
      const logEnd = BigInt(log.length);
      return { topic: 't', partition, logStart: this.logStart, logEnd, writtenEnd: logEnd };
    });
  }

  /** The record at offset n has the time n * 10; a marker has a late one. */
  async offsetsAt(timeMs: number) {
    return new Map(
      this.partitions.map((log, n) => {
        const index = log.findIndex((value, at) => value === null || at * 10 >= timeMs);
        return [n, index < 0 ? null : BigInt(index)];
      }),
    );
  }

  async fetch(partition: number, from: bigint) {
    this.fail();
    const log = this.partitions[partition] ?? [];
    if (from >= BigInt(log.length)) {
      this.onNothing();
      await testClock.sleep(1);
      return { records: [], next: from };
    }
    const next = Math.min(log.length, Number(from) + this.fetchMax);
    const records = log.slice(Number(from), next).flatMap((value, index) => {
      const offset = from + BigInt(index);
      const key = Buffer.from(value?.slice(0, 1) ?? '');
      const bytes = Buffer.from(value ?? '');
      return value === null
        ? []
        : [{ offset, timestamp: Number(offset) * 10, key, value: bytes, headers: [] }];
    });
    return { records, next: BigInt(next) };
  }

  private fail(): void {
    if (this.outages > 0) {
      this.outages -= 1;
      throw new ShuttleError('KAFKA_UNREACHABLE', 'No broker.');
    }
  }
}

interface Read extends ConsumeSummary {
  readonly values: string[];
}

async function read(
  log: TopicLog,
  options: Partial<ConsumeOptions> = {},
  signal = new AbortController().signal,
): Promise<Read> {
  const values: string[] = [];
  const outage = new Outage(createTestLog(), silentMeter, testClock);
  const summary = await consume(
    { log, clock: testClock, outage },
    {
      from: { kind: 'beginning' },
      untilEnd: true,
      ...options,
      onRecord: (record) => {
        values.push(Buffer.from(record.value ?? '').toString());
        options.onRecord?.(record);
      },
    },
    signal,
  );
  return { ...summary, values };
}

const next = (...offsets: bigint[]) => offsets.map((offset, partition) => ({ partition, offset }));

describe('a topic is read', () => {
  it('from its beginning to its end as it was, partition by partition, past all gaps', async () => {
    const topic = new MemoryTopic([['a1', null, 'b1', null, null, null], [], ['c1', 'a2', 'c2']]);
    const onRecord = () => topic.partitions[2]?.push('later');
    const found = await read(topic, { onRecord });
    expect(found.values).toEqual(['a1', 'b1', 'c1', 'a2', 'c2']);
    expect(found).toMatchObject({ topic: 't', records: 5, next: next(6n, 0n, 3n) });
  });

  it('from what is left of it', async () => {
    const topic = new MemoryTopic([['a', 'b', 'c']]);
    topic.logStart = 1n;
    expect((await read(topic)).values).toEqual(['b', 'c']);
  });

  it('from an offset, from a time, or from its end on', async () => {
    const topic = new MemoryTopic([['a', 'b', 'c', 'd']]);
    const from = async (where: ConsumeOptions['from']) =>
      (await read(topic, { from: where })).values;
    expect(await from({ kind: 'offset', offset: 2n })).toEqual(['c', 'd']);
    expect(await from({ kind: 'offset', offset: 4n })).toEqual([]);
    expect(await from({ kind: 'time', timeMs: 11 })).toEqual(['c', 'd']);
    expect(await from({ kind: 'time', timeMs: 31 })).toEqual([]);
    expect(await from({ kind: 'end' })).toEqual([]);
  });

  it('from a time on exactly, though the ends of transactions have later times', async () => {
    const topic = new MemoryTopic([
      ['a', null, 'b', 'c', null, 'd', 'e'],
      ['f', null, null],
    ]);
    const found = await read(topic, { from: { kind: 'time', timeMs: 45 } });
    expect(found).toMatchObject({ values: ['d', 'e'], next: next(7n, 3n) });
  });

  it('on one partition alone, where an offset means something', async () => {
    const topic = new MemoryTopic([['a'], ['b', 'c']]);
    expect((await read(topic, { partition: 1 })).values).toEqual(['b', 'c']);
    const from = { kind: 'offset', offset: 1n } as const;
    expect((await read(topic, { from, partition: 1 })).values).toEqual(['c']);
    await expect(read(topic, { from })).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('up to so many records, and can be gone on with behind the last one', async () => {
    const topic = new MemoryTopic([['a', 'b', 'c', 'd', 'e']]);
    const first = await read(topic, { max: 3, untilEnd: false });
    expect(first).toMatchObject({ values: ['a', 'b', 'c'], next: next(3n) });
    const from = { kind: 'offset', offset: first.next[0]?.offset ?? 0n } as const;
    expect((await read(topic, { from })).values).toEqual(['d', 'e']);
  });

  it('for the records of one key', async () => {
    const topic = new MemoryTopic([['a1', 'b1', 'a2'], ['a3']]);
    const found = await read(topic, { key: Buffer.from('a'), max: 3 });
    expect(found).toMatchObject({ values: ['a1', 'a2', 'a3'], records: 3 });
  });

  it('on and on as records come, on partitions that are added too, until it is stopped', async () => {
    const topic = new MemoryTopic([['a']]);
    const stop = new AbortController();
    const coming = ['b', 'c'];
    topic.onNothing = () => {
      const value = coming.shift();
      if (value !== undefined) {
        topic.partitions[0]?.push(value);
      }
    };
    const onRecord = ({ value }: { readonly value: Uint8Array | null }) => {
      if (Buffer.from(value ?? '').toString() === 'c') {
        stop.abort();
      }
    };
    const found = await read(topic, { untilEnd: false, onRecord }, stop.signal);
    expect(found).toMatchObject({ values: ['a', 'b', 'c'], next: next(3n) });
  });

  it('through an outage, and each record once', async () => {
    const topic = new MemoryTopic([['a', 'b', 'c']]);
    const onRecord = () => {
      topic.outages = 2;
    };
    expect((await read(topic, { onRecord })).values).toEqual(['a', 'b', 'c']);
  });
});

describe('what cannot be read is told', () => {
  it('of partitions and offsets that are not there', async () => {
    const topic = new MemoryTopic([['a', 'b']]);
    topic.logStart = 1n;
    const missing = { code: 'NOT_FOUND', at: { topic: 't', partition: 3 } };
    await expect(read(topic, { partition: 3 })).rejects.toMatchObject(missing);
    for (const offset of [0n, 3n]) {
      await expect(read(topic, { from: { kind: 'offset', offset } })).rejects.toMatchObject({
        code: 'NOT_FOUND',
        message: 't/0 holds offsets from 1 to 1.',
      });
    }
  });

  it('of a record in the middle, after those before it', async () => {
    const topic = new MemoryTopic([['a', 'b', 'c', 'd']]);
    const values: string[] = [];
    const log: TopicLog = {
      topic: 't',
      ends: () => topic.ends(),
      offsetsAt: (timeMs) => topic.offsetsAt(timeMs),
      fetch: async (partition, from) => {
        if (from === 2n) {
          throw new ShuttleError('DECRYPTION_FAILED', 'It does not decrypt.');
        }
        return await topic.fetch(partition, from);
      },
    };
    const onRecord = ({ value }: { readonly value: Uint8Array | null }) =>
      values.push(Buffer.from(value ?? '').toString());
    await expect(read(log, { onRecord })).rejects.toMatchObject({ code: 'DECRYPTION_FAILED' });
    expect(values).toEqual(['a', 'b']);
  });

  it('of a Kafka that does not answer for so long', async () => {
    const topic = new MemoryTopic([['a']]);
    topic.outages = Number.POSITIVE_INFINITY;
    await expect(read(topic, { deadlineMs: 5 })).rejects.toMatchObject({ code: 'DEADLINE' });
  });
});
