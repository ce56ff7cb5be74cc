import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BLOCK_HASH_HEADER, BLOCK_NUMBER_HEADER } from '../../../bridge/src/block/topics.ts';
import { createBlockSink } from '../../../bridge/src/kafka/block-sink.ts';
import { createReader } from '../../../bridge/src/kafka/reader.ts';
import { ensureBlockTopics } from '../../../bridge/src/kafka/topics.ts';
import type { BlockSink } from '../../../bridge/src/ports.ts';
import type { OutputRecord } from '../../../bridge/src/values.ts';
import { testClock } from '../../support/fakes.ts';
import { readAtLeast } from '../../support/independent.ts';
import { startTestBroker, type TestBroker } from '../../support/kafka-broker.ts';
import { API, type KafkaProxy, once } from '../../support/kafka-proxy.ts';

const MINUTE = 60_000;
const NOBODY = (): 'pass' => 'pass';

let broker: TestBroker;
let names = 0;
const opened: BlockSink[] = [];

beforeAll(async () => {
  broker = await startTestBroker({ portOffset: 13_278 });
}, MINUTE);

afterAll(async () => {
  await Promise.allSettled(opened.map((sink) => sink.close()));
  await broker.stop();
}, MINUTE);

const hashOf = (number: number): string => number.toString(16).padStart(64, '0');

interface Topics {
  readonly blocks: string;
  readonly changes: string;
}

async function createTopics(blockSettings: Record<string, string> = {}): Promise<Topics> {
  const prefix = `c${names++}-${Date.now()}`;
  const topics = { blocks: `${prefix}.blocks`, changes: `${prefix}.changes` };
  await broker.createTopic(topics.blocks, 1, blockSettings);
  await broker.createTopic(topics.changes, 3);
  return topics;
}

function createSink(topics: Topics, deadlineMs = 20_000, proxied = false): BlockSink {
  const client = broker.client(proxied ? { brokers: broker.proxied } : {});
  const sink = createBlockSink(
    client,
    { blocksTopic: topics.blocks, topics: Object.values(topics), deadlineMs },
    testClock,
  );
  opened.push(sink);
  return sink;
}

const block = ({ blocks }: Topics, number: number, value = `block ${number}`): OutputRecord => ({
  topic: blocks,
  key: String(number),
  value,
  headers: [
    { name: BLOCK_NUMBER_HEADER, value: String(number) },
    { name: BLOCK_HASH_HEADER, value: hashOf(number) },
  ],
});

const changesOf = ({ changes }: Topics, number: number, count: number): OutputRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    topic: changes,
    key: `key-${i}`,
    value: `${number}`,
    headers: [],
  }));

const at = (number: number) => ({ number: BigInt(number), hash: hashOf(number) });

const numbersIn = async (topic: string, atLeast: number): Promise<string[]> =>
  (await readAtLeast(broker.plain, topic, atLeast)).map(({ key }) => key ?? '');

/** Publishes through the proxy while one request goes wrong; what a new sink then finds. */
async function publishUnder(decide: KafkaProxy['decide']) {
  const topics = await createTopics();
  const sink = createSink(topics, 3_000, true);
  await sink.open();
  await sink.publish([block(topics, 0), ...changesOf(topics, 0, 10)]);
  broker.proxy.faults.length = 0;
  broker.proxy.decide = decide;
  const failure = await sink
    .publish([block(topics, 1), ...changesOf(topics, 1, 10)])
    .then(() => null)
    .catch((error: unknown) => error);
  broker.proxy.decide = NOBODY;
  expect(broker.proxy.faults.length).toBeGreaterThan(0);
  const next = createSink(topics);
  return { topics, sink, failure, next, tail: await next.open() };
}

