/** Layouts and offsets that change while a topic lives: nothing is lost, doubled or reordered. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Ended, runShuttle, type Settings, startShuttle } from '../support/cli.ts';
import {
  createTopic,
  createWorld,
  MINUTE_MS,
  produceAll,
  type World,
} from '../support/e2e-world.ts';
import { readTopic } from '../support/independent.ts';

const KEYS = 12;

let world: World;

beforeAll(async () => {
  world = await createWorld(18_169);
}, 10 * MINUTE_MS);

afterAll(async () => {
  await world?.close();
}, 2 * MINUTE_MS);

/** A topic with its own group, and the records that were produced to it. */
class Case {
  readonly topic: string;
  readonly settings: Settings;
  produced = 0;

  constructor(topic: string) {
    this.topic = topic;
    this.settings = {
      ...world.settings,
      SHUTTLE_INGEST__TOPICS: topic,
      SHUTTLE_INGEST__GROUP_ID: `group-${topic}`,
      SHUTTLE_INGEST__LANES: '4',
      SHUTTLE_INGEST__BATCH_RECORDS: '20',
      SHUTTLE_INGEST__ACK_INTERVAL_MS: '200',
      SHUTTLE_COMMAND__DEADLINE_MS: String(2 * MINUTE_MS),
      SHUTTLE_LOG__LEVEL: 'info',
    };
  }

  shuttle(args: readonly string[], settings: Settings = {}): Promise<Ended> {
    return runShuttle(args, { ...this.settings, ...settings }, world.dir);
  }

  async json(args: readonly string[], settings: Settings = {}, code = 0) {
    const ended = await this.shuttle([...args, '--json'], settings);
    expect([ended.code, ended.stderr]).toEqual([code, expect.any(String)]);
    return JSON.parse(ended.stdout);
  }

  /**
   * Values count on per topic; a key's records go to the partition that `partitionOf` says. One
   * partition after another: kafkajs sends a request again whole when a partition in it is so new
   * that the broker does not lead it yet.
   */
  async produce(count: number, partitionOf: (key: number) => number): Promise<void> {
    const from = this.produced;
    this.produced += count;
    const messages = Array.from({ length: count }, (_, i) => {
      const n = from + i;
      const key = n % KEYS;
      const value = JSON.stringify({ n });
      return { key: `${this.topic}/${key}`, value, partition: partitionOf(key) };
    });
    const partitions = new Set(messages.map(({ partition }) => partition));
    for (const each of partitions) {
      const own = messages.filter(({ partition }) => partition === each);
      await produceAll(world.kafka, this.topic, own);
    }
  }

  async ingest(settings: Settings = {}): Promise<void> {
    const { code, stderr } = await this.shuttle(['ingest', '--until-end'], settings);
    expect([code, stderr.slice(-2_000)]).toEqual([0, expect.any(String)]);
  }

  /** Every key's history is its records, each once, in the order in which they were produced. */
  async expectExactlyOnce(): Promise<void> {
    expect(await readTopic(world.kafka, this.topic)).toHaveLength(this.produced);
    for (let key = 0; key < KEYS; key++) {
      const versions = await world.ledger.history(`${this.topic}/${key}`);
      const expected = Array.from({ length: this.produced }, (_, n) => n).filter(
        (n) => n % KEYS === key,
      );
      expect(versions.map(({ document }) => JSON.parse(String(document)).n)).toEqual(expected);
    }
    const args = ['reconcile', '--source', this.topic, '--complete'];
    await this.shuttle(['publish', '--until-end']);
    expect(await this.json(args, { SHUTTLE_LOG__LEVEL: 'warn' })).toMatchObject({
      findingCount: 0,
    });
  }
}

const LANES_9: Settings = { SHUTTLE_INGEST__LANES: '9' };

