/** The whole circle on a real network: topic to ledger to topic, and what is promised of it. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runShuttle, startShuttle } from '../support/cli.ts';
import {
  createTopic,
  createWorld,
  MINUTE_MS,
  produceAll,
  type World,
} from '../support/e2e-world.ts';
import {
  findBlockFaults,
  type PlainRecord,
  readAtLeast,
  readTopic,
} from '../support/independent.ts';

const RECORDS = 50_000;
const KEYS = 500;
const PARTITIONS = 3;
const HTTP_PORT = 17_990;

let world: World;
/** Records on all topics so far; each becomes one change. */
let produced = 0;

beforeAll(async () => {
  world = await createWorld(10_019);
}, 10 * MINUTE_MS);

afterAll(async () => {
  await world?.close();
}, 2 * MINUTE_MS);

/** 50,000 records over 500 keys: updates, every eleventh a delete, text beyond ASCII. */
async function produce(topic: string): Promise<void> {
  await createTopic(world.kafka, topic, PARTITIONS);
  produced += RECORDS;
  const messages = Array.from({ length: RECORDS }, (_, n) => message(topic, n));
  await produceAll(world.kafka, topic, messages);
}

function message(topic: string, n: number): { key: string; value: string | null } {
  // A step that shares no factor with KEYS: neighbours in the topic have different keys.
  const key = `${topic}/${(n * 7_919) % KEYS}`;
  const document = { n, from: 'Zürich 東京', pay: 'x'.repeat(n % 97) };
  return { key, value: n % 11 === 5 ? null : JSON.stringify(document) };
}

type Sequences = Map<string, (string | null)[]>;

/** The values of each key in the order in which they stand on a topic. */
async function sequencesOf(topic: string, prefix: string, atLeast: number): Promise<Sequences> {
  const found: Sequences = new Map();
  for (const { key, value } of await readAtLeast(world.kafka, topic, atLeast)) {
    if (key?.startsWith(prefix)) {
      const text = value === null ? null : value.toString();
      found.set(key, [...(found.get(key) ?? []), text]);
    }
  }
  return found;
}

/** Each key's history as positions and documents, compared with its records. */
async function expectHistories(topic: string): Promise<void> {
  const records = await readTopic(world.kafka, topic);
  expect(records).toHaveLength(RECORDS);
  const expected = new Map<string, unknown[]>();
  for (const { key, partition, offset, value } of records) {
    const version = { partition, offset, document: value === null ? null : value.toString() };
    expected.set(key ?? '', [...(expected.get(key ?? '') ?? []), version]);
  }
  expect(expected.size).toBe(KEYS);
  for (const [key, versions] of expected) {
    const found = await world.ledger.history(key);
    const bare = found.map(({ partition, offset, document }) => ({ partition, offset, document }));
    expect([key, bare]).toEqual([key, versions]);
  }
}

async function expectPublished(topic: string): Promise<void> {
  const height = await world.ledger.height();
  const blocks = await readAtLeast(world.kafka, 'shuttle.mychannel.blocks', Number(height));
  const last = await world.ledger.block(height - 1n);
  expect(findBlockFaults(blocks, { height, last })).toEqual([]);
  const sent = await sequencesOf(topic, `${topic}/`, RECORDS);
  const changes = await sequencesOf('shuttle.mychannel.changes', `${topic}/`, produced);
  expect(changes.size).toBe(KEYS);
  for (const [key, values] of sent) {
    expect([key, changes.get(key)]).toEqual([key, values]);
  }
}

/** Shuttle's own comparison, which shares no code with the ones above. */
async function reconcile(topic: string) {
  const args = ['reconcile', '--source', topic, '--complete', '--json'];
  const run = await runShuttle(args, world.settings, world.dir);
  expect(run.stderr).toBe('');
  return { code: run.code, ...JSON.parse(run.stdout) };
}

function countOf(text: string, part: string): number {
  return text.split(part).length - 1;
}

