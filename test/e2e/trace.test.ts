/** From partners' documents to a trace: cleaned, on the ledger, asked by the command line. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Settings } from '../support/cli.ts';
import {
  createTopic,
  createWorld,
  jsonShuttle,
  MINUTE_MS,
  produceAll,
  quietShuttle,
  type World,
} from '../support/e2e-world.ts';
import { yoghurtStory } from '../support/epcis-story.ts';

const story = yoghurtStory();
const SETTINGS: Settings = {
  SHUTTLE_CLEAN__RULES: 'preset:epcis',
  SHUTTLE_INGEST__TOPICS: 'shuttle.cleaned',
};

let world: World;

const shuttle = (...args: readonly string[]) => quietShuttle(world, args, SETTINGS);
const json = (...args: readonly string[]) => jsonShuttle(world, args, SETTINGS);

beforeAll(async () => {
  world = await createWorld(8_300);
  await createTopic(world.kafka, 'shuttle.raw', 1);
  await createTopic(world.kafka, 'shuttle.cleaned', 2);
  const messages = story.documents.map((value, n) => ({ key: `partner ${n}`, value }));
  await produceAll(world.kafka, 'shuttle.raw', messages);
}, 10 * MINUTE_MS);

afterAll(async () => {
  await world?.close();
}, 2 * MINUTE_MS);

jest.setTimeout(2 * MINUTE_MS);

describe('a story that partners tell in their own words', () => {
  test('comes to the ledger as one document for each event, the one in error as two versions', async () => {
    const clean = await json('clean', '--until-end');
    expect(clean).toMatchObject({ code: 0, refused: 0 });
    const { ingest } = await json('ingest', '--until-end');
    expect(ingest).toMatchObject({ applied: story.eventCount + 1, rejected: 0 });
    const { documents } = await json('list', 'event/', '--limit', '1000');
    expect(documents).toHaveLength(story.eventCount);
  });

  test('is traced from a cup on the shelf to the milk, in any spelling', async () => {
    const answer = await json('trace', '(01)09506000134352(21)C5', '--up');
    const ids = answer.up.nodes.map(({ id }: { id: string }) => id);
    expect(ids).toEqual([story.cups[5], story.yoghurt, 'urn:example:batch:7', story.milk]);
    const { stdout } = await shuttle('trace', 'urn:epc:id:sgtin:9506000.013435.C5', '--up');
    expect(stdout).toContain('      └─ from (01)09506000999999(10)M1');
  });

  test('tells of a cup where its case is, and of a sold one where it was sold', async () => {
    const packed = await json('item', story.cups[5] ?? '');
    expect(packed).toMatchObject({
      containers: [{ id: story.cases[1] }],
      lots: [story.yoghurt],
      seen: {
        place: { type: 'AggregationEvent', through: story.pallet },
        step: { step: 'receiving', through: story.pallet },
      },
    });
    const sold = await json('item', story.cups[0] ?? '');
    expect(sold).toMatchObject({
      containers: [],
      seen: { disposition: { disposition: 'retail_sold', through: null } },
    });
    // Told in error and so declared: it is not a part of its life.
    const steps = sold.events.map(({ step }: { step: string | null }) => step);
    expect(steps).not.toContain('destroying');
    expect(steps).toEqual(expect.arrayContaining(['commissioning', 'packing', 'shipping']));
  });

  test('tells what was true at another moment', async () => {
    const asOf = sold(story.pallet);
    const before = await json('item', story.pallet, '--as-of', await asOf);
    expect(before.partCount).toBe(story.cases.length);
    expect(await json('item', story.pallet)).toMatchObject({ partCount: 0 });
  });

  test('is recalled from the milk on, and from the product, in pages', async () => {
    const { code, rows } = await json('recall', story.milk);
    const ids = rows.map(({ id }: { id: string }) => id);
    expect(code).toBe(0);
    expect(new Set(ids)).toEqual(
      // The pallet has been unpacked since; it held the lot all the same.
      new Set([story.milk, story.yoghurt, ...story.cups, ...story.cases, story.pallet]),
    );
    const product = await json('recall', story.product);
    expect(product.rows).toHaveLength(1 + story.cups.length + story.cases.length + 1);
    const { stdout } = await shuttle('recall', story.milk);
    expect(stdout.trim().split('\n')).toHaveLength(rows.length + 1);
    const paged: unknown[] = [];
    let bookmark = '';
    do {
      const bytes = await evaluate('recall', story.milk, '', '3', bookmark);
      const page = JSON.parse(bytes) as { rows: unknown[]; bookmark: string };
      paged.push(...page.rows);
      bookmark = page.bookmark;
    } while (bookmark !== '');
    expect(paged).toEqual(rows);
  });

  test('is traced from an event to its record, transaction and block', async () => {
    const { events } = await json('item', story.cups[0] ?? '');
    const { versions } = await json('origin', events[0].event);
    expect(versions[0]).toMatchObject({
      position: { topic: 'shuttle.cleaned' },
      raw: { topic: 'shuttle.raw' },
      transaction: { validationCode: 'VALID' },
    });
  });

  test('takes no document under an event’s key that is no event', async () => {
    const { code, stderr } = await shuttle('set', 'event/mine', '{"note":1}');
    expect([code, stderr]).toEqual([4, expect.stringContaining('EVENT_INVALID')]);
  });

  test('has the same answers by the read model', async () => {
    expect((await shuttle('publish', '--until-end')).code).toBe(0);
    expect((await shuttle('index', '--until-end')).code).toBe(0);
    for (const args of [
      ['recall', story.milk],
      ['recall', story.product],
      ['item', story.pallet],
      ['trace', story.yoghurt],
    ]) {
      const [byModel, byLedger] = await Promise.all([
        shuttle(...args),
        shuttle(...args, '--ledger'),
      ]);
      expect(byModel.stderr).toContain('By the index');
      expect(byModel.stdout).toBe(byLedger.stdout);
    }
  });
});

/** The moment at which the pallet was shipped. */
async function sold(pallet: string): Promise<string> {
  const { events } = await json('item', pallet);
  return events.find(({ step }: { step: string | null }) => step === 'shipping').time;
}

async function evaluate(name: string, ...args: readonly string[]): Promise<string> {
  const bytes = await world.ledger.contract.evaluateTransaction(name, ...args);
  return Buffer.from(bytes).toString('utf8');
}