describe('the tail that a sink finds', () => {
  it('is new for a topic that nobody wrote', async () => {
    expect(await createSink(await createTopics()).open()).toEqual({ kind: 'new' });
  });

  it('is the last committed block, however many aborted transactions stand behind it', async () => {
    const topics = await createTopics();
    const sink = createSink(topics);
    await sink.open();
    await sink.publish([block(topics, 0), block(topics, 1)]);
    await sink.publish([block(topics, 2)]);
    await sink.close();
    await abortMany(topics.blocks, 40);
    const next = createSink(topics);
    expect(await next.open()).toEqual({ kind: 'resume', first: at(0), last: at(2) });
    await next.publish([block(topics, 3)]);
    expect(await numbersIn(topics.blocks, 4)).toEqual(['0', '1', '2', '3']);
  }, 30_000);

  it('is new for a topic that holds aborted transactions only', async () => {
    const topics = await createTopics();
    await abortMany(topics.blocks, 7);
    expect(await createSink(topics).open()).toEqual({ kind: 'new' });
  });

  it('is truncated when records at its start are gone', async () => {
    const topics = await createTopics();
    const sink = createSink(topics);
    await sink.open();
    await sink.publish([block(topics, 0), block(topics, 1), block(topics, 2)]);
    await broker.truncate(topics.blocks, 2n);
    const some = await createSink(topics).open();
    expect(some).toEqual({ kind: 'truncated', logStart: 2n });
    await broker.truncate(topics.blocks, -1n);
    const none = await createSink(topics).open();
    expect(none).toEqual({ kind: 'truncated', logStart: 4n });
  });

  it('is refused when a record is not a block', async () => {
    const topics = await createTopics();
    await broker.producer.send({ topic: topics.blocks, messages: [{ value: 'a stranger' }] });
    await expect(createSink(topics).open()).rejects.toMatchObject({ code: 'TOPIC_UNFIT' });
  });

  it('is not asked of a topic that does not exist', async () => {
    const sink = createSink({ blocks: 'none.blocks', changes: 'none.changes' });
    await expect(sink.open()).rejects.toMatchObject({ code: 'TOPIC_MISSING' });
  });
});

/** Transactions of another producer, aborted with a record each. */
async function abortMany(topic: string, count: number): Promise<void> {
  const producer = broker.plain.producer({
    transactionalId: `abort-${topic}`,
    maxInFlightRequests: 1,
    idempotent: true,
    createPartitioner: () => () => 0,
    retry: { initialRetryTime: 5, retries: 50, maxRetryTime: 100 },
  });
  await producer.connect();
  for (let i = 0; i < count; i++) {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ key: 'aborted', value: `${i}` }] });
    await transaction.abort();
  }
  await producer.disconnect();
}

