/** What the questions about events answer, the odd cases included. */
import { describe, expect, test } from '@jest/globals';
import { history, item, recall, trace } from '../../../chaincode/src/epcis/questions.ts';
import { ASKED, MemoryEventStore } from '../../support/event-store.ts';

const at = (minute: number): string => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
const LOT = 'https://id.gs1.org/01/09506000134352/10/L1';
const GTIN = 'https://id.gs1.org/01/09506000134352';
const serial = (n: number | string): string => `https://id.gs1.org/01/09506000134352/21/${n}`;

function storeOf(events: Readonly<Record<string, Record<string, unknown> | null>>) {
  const store = new MemoryEventStore();
  for (const [key, event] of Object.entries(events)) {
    store.put(`event/${key}`, event);
  }
  return store;
}

const pack = (minute: number, parentID: string, childEPCs: readonly string[], more = {}) => ({
  type: 'AggregationEvent',
  action: 'ADD',
  eventTime: at(minute),
  parentID,
  childEPCs,
  ...more,
});
const unpack = (minute: number, parentID: string, childEPCs: readonly string[], more = {}) =>
  pack(minute, parentID, childEPCs, { action: 'DELETE', ...more });
const seen = (minute: number, epcList: readonly string[], more = {}) => ({
  type: 'ObjectEvent',
  action: 'OBSERVE',
  eventTime: at(minute),
  epcList,
  ...more,
});
const made = (
  minute: number,
  inputEPCList: readonly string[],
  outputEPCList: readonly string[],
  more = {},
) => ({ type: 'TransformationEvent', eventTime: at(minute), inputEPCList, outputEPCList, ...more });

const openIn = async (store: MemoryEventStore, id: string, asOf: string | null = null) =>
  (await item(store, id, { ...ASKED, asOf })).containers.map((each) => each.id);
const partsIn = async (store: MemoryEventStore, id: string, asOf: string | null = null) =>
  (await item(store, id, { ...ASKED, asOf })).parts.map((each) => each.id);
const lifeOf = async (store: MemoryEventStore, id: string) =>
  (await history(store, id, ASKED)).events.map(({ event, through }) =>
    through === null ? event.slice(6) : `${event.slice(6)} by ${through}`,
  );
const edgesOf = async (store: MemoryEventStore, id: string, direction: 'up' | 'down') =>
  (await trace(store, id, direction, { ...ASKED, depthMax: 100 })).edges.map(
    ({ from, to, kind }) => `${from} ${kind} ${to}`,
  );
const recalled = async (store: MemoryEventStore, id: string) =>
  (await recall(store, id, ASKED)).rows.map((row) => row.id);

describe('what held a thing', () => {
  const spans = async (store: MemoryEventStore, id: string) =>
    (await recall(store, id, ASKED)).rows.map(
      (row) =>
        [row.id, row.since?.slice(14, 16) ?? null, row.until?.slice(14, 16) ?? null] as const,
    );

  test('is recalled although it holds it no more, with the time', async () => {
    const store = storeOf({ a: pack(1, 'case', ['x']), b: unpack(5, 'case', ['x']) });
    expect(await spans(store, 'x')).toEqual([
      ['x', null, null],
      ['case', '01', '05'],
    ]);
    const { edges } = await trace(store, 'x', 'down', { ...ASKED, depthMax: 9 });
    expect(edges).toEqual([expect.objectContaining({ to: 'case', time: at(1), until: at(5) })]);
  });

  test('is followed only while it held it: a crate is used again', async () => {
    const store = storeOf({
      a: pack(1, 'crate', ['x']),
      b: pack(2, 'pallet 1', ['crate']),
      c: unpack(5, 'pallet 1', ['crate']),
      d: unpack(6, 'crate', ['x']),
      e: pack(8, 'pallet 2', ['crate']),
    });
    expect(await spans(store, 'x')).toEqual([
      ['x', null, null],
      ['crate', '01', '06'],
      ['pallet 1', '02', '05'],
    ]);
    expect(await recalled(store, 'crate')).toEqual(['crate', 'pallet 1', 'pallet 2']);
    const up = await edgesOf(store, 'pallet 2', 'up');
    expect(up).toEqual(['crate contained pallet 2']);
  });

  test('is found anew for another time, and told once', async () => {
    const store = storeOf({
      a: made(0, ['m'], ['x', 'y']),
      b: pack(1, 'crate', ['x']),
      c: unpack(2, 'crate', ['x']),
      d: pack(3, 'crate', ['y']),
      e: pack(4, 'pallet', ['crate']),
    });
    expect(await recalled(store, 'm')).toEqual(['m', 'x', 'y', 'crate', 'pallet']);
    expect(await edgesOf(store, 'm', 'down')).toEqual([
      'm input event/a',
      'event/a output x',
      'event/a output y',
      'x contained crate',
      'y contained crate',
      'crate contained pallet',
    ]);
  });

  test('counts for what was made of it, whatever the time', async () => {
    const store = storeOf({
      a: pack(1, 'vat', ['x']),
      b: unpack(2, 'vat', ['x']),
      c: made(5, ['vat'], ['soup']),
    });
    expect(await recalled(store, 'x')).toEqual(['x', 'vat', 'soup']);
  });
});

