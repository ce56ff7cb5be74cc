/** Each dead letter is brought back once, whatever dies meanwhile, and never over a newer document. */
import { describe, expect, test } from '@jest/globals';
import type { SourceRecord } from '../../../bridge/src/values.ts';
import { randomBySeed } from '../../support/faults.ts';
import {
  type Call,
  type Fate,
  LETTERS,
  LetterWorld,
  SOURCE,
  STREAM,
} from '../../support/letter-world.ts';

const FATES: readonly Fate[] = ['kill-before', 'kill-after', 'fail-before', 'fail-after'];

const WRITES = new Set<Call>(['ends', 'open', 'replay']);

const text = (value: Uint8Array | string | null | undefined): string =>
  Buffer.from(value ?? '').toString();

function worldOf(letters: number): LetterWorld {
  const world = new LetterWorld();
  for (let n = 0; n < letters; n++) {
    world.letter(n % 2, { offset: BigInt(n), sourcePartition: n % 2 });
  }
  return world;
}

describe('a replayed letter', () => {
  test('is the record as it was, on its partition, with marks and a new timestamp', async () => {
    const world = new LetterWorld();
    world.letter(1, { offset: 41n, key: 'k', sourcePartition: 1, timestamp: 7 });
    expect(await world.replay()).toMatchObject({ replayed: 1, leftCount: 0 });
    const [record] = world.source;
    expect(record).toMatchObject({ topic: SOURCE, partition: 1 });
    expect([text(record?.key), text(record?.value)]).toEqual(['k', 'value 41']);
    expect(record?.timestamp).toBeUndefined();
    expect(record?.headers.map(({ name, value }) => [name, text(value)])).toEqual([
      ['own', '1'],
      ['__shuttle.replay.letter', `${LETTERS}/1@0`],
      ['__shuttle.replay.record', `${SOURCE}/1@41`],
      ['__shuttle.replay.timestamp', '7'],
      ['__shuttle.replay.attempt', '2'],
    ]);
  });

  test('that is refused again is another letter, which counts the attempts', async () => {
    const world = new LetterWorld();
    world.letter(0, { offset: 5n, timestamp: 7 });
    await world.replay();
    const headers = (world.source[0]?.headers ?? []).map(({ name, value }) => ({
      name,
      value: Buffer.from(value ?? ''),
    }));
    world.letter(0, { offset: 100n, headers, timestamp: 2_000 });
    const again = (await world.list()).at(-1);
    expect(again).toMatchObject({ attempts: 2, replayed: false, origin: { offset: 5n } });
    expect(await world.replay()).toMatchObject({ replayed: 1, already: 1 });
    expect(world.source[1]?.headers.map(({ name, value }) => [name, text(value)])).toEqual([
      ['own', '1'],
      ['__shuttle.replay.letter', `${LETTERS}/0@${again?.at.offset}`],
      ['__shuttle.replay.record', `${SOURCE}/0@5`],
      ['__shuttle.replay.timestamp', '7'],
      ['__shuttle.replay.attempt', '3'],
    ]);
  });

  test('says so in the list, and the offset of the replay group is the first one left', async () => {
    const world = worldOf(6);
    await world.replay({ positions: new Set(['0@1', '0@2']) });
    expect((await world.list()).map(({ at, replayed }) => [at.partition, replayed])).toEqual([
      [0, false],
      [0, true],
      [0, true],
      [1, false],
      [1, false],
      [1, false],
    ]);
    expect(world.progress).toEqual(new Map([[0, 0n]]));
    await world.replay();
    expect(world.progress).toEqual(
      new Map([
        [0, 1n],
        [1, 3n],
      ]),
    );
  });
});

