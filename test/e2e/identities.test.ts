/** What the identities of two organisations can do to each other's keys and watermarks: nothing. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Ended, runShuttle, type Settings } from '../support/cli.ts';
import {
  createTopic,
  createWorld,
  MINUTE_MS,
  produceAll,
  type World,
} from '../support/e2e-world.ts';
import { readTopic } from '../support/independent.ts';

let world: World;
let admin1: Settings;
let admin2: Settings;
let client2: Settings;

beforeAll(async () => {
  world = await createWorld(17_113);
  const [first, second] = world.network.description.peers;
  client2 = {
    SHUTTLE_FABRIC__PEER__ENDPOINT: second.endpoint,
    SHUTTLE_FABRIC__PEER__TLS_CA: second.tlsCaFile,
    SHUTTLE_FABRIC__IDENTITY__MSP_ID: second.mspId,
    SHUTTLE_FABRIC__IDENTITY__MSP: second.userMspDir,
  };
  admin1 = { SHUTTLE_FABRIC__IDENTITY__MSP: first.adminMspDir };
  admin2 = { ...client2, SHUTTLE_FABRIC__IDENTITY__MSP: second.adminMspDir };
}, 10 * MINUTE_MS);

afterAll(async () => {
  await world?.close();
}, 2 * MINUTE_MS);

const shuttle = (args: readonly string[], settings: Settings = {}): Promise<Ended> =>
  runShuttle(args, { ...world.settings, SHUTTLE_LOG__LEVEL: 'error', ...settings }, world.dir);

/** The chaincode's code of a refused command; '' when it was not refused. */
async function refusal(args: readonly string[], settings: Settings = {}): Promise<string> {
  const { code, stderr } = await shuttle([...args, '--json'], settings);
  if (code === 0) {
    return '';
  }
  expect(code).toBe(4);
  const { error } = JSON.parse(stderr.trim().split('\n').at(-1) ?? '');
  return error.at?.refusal ?? error.code;
}

describe('a claim of a key prefix', () => {
  it(
    'is made, shared and released by an admin of its organisation, and by nobody else',
    async () => {
      expect(await refusal(['claim', 'ours/'])).toBe('ADMIN_REQUIRED');
      expect(await refusal(['claim', 'ours/'], admin1)).toBe('');
      expect(await refusal(['claim', 'ours/'], admin2)).toBe('CLAIM_TAKEN');
      expect(await refusal(['claim', 'ours/of/them'], admin2)).toBe('CLAIM_TAKEN');
      expect(await refusal(['claim', 'o'], admin2)).toBe('CLAIM_TAKEN');
      expect(await refusal(['claim', 'ours/', '--release'], admin2)).toBe('CLAIM_TAKEN');
      expect(await refusal(['claim', 'ours/', '--release'])).toBe('ADMIN_REQUIRED');
      const { stdout } = await shuttle(['claims', '--json'], client2);
      expect(JSON.parse(stdout)).toEqual({
        claims: [{ prefix: 'ours/', mspId: 'Org1MSP', shared: [] }],
      });
    },
    MINUTE_MS,
  );

  it(
    'keeps the other organisation’s clients from writing and deleting under it',
    async () => {
      expect(await refusal(['set', 'ours/1', '1'])).toBe('');
      expect(await refusal(['set', 'ours/1', '2'], client2)).toBe('KEY_CLAIMED');
      expect(await refusal(['delete', 'ours/1'], admin2)).toBe('KEY_CLAIMED');
      expect((await shuttle(['getData', 'ours/1'])).stdout.trim()).toBe('1');
    },
    MINUTE_MS,
  );

  it(
    'makes dead letters of the other organisation’s records, and lets the rest through',
    async () => {
      await createTopic(world.kafka, 'theirs', 1);
      await produceAll(world.kafka, 'theirs', [
        { key: 'ours/1', value: '"stolen"' },
        { key: 'free/1', value: '"theirs"' },
      ]);
      const ingest = { ...client2, SHUTTLE_INGEST__TOPICS: 'theirs' };
      const { code, stdout } = await shuttle(['ingest', '--until-end', '--json'], ingest);
      expect([code, stdout]).toEqual([0, expect.stringContaining('"rejected":1')]);
      const letters = await readTopic(world.kafka, 'theirs.dead-letters');
      expect(letters.map(({ key }) => key?.toString())).toEqual(['ours/1']);
      expect((await shuttle(['getData', 'ours/1'])).stdout.trim()).toBe('1');
      expect((await shuttle(['getData', 'free/1'])).stdout.trim()).toBe('"theirs"');
    },
    MINUTE_MS,
  );

  it(
    'lets those write that it is shared with',
    async () => {
      expect(await refusal(['claim', 'ours/', '--share', 'Org2MSP'], admin1)).toBe('');
      expect(await refusal(['set', 'ours/1', '3'], client2)).toBe('');
      expect(await refusal(['claim', 'ours/', '--release'], admin1)).toBe('');
    },
    MINUTE_MS,
  );
});

describe('a watermark', () => {
  it(
    'is not moved by the other organisation, whatever it ingests from the same position',
    async () => {
      await createTopic(world.kafka, 'shared', 1);
      const messages = Array.from({ length: 50 }, (_, n) => ({
        key: `shared/${n}`,
        value: `${n}`,
      }));
      await produceAll(world.kafka, 'shared', messages);
      const run = (settings: Settings) =>
        shuttle(['ingest', '--until-end', '--json'], {
          SHUTTLE_INGEST__TOPICS: 'shared',
          ...settings,
        });
      const theirs = await run({ ...client2, SHUTTLE_INGEST__GROUP_ID: 'theirs' });
      expect(theirs.stdout).toContain('"applied":50');
      // Ours would be repeated if a client of theirs had moved our watermarks.
      const ours = await run({ SHUTTLE_INGEST__GROUP_ID: 'ours' });
      expect(ours.stdout).toContain('"applied":50');
      expect(ours.stdout).toContain('"repeated":0');
    },
    MINUTE_MS,
  );
});