describe('the places of a lot', () => {
  test('are told with the first and the last time that it was seen there', async () => {
    const lotAt = (minute: number, place: string) => ({
      type: 'ObjectEvent',
      action: 'OBSERVE',
      eventTime: at(minute),
      quantityList: [{ epcClass: LOT, quantity: 1 }],
      bizLocation: { id: place },
    });
    const store = storeOf({
      a: lotAt(1, 'dairy'),
      b: lotAt(2, 'shop'),
      c: lotAt(3, 'dairy'),
      d: seen(4, [serial(1)], { ilmd: { lotNumber: 'L1' }, action: 'ADD', readPoint: { id: 'q' } }),
    });
    const { rows } = await recall(store, LOT, ASKED);
    expect(rows.map(({ id, place, since, until }) => [id, place, since, until])).toEqual([
      [LOT, null, null, null],
      [LOT, 'dairy', at(1), at(3)],
      [LOT, 'shop', at(2), at(2)],
      [serial(1), null, null, null],
    ]);
  });
});

describe('containment', () => {
  test('holds from ADD to DELETE, and can be asked for any moment', async () => {
    const store = storeOf({ a: pack(1, 'case', ['x', 'y']), b: unpack(5, 'case', ['x']) });
    expect(await openIn(store, 'x')).toEqual([]);
    expect(await openIn(store, 'x', at(4))).toEqual(['case']);
    expect(await openIn(store, 'x', at(0))).toEqual([]);
    expect(await partsIn(store, 'case')).toEqual(['y']);
    expect(await partsIn(store, 'case', at(1))).toEqual(['x', 'y']);
  });

  test('OBSERVE changes nothing', async () => {
    const store = storeOf({ a: pack(1, 'case', ['x'], { action: 'OBSERVE' }) });
    expect(await openIn(store, 'x')).toEqual([]);
  });

  test('DELETE without children takes out all that events of its type put in', async () => {
    const store = storeOf({
      a: pack(1, 'case', ['x', 'y']),
      b: pack(2, 'case', ['sensor'], { type: 'AssociationEvent' }),
      c: { type: 'AggregationEvent', action: 'DELETE', eventTime: at(3), parentID: 'case' },
    });
    expect(await partsIn(store, 'case')).toEqual(['sensor']);
    expect(await openIn(store, 'x')).toEqual([]);
  });

  test('a child in two containers at once is in both', async () => {
    const store = storeOf({ a: pack(1, 'case 1', ['x']), b: pack(2, 'case 2', ['x']) });
    expect(await openIn(store, 'x')).toEqual(['case 1', 'case 2']);
    expect(await recalled(store, 'x')).toEqual(['x', 'case 1', 'case 2']);
  });

  test('events that came out of order count by their time', async () => {
    const store = storeOf({ z: unpack(5, 'case', ['x']), a: pack(9, 'case', ['x']) });
    expect(await openIn(store, 'x')).toEqual(['case']);
    expect(
      await openIn(storeOf({ z: pack(5, 'case', ['x']), a: unpack(9, 'case', ['x']) }), 'x'),
    ).toEqual([]);
  });

  test('at equal times the order is that of the event keys', async () => {
    const inThenOut = { a: pack(1, 'case', ['x']), b: unpack(1, 'case', ['x']) };
    const outThenIn = { a: unpack(1, 'case', ['x']), b: pack(1, 'case', ['x']) };
    expect(await openIn(storeOf(inThenOut), 'x')).toEqual([]);
    expect(await openIn(storeOf(outThenIn), 'x')).toEqual(['case']);
  });

  test('containers that hold each other are told once each, and every question ends', async () => {
    const store = storeOf({ a: pack(1, 'A', ['B']), b: pack(2, 'B', ['A']) });
    expect(await recalled(store, 'A')).toEqual(['A', 'B']);
    expect(await edgesOf(store, 'A', 'up')).toEqual(['B contained A', 'A contained B']);
    expect(await lifeOf(store, 'A')).toEqual(['a', 'b']);
    const self = storeOf({ a: pack(1, 'A', ['A']) });
    expect(await recalled(self, 'A')).toEqual(['A']);
    expect(await lifeOf(self, 'A')).toEqual(['a']);
  });

  test('of a lot there is as much in a container as was put in and not taken out', async () => {
    const some = (quantity: number) => ({ childQuantityList: [{ epcClass: LOT, quantity }] });
    const events = { a: pack(1, 'bin', [], some(10)), b: unpack(2, 'bin', [], some(4)) };
    expect(await openIn(storeOf(events), LOT)).toEqual(['bin']);
    expect(await openIn(storeOf({ ...events, c: unpack(3, 'bin', [], some(6)) }), LOT)).toEqual([]);
    const unknown = { childQuantityList: [{ epcClass: LOT }] };
    expect(await openIn(storeOf({ ...events, c: unpack(3, 'bin', [], unknown) }), LOT)).toEqual([]);
  });
});