describe('50,000 records of 3 partitions over 500 keys', () => {
  const topic = 'circle';

  it(
    'are on the ledger exactly once, in order per key',
    async () => {
      await produce(topic);
      const run = await runShuttle(
        ['ingest', '--until-end', '--json'],
        { ...world.settings, SHUTTLE_INGEST__TOPICS: topic },
        world.dir,
      );
      expect([run.code, run.stderr.slice(-2_000)]).toEqual([0, expect.anything()]);
      expect(JSON.parse(run.stdout)).toMatchObject({
        ingest: { recordsRead: RECORDS, applied: RECORDS, rejected: 0, stops: [] },
      });
      await expectHistories(topic);
    },
    5 * MINUTE_MS,
  );

  it(
    'come back as contiguous blocks and as the same sequences of changes',
    async () => {
      const run = await runShuttle(['publish', '--until-end', '--json'], world.settings, world.dir);
      expect([run.code, run.stderr.slice(-2_000)]).toEqual([0, expect.anything()]);
      await expectPublished(topic);
    },
    5 * MINUTE_MS,
  );

  it(
    'are not submitted again by a second run from a new consumer group',
    async () => {
      const before = await world.ledger.height();
      const run = await runShuttle(
        ['ingest', '--until-end', '--json'],
        { ...world.settings, SHUTTLE_INGEST__TOPICS: topic, SHUTTLE_INGEST__GROUP_ID: 'another' },
        world.dir,
      );
      expect(run.code).toBe(0);
      expect(JSON.parse(run.stdout)).toMatchObject({
        ingest: { applied: 0, repeated: RECORDS, batches: 0 },
      });
      expect(await world.ledger.height()).toBe(before);
      expect(await reconcile(topic)).toMatchObject({
        code: 0,
        findingCount: 0,
        recordsRead: RECORDS,
        applied: RECORDS,
        topicBlocks: Number(before),
      });
    },
    5 * MINUTE_MS,
  );
});

describe('kill -9 of the bridge in mid run', () => {
  const topic = 'killed';
  const KILLS = 3;

  it(
    'changes none of this',
    async () => {
      await produce(topic);
      const mine = { ...world.settings, SHUTTLE_INGEST__TOPICS: topic };
      // Small batches, so that each life of the process is in the middle of many.
      const small = { ...mine, SHUTTLE_INGEST__BATCH_RECORDS: '100' };
      for (let kill = 0; kill < KILLS; kill++) {
        const bridge = startShuttle(['run'], small, world.dir);
        await bridge.waitFor(
          (log) =>
            countOf(log, '"committed a batch"') >= 40 && countOf(log, '"published a block"') >= 2,
        );
        bridge.process.kill('SIGKILL');
        const { signal, stderr } = await bridge.ended;
        expect(signal).toBe('SIGKILL');
        expect(countOf(stderr, '"level":"error"')).toBe(0);
      }
      const last = await runShuttle(['run', '--until-end', '--json'], mine, world.dir);
      expect([last.code, last.stderr.slice(-2_000)]).toEqual([0, expect.anything()]);
      // Never vacuous: the lives before had left something to do.
      expect(JSON.parse(last.stdout).ingest.applied).toBeGreaterThan(1_000);
      await expectHistories(topic);
      await expectPublished(topic);
      expect(await reconcile(topic)).toMatchObject({ code: 0, findingCount: 0, applied: RECORDS });
    },
    10 * MINUTE_MS,
  );
});

