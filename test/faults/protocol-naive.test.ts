/**
 * kafkajs used in the usual way, through the same proxy and under the same faults as Shuttle: each
 * test shows what is lost or doubled then. They keep the tests of the bridge honest: a fault that
 * harms nobody proves nothing. docs/reliability.md names the test of the bridge beside each.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type Consumer, Kafka, logLevel, type Producer, type ProducerConfig } from 'kafkajs';
import { testClock } from '../support/fakes.ts';
import { readAtLeast, readTopic } from '../support/independent.ts';
import { startTestBroker, type TestBroker } from '../support/kafka-broker.ts';
import { API, once } from '../support/kafka-proxy.ts';

const MINUTE_MS = 60_000;
jest.setTimeout(MINUTE_MS);

let broker: TestBroker;
let kafka: Kafka;
const opened: (Producer | Consumer)[] = [];

beforeAll(async () => {
  broker = await startTestBroker({ portOffset: 22_200 });
  kafka = new Kafka({ brokers: [...broker.proxied], logLevel: logLevel.NOTHING });
});

afterEach(async () => {
  broker.proxy.decide = () => 'pass';
  await Promise.allSettled(opened.splice(0).map((each) => each.disconnect()));
});

afterAll(() => broker.stop());

async function producer(config: ProducerConfig): Promise<Producer> {
  const made = kafka.producer({ createPartitioner: () => () => 0, ...config });
  opened.push(made);
  await made.connect();
  return made;
}

interface Consuming {
  readonly consumer: Consumer;
  readonly values: string[];
  readonly partitions: Set<number>;
  crashed: boolean;
}

/** The loop of every tutorial. */
async function consume(
  groupId: string,
  topic: string,
  { autoCommit = true, fromBeginning = false } = {},
): Promise<Consuming> {
  const consumer = kafka.consumer({
    groupId,
    maxWaitTimeInMs: 100,
    sessionTimeout: 6_000,
    retry: { retries: 1 },
  });
  opened.push(consumer);
  const consuming: Consuming = { consumer, values: [], partitions: new Set(), crashed: false };
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    consuming.partitions.clear();
    for (const partition of payload.memberAssignment[topic] ?? []) {
      consuming.partitions.add(partition);
    }
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    consuming.crashed = !payload.restart;
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning });
  await consumer.run({
    autoCommit,
    eachMessage: ({ message }) => {
      consuming.values.push(String(message.value));
      return Promise.resolve();
    },
  });
  return consuming;
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > end) {
      throw new Error(`It did not come true that ${what}.`);
    }
    await testClock.sleep(10);
  }
}

const send = (topic: string, values: readonly string[], partition = 0) =>
  broker.producer.send({ topic, messages: values.map((value) => ({ value, partition })) });

const valuesOn = async (topic: string, atLeast = 1): Promise<string[]> =>
  (await readAtLeast(broker.plain, topic, atLeast)).map(({ value }) => String(value));

const committed = async (groupId: string, topic: string): Promise<Map<number, string>> => {
  const [found] = await broker.admin.fetchOffsets({ groupId, topics: [topic] });
  return new Map(found?.partitions.map(({ partition, offset }) => [partition, offset]));
};

