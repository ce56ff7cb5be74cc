/** What is wrong gets a code, a sentence and what to do; nothing is lost, nothing is half done. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Message } from 'kafkajs';
import type { Ended, Settings } from '../support/cli.ts';
import {
  createTopic,
  createWorld,
  MINUTE_MS,
  produceAll,
  quietShuttle,
  type World,
} from '../support/e2e-world.ts';
import { readTopic } from '../support/independent.ts';

let world: World;

beforeAll(async () => {
  world = await createWorld(11_004);
}, 10 * MINUTE_MS);

afterAll(async () => {
  await world?.close();
}, 2 * MINUTE_MS);

const shuttle = (args: readonly string[], settings: Settings = {}): Promise<Ended> =>
  quietShuttle(world, args, settings);

interface ErrorObject {
  readonly code: string;
  readonly message: string;
  readonly do: string;
}

/** Exit code and error code of a command that must fail with a sentence and advice. */
async function failure(
  args: readonly string[],
  settings: Settings = {},
): Promise<[number | null, string]> {
  const { code, stdout, stderr } = await shuttle([...args, '--json'], settings);
  const error = errorIn(stdout, stderr);
  expect(error.message).toMatch(/^[A-Z"].{10,}/);
  expect(error.do).toMatch(/\w{3,}.*\.$/);
  return [code, error.code];
}

/** A pipeline tells its errors in its summary on stdout, every other command on stderr. */
function errorIn(stdout: string, stderr: string): ErrorObject {
  if (stdout.trim() !== '') {
    const [error] = (JSON.parse(stdout) as { errors: ErrorObject[] }).errors;
    return error ?? { code: '', message: '', do: '' };
  }
  const line = stderr.trim().split('\n').at(-1) ?? '';
  return (JSON.parse(line) as { error: ErrorObject }).error;
}

describe('a record that the ledger cannot keep', () => {
  const long = 'k'.repeat(513);
  const bad: readonly (readonly [string, Message])[] = [
    ['KEY_MISSING', { key: null, value: '{"no":"key"}' }],
    ['KEY_EMPTY', { key: '', value: '1' }],
    ['KEY_TOO_LONG', { key: long, value: '1' }],
    ['KEY_NOT_UTF8', { key: Buffer.from([0xc3, 0x28]), value: '1' }],
    ['KEY_RESERVED', { key: '\u0000k', value: '1' }],
    ['KEY_RESERVED', { key: '_k', value: '1' }],
    ['VALUE_NOT_JSON', { key: 'v1', value: '{"open":' }],
    ['VALUE_NOT_UTF8', { key: 'v2', value: Buffer.from([0x22, 0xff, 0x22]) }],
    ['VALUE_TOO_LARGE', { key: 'v3', value: `"${'x'.repeat(1024 * 1024)}"` }],
  ];

  it(
    'is a dead letter with its code; what is good around it is on the ledger',
    async () => {
      const admin = world.kafka.admin();
      await admin.connect();
      const configEntries = [{ name: 'max.message.bytes', value: String(4 * 1024 * 1024) }];
      await admin.createTopics({ topics: [{ topic: 'bad', numPartitions: 2, configEntries }] });
      await admin.disconnect();
      const messages = bad.flatMap(([code, message], index) => [
        {
          ...message,
          partition: index % 2,
          headers: { expected: code },
          timestamp: `${1_000 + index}`,
        },
        { key: `good-${index}`, value: `{"n":${index}}`, partition: index % 2 },
      ]);
      await produceAll(world.kafka, 'bad', messages);
      const run = await shuttle(['ingest', '--until-end', '--json'], {
        SHUTTLE_INGEST__TOPICS: 'bad',
      });
      expect([run.code, run.stderr]).toEqual([0, '']);
      expect(JSON.parse(run.stdout)).toMatchObject({
        ingest: { recordsRead: 2 * bad.length, applied: bad.length, rejected: bad.length },
      });
      for (const [index] of bad.entries()) {
        const found = await shuttle(['getData', `good-${index}`]);
        expect(found.stdout.trim()).toBe(`{"n":${index}}`);
      }
    },
    3 * MINUTE_MS,
  );

  it(
    'keeps its key, value, headers and timestamp, beside code, reason and position',
    async () => {
      const letters = await readTopic(world.kafka, 'bad.dead-letters');
      expect(letters).toHaveLength(bad.length);
      for (const { value, headers } of letters) {
        const code = headers['__shuttle.errors.code'];
        expect(code).toBe(headers.expected);
        expect(headers['__connect.errors.topic']).toBe('bad');
        expect(headers['__connect.errors.exception.message']).toMatch(/^The record .*\.$/);
        const index = bad.findIndex(([, message]) =>
          Buffer.from(message.value ?? '').equals(value ?? Buffer.alloc(0)),
        );
        expect(index).toBeGreaterThanOrEqual(0);
      }
      const sources = letters.map(
        ({ headers }) =>
          `${headers['__connect.errors.partition']}/${headers['__connect.errors.offset']}`,
      );
      const expected = bad.map((_, index) => `${index % 2}/${index - (index % 2)}`);
      expect(sources.sort()).toEqual(expected.sort());
    },
    MINUTE_MS,
  );

  it(
    'is not sent again by a second run',
    async () => {
      const run = await shuttle(['ingest', '--until-end', '--json'], {
        SHUTTLE_INGEST__TOPICS: 'bad',
      });
      expect(JSON.parse(run.stdout)).toMatchObject({ ingest: { applied: 0, rejected: 0 } });
      expect(await readTopic(world.kafka, 'bad.dead-letters')).toHaveLength(bad.length);
    },
    MINUTE_MS,
  );
});

describe('a set that the ledger refuses', () => {
  it.each([
    ['an empty key', ['set', '', '1'], 'KEY_EMPTY'],
    ['a key that is too long', ['set', 'k'.repeat(600), '1'], 'KEY_TOO_LONG'],
    ['a key that starts with _', ['set', '_k', '1'], 'KEY_RESERVED'],
    ['a value that is not JSON', ['set', 'k', '{'], 'VALUE_NOT_JSON'],
  ])(
    '%s',
    async (_, args, refusal) => {
      const { code, stderr } = await shuttle([...args, '--json']);
      // Refused here or by the ledger: both name the rule, and nothing was written.
      expect([2, 4]).toContain(code);
      expect(stderr).toContain(refusal);
    },
    MINUTE_MS,
  );
});

describe('a configuration that cannot work', () => {
  const brief = { SHUTTLE_COMMAND__DEADLINE_MS: '4000' };

  it(
    'an unknown setting in the file',
    async () => {
      const file = join(world.dir, 'wrong.yaml');
      await writeFile(file, 'kafka:\n  brokerz: localhost:1\n');
      expect(await failure(['status', '--config', file])).toEqual([2, 'CONFIG_INVALID']);
    },
    MINUTE_MS,
  );

  it(
    'a broker that does not answer',
    async () => {
      const settings = { ...brief, SHUTTLE_KAFKA__BROKERS: 'localhost:1' };
      expect(await failure(['ingest', '--until-end'], settings)).toEqual([3, 'DEADLINE']);
      // A question is asked for 2.7 s at least, by chance for 5, before Kafka counts as unreachable.
      const soon = { ...settings, SHUTTLE_COMMAND__DEADLINE_MS: '1500' };
      const { code, stderr } = await shuttle(['status'], soon);
      expect([code, stderr]).toEqual([3, expect.stringContaining('[DEADLINE]')]);
      expect(stderr).toContain('Kafka at localhost:1 did not answer within 1500 ms.');
      const late = { ...settings, SHUTTLE_COMMAND__DEADLINE_MS: '30000' };
      expect(await failure(['status'], late)).toEqual([3, 'KAFKA_UNREACHABLE']);
    },
    MINUTE_MS,
  );

  it(
    'a peer that does not answer',
    async () => {
      const settings = {
        ...brief,
        SHUTTLE_FABRIC__PEER__ENDPOINT: 'localhost:1',
        SHUTTLE_FABRIC__IDENTITY__MSP_ID: 'Org1MSP',
        SHUTTLE_FABRIC__IDENTITY__MSP: world.network.description.peers[0].userMspDir,
      };
      expect(await failure(['getData', 'k'], settings)).toEqual([3, 'FABRIC_UNREACHABLE']);
    },
    MINUTE_MS,
  );

  it(
    'another MSP id than the certificate was issued for',
    async () => {
      const settings = { ...brief, SHUTTLE_FABRIC__IDENTITY__MSP_ID: 'Org2MSP' };
      expect(await failure(['getData', 'k'], settings)).toEqual([4, 'ACCESS_DENIED']);
      expect(await failure(['ingest', '--until-end'], settings)).toEqual([4, 'ACCESS_DENIED']);
    },
    MINUTE_MS,
  );

  it(
    'a chaincode that is not committed',
    async () => {
      const settings = { ...brief, SHUTTLE_FABRIC__CHAINCODE: 'nothing' };
      expect(await failure(['getData', 'k'], settings)).toEqual([4, 'CHAINCODE_MISSING']);
    },
    MINUTE_MS,
  );

  it(
    'a channel that the peer has not joined',
    async () => {
      const settings = { ...brief, SHUTTLE_FABRIC__CHANNEL: 'nowhere' };
      expect(await failure(['getData', 'k'], settings)).toEqual([4, 'CHANNEL_MISSING']);
    },
    MINUTE_MS,
  );

  it(
    'a topic that is not there, when creating it is not allowed',
    async () => {
      const settings = {
        ...brief,
        SHUTTLE_INGEST__TOPICS: 'absent',
        SHUTTLE_KAFKA__CREATE_TOPICS: 'false',
      };
      expect(await failure(['ingest', '--until-end'], settings)).toEqual([2, 'TOPIC_MISSING']);
    },
    MINUTE_MS,
  );

  it(
    'a key that has no document is not found',
    async () => {
      expect(await failure(['getData', 'nobody'])).toEqual([1, 'NOT_FOUND']);
    },
    MINUTE_MS,
  );

  it(
    'other lanes than the ledger has stop the partition',
    async () => {
      await createTopic(world.kafka, 'laid-out', 1);
      const settings = { SHUTTLE_INGEST__TOPICS: 'laid-out' };
      await produceAll(world.kafka, 'laid-out', [{ key: 'k', value: '1' }]);
      expect((await shuttle(['ingest', '--until-end'], settings)).code).toBe(0);
      const other = { ...settings, SHUTTLE_INGEST__LANES: '4' };
      const run = await shuttle(['ingest', '--until-end', '--json'], other);
      expect([run.code, run.stdout]).toEqual([5, expect.stringContaining('LAYOUT_MISMATCH')]);
    },
    MINUTE_MS,
  );

  it(
    'a topic that was deleted and created again stops the partition',
    async () => {
      const settings = { SHUTTLE_INGEST__TOPICS: 'replaced' };
      const records = (from: string, count: number): Message[] =>
        Array.from({ length: count }, (_, n) => ({ key: `r${n}`, value: `{"${from}":${n}}` }));
      await createTopic(world.kafka, 'replaced', 1);
      await produceAll(world.kafka, 'replaced', records('first', 40));
      expect((await shuttle(['ingest', '--until-end'], settings)).code).toBe(0);
      await deleteTopic('replaced');
      await createTopic(world.kafka, 'replaced', 1);
      await produceAll(world.kafka, 'replaced', records('second', 60));
      const run = await shuttle(['ingest', '--until-end', '--json'], settings);
      expect([run.code, run.stdout]).toEqual([5, expect.stringContaining('SOURCE_REPLACED')]);
      // Its records are not lost: under another stream they are read.
      const another = { ...settings, SHUTTLE_INGEST__STREAM: 'second' };
      const next = await shuttle(['ingest', '--until-end', '--json'], another);
      expect(JSON.parse(next.stdout)).toMatchObject({ ingest: { applied: 60, stops: [] } });
    },
    MINUTE_MS,
  );
});

/** Deletes a topic, and waits until the broker has forgotten it. */
async function deleteTopic(topic: string): Promise<void> {
  const admin = world.kafka.admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [topic] });
  while ((await admin.listTopics()).includes(topic)) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  await admin.disconnect();
}
