/** The reasoning about events against a naive model, which keeps the state that events describe. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { history, item, recall, trace } from '../../chaincode/src/epcis/questions.ts';
import { ASKED, MemoryEventStore } from '../support/event-store.ts';

const THINGS = ['a', 'b', 'c', 'd', 'e'];
const TYPES = ['AggregationEvent', 'AssociationEvent', 'TransformationEvent', 'ObjectEvent'];
const at = (minute: number): string => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();

interface Told {
  readonly type: string;
  readonly action: 'ADD' | 'OBSERVE' | 'DELETE';
  readonly minute: number;
  readonly one: string;
  readonly others: readonly string[];
  readonly isError: boolean;
}

const told: fc.Arbitrary<Told> = fc.record({
  type: fc.constantFrom(...TYPES),
  action: fc.constantFrom('ADD', 'ADD', 'OBSERVE', 'DELETE'),
  minute: fc.nat(12),
  one: fc.constantFrom(...THINGS),
  others: fc.uniqueArray(fc.constantFrom(...THINGS), { maxLength: 3 }),
  isError: fc.nat(9).map((n) => n === 0),
});

function documentOf({ type, action, minute, one, others, isError }: Told): object {
  const common = {
    type,
    eventTime: at(minute),
    ...(isError ? { errorDeclaration: { declarationTime: at(99) } } : {}),
  };
  switch (type) {
    case 'TransformationEvent':
      return { ...common, inputEPCList: [one], outputEPCList: others };
    case 'ObjectEvent':
      return { ...common, action, epcList: [one, ...others] };
    default:
      return { ...common, action, parentID: one, childEPCs: others };
  }
}

/** What is in what, by going through all events in their order: pairs "child in parent". */
function naive(events: readonly Told[], untilMinute: number) {
  const inside = new Set<string>();
  const flows = new Set<string>();
  const ordered = [...events.entries()]
    .filter(([, { minute, isError }]) => !isError && minute <= untilMinute)
    .sort(([m, a], [n, b]) => a.minute - b.minute || (keyOf(m) < keyOf(n) ? -1 : 1));
  for (const [n, told] of ordered) {
    if (told.type === 'TransformationEvent') {
      for (const other of told.others) {
        flows.add(`${told.one}>${keyOf(n)}`);
        flows.add(`${keyOf(n)}>${other}`);
      }
    } else if (told.type !== 'ObjectEvent') {
      pack(inside, told);
    }
  }
  const pairs = [...inside].map((place) => place.split(' ').slice(1) as [string, string]);
  for (const [child, parent] of pairs) {
    flows.add(`${child}>${parent}`);
  }
  return { pairs, flows };
}

function pack(inside: Set<string>, { type, action, one, others }: Told): void {
  const places = others.map((child) => `${type} ${child} ${one}`);
  const all = [...inside].filter((place) => place.startsWith(type) && place.endsWith(` ${one}`));
  for (const place of action === 'DELETE' && places.length === 0 ? all : places) {
    if (action === 'ADD') {
      inside.add(place);
    } else if (action === 'DELETE') {
      inside.delete(place);
    }
  }
}

const keyOf = (n: number): string => `event/${String(n).padStart(3, '0')}`;

function reached(flows: ReadonlySet<string>, from: string): Set<string> {
  const found = new Set([from]);
  for (const node of found) {
    for (const flow of flows) {
      const [left = '', right = ''] = flow.split('>');
      if (left === node) {
        found.add(right);
      }
    }
  }
  return found;
}

function storeOf(events: readonly Told[]): MemoryEventStore {
  const store = new MemoryEventStore();
  for (const [n, event] of events.entries()) {
    store.put(keyOf(n), documentOf(event));
  }
  return store;
}

const worlds = fc.tuple(fc.array(told, { maxLength: 25 }), fc.nat(12), fc.nat(999));

describe('the reasoning about events', () => {
  test('knows what is in what as a naive model does, at any moment', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async ([events, minute]) => {
        const store = storeOf(events);
        const { pairs } = naive(events, minute);
        const asked = { ...ASKED, asOf: at(minute) };
        for (const thing of THINGS) {
          const { containers, parts } = await item(store, thing, asked);
          const inside = pairs.filter(([child]) => child === thing).map(([, parent]) => parent);
          const holds = pairs.filter(([, parent]) => parent === thing).map(([child]) => child);
          const ids = (all: readonly { readonly id: string }[]) => new Set(all.map(({ id }) => id));
          expect(ids(containers)).toEqual(new Set(inside));
          expect(ids(parts)).toEqual(new Set(holds));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('finds in a recall and in a trace what a naive model reaches, in pages of any size', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, fc.integer({ min: 1, max: 4 }), async ([events, minute], size) => {
        const store = storeOf(events);
        const { flows } = naive(events, minute);
        const asked = { ...ASKED, asOf: at(minute) };
        for (const thing of THINGS) {
          const isThing = (id: string) => THINGS.includes(id);
          const whole = await recall(store, thing, asked);
          const wanted = new Set([...reached(flows, thing)].filter(isThing));
          const isNamed = (await history(store, thing, asked)).events.length > 0;
          expect(new Set(whole.rows.map(({ id }) => id))).toEqual(isNamed ? wanted : new Set());
          const rows = [];
          let cursor = '';
          do {
            const limits = { ...ASKED.limits, readsMax: size * 3 };
            const page = await recall(store, thing, { ...asked, cursor, rowsMax: size, limits });
            rows.push(...page.rows);
            cursor = page.cursor;
          } while (cursor !== '');
          expect(rows).toEqual(whole.rows);
          const { nodes } = await trace(store, thing, 'down', { ...asked, depthMax: 99 });
          const things = nodes.map(({ id }) => id).filter(isThing);
          expect(new Set(things)).toEqual(wanted);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('has no event twice in a history, and all of them in order', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async ([events]) => {
        const store = storeOf(events);
        for (const thing of THINGS) {
          const { events: life } = await history(store, thing, ASKED);
          const places = life.map(({ time, event }) => `${time} ${event}`);
          expect(places).toEqual([...new Set(places)].sort());
          const own = events.flatMap(({ one, others, isError }, n) =>
            !isError && [one, ...others].includes(thing) ? [keyOf(n)] : [],
          );
          expect(life.filter(({ through }) => through === null).map(({ event }) => event)).toEqual(
            expect.arrayContaining(own),
          );
        }
      }),
      { numRuns: 200 },
    );
  });
});