describe('a plain producer', () => {
  it('1: loses and doubles acknowledged records when sends overlap and one answer is lost', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    let harmed = false;
    for (let round = 0; round < 20 && !harmed; round++) {
      const topic = await broker.topic();
      const sender = await producer({ idempotent: true });
      broker.proxy.decide = once(API.produce, 'lose-answer');
      // All of them are acknowledged.
      await Promise.all(names.map((value) => sender.send({ topic, messages: [{ value }] })));
      const found = await valuesOn(topic);
      harmed = found.sort().join() !== names.join();
    }
    expect(harmed).toBe(true);
  });

  it('2: loses a committed record when it goes on after a send that it gave up', async () => {
    const topic = await broker.topic();
    const sender = await producer({
      transactionalId: randomUUID(),
      idempotent: true,
      maxInFlightRequests: 1,
      // Enough for the markers of an abort to be written.
      retry: { retries: 5, initialRetryTime: 50 },
    });
    broker.proxy.decide = ({ apiKey }) => (apiKey === API.produce ? 'lose-answer' : 'pass');
    const first = await sender.transaction();
    await expect(first.send({ topic, messages: [{ value: 'first' }] })).rejects.toThrow();
    broker.proxy.decide = () => 'pass';
    await first.abort();
    const second = await sender.transaction();
    await second.send({ topic, messages: [{ value: 'acknowledged' }] });
    await second.commit();
    const third = await sender.transaction();
    await third.send({ topic, messages: [{ value: 'behind' }] });
    await third.commit();
    expect(await valuesOn(topic)).toEqual(['behind']);
  });

  it.each([
    ['lose-answer', 'and makes it again', ['block 1', 'block 1']],
    ['lose-request', 'and takes it as made', []],
  ] as const)('3: does not learn how a commit went (%s), %s', async (fate, _, expected) => {
    const topic = await broker.topic();
    const transactionalId = randomUUID();
    const publish = async (): Promise<void> => {
      const sender = await producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 });
      const transaction = await sender.transaction();
      await transaction.send({ topic, messages: [{ value: 'block 1' }] });
      await transaction.commit();
    };
    broker.proxy.decide = once(API.endTxn, fate);
    await expect(publish()).rejects.toThrow();
    if (fate === 'lose-answer') {
      await publish();
    }
    // Behind it, so that the end is seen: whatever was left open is settled then.
    const sender = await producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 });
    const transaction = await sender.transaction();
    await transaction.send({ topic, messages: [{ value: 'end' }] });
    await transaction.commit();
    expect(await valuesOn(topic, expected.length + 1)).toEqual([...expected, 'end']);
  });

  it('9: cannot send more at once than a batch may have', async () => {
    const topic = await broker.topic(1, { 'max.message.bytes': '100000' });
    const sender = await producer({ idempotent: true, maxInFlightRequests: 1 });
    const messages = Array.from({ length: 10 }, () => ({ value: 'x'.repeat(30_000) }));
    await expect(sender.send({ topic, messages })).rejects.toMatchObject({
      type: 'MESSAGE_TOO_LARGE',
    });
    expect(await readTopic(broker.plain, topic)).toEqual([]);
  });
});

describe('a plain consumer', () => {
  it('4: moves the group back for a partition that it owns no more', async () => {
    const topic = await broker.topic(2);
    const groupId = randomUUID();
    const first = await consume(groupId, topic, { autoCommit: false });
    await until('it owns both', () => first.partitions.size === 2);
    const second = await consume(groupId, topic, { autoCommit: false });
    await until('each owns one', () => first.partitions.size + second.partitions.size === 2);
    const [moved = -1] = second.partitions;
    await second.consumer.commitOffsets([{ topic, partition: moved, offset: '9' }]);
    await first.consumer.commitOffsets([{ topic, partition: moved, offset: '2' }]);
    expect((await committed(groupId, topic)).get(moved)).toBe('2');
  });

  it('5: is told that an offset was committed while it stops, and it was not', async () => {
    const topic = await broker.topic();
    const groupId = randomUUID();
    await send(topic, ['a', 'b']);
    const { consumer, values, partitions } = await consume(groupId, topic, { autoCommit: false });
    await until('it has joined', () => partitions.size === 1);
    await until('one came', async () => {
      await send(topic, ['c']);
      return values.length > 0;
    });
    const stopping = consumer.stop();
    await consumer.commitOffsets([{ topic, partition: 0, offset: '3' }]);
    await stopping;
    expect((await committed(groupId, topic)).get(0)).toBe('-1');
  });

  it('6: goes to the end in silence when its offset is out of range', async () => {
    const topic = await broker.topic();
    const groupId = randomUUID();
    await send(topic, ['0', '1']);
    const before = await consume(groupId, topic, { fromBeginning: true });
    await until('both came', () => before.values.length === 2);
    await before.consumer.disconnect();
    await send(topic, ['2', '3', '4', '5', '6', '7']);
    await broker.truncate(topic, 4n);
    const after = await consume(groupId, topic);
    await until('a later one came', async () => {
      await send(topic, ['later']);
      return after.values.length > 0;
    });
    // 4 to 7 are there and were never read, and nothing was told of 2 and 3.
    expect([new Set(after.values), after.crashed]).toEqual([new Set(['later']), false]);
  });

  it('7: stops for good at a codec that it lacks', async () => {
    const topic = await broker.topic(1, { 'compression.type': 'lz4' });
    const groupId = randomUUID();
    const text = 'compressed '.repeat(100);
    await send(topic, [text]);
    const consuming = await consume(groupId, topic, { fromBeginning: true });
    await until('it crashed', () => consuming.crashed);
    expect(consuming.values).toEqual([]);
  });

  it('8: passes over everything that came since the group was lost', async () => {
    const topic = await broker.topic();
    const groupId = randomUUID();
    const before = await consume(groupId, topic);
    await until('one came', async () => {
      await send(topic, ['before']);
      return before.values.length > 0;
    });
    await before.consumer.disconnect();
    await broker.admin.deleteGroups([groupId]);
    await send(topic, ['meanwhile']);
    const after = await consume(groupId, topic);
    await until('a later one came', async () => {
      await send(topic, ['later']);
      return after.values.length > 0;
    });
    expect(after.values).not.toContain('meanwhile');
  });
});