describe('a publish', () => {
  it('shows all of its records to committed readers, or none', async () => {
    const topics = await createTopics();
    const sink = createSink(topics, 20_000, true);
    await sink.open();
    await sink.publish([block(topics, 0), ...changesOf(topics, 0, 500)]);
    expect(await numbersIn(topics.changes, 500)).toHaveLength(500);
    expect(await numbersIn(topics.blocks, 1)).toEqual(['0']);

    broker.proxy.faults.length = 0;
    broker.proxy.decide = once(API.endTxn, 'hang');
    const hanging = sink.publish([block(topics, 1), ...changesOf(topics, 1, 500)]);
    hanging.catch(() => undefined);
    await until(() => broker.proxy.faults.length > 0);
    broker.proxy.decide = NOBODY;
    // The commit is asked for when Kafka has acked all records; nobody sees any of them yet.
    const reader = createReader(broker.client());
    const seen = await reader.fetch({ topic: topics.blocks, partition: 0 }, 2n);
    await reader.close();
    expect(seen).toEqual({ kind: 'nothing', lastStable: 2n });
    broker.proxy.cut(true);
    await hanging.catch(() => undefined);
  });

  it('is visible to committed readers as soon as its sink is closed', async () => {
    const topics = await createTopics();
    const reader = createReader(broker.client());
    for (let number = 0; number < 20; number++) {
      const sink = createSink(topics);
      await sink.open();
      await sink.publish([block(topics, number), ...changesOf(topics, number, 30)]);
      await sink.close();
      // One batch of 30 over three partitions, and a marker in each, for every round.
      const ends = await reader.ends([topics.changes]);
      const end = ends.reduce((sum, { logEnd }) => sum + Number(logEnd), 0);
      expect(end).toBe((30 + 3) * (number + 1));
    }
    await reader.close();
  });

  it('spreads keys over partitions as other Kafka clients do', async () => {
    const topics = await createTopics();
    const sink = createSink(topics);
    await sink.open();
    await sink.publish([block(topics, 0), ...changesOf(topics, 0, 100)]);
    const found = await readAtLeast(broker.plain, topics.changes, 100);
    const kafkajs = await import('kafkajs');
    const { DefaultPartitioner } = kafkajs.default.Partitioners;
    const partitionMetadata = [0, 1, 2].map((partitionId) => ({ partitionId, leader: 1 }));
    for (const { key, partition } of found) {
      const message = { key, value: null };
      const expected = DefaultPartitioner()({
        topic: topics.changes,
        partitionMetadata: partitionMetadata as never,
        message,
      });
      expect([key, partition]).toEqual([key, expected]);
    }
  });

  it('larger than a batch may be is split within its one transaction', async () => {
    const topics = await createTopics({ 'max.message.bytes': '100000' });
    const sink = createSink(topics, 20_000, true);
    await sink.open();
    let produced = 0;
    broker.proxy.decide = ({ apiKey }) => {
      produced += apiKey === API.produce ? 1 : 0;
      return 'pass';
    };
    const value = 'x'.repeat(30_000);
    await sink.publish(Array.from({ length: 10 }, (_, i) => block(topics, i, value)));
    broker.proxy.decide = NOBODY;
    expect(produced).toBe(4);
    expect(await numbersIn(topics.blocks, 10)).toEqual('0123456789'.split(''));
  });

  it('with gzip is read by others as it is', async () => {
    const topics = await createTopics();
    const sink = createBlockSink(
      broker.client({ compression: 'gzip' }),
      { blocksTopic: topics.blocks, topics: Object.values(topics) },
      testClock,
    );
    opened.push(sink);
    await sink.open();
    await sink.publish([block(topics, 0, 'z'.repeat(50_000))]);
    const found = await readAtLeast(broker.plain, topics.blocks, 1);
    expect(found.map(({ value }) => value?.length)).toEqual([50_000]);
  });
});

describe('an older publisher', () => {
  it('is fenced when a newer one opens, before that one has written anything', async () => {
    const topics = await createTopics();
    const older = createSink(topics);
    const newer = createSink(topics);
    await older.open();
    await older.publish([block(topics, 0)]);
    expect(await newer.open()).toEqual({ kind: 'resume', first: at(0), last: at(0) });
    const late = older.publish([block(topics, 1)]);
    await expect(late).rejects.toMatchObject({ code: 'PUBLISHER_FENCED' });
    await newer.publish([block(topics, 1)]);
    expect(await numbersIn(topics.blocks, 2)).toEqual(['0', '1']);
  });

  it('loses the transaction that it has open when a newer one opens', async () => {
    const topics = await createTopics();
    const older = createSink(topics, 20_000, true);
    await older.open();
    broker.proxy.faults.length = 0;
    broker.proxy.decide = once(API.endTxn, 'hang');
    const hanging = older.publish([block(topics, 0)]);
    hanging.catch(() => undefined);
    await until(() => broker.proxy.faults.length > 0);
    broker.proxy.decide = NOBODY;
    const newer = createSink(topics);
    expect(await newer.open()).toEqual({ kind: 'new' });
    await newer.publish([block(topics, 0, 'the newer one')]);
    const found = await readAtLeast(broker.plain, topics.blocks, 1);
    expect(found.map(({ value }) => value?.toString())).toEqual(['the newer one']);
    broker.proxy.cut(true);
    await hanging.catch(() => undefined);
  });
});

