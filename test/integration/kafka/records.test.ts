import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Producer } from 'kafkajs';
import { createReader } from '../../../bridge/src/kafka/reader.ts';
import { createKafkaSource } from '../../../bridge/src/kafka/source.ts';
import { readTail } from '../../../bridge/src/kafka/tail.ts';
import type { SourceBatch } from '../../../bridge/src/ports.ts';
import { testClock } from '../../support/fakes.ts';
import { readTopic } from '../../support/independent.ts';
import { startTestBroker, type TestBroker } from '../../support/kafka-broker.ts';

const MINUTE = 60_000;
const FOUR_ZEROS = Buffer.alloc(4);

let broker: TestBroker;
const producers: Producer[] = [];

beforeAll(async () => {
  broker = await startTestBroker({ portOffset: 15_000 });
}, MINUTE);

afterAll(async () => {
  await Promise.allSettled(producers.map((producer) => producer.disconnect()));
  await broker.stop();
}, MINUTE);

/** All batches up to the committed end of the topic's one partition. */
async function drain(topic: string): Promise<SourceBatch[]> {
  const source = createKafkaSource(
    broker.client(),
    { groupId: randomUUID(), topics: [topic] },
    testClock,
  );
  const batches: SourceBatch[] = [];
  const stop = new AbortController();
  let end = -1n;
  for await (const event of source.events(stop.signal)) {
    if (event.kind === 'assigned') {
      end = event.assignment.logEnd;
      source.start(event.assignment, event.assignment.logStart);
    } else if (event.kind === 'records') {
      batches.push(event.batch);
      if (event.batch.next >= end) {
        stop.abort();
      }
    }
  }
  await source.close();
  return batches;
}

const valuesOf = (batches: readonly SourceBatch[]): string[] =>
  batches.flatMap(({ records }) => records.map(({ value }) => Buffer.from(value ?? []).toString()));

async function transactional(): Promise<Producer> {
  const producer = broker.plain.producer({
    transactionalId: randomUUID(),
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: () => () => 0,
    retry: { initialRetryTime: 5, maxRetryTime: 100, retries: 50 },
  });
  producers.push(producer);
  await producer.connect();
  return producer;
}

/** Kafka writes a transaction's markers after it has answered its end; readers pass with them. */
async function untilCommitted(topic: string, end: bigint): Promise<void> {
  const reader = createReader(broker.client());
  while (((await reader.ends([topic]))[0]?.logEnd ?? 0n) < end) {
    await testClock.sleep(5);
  }
  await reader.close();
}

describe('aborted transactions', () => {
  it('never show, however they interleave and whatever their keys are', async () => {
    const topic = await broker.topic();
    const [first, second] = await Promise.all([transactional(), transactional()]);
    const one = await first.transaction();
    const other = await second.transaction();
    // Brokers list the one that ended first before the one that began first.
    await one.send({ topic, messages: [{ key: 'a', value: 'aborted 1' }] });
    await other.send({ topic, messages: [{ key: 'b', value: 'aborted 2' }] });
    await other.send({ topic, messages: [{ key: FOUR_ZEROS, value: 'aborted 3' }] });
    await other.send({ topic, messages: [{ key: 'b', value: 'aborted 4' }] });
    await other.abort();
    // The next transaction of a producer begins only when the markers of its last one are written.
    const last = await second.transaction();
    await last.send({ topic, messages: [{ key: FOUR_ZEROS, value: 'committed' }] });
    await last.commit();
    await one.send({ topic, messages: [{ key: 'a', value: 'aborted 5' }] });
    await one.abort();
    // Six records and three markers.
    await untilCommitted(topic, 9n);

    expect(valuesOf(await drain(topic))).toEqual(['committed']);
    // The fault that this test is for: kafkajs alone shows aborted records.
    const leaked = await readTopic(broker.plain, topic);
    expect(leaked.map(({ value }) => value?.toString())).toContain('aborted 1');
  }, 60_000);

  it('that are all there is move the position to the end', async () => {
    const topic = await broker.topic();
    const producer = await transactional();
    for (let i = 0; i < 3; i++) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value: 'aborted' }] });
      await transaction.abort();
    }
    await untilCommitted(topic, 6n);
    const batches = await drain(topic);
    expect(valuesOf(batches)).toEqual([]);
    expect(batches.at(-1)?.next).toBe(6n);
  });

  it('that are still open hold the committed end back', async () => {
    const topic = await broker.topic();
    await broker.producer.send({ topic, messages: [{ value: 'before' }] });
    const producer = await transactional();
    const open = await producer.transaction();
    await open.send({ topic, messages: [{ value: 'open' }] });
    await broker.producer.send({ topic, messages: [{ value: 'behind' }] });
    expect(valuesOf(await drain(topic))).toEqual(['before']);
    const reader = createReader(broker.client());
    expect(await reader.ends([topic])).toMatchObject([
      { logStart: 0n, logEnd: 1n, writtenEnd: 3n },
    ]);
    await reader.close();
    await open.commit();
    await untilCommitted(topic, 4n);
    expect(valuesOf(await drain(topic))).toEqual(['before', 'open', 'behind']);
  });
});

