/** A refused record is listed, shown and brought back: on the ledger once, whatever is killed. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Ended, type Settings, startShuttle } from '../support/cli.ts';
import {
  createTopic,
  createWorld,
  MINUTE_MS,
  produceAll,
  quietShuttle,
  settingsAs,
  type World,
} from '../support/e2e-world.ts';

let world: World;
let admin2: Settings;

beforeAll(async () => {
  world = await createWorld(16_693);
  const [, second] = world.network.description.peers;
  admin2 = settingsAs(second, second.adminMspDir);
}, 10 * MINUTE_MS);

afterAll(async () => {
  await world?.close();
}, 2 * MINUTE_MS);

const shuttle = (args: readonly string[], settings: Settings = {}): Promise<Ended> =>
  quietShuttle(world, args, settings);

/** Lets the other organisation claim a prefix, or do with it what `more` says. */
async function claim(prefix: string, ...more: readonly string[]): Promise<void> {
  expect(await shuttle(['claim', prefix, ...more], admin2)).toMatchObject({ code: 0 });
}

describe('a dead letter of a key that another organisation has claimed', () => {
  const TOPIC = 'claimed';
  const LETTERS = 1_000;
  const settings = { SHUTTLE_INGEST__TOPICS: TOPIC };
  const json = async (args: readonly string[]) => {
    const { code, stdout, stderr } = await shuttle([...args, '--json'], settings);
    expect(stderr).toBe('');
    const lines = stdout.trim().split('\n').filter(Boolean);
    return { code, lines: lines.map((line) => JSON.parse(line)) };
  };
  const ingest = async () => (await json(['ingest', '--until-end'])).lines[0].ingest;
  const replay = async (...args: readonly string[]) => {
    const { code, lines } = await json(['dead-letters', 'replay', ...args]);
    return { code, ...lines[0] };
  };
  /** Offsets that the source partition has had so far; transactions' markers among them. */
  const written = async (): Promise<number> => {
    const admin = world.kafka.admin();
    await admin.connect();
    const [partition] = await admin.fetchTopicOffsets(TOPIC);
    await admin.disconnect();
    return Number(partition?.high);
  };

  it(
    'is listed, shown, and on the ledger once after the claim is gone and it is replayed',
    async () => {
      await createTopic(world.kafka, TOPIC, 1);
      await claim('theirs/');
      await produceAll(world.kafka, TOPIC, [
        { key: 'theirs/1', value: '{"n":1}', headers: { from: 'erp' } },
        { key: 'theirs/2', value: '{"n":2}' },
        { key: 'free/2', value: '{"open":' },
      ]);
      expect(await ingest()).toMatchObject({ applied: 0, rejected: 3 });
      const all = await json(['dead-letters', 'list', '--code', 'KEY_CLAIMED']);
      expect(all.lines).toHaveLength(2);
      const { lines } = await json(['dead-letters', 'list', '--key', 'theirs/1']);
      expect(lines).toMatchObject([
        { key: 'theirs/1', source: { topic: TOPIC, offset: '0' }, attempts: 1, replayed: false },
      ]);
      const place = `${lines[0].partition}@${lines[0].offset}`;
      const shown = await json(['dead-letters', 'show', place]);
      expect(shown.lines).toMatchObject([
        { value: '{"n":1}', headers: [{ name: 'from', value: 'erp' }], code: 'KEY_CLAIMED' },
      ]);
      // As long as the claim stands, it is refused again, and says how often.
      expect(await replay(place)).toMatchObject({ code: 0, replayed: 1 });
      expect(await ingest()).toMatchObject({ applied: 0, rejected: 1 });
      const open = await json(['dead-letters', 'list', '--code', 'KEY_CLAIMED', '--open']);
      expect(open.lines.map(({ key, attempts }) => [key, attempts])).toEqual([
        ['theirs/2', 1],
        ['theirs/1', 2],
      ]);
      await claim('theirs/', '--release');
      expect(await replay('--code', 'KEY_CLAIMED')).toMatchObject({ replayed: 2, already: 1 });
      expect(await ingest()).toMatchObject({ applied: 2, rejected: 0 });
      expect(await replay('--code', 'KEY_CLAIMED')).toMatchObject({ replayed: 0, already: 3 });
      expect(await ingest()).toMatchObject({ recordsRead: 0 });
      for (const n of [1, 2]) {
        const versions = await world.ledger.history(`theirs/${n}`);
        expect(versions.map(({ document }) => document)).toEqual([`{"n":${n}}`]);
      }
    },
    2 * MINUTE_MS,
  );

  it(
    'is left when its key has a newer document, unless it is forced',
    async () => {
      await produceAll(world.kafka, TOPIC, [{ key: 'free/2', value: '{"n":22}' }]);
      expect(await replay('--code', 'VALUE_NOT_JSON')).toMatchObject({
        code: 1,
        replayed: 0,
        left: [{ reason: 'NEWER', detail: expect.stringContaining('on its way') }],
      });
      expect(await ingest()).toMatchObject({ applied: 1 });
      const left = await replay('--code', 'VALUE_NOT_JSON');
      expect(left).toMatchObject({ code: 1, replayed: 0, leftCounts: { NEWER: 1 } });
      const dry = await replay('--code', 'VALUE_NOT_JSON', '--force', '--dry-run');
      expect(dry).toMatchObject({ code: 0, replayed: 1, forced: 1 });
      const forced = await replay('--code', 'VALUE_NOT_JSON', '--force');
      expect(forced).toMatchObject({ code: 0, replayed: 1, forced: 1 });
      expect(await ingest()).toMatchObject({ rejected: 1 });
    },
    2 * MINUTE_MS,
  );

  it(
    `comes back once when the replay of ${LETTERS} is killed in the middle and run again`,
    async () => {
      await claim('many/');
      const numbers = Array.from({ length: LETTERS }, (_, n) => n);
      await produceAll(
        world.kafka,
        TOPIC,
        numbers.map((n) => ({ key: `many/${n}`, value: `{"n":${n}}` })),
      );
      expect(await ingest()).toMatchObject({ rejected: LETTERS });
      await claim('many/', '--release');
      const before = await written();
      const args = ['dead-letters', 'replay', '--code', 'KEY_CLAIMED'];
      const killed = startShuttle(args, { ...world.settings, ...settings }, world.dir);
      let after = before;
      while (after === before) {
        after = await written();
      }
      killed.process.kill('SIGKILL');
      expect((await killed.ended).signal).toBe('SIGKILL');
      const again = await replay('--code', 'KEY_CLAIMED');
      expect(again.replayed).toBeGreaterThan(0);
      expect(again.replayed).toBeLessThan(LETTERS);
      expect(again.already).toBe(LETTERS + 3 - again.replayed);
      expect(await ingest()).toMatchObject({ applied: LETTERS, rejected: 0 });
      for (const n of numbers) {
        const versions = await world.ledger.history(`many/${n}`);
        expect(versions.map(({ document }) => document)).toEqual([`{"n":${n}}`]);
      }
    },
    4 * MINUTE_MS,
  );
});