describe('what does not count', () => {
  test('an event that was declared in error', async () => {
    const errorDeclaration = { declarationTime: at(9) };
    const store = storeOf({
      a: pack(1, 'case', ['x']),
      b: pack(2, 'box', ['x'], { errorDeclaration }),
    });
    expect(await openIn(store, 'x')).toEqual(['case']);
    expect(await lifeOf(store, 'x')).toEqual(['a']);
  });

  test('an event that was deleted', async () => {
    const store = storeOf({ a: pack(1, 'case', ['x']) });
    store.put('event/a', null);
    expect(await openIn(store, 'x')).toEqual([]);
    expect(await recalled(store, 'x')).toEqual([]);
  });

  test('what an event said before it was changed', async () => {
    const store = storeOf({ a: pack(1, 'case', ['x']) });
    store.put('event/a', pack(1, 'case', ['y']));
    expect(await openIn(store, 'x')).toEqual([]);
    expect(await partsIn(store, 'case')).toEqual(['y']);
    store.put('event/a', pack(2, 'case', ['y']));
    expect(await lifeOf(store, 'y')).toEqual(['a']);
    expect((await history(store, 'y', ASKED)).events[0]?.time).toBe(at(2));
  });
});

describe('the history of an item', () => {
  test("has its containers' events only while it was in them, at any depth", async () => {
    const store = storeOf({
      a: seen(1, ['x']),
      b: seen(2, ['case']),
      c: pack(3, 'case', ['x']),
      d: seen(4, ['case']),
      e: pack(5, 'pallet', ['case']),
      f: seen(6, ['pallet']),
      g: unpack(7, 'case', ['x']),
      h: seen(8, ['pallet']),
      i: seen(9, ['case']),
    });
    expect(await lifeOf(store, 'x')).toEqual([
      'a',
      'c',
      'd by case',
      'e by case',
      'f by pallet',
      'g',
    ]);
  });

  test('where it was last seen is where its container was', async () => {
    const store = storeOf({
      a: seen(1, ['x'], { readPoint: { id: 'line' }, bizStep: 'commissioning' }),
      b: pack(2, 'case', ['x']),
      c: seen(3, ['case'], { bizLocation: { id: 'dock' }, disposition: 'in_transit' }),
    });
    const { seen: last, eventCount } = await item(store, 'x', ASKED);
    expect(eventCount).toBe(3);
    expect(last.place).toMatchObject({ bizLocation: 'dock', through: 'case' });
    expect(last.step).toMatchObject({ step: 'commissioning', through: null });
    expect(last.disposition).toMatchObject({ disposition: 'in_transit' });
  });
});

describe('transformations', () => {
  test('lead from inputs to outputs, and back', async () => {
    const store = storeOf({ t: made(1, ['milk', 'sugar'], ['yoghurt']) });
    expect(await edgesOf(store, 'milk', 'down')).toEqual([
      'milk input event/t',
      'event/t output yoghurt',
    ]);
    expect(await edgesOf(store, 'yoghurt', 'up')).toEqual([
      'event/t output yoghurt',
      'milk input event/t',
      'sugar input event/t',
    ]);
    expect(await recalled(store, 'milk')).toEqual(['milk', 'yoghurt']);
  });

  test('told in several events are one by their id', async () => {
    const store = storeOf({
      a: made(1, ['milk'], [], { transformationID: 'batch 7' }),
      b: made(3, [], ['yoghurt'], { transformationID: 'batch 7' }),
    });
    expect(await recalled(store, 'milk')).toEqual(['milk', 'yoghurt']);
    expect(await edgesOf(store, 'yoghurt', 'up')).toEqual([
      'batch 7 output yoghurt',
      'milk input batch 7',
    ]);
  });

  test('without inputs are where a trace ends; without outputs nothing came of them', async () => {
    const store = storeOf({ a: made(1, [], ['salt']), b: made(2, ['salt'], []) });
    expect(await edgesOf(store, 'salt', 'up')).toEqual(['event/a output salt']);
    expect(await edgesOf(store, 'salt', 'down')).toEqual(['salt input event/b']);
  });
});