describe('a service that is told to stop', () => {
  const topic = 'stopped';

  it(
    'ends in order, is ready and measured until then, and loses and repeats nothing',
    async () => {
      await produce(topic);
      const mine = { ...world.settings, SHUTTLE_INGEST__TOPICS: topic };
      const served = { ...mine, SHUTTLE_HTTP__PORT: String(HTTP_PORT) };
      const bridge = startShuttle(['run'], served, world.dir);
      await bridge.waitFor((log) => countOf(log, '"committed a batch"') >= 5);
      const ready = await fetch(`http://127.0.0.1:${HTTP_PORT}/readyz`);
      const metrics = await (await fetch(`http://127.0.0.1:${HTTP_PORT}/metrics`)).text();
      expect(ready.status).toBe(200);
      expect(metrics).toMatch(
        /shuttle_records_applied_total\{topic="stopped",partition="\d"\} [1-9]/,
      );
      const { code, stderr } = await bridge.stop();
      expect([code, countOf(stderr, '"level":"error"')]).toEqual([0, 0]);
      const last = await runShuttle(['run', '--until-end', '--json'], mine, world.dir);
      expect([last.code, last.stderr.slice(-2_000)]).toEqual([0, expect.anything()]);
      await expectHistories(topic);
      await expectPublished(topic);
    },
    5 * MINUTE_MS,
  );
});

describe('several source topics', () => {
  it(
    'are read by one run, and found on the ledger by a new group',
    async () => {
      const before = await world.ledger.height();
      const run = await runShuttle(
        ['ingest', '--until-end', '--json'],
        {
          ...world.settings,
          SHUTTLE_INGEST__TOPICS: 'circle,killed,stopped',
          SHUTTLE_INGEST__GROUP_ID: 'all-topics',
        },
        world.dir,
      );
      expect(run.code).toBe(0);
      expect(JSON.parse(run.stdout)).toMatchObject({
        ingest: { applied: 0, repeated: 3 * RECORDS, batches: 0 },
      });
      expect(await world.ledger.height()).toBe(before);
    },
    5 * MINUTE_MS,
  );
});

describe('topics that were tampered with', () => {
  const topic = 'tampered';
  const LETTERS = `${topic}.dead-letters`;

  it(
    'are told by reconcile, each difference by its kind and place',
    async () => {
      await createTopic(world.kafka, topic, 1);
      const messages = Array.from({ length: 20 }, (_, n) => ({
        key: `${topic}/${n}`,
        value: n === 7 ? 'no json' : '{}',
      }));
      await produceAll(world.kafka, topic, messages);
      const mine = { ...world.settings, SHUTTLE_INGEST__TOPICS: topic };
      expect((await runShuttle(['run', '--until-end'], mine, world.dir)).code).toBe(0);
      const honest = { recordsRead: 20, applied: 19, refused: 1, pending: 0 };
      expect(await reconcile(topic)).toMatchObject({ code: 0, findingCount: 0, ...honest });

      const [letter] = await readAtLeast(world.kafka, LETTERS, 1);
      const headers: Record<string, string> = {
        ...letter?.headers,
        '__connect.errors.offset': '3',
      };
      headers['__shuttle.errors.id'] = headers['__shuttle.errors.id']?.replace(/7$/, '3') ?? '';
      await produceAll(world.kafka, LETTERS, [{ ...bare(letter), headers }]);
      const blocks = await readAtLeast(world.kafka, 'shuttle.mychannel.blocks', 3);
      await produceAll(world.kafka, 'shuttle.mychannel.blocks', [bare(blocks[2])]);
      await produceAll(world.kafka, topic, [{ key: 'late', value: '{}' }]);
      const found = await reconcile(topic);
      expect(found).toMatchObject({
        code: 1,
        findingCount: 3,
        ...honest,
        recordsRead: 21,
        pending: 1,
      });
      expect(found.findings).toEqual([
        expect.objectContaining({ kind: 'BLOCK_TWICE', blockNumber: '2' }),
        expect.objectContaining({ kind: 'LETTER_UNFOUNDED', partition: 0, offset: '3' }),
        expect.objectContaining({ kind: 'RECORD_PENDING', partition: 0, offset: '20' }),
      ]);
    },
    5 * MINUTE_MS,
  );
});

function bare(record: PlainRecord | undefined): { key: string | null; value: Buffer | null } {
  return { key: record?.key ?? null, value: record?.value ?? null };
}
