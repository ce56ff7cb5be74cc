/**
 * What the identities of two organisations can do to each other's keys and watermarks, and to each
 * other's assets under the rule of a chaincode of one's own: nothing.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Ended, Settings } from '../support/cli.ts';
import {
  createTopic,
  createWorld,
  MINUTE_MS,
  produceAll,
  quietShuttle,
  settingsAs,
  type World,
} from '../support/e2e-world.ts';
import { plainLedger, readTopic } from '../support/independent.ts';

let world: World;
let admin1: Settings;
let admin2: Settings;
let client2: Settings;

beforeAll(async () => {
  world = await createWorld(17_481);
  const [first, second] = world.network.description.peers;
  client2 = settingsAs(second, second.userMspDir);
  admin1 = { SHUTTLE_FABRIC__IDENTITY__MSP: first.adminMspDir };
  admin2 = settingsAs(second, second.adminMspDir);
}, 10 * MINUTE_MS);

afterAll(async () => {
  await world?.close();
}, 2 * MINUTE_MS);

const shuttle = (args: readonly string[], settings: Settings = {}): Promise<Ended> =>
  quietShuttle(world, args, settings);

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

describe('a chaincode of one’s own beside Shuttle’s, with a rule that rejects', () => {
  const ASSETS = 40;
  const own: Settings = { SHUTTLE_FABRIC__CHAINCODE: 'assets' };
  /** What `ingest` says that it did. */
  const ingest = async (topic: string, settings: Settings = {}): Promise<unknown> => {
    const from = { SHUTTLE_INGEST__TOPICS: topic, ...settings };
    const { code, stdout } = await shuttle(['ingest', '--until-end', '--json'], from);
    expect(code).toBe(0);
    return JSON.parse(stdout).ingest;
  };
  const asset = (state: string, distanceKm: number, owner = 'Org1MSP') =>
    JSON.stringify({ owner, state, distanceKm });
  /** A record, and the rule that is to refuse it, '' for none. */
  const move = (key: string, value: string | null, expected = '') => ({
    key,
    value,
    headers: { expected },
  });
  /** The life of one asset, good moves among bad ones; odd ones are given away at the end. */
  const movesOf = (n: number) => {
    const key = `asset/${n}`;
    return [
      move(key, asset('shipped', 0), 'TRANSITION_INVALID'),
      move(key, asset('created', 0)),
      move(key, '{"colour":"red"}', 'NOT_AN_ASSET'),
      move(key, asset('shipped', 10 + n)),
      move(key, asset('received', 9 + n), 'DISTANCE_DECREASED'),
      move(key, null, 'NOT_RECEIVED'),
      move(key, asset('received', 20 + n, n % 2 === 1 ? 'Org2MSP' : 'Org1MSP')),
    ];
  };
  const all = Array.from({ length: 7 }).flatMap((_, step) =>
    Array.from({ length: ASSETS }, (__, n) => movesOf(n)[step] ?? []).flat(),
  );

  beforeAll(async () => {
    const folder = fileURLToPath(new URL('../../examples/asset-contract', import.meta.url));
    await world.network.deploy({ folder, name: 'assets' });
    await createTopic(world.kafka, 'moves', 2);
    await produceAll(world.kafka, 'moves', all);
  }, 2 * MINUTE_MS);

  it(
    'keeps what the rule accepts, each version once and in order, and nothing else',
    async () => {
      const done = { applied: 3 * ASSETS, rejected: 4 * ASSETS, repeated: 0 };
      expect(await ingest('moves', own)).toMatchObject(done);
      const ledger = await plainLedger(world.network.description.peers[0], 'mychannel', 'assets');
      for (let n = 0; n < ASSETS; n++) {
        const accepted = movesOf(n).filter(({ headers }) => headers.expected === '');
        const versions = await ledger.history(`asset/${n}`);
        expect(versions.map(({ document }) => document)).toEqual(accepted.map((m) => m.value));
      }
      ledger.close();
    },
    MINUTE_MS,
  );

  it(
    'makes dead letters of the others, with the rule’s name and its sentence',
    async () => {
      const letters = await readTopic(world.kafka, 'moves.dead-letters');
      expect(letters).toHaveLength(4 * ASSETS);
      for (const { headers } of letters) {
        expect(headers['__shuttle.errors.code']).toBe('RULE_REFUSED');
        expect(headers['__shuttle.errors.rule']).toBe(headers.expected);
      }
      const ofFirst = letters.filter(({ key }) => key === 'asset/0');
      expect(ofFirst.map(({ headers }) => headers['__connect.errors.exception.message'])).toEqual([
        'An asset begins as created, not as shipped.',
        'An asset has an owner, a state and a distanceKm of 0 or more.',
        'The distance was 10 km; it cannot be 9 km.',
        'An asset that is shipped cannot be deleted.',
      ]);
    },
    MINUTE_MS,
  );

  it(
    'decides a record once, whoever brings it again',
    async () => {
      const again = await ingest('moves', { ...own, SHUTTLE_INGEST__GROUP_ID: 'again' });
      expect(again).toMatchObject({ recordsRead: 7 * ASSETS, applied: 0, batches: 0 });
    },
    MINUTE_MS,
  );

  it(
    'knows whose an asset is by the identity that brings its records',
    async () => {
      await createTopic(world.kafka, 'taken', 1);
      await produceAll(world.kafka, 'taken', [
        move('asset/0', null, 'NOT_THE_OWNER'),
        move('asset/1', null),
      ]);
      const theirs = await ingest('taken', { ...client2, ...own });
      expect(theirs).toMatchObject({ applied: 1, rejected: 1 });
      const [letter] = await readTopic(world.kafka, 'taken.dead-letters');
      expect(letter?.headers['__connect.errors.exception.message']).toBe(
        'Org2MSP cannot change what Org1MSP owns.',
      );
      const found = await shuttle(['getData', 'asset/0'], own);
      expect(found.stdout.trim()).toBe(asset('received', 20));
      expect((await shuttle(['getData', 'asset/1'], own)).code).toBe(1);
    },
    MINUTE_MS,
  );

  it(
    'leaves Shuttle’s own chaincode as it was, which takes the same records without a rule',
    async () => {
      expect((await shuttle(['getData', 'asset/0'])).code).toBe(1);
      expect(await ingest('moves')).toMatchObject({ applied: 7 * ASSETS, rejected: 0 });
      const versions = await world.ledger.history('asset/0');
      expect(versions.map(({ document }) => document)).toEqual(movesOf(0).map((m) => m.value));
      expect((await shuttle(['getData', 'asset/1'], own)).code).toBe(1);
      expect((await shuttle(['getData', 'asset/1'])).stdout.trim()).toBe(movesOf(1)[6]?.value);
    },
    MINUTE_MS,
  );

  it(
    'is published and reconciled like Shuttle’s own, without a difference',
    async () => {
      expect((await shuttle(['publish', '--until-end', '--json'], own)).code).toBe(0);
      const { code, stdout } = await shuttle(
        ['reconcile', '--source', 'moves', '--complete', '--json'],
        own,
      );
      expect([code, stdout]).toEqual([0, expect.stringContaining('"findings":[]')]);
    },
    MINUTE_MS,
  );

  it(
    'has no setData that would go around its rule',
    async () => {
      const { code, stderr } = await shuttle(['set', 'asset/0', '1'], own);
      expect([code, stderr]).toEqual([4, expect.stringContaining('[CHAINCODE_UNFIT]')]);
    },
    MINUTE_MS,
  );
});