describe('letters', () => {
  test('are chosen by code, key, time and place', async () => {
    const world = new LetterWorld();
    world.letter(0, { offset: 1n, code: 'KEY_CLAIMED', key: 'a', timestamp: 10 });
    world.letter(0, { offset: 2n, code: 'KEY_CLAIMED', key: 'b', timestamp: 20 });
    world.letter(0, { offset: 3n, code: 'VALUE_NOT_JSON', key: 'a', timestamp: 30 });
    world.letter(0, { offset: 4n, code: 'VALUE_NOT_JSON', key: null, timestamp: 40 });
    const would = async (selection: Parameters<LetterWorld['replay']>[0]) =>
      (await world.replay(selection, { dryRun: true })).replayed;
    expect(await would({ code: 'KEY_CLAIMED' })).toBe(2);
    expect(await would({ key: 'a' })).toBe(2);
    expect(await would({ key: 'a', code: 'KEY_CLAIMED' })).toBe(1);
    expect(await would({ sinceMs: 20, untilMs: 40 })).toBe(2);
    expect(await would({ positions: new Set(['0@0', '0@3']) })).toBe(2);
    expect(world.source).toEqual([]);
    expect((await world.list()).every(({ replayed }) => !replayed)).toBe(true);
  });

  test('of which there is none at a place are told', async () => {
    const world = worldOf(2);
    const { replayed, lefts } = await world.replay({ positions: new Set(['0@0', '1@7']) });
    expect([replayed, lefts]).toEqual([1, [expect.objectContaining({ reason: 'NO_LETTER' })]]);
  });

  test('that stand on the topic twice, or are of another stream, are not brought back', async () => {
    const world = new LetterWorld();
    world.letter(0, { offset: 1n });
    world.letter(0, { offset: 1n });
    world.letter(0, { offset: 1n, stream: 'other' });
    world.letter(0, { offset: 1n, sourceTopic: 'other' });
    expect(await world.replay()).toMatchObject({ replayed: 1, foreign: 2 });
    expect(await world.replay()).toMatchObject({ replayed: 0, already: 1, foreign: 2 });
    expect(world.source).toHaveLength(1);
  });

  test('that the source does not take any more are left, with the reason', async () => {
    const world = new LetterWorld();
    world.letter(0, { offset: 1n, sourcePartition: 7 });
    world.letter(0, { offset: 123_456n });
    world.letter(0, { offset: 2n });
    world.bytesMax = 7;
    const { replayed, left } = await world.replay();
    expect([replayed, left]).toEqual([1, { NO_PARTITION: 1, TOO_LARGE: 1 }]);
  });

  test('that are left by a stop come back the next time', async () => {
    const world = worldOf(1_000);
    const stop = new AbortController();
    world.fate = (call) => {
      if (call === 'replay') stop.abort();
      return 'pass';
    };
    const first = await world.replay({}, {}, stop.signal);
    expect(first).toMatchObject({ stopped: true, leftCount: 0, replayed: 200 });
    expect(await world.replay()).toMatchObject({ stopped: false, replayed: 800, already: 200 });
    expect(new Set(world.replayedValues()).size).toBe(1_000);
  });

  test('of one key come back in the order of their records', async () => {
    const world = new LetterWorld();
    for (let n = 0; n < 1_000; n++) {
      world.letter(0, { offset: BigInt(n), key: `k${n % 7}` });
    }
    await world.replay();
    expect(world.replayedValues()).toEqual(Array.from({ length: 1_000 }, (_, n) => `value ${n}`));
  });
});

describe('a key with a newer document on the ledger', () => {
  const source = (offset: bigint, partition = 0, topic = SOURCE) => ({
    stream: STREAM,
    topic,
    partition,
    offset: String(offset),
  });
  const version = (from: object | null, timestamp = 5_000, deleted = false) => ({
    txId: 'tx',
    timestamp,
    deleted,
    source: from,
  });

  test.each([
    ['a later record of the partition', version(source(6n)), 1],
    ['an earlier record of the partition', version(source(4n)), 0],
    ['a later deletion', version(source(6n), 5_000, true), 1],
    ['another topic, written after the record was made', version(source(1n, 0, 'other')), 1],
    ['another topic, written before', version(source(9n, 0, 'other'), 10), 0],
    ['another partition, written after', version(source(1n, 1)), 1],
    ['a client, after', version(null), 1],
    ['a client, before', version(null, 10), 0],
  ])('by %s is left only if newer, and --force replays it', async (_, newest, left) => {
    const world = new LetterWorld();
    world.letter(0, { offset: 5n, key: 'k', timestamp: 1_000 });
    world.versions.set('k', newest);
    expect(await world.replay()).toMatchObject({ replayed: 1 - left, leftCount: left });
    const forced = await world.replay({}, { force: true });
    expect(forced).toMatchObject({ replayed: left, forced: left, already: 1 - left });
    expect(world.source).toHaveLength(1);
  });

  test('that is an older record which a replay has brought back is not newer', async () => {
    const world = new LetterWorld();
    world.letter(0, { offset: 5n, key: 'k' });
    const first = await world.replay();
    world.letter(0, { offset: 7n, key: 'k' });
    world.versions.set('k', version(source(100n)));
    const brought = world.source[0];
    world.sourceRecords.set('0@100', {
      offset: 100n,
      timestamp: 1,
      key: null,
      value: null,
      headers: (brought?.headers ?? []).map(({ name, value }) => ({
        name,
        value: Buffer.from(value ?? ''),
      })),
    });
    expect([first.replayed, (await world.replay()).replayed]).toEqual([1, 1]);
    // When the record is gone, nobody knows; then it counts as newer.
    world.sourceRecords.clear();
    world.letter(0, { offset: 8n, key: 'k' });
    expect((await world.replay()).left).toEqual({ NEWER: 1 });
  });

  test('in the end, by a record that the ledger has not finished yet, is left too', async () => {
    const world = new LetterWorld();
    world.letter(0, { offset: 5n, key: 'k' });
    world.letter(0, { offset: 5n, key: 'k', stream: 'other' });
    world.letter(0, { offset: 6n, key: 'l' });
    world.letter(1, { offset: 7n, key: 'k', sourcePartition: 1 });
    const record = (offset: bigint, key: string, headers: SourceRecord['headers'] = []) => ({
      offset,
      timestamp: 1,
      key: Buffer.from(key),
      value: Buffer.from('1'),
      headers,
    });
    const brought = [
      { name: '__shuttle.replay.record', value: Buffer.from(`${SOURCE}/0@4`) },
    ] as const;
    world.unfinished.push(record(4n, 'k'), record(90n, 'k', brought), record(6n, 'l'));
    expect((await world.replay({}, { dryRun: true })).leftCount).toBe(0);
    world.unfinished.push(record(91n, 'k'));
    const { replayed, lefts } = await world.replay();
    expect([replayed, lefts.map(({ place, reason }) => [place, reason])]).toEqual([
      2,
      [['0@0', 'NEWER']],
    ]);
  });

  test('is not asked for when no document can have the key', async () => {
    const world = new LetterWorld();
    world.letter(0, { offset: 1n, key: '' });
    world.letter(0, { offset: 2n, key: '_k' });
    world.letter(0, { offset: 3n, key: null });
    world.letter(0, { offset: 4n, key: 'x'.repeat(513) });
    expect((await world.replay()).replayed).toBe(4);
    expect(world.asked).toEqual([]);
  });
});

