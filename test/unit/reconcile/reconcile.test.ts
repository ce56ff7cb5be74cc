import { describe, expect, test } from '@jest/globals';
import type { FindingKind } from '../../../bridge/src/reconcile/findings.ts';
import { type Batch, ReconcileWorld } from '../../support/reconcile-world.ts';

const SEEDS = Array.from({ length: 20 }, (_, seed) => seed + 1);

/** What must be named; a block by its number, a record by partition and offset. */
type Planted = string;

const record = (partition: number, offset: bigint): Planted => `${partition}:${offset}`;
const block = (number: number): Planted => `block ${number}`;

function pick<T>(world: ReconcileWorld, from: readonly T[]): T {
  const found = from[world.random(from.length)];
  if (found === undefined) {
    throw new Error('there is nothing to spoil');
  }
  return found;
}

const withVersions = (world: ReconcileWorld, least = 1): Batch =>
  pick(
    world,
    world.batches.filter(({ versions }) => versions.length >= least),
  );

function pickRecord(world: ReconcileWorld) {
  const { partition, versions } = withVersions(world);
  const { offset } = pick(world, versions);
  const index = world.source[partition]?.findIndex((each) => each.offset === offset) ?? -1;
  return { partition, offset, index, records: world.source[partition] ?? [] };
}

/** Moves or copies one block within the topic; the last one stays, so that nothing is pending. */
function spoilBlocks(
  world: ReconcileWorld,
  change: (blocks: Uint8Array[], at: number) => void,
): Planted {
  const at = 1 + world.random(world.batches.length - 3);
  world.spoilTopic = (blocks) => change(blocks, at);
  return block(at);
}

const DEFECTS: Readonly<Partial<Record<FindingKind, (world: ReconcileWorld) => Planted>>> = {
  RECORD_MISSING: (world) => {
    const { partition, versions } = withVersions(world, 2);
    const [lost] = versions.splice(world.random(versions.length), 1);
    return record(partition, lost?.offset ?? -1n);
  },
  RECORD_TWICE: (world) => {
    const batch = withVersions(world);
    const again = pick(world, batch.versions);
    world.batches.push({ ...batch, versions: [again], rejections: [] });
    return record(batch.partition, again.offset);
  },
  RECORD_UNKNOWN: (world) => {
    const { partition, offset, index, records } = pickRecord(world);
    records.splice(index, 1);
    return record(partition, offset);
  },
  ORDER_WRONG: (world) => {
    const batch = withVersions(world, 2);
    const [late] = batch.versions.splice(0, 1);
    world.batches.push({ ...batch, versions: late === undefined ? [] : [late], rejections: [] });
    return record(batch.partition, late?.offset ?? -1n);
  },
  KEY_DIFFERS: (world) => {
    const { partition, versions } = withVersions(world);
    const changed = pick(world, versions);
    changed.key = `${changed.key}?`;
    return record(partition, changed.offset);
  },
  VALUE_DIFFERS: (world) => {
    const { partition, offset, index, records } = pickRecord(world);
    const old = records[index];
    if (old !== undefined) {
      records[index] = { ...old, value: Buffer.from('{"other":true}') };
    }
    return record(partition, offset);
  },
  LETTER_MISSING: (world) => {
    const [letter] = world.letters.splice(
      world.letters.indexOf(
        pick(
          world,
          world.letters.filter(({ code }) => code !== 'KEY_MISSING'),
        ),
      ),
      1,
    );
    return record(letter?.partition ?? -1, letter?.offset ?? -1n);
  },
  LETTER_UNFOUNDED: (world) => {
    const { partition, offset } = pickRecord(world);
    const letter = pick(world, world.letters);
    world.letters.push({ ...letter, partition, offset });
    return record(partition, offset);
  },
  LETTER_DIFFERS: (world) => {
    const at = world.random(world.letters.length);
    const letter = pick(world, world.letters.slice(at, at + 1));
    const spoiled = world.random(2) === 0 ? { code: 'KEY_EMPTY' } : { digest: 'another' };
    world.letters[at] = { ...letter, ...spoiled };
    return record(letter.partition, letter.offset);
  },
  BLOCK_MISSING: (world) => spoilBlocks(world, (blocks, at) => blocks.splice(at, 1)),
  BLOCK_TWICE: (world) =>
    spoilBlocks(world, (blocks, at) => {
      const again = blocks[at] ?? new Uint8Array();
      blocks.splice(at + 1 + world.random(blocks.length - at), 0, again);
    }),
  BLOCK_ORDER: (world) =>
    spoilBlocks(world, (blocks, at) => {
      const [late = new Uint8Array()] = blocks.splice(at, 1);
      blocks.splice(at + 1 + world.random(blocks.length - at - 1), 0, late);
    }),
  BLOCK_DIFFERS: (world) =>
    spoilBlocks(world, (blocks, at) => {
      const bytes = Buffer.from(blocks[at] ?? []);
      // Inside of the transaction: the header stays, the data does not match it any more.
      const inside = bytes.indexOf('certificate');
      bytes[inside] = 0x43;
      blocks[at] = bytes;
    }),
  BLOCK_UNKNOWN: (world) => {
    world.spoilTopic = (blocks) => blocks.splice(5, 0, Buffer.from('no block at all'));
    return '';
  },
};