describe('relane', () => {
  it(
    'cuts drained partitions anew, with records waiting behind them',
    async () => {
      const flow = new Case('relaned');
      await createTopic(world.kafka, flow.topic, 2);
      await flow.produce(200, (key) => key % 2);
      await flow.ingest();
      await flow.produce(100, (key) => key % 2);
      const { code, stderr } = await flow.shuttle(['ingest', '--until-end'], LANES_9);
      expect([code, stderr]).toEqual([5, expect.stringContaining('LAYOUT_MISMATCH')]);

      const planned = await flow.json(['relane', '--dry-run'], LANES_9);
      expect(planned.partitions).toMatchObject([{ outcome: 'drained' }, { outcome: 'drained' }]);
      const done = await flow.json(['relane'], LANES_9);
      expect(done.partitions).toMatchObject([
        { partition: 0, outcome: 'relaned', lanesBefore: 4, position: '100' },
        { partition: 1, outcome: 'relaned', lanesBefore: 4, position: '100' },
      ]);
      const again = await flow.json(['relane'], LANES_9);
      expect(again.partitions).toMatchObject([{ outcome: 'standing' }, { outcome: 'standing' }]);

      await flow.ingest(LANES_9);
      await flow.expectExactlyOnce();
    },
    4 * MINUTE_MS,
  );

  it(
    'leaves a partition alone whose ack lies before what a lane has finished',
    async () => {
      const flow = new Case('undrained');
      await createTopic(world.kafka, flow.topic, 1);
      await flow.produce(60, () => 0);
      await flow.ingest();
      await flow.json(['offsets', 'reset', '--topic', flow.topic, '--to', '30']);
      const { partitions } = await flow.json(['relane'], LANES_9, 1);
      expect(partitions).toMatchObject([{ outcome: 'undrained', position: '30', txId: null }]);
      await flow.ingest();
      await flow.json(['relane'], LANES_9);
      await flow.ingest(LANES_9);
      await flow.expectExactlyOnce();
    },
    4 * MINUTE_MS,
  );
});

describe('the group’s offsets', () => {
  it(
    'are shown, and moved back only, which carries nothing twice',
    async () => {
      const flow = new Case('offsets');
      await createTopic(world.kafka, flow.topic, 1);
      await flow.produce(60, () => 0);
      const reset = ['offsets', 'reset', '--topic', flow.topic, '--to'];
      const early = await flow.shuttle([...reset, 'earliest']);
      expect([early.code, early.stderr]).toEqual([2, expect.stringContaining('no ack of this')]);
      await flow.ingest();
      expect((await flow.json(['offsets', 'show'])).partitions).toEqual([
        {
          topic: flow.topic,
          partition: 0,
          logStart: '0',
          logEnd: '60',
          acked: '60',
          of: 'this ledger',
          unfinished: expect.any(String),
        },
      ]);
      const forward = await flow.shuttle([...reset, '61']);
      expect([forward.code, forward.stderr]).toEqual([
        2,
        expect.stringContaining('beyond the ack'),
      ]);

      const bridge = startShuttle(['ingest'], flow.settings, world.dir);
      await bridge.waitFor((log) => log.includes('"began a partition"'));
      const running = await flow.shuttle([...reset, 'earliest']);
      expect([running.code, running.stderr]).toEqual([4, expect.stringContaining('GROUP_ACTIVE')]);
      await bridge.stop();

      expect((await flow.json([...reset, 'earliest'])).partitions).toEqual([
        { topic: flow.topic, partition: 0, before: '60', after: '0' },
      ]);
      await flow.ingest();
      await flow.expectExactlyOnce();
    },
    4 * MINUTE_MS,
  );
});

describe('partitions that are added', () => {
  const grow = async (topic: string, count: number): Promise<void> => {
    const admin = world.kafka.admin();
    await admin.connect();
    await admin.createPartitions({ topicPartitions: [{ topic, count }] });
    await admin.disconnect();
  };

  it(
    'begin behind the older ones, so that keys that move keep their order',
    async () => {
      const flow = new Case('grown');
      await createTopic(world.kafka, flow.topic, 2);
      await flow.produce(120, (key) => key % 2);
      await flow.ingest();
      await flow.produce(600, (key) => key % 2);
      await grow(flow.topic, 4);
      await flow.produce(240, (key) => key % 4);
      await flow.ingest();
      await flow.expectExactlyOnce();
    },
    4 * MINUTE_MS,
  );

  it(
    'are noticed while a bridge runs',
    async () => {
      const flow = new Case('growing');
      await createTopic(world.kafka, flow.topic, 2);
      await flow.produce(120, (key) => key % 2);
      const bridge = startShuttle(['ingest'], flow.settings, world.dir);
      await bridge.waitFor((log) => log.includes('"committed a batch"'));
      await grow(flow.topic, 4);
      await flow.produce(120, (key) => key % 4);
      // kafkajs looks for new partitions once a minute.
      await bridge.waitFor((log) => /"partition":3[^\n]*"committed a batch"/.test(log));
      expect((await bridge.stop()).code).toBe(0);
      await flow.ingest();
      await flow.expectExactlyOnce();
    },
    6 * MINUTE_MS,
  );
});