describe('each letter comes back once', () => {
  test.each(FATES)(
    'when one call meets %s, at every call that reads ends or writes',
    async (fate) => {
      for (let at = 0; ; at++) {
        const world = worldOf(450);
        let calls = 0;
        world.fate = (call) => (WRITES.has(call) && calls++ === at ? fate : 'pass');
        await world.replay().catch(() => undefined);
        world.fate = () => 'pass';
        await world.replay();
        expect(new Set(world.replayedValues()).size).toBe(450);
        expect(world.source).toHaveLength(450);
        if (calls <= at) {
          break;
        }
      }
    },
  );

  test('when another replay starts in between: the first one is fenced', async () => {
    for (let at = 0; at < 12; at++) {
      const world = worldOf(450);
      let calls = 0;
      let inner: Promise<unknown> | null = null;
      world.fate = async () => {
        if (calls++ === at) {
          inner = world.replay();
          await inner;
        }
        return 'pass' as const;
      };
      const outer = await world.replay().catch((error: { code: string }) => error.code);
      expect(inner).not.toBeNull();
      expect(new Set(world.replayedValues()).size).toBe(450);
      expect([world.source.length, typeof outer === 'string' ? outer : 'REPLAY_FENCED']).toEqual([
        450,
        'REPLAY_FENCED',
      ]);
    }
  });

  test('whatever is chosen, copied, killed and run at the same time, over 200 seeds', async () => {
    for (let seed = 1; seed <= 200; seed++) {
      const { world, wanted } = await troubled(seed);
      const values = world.replayedValues();
      expect([seed, values.length]).toEqual([seed, wanted.size]);
      expect(new Set(values)).toEqual(wanted);
    }
  });
});

describe('the same faults bring letters back twice', () => {
  const twiceBy = async (change: (world: LetterWorld) => void): Promise<boolean> => {
    for (let seed = 1; seed <= 200; seed++) {
      const { world, wanted } = await troubled(seed, change);
      if (world.source.length !== wanted.size) {
        return true;
      }
    }
    return false;
  };

  test('when nobody fences an older replay', async () => {
    expect(
      await twiceBy((world) => {
        world.fences = false;
      }),
    ).toBe(true);
  });

  test('when records and receipt are not one transaction', async () => {
    expect(
      await twiceBy((world) => {
        world.isAtomic = false;
      }),
    ).toBe(true);
  });
});

/** Replays under faults, and one without them at the end. */
async function troubled(seed: number, change: (world: LetterWorld) => void = () => {}) {
  const random = randomBySeed(seed);
  const below = (count: number) => Math.floor(random() * count);
  const world = new LetterWorld();
  change(world);
  const wanted = new Set<string>();
  for (let run = 0; run < 6; run++) {
    for (let n = below(30); n > 0; n--) {
      const offset = BigInt(below(60));
      // A record's key decides on its partition, so copies stand on one partition.
      world.letter(Number(offset) % 2, { offset, code: `C${Number(offset) % 3}` });
      wanted.add(`value ${offset}`);
      world.gap(below(2));
    }
    world.fate = () => (below(12) === 0 ? (FATES[below(4)] ?? 'pass') : 'pass');
    const chosen = below(2) === 0 ? { code: `C${below(3)}` } : {};
    const runs = Array.from({ length: 1 + below(2) }, () => world.replay(chosen));
    await Promise.allSettled(runs);
  }
  world.fate = () => 'pass';
  await world.replay();
  return { world, wanted };
}