describe('compressed records', () => {
  // The broker compresses by Kafka's own Java code, so the framing is that of Java clients.
  it.each(['gzip', 'snappy', 'lz4', 'zstd'])('of Java are read with %s', async (codec) => {
    const topic = await broker.topic(1, { 'compression.type': codec });
    // Some repeat, some do not, and all together are larger than a block of any codec.
    const messages = Array.from({ length: 2_000 }, (_, i) => ({
      key: `key-${i}`,
      value: `${'äbc'.repeat(i % 50)}${randomUUID()}${randomUUID()}`,
      headers: { number: `${i}` },
    }));
    await broker.producer.send({ topic, messages });
    const records = (await drain(topic)).flatMap((batch) => batch.records);
    const text = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString();
    const found = records.map(({ key, value, headers }) => ({
      key: text(key),
      value: text(value),
      headers: Object.fromEntries(headers.map((header) => [header.name, text(header.value)])),
    }));
    expect(found).toEqual(messages);

    const reader = createReader(broker.client());
    const fetched = await reader.fetch({ topic, partition: 0 }, 0n);
    await reader.close();
    const plainBytes = messages.reduce((sum, { value }) => sum + Buffer.byteLength(value), 0);
    expect(fetched.kind === 'records' ? fetched.bytes : 0).toBeLessThan(0.7 * plainBytes);
  });
});

describe('the tail', () => {
  const collect = async (...args: Parameters<typeof readTail>): Promise<string[]> => {
    const found: string[] = [];
    for await (const { value } of readTail(...args)) {
      found.push(Buffer.from(value ?? []).toString());
    }
    return found;
  };
  const never = new AbortController().signal;

  it('is the last records over all partitions, or all there are', async () => {
    const topic = await broker.topic(3);
    for (let i = 0; i < 30; i++) {
      const messages = [{ partition: i % 3, value: `${i}`, timestamp: `${1_000 + i}` }];
      await broker.producer.send({ topic, messages });
    }
    const reader = () => createReader(broker.client());
    const last = await collect(reader(), topic, { from: { last: 5 }, follow: false }, never);
    expect(last).toEqual(['25', '26', '27', '28', '29']);
    const all = await collect(reader(), topic, { from: 'beginning', follow: false }, never);
    expect(all.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, i) => i));
    expect(await collect(reader(), topic, { from: { last: 0 }, follow: false }, never)).toEqual([]);
  });

  it('goes on with what comes, and leaves no trace of a group', async () => {
    const before = await broker.admin.listGroups();
    const topic = await broker.topic();
    await broker.producer.send({ topic, messages: [{ value: 'old' }, { value: 'last' }] });
    const stop = new AbortController();
    const found: string[] = [];
    const options = { from: { last: 1 }, follow: true } as const;
    const reader = createReader(broker.client());
    for await (const { value } of readTail(reader, topic, options, stop.signal)) {
      found.push(Buffer.from(value ?? []).toString());
      if (found.length === 1) {
        await broker.producer.send({ topic, messages: [{ value: 'new' }] });
      } else {
        stop.abort();
      }
    }
    expect(found).toEqual(['last', 'new']);
    expect(await broker.admin.listGroups()).toEqual(before);
  });

  it('of a topic that does not exist is refused', async () => {
    const reading = collect(
      createReader(broker.client()),
      'nowhere',
      { from: 'beginning', follow: false },
      never,
    );
    await expect(reading).rejects.toMatchObject({ code: 'TOPIC_MISSING' });
  });
});