const named = (finding: { partition?: number; offset?: bigint; blockNumber?: bigint }): Planted =>
  finding.offset !== undefined
    ? record(finding.partition ?? -1, finding.offset)
    : finding.blockNumber === undefined
      ? ''
      : block(Number(finding.blockNumber));

describe('honest topics and ledger', () => {
  test.each(SEEDS)('have no findings and nothing pending, seed %i', async (seed) => {
    const world = new ReconcileWorld(seed);
    const { findings, summary } = await world.compare(true);
    expect(findings).toEqual([]);
    expect(summary).toMatchObject({ findingCount: 0, recordsRead: 240, pending: 0, gone: 0 });
    expect(summary.applied + summary.refused).toBe(240);
    expect(summary.refused).toBe(world.letters.length);
  });

  test('retention may have taken records that the ledger has', async () => {
    const world = new ReconcileWorld(1);
    world.logStart = world.source[0]?.[60]?.offset ?? 0n;
    const { findings, summary } = await world.compare();
    expect(findings).toEqual([]);
    expect(summary.gone).toBeGreaterThan(50);
  });

  test('records and blocks that are on their way are pending, and findings only if asked', async () => {
    const unfinished = () => {
      const world = new ReconcileWorld(2);
      const cut = world.batches.splice(-4);
      const offsets = cut.flatMap(({ partition, rejections }) =>
        rejections.map(({ offset }) => record(partition, offset)),
      );
      const kept = world.letters.filter((l) => !offsets.includes(record(l.partition, l.offset)));
      world.letters.splice(0, world.letters.length, ...kept);
      world.spoilTopic = (blocks) => blocks.splice(-2);
      return world;
    };
    const { findings, summary } = await unfinished().compare();
    expect(findings).toEqual([]);
    expect(summary.pending).toBeGreaterThan(4);
    expect(summary.pendingBlocks).toBe(2n);
    const strict = await unfinished().compare(true);
    expect(strict.summary.findings).toMatchObject({
      RECORD_PENDING: summary.pending,
      BLOCK_PENDING: 2,
    });
  });

  test('what is produced after the start is left out', async () => {
    const world = new ReconcileWorld(3);
    const end = world.source[0]?.[100]?.offset ?? 0n;
    world.logEnds[0] = end;
    world.source[0] = (world.source[0] ?? []).filter(({ offset }) => offset < end);
    const { findings } = await world.compare(true);
    expect(findings).toEqual([]);
  });
});

describe('a planted defect is found and named', () => {
  for (const [kind, plant] of Object.entries(DEFECTS)) {
    test.each(SEEDS)(`${kind}, seed %i`, async (seed) => {
      const world = new ReconcileWorld(seed);
      const planted = plant(world);
      const { findings, summary } = await world.compare(true);
      expect(findings.filter((found) => found.kind === kind).map(named)).toContain(planted);
      expect(summary.findingCount).toBe(findings.length);
      // One defect may be seen from both sides, and no more.
      expect(findings.length).toBeLessThanOrEqual(2);
    });
  }
});
