/** The index holds what the changes topic holds, whoever is killed and however many feed it. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { toShuttleError } from '../../../bridge/src/errors.ts';
import { Outage } from '../../../bridge/src/outage.ts';
import { type FeedOptions, feedReadModel } from '../../../bridge/src/read-model/feed.ts';
import type { ReadModelWriter } from '../../../bridge/src/read-model/model.ts';
import { type Database, openDatabase } from '../../../bridge/src/sqlite/database.ts';
import { openReadModel } from '../../../bridge/src/sqlite/reader.ts';
import { createWriter, type EntriesOf } from '../../../bridge/src/sqlite/writer.ts';
import { createTestLog, silentMeter, testClock } from '../../support/fakes.ts';
import { MemoryChanges } from '../../support/memory-changes.ts';
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts';

const SOURCE = {
  clusterId: 'cluster',
  topic: 'shuttle.mychannel.changes',
  channel: 'mychannel',
  chaincode: 'shuttle',
};
const UNTIL_END: FeedOptions = { untilEnd: true, deadlineMs: 60_000 };

let folder: TemporaryFolder;
let file: string;
let open: Database[];

beforeEach(() => {
  folder = createTemporaryFolder();
  file = join(folder.path, 'index.db');
  open = [];
});

afterEach(() => {
  for (const database of open) {
    database.close();
  }
  folder.remove();
});

function writer(entriesOf: EntriesOf = () => [], nowMs = 0): ReadModelWriter {
  const database = openDatabase(file);
  open.push(database);
  return createWriter(file, database, SOURCE, entriesOf, () => nowMs);
}

async function feed(
  changes: MemoryChanges,
  model = writer(),
  options = UNTIL_END,
  signal = new AbortController().signal,
  clock = { ...testClock, now: () => 0 },
) {
  const log = createTestLog();
  const outage = new Outage(log, silentMeter, clock);
  return await feedReadModel({ changes, model, clock, log, outage }, options, signal);
}

function rows(): [string, string][] | null {
  const model = openReadModel(file, SOURCE);
  const found = model?.list('', '', 1_000_000) ?? null;
  model?.close();
  return (
    found?.map(({ key, document }) => [
      Buffer.from(key).toString(),
      Buffer.from(document).toString(),
    ]) ?? null
  );
}

function filled(count: number, partitions = 3): MemoryChanges {
  const changes = new MemoryChanges(partitions);
  for (let n = 0; n < count; n++) {
    changes.write(`key-${n % 700}`, n % 11 === 0 ? null : `{"n":${n}}`);
  }
  return changes;
}

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return toShuttleError(error).code;
  }
  return 'none';
}

describe('an index', () => {
  test('holds the newest version of each key, and no deleted one', async () => {
    const changes = filled(5_000);
    const summary = await feed(changes);
    expect(summary).toEqual({ changes: 5_000, lastBlock: 4_999n, complete: true });
    expect(rows()).toEqual(changes.table());
  });

  test('goes on where it was', async () => {
    const changes = filled(1_000);
    await feed(changes);
    changes.write('later', '{}');
    expect(await feed(changes)).toMatchObject({ changes: 1 });
    expect(rows()).toEqual(changes.table());
  });

  test('that is killed between a change and its position has neither', async () => {
    const changes = filled(3_000);
    let entries = 0;
    const killed = writer(() => {
      entries += 1;
      if (entries === 1_234) {
        throw new Error('killed');
      }
      return [];
    });
    await expect(feed(changes, killed)).rejects.toThrow('killed');
    expect(rows()).toBeNull();
    const read = [...writer().positions().values()].reduce((sum, { next }) => sum + next, 0n);
    expect(read).toBeLessThan(1_234n);
    expect(await feed(changes)).toMatchObject({ changes: 3_000 - Number(read) });
    expect(rows()).toEqual(changes.table());
  });

  test('that two processes feed at once is the same as by one', async () => {
    const changes = filled(6_000);
    changes.fetchMax = 97;
    const both = await Promise.all([feed(changes, writer()), feed(changes, writer())]);
    expect(both.reduce((sum, { changes: count }) => sum + count, 0)).toBe(6_000);
    expect(rows()).toEqual(changes.table());
  });

  test('that another process clears goes on from the start', async () => {
    const changes = filled(2_000, 1);
    changes.fetchMax = 100;
    const model = writer();
    const clearing: ReadModelWriter = Object.assign(Object.create(model) as ReadModelWriter, {
      apply: (step: Parameters<ReadModelWriter['apply']>[0]) => {
        if (step.from === 1_000n && changes.keptMs !== 1) {
          changes.keptMs = 1;
          writer().clear();
        }
        return model.apply(step);
      },
    });
    expect(await feed(changes, clearing)).toMatchObject({ changes: 3_000, complete: true });
    expect(rows()).toEqual(changes.table());
  });

  test('is asked only once it has been complete', async () => {
    const changes = filled(1_000);
    const stop = new AbortController();
    const options = {
      ...UNTIL_END,
      onProgress: (read: number) => void (read > 400 && stop.abort()),
    };
    expect(await feed(changes, writer(), options, stop.signal)).toMatchObject({ complete: false });
    expect(rows()).toBeNull();
    await feed(changes);
    expect(rows()).toEqual(changes.table());
    writer().clear();
    expect(rows()).toBeNull();
  });

  test('follows the topic until it is stopped', async () => {
    const changes = filled(100);
    const stop = new AbortController();
    let written = 0;
    const onProgress = (read: number) => {
      if (read === 100 + written) {
        written += 1;
        changes.write(`new-${written}`, '{}');
      }
      if (written > 20) {
        stop.abort();
      }
    };
    const clock = { ...testClock, now: () => 0 };
    clock.now = () => Date.now() * 1_000;
    const follow = { untilEnd: false, onProgress };
    const summary = await feed(changes, writer(), follow, stop.signal, clock);
    expect(summary.changes).toBeGreaterThanOrEqual(119);
    await feed(changes);
    expect(rows()).toEqual(changes.table());
  });

  test('waits for Kafka, and with an end gives up at its deadline', async () => {
    const changes = filled(10);
    changes.outages = 3;
    expect(await feed(changes)).toMatchObject({ changes: 10 });
    let nowMs = 0;
    const sleep = async () => {
      nowMs += 30_000;
    };
    const clock = { ...testClock, now: () => nowMs, sleep };
    changes.outages = 100;
    const signal = new AbortController().signal;
    await expect(feed(changes, writer(), UNTIL_END, signal, clock)).rejects.toMatchObject({
      code: 'DEADLINE',
    });
  });
});

describe('an index and a topic that do not belong together', () => {
  const broken = { code: 'INDEX_BROKEN' };

  test('a topic that was made anew is noticed by its records', async () => {
    await feed(filled(100, 1));
    const other = new MemoryChanges(1);
    for (let n = 0; n < 200; n++) {
      other.write(`other-${n}`, '{}');
      const last = other.partitions[0]?.at(-1);
      Object.assign(last ?? {}, { id: `mychannel:${n}:7:0` });
    }
    await expect(feed(other)).rejects.toMatchObject(broken);
  });

  test('a topic that is shorter is noticed', async () => {
    await feed(filled(100, 1));
    await expect(feed(filled(50, 1))).rejects.toMatchObject(broken);
  });

  test('records that are gone before they were read are noticed, at the first start too', async () => {
    const changes = filled(100, 1);
    changes.logStart = 10n;
    await expect(feed(changes)).rejects.toMatchObject(broken);
    changes.logStart = 0n;
    await feed(changes);
    changes.write('more', '{}');
    changes.write('more', '{}');
    changes.logStart = 101n;
    await expect(feed(changes)).rejects.toMatchObject(broken);
  });

  test('deletions that compaction may have taken are noticed', async () => {
    const changes = filled(100, 1);
    await feed(changes);
    changes.write('more', '{}');
    const at = (nowMs: number) => ({ ...testClock, now: () => nowMs });
    const signal = new AbortController().signal;
    const late = feed(changes, writer(), UNTIL_END, signal, at(86_400_001));
    await expect(late).rejects.toMatchObject(broken);
    changes.keptMs = null;
    await feed(changes, writer(), UNTIL_END, signal, at(86_400_001));
    expect(rows()).toEqual(changes.table());
  });

  test('--rebuild mends all of them', async () => {
    await feed(filled(100, 1));
    const shorter = filled(50, 1);
    writer().clear();
    await feed(shorter);
    expect(rows()).toEqual(shorter.table());
  });
});

describe('a file that is no index of this channel', () => {
  const foreign = 'INDEX_FOREIGN';

  test('is left alone, whatever else it is', async () => {
    folder.write(
      'index.db',
      'This is no database, but it is long enough to be looked at. '.repeat(99),
    );
    expect(codeOf(() => writer())).toBe(foreign);
    const other = openDatabase(join(folder.path, 'other.db'));
    other.exec('PRAGMA user_version = 77');
    other.close();
    file = join(folder.path, 'other.db');
    expect(codeOf(() => writer())).toBe(foreign);
  });

  test.each([
    ['topic', { topic: 'other.changes' }],
    ['channel', { channel: 'other' }],
    ['chaincode', { chaincode: 'other' }],
  ])('is not asked when it is of another %s', async (_, other) => {
    await feed(filled(10));
    expect(codeOf(() => openReadModel(file, { ...SOURCE, ...other }))).toBe(foreign);
  });

  test('of another cluster is not fed', async () => {
    await feed(filled(10));
    const database = openDatabase(file);
    open.push(database);
    const elsewhere = { ...SOURCE, clusterId: 'other' };
    const make = () =>
      createWriter(
        file,
        database,
        elsewhere,
        () => [],
        () => 0,
      );
    expect(codeOf(make)).toBe(foreign);
  });

  test('is absent: nothing is made by asking', () => {
    expect(rows()).toBeNull();
    expect(openReadModel(join(folder.path, 'nowhere', 'index.db'), SOURCE)).toBeNull();
  });
});

describe('a list by the index', () => {
  test('has the keys with a prefix in the order of their bytes, page by page', async () => {
    const anyKey = fc.string({ unit: 'binary', minLength: 1, maxLength: 5 });
    const keys = fc.uniqueArray(anyKey, { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(keys, anyKey, fc.nat({ max: 6 }), async (all, prefix, size) => {
        const changes = new MemoryChanges(1);
        for (const key of all) {
          changes.write(key, '{}', 0);
        }
        const model = writer();
        model.clear();
        await feed(changes, model);
        const reader = openReadModel(file, SOURCE);
        const found: string[] = [];
        for (let from: string | undefined = ''; from !== undefined; ) {
          const page: readonly { key: Uint8Array }[] = reader?.list(prefix, from, size + 2) ?? [];
          found.push(...page.slice(0, size + 1).map(({ key }) => Buffer.from(key).toString()));
          const next: Uint8Array | undefined = page[size + 1]?.key;
          from = next === undefined ? undefined : Buffer.from(next).toString();
        }
        reader?.close();
        const wanted = all.filter((key) => key.startsWith(prefix));
        expect(found).toEqual(
          wanted.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
        );
      }),
      { numRuns: 60 },
    );
  });

  test('is of one moment, whatever is written meanwhile', async () => {
    const changes = filled(100);
    await feed(changes);
    const before = openReadModel(file, SOURCE);
    changes.write('aaa', '{}');
    await feed(changes);
    expect(before?.list('aaa', '', 10)).toEqual([]);
    before?.close();
    expect(rows()).toEqual(changes.table());
  });
});