describe('lots', () => {
  test('a recall of a lot finds items that tell their lot beside their serial', async () => {
    const store = storeOf({
      a: seen(1, [serial(1)], { _qualifiers: { [serial(1)]: { 10: 'L1' } } }),
      b: seen(1, [serial(2), serial(3)], { action: 'ADD', ilmd: { 'cbvmda:lotNumber': 'L1' } }),
      c: seen(1, [serial(4)], { _qualifiers: { [serial(4)]: { 10: 'L2' } } }),
      d: pack(2, 'case', [serial(3), serial(4)]),
    });
    expect((await recalled(store, LOT)).sort()).toEqual(
      [LOT, serial(1), serial(2), serial(3), 'case'].sort(),
    );
    expect(await edgesOf(store, serial(1), 'up')).toEqual([`${LOT} lot ${serial(1)}`]);
    expect((await item(store, serial(1), ASKED)).lots).toEqual([LOT]);
  });

  test('a recall of a product finds all its lots and serials', async () => {
    const store = storeOf({
      a: seen(1, [serial(1)]),
      b: pack(2, 'case', [], { childQuantityList: [{ epcClass: LOT }] }),
    });
    expect(await recalled(store, GTIN)).toEqual([LOT, serial(1), 'case']);
  });
});

describe('pages', () => {
  const many = () => {
    const events: Record<string, Record<string, unknown>> = {};
    for (let n = 0; n < 30; n++) {
      const members = { _qualifiers: { [serial(n)]: { 10: 'L1' } } };
      events[`a${n}`] = seen(n, [serial(n)], { ...members, readPoint: { id: `line ${n}` } });
      events[`b${n}`] = pack(100 + n, `case ${n % 7}`, [serial(n)]);
    }
    events.pallets = pack(200, 'pallet', ['case 1', 'case 2', 'case 3']);
    events.mix = made(300, ['case 4', 'case 5'], ['soup 1', 'soup 2']);
    return storeOf(events);
  };

  test('together are the answer in one piece, however small they are', async () => {
    const store = many();
    const whole = await recall(store, LOT, ASKED);
    expect(whole.rows.length).toBe(1 + 30 + 7 + 1 + 2);
    for (const [rowsMax, readsMax] of [
      [1, 1e9],
      [4, 1e9],
      [1e9, 3],
      [1e9, 20],
    ] as const) {
      const limits = { ...ASKED.limits, readsMax };
      const rows = [];
      let cursor = '';
      do {
        const page = await recall(store, LOT, { ...ASKED, cursor, rowsMax, limits });
        rows.push(...page.rows);
        cursor = page.cursor;
      } while (cursor !== '');
      expect(rows).toEqual(whole.rows);
    }
  });

  test('of a trace have each edge once', async () => {
    const store = many();
    const whole = await trace(store, LOT, 'down', { ...ASKED, depthMax: 9 });
    const limits = { ...ASKED.limits, readsMax: 2 };
    const edges = [];
    const nodes = [];
    let cursor = '';
    do {
      const asked = { ...ASKED, cursor, limits, rowsMax: 3, depthMax: 9, edgesMax: 2 };
      const page = await trace(store, LOT, 'down', asked);
      edges.push(...page.edges);
      nodes.push(...page.nodes);
      cursor = page.cursor;
    } while (cursor !== '');
    expect(edges).toEqual(whole.edges);
    expect(nodes).toEqual(whole.nodes);
    expect(new Set(edges.map((edge) => JSON.stringify(edge))).size).toBe(edges.length);
  });

  test('what is cut off is said', async () => {
    const store = many();
    expect((await recall(store, LOT, { ...ASKED, foundMax: 5 })).isCut).toBe(true);
    const near = await trace(store, LOT, 'down', { ...ASKED, depthMax: 1 });
    expect(near.depthReached).toBe(true);
    const few = { ...ASKED, limits: { ...ASKED.limits, entriesMax: 2 } };
    expect((await item(store, 'case 1', few)).partial).toEqual(['case 1']);
  });

  test('a cursor of another question is refused', async () => {
    const store = many();
    const { cursor } = await recall(store, LOT, { ...ASKED, rowsMax: 1 });
    await expect(recall(store, GTIN, { ...ASKED, cursor })).rejects.toThrow('cursor');
    await expect(recall(store, LOT, { ...ASKED, cursor: '{' })).rejects.toThrow('cursor');
  });
});