describe('a fault on the way', () => {
  it('that loses the answer to the commit leaves the block committed', async () => {
    const { topics, failure, next, tail } = await publishUnder(once(API.endTxn, 'lose-answer'));
    expect(failure).toMatchObject({ code: 'PRODUCE_FAILED' });
    expect(tail).toEqual({ kind: 'resume', first: at(0), last: at(1) });
    await next.publish([block(topics, 2)]);
    expect(await numbersIn(topics.blocks, 3)).toEqual(['0', '1', '2']);
    expect(await numbersIn(topics.changes, 20)).toHaveLength(20);
  });

  it('that loses the commit leaves nothing of the block', async () => {
    const { topics, failure, next, tail } = await publishUnder(once(API.endTxn, 'lose-request'));
    expect(failure).toMatchObject({ code: 'PRODUCE_FAILED' });
    expect(tail).toEqual({ kind: 'resume', first: at(0), last: at(0) });
    await next.publish([block(topics, 1), ...changesOf(topics, 1, 10)]);
    expect(await numbersIn(topics.blocks, 2)).toEqual(['0', '1']);
    expect(await numbersIn(topics.changes, 20)).toHaveLength(20);
  });

  it.each(['lose-answer', 'lose-request'] as const)(
    'that makes a Produce %s neither loses nor repeats a record',
    async (fate) => {
      const { topics, failure, next, tail } = await publishUnder(once(API.produce, fate));
      const last = failure === null ? 1 : 0;
      expect(tail).toEqual({ kind: 'resume', first: at(0), last: at(last) });
      await next.publish([block(topics, last + 1)]);
      const expected = Array.from({ length: last + 2 }, (_, i) => String(i));
      expect(await numbersIn(topics.blocks, expected.length)).toEqual(expected);
      expect(await numbersIn(topics.changes, 10 * (last + 1))).toHaveLength(10 * (last + 1));
    },
  );

  it('that nobody notices ends at the deadline', async () => {
    const { failure, sink, tail } = await publishUnder(once(API.produce, 'hang'));
    expect(failure).toMatchObject({ code: 'PRODUCE_FAILED' });
    expect(tail).toEqual({ kind: 'resume', first: at(0), last: at(0) });
    await expect(sink.publish([])).rejects.toMatchObject({ code: 'PRODUCE_FAILED' });
  });
});

describe('the topics of a channel', () => {
  const BLOCK_BYTES = 1_000_000;
  const namesOf = (prefix: string) => ({
    blocks: `${prefix}.blocks`,
    transactions: `${prefix}.transactions`,
    changes: `${prefix}.changes`,
    events: `${prefix}.events`,
  });

  it('are created as they are needed, and found fit the next time', async () => {
    const topics = namesOf(`made-${Date.now()}`);
    const client = broker.client();
    await ensureBlockTopics(client, topics, BLOCK_BYTES);
    await ensureBlockTopics(client, topics, BLOCK_BYTES);
    const sink = createSink(topics);
    expect(await sink.open()).toEqual({ kind: 'new' });
    await sink.publish([block(topics, 0, 'b'.repeat(BLOCK_BYTES))]);
  });

  it('are refused with what to change when they could lose or refuse blocks', async () => {
    const topics = namesOf(`unfit-${Date.now()}`);
    const settings = { 'retention.ms': '1000', 'max.message.bytes': '1000' };
    await broker.createTopic(topics.blocks, 2, settings);
    const ensured = ensureBlockTopics(broker.client(), topics, BLOCK_BYTES);
    await expect(ensured).rejects.toMatchObject({
      code: 'TOPIC_UNFIT',
      message: expect.stringMatching(
        /partitions is 2 and has to be 1.*max\.message\.bytes is 1000.*retention\.ms is 1000/,
      ),
    });
  });

  it('are told with their commands when they may not be created', async () => {
    const topics = namesOf('forbidden');
    const client = broker.client({ createTopics: false });
    await expect(ensureBlockTopics(client, topics, BLOCK_BYTES)).rejects.toMatchObject({
      code: 'TOPIC_MISSING',
      message: expect.stringMatching(
        /--topic forbidden\.blocks --partitions 1 .*--config retention\.ms=-1/,
      ),
    });
  });
});

/** Waits for a condition that a callback elsewhere makes true. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await testClock.sleep(5);
  }
}
