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

interface NaiveStay {
  readonly child: string;
  readonly parent: string;
  readonly from: number;
  /** The minute of its end; LATER while it lasts. */
  to: number;
}

/** A minute behind all events. */
const LATER = 99;

/** What was in what, and when, by going through all events in their order. */
function naive(events: readonly Told[], untilMinute: number) {
  const stays: NaiveStay[] = [];
  const open = new Map<string, NaiveStay>();
  const made: (readonly [input: string, output: string])[] = [];
  const ordered = [...events.entries()]
    .filter(([, { minute, isError }]) => !isError && minute <= untilMinute)
    .sort(([m, a], [n, b]) => a.minute - b.minute || (keyOf(m) < keyOf(n) ? -1 : 1));
  for (const [, told] of ordered) {
    if (told.type === 'TransformationEvent') {
      made.push(...told.others.map((other) => [told.one, other] as const));
    } else if (told.type !== 'ObjectEvent') {
      pack(stays, open, told);
    }
  }
  return { stays, made };
}

function pack(stays: NaiveStay[], open: Map<string, NaiveStay>, told: Told): void {
  const { type, action, one, others, minute } = told;
  const places = others.map((child) => `${type} ${child} ${one}`);
  const all = [...open.keys()].filter((p) => p.startsWith(type) && p.endsWith(` ${one}`));
  for (const place of action === 'DELETE' && places.length === 0 ? all : places) {
    const [, child = '', parent = ''] = place.split(' ');
    const there = open.get(place);
    if (action === 'ADD' && there === undefined) {
      const stay = { child, parent, from: minute, to: LATER };
      stays.push(stay);
      open.set(place, stay);
    } else if (action === 'DELETE' && there !== undefined) {
      there.to = minute;
      open.delete(place);
    }
  }
}

const keyOf = (n: number): string => `event/${String(n).padStart(3, '0')}`;

/** What is concerned in any minute: minute by minute, until nothing more is. */
function reached({ stays, made }: ReturnType<typeof naive>, first: string): Set<string> {
  const minutes = [...Array.from({ length: 13 }, (_, n) => n), LATER];
  const concerned = new Set(minutes.map((minute) => `${first} ${minute}`));
  const step = (minute: number): void => {
    for (const { child, parent, from, to } of stays) {
      if (from <= minute && minute <= to && concerned.has(`${child} ${minute}`)) {
        concerned.add(`${parent} ${minute}`);
      }
    }
    for (const [, output] of made.filter(([input]) => concerned.has(`${input} ${minute}`))) {
      for (const each of minutes) {
        concerned.add(`${output} ${each}`);
      }
    }
  };
  for (let before = 0; before < concerned.size; ) {
    before = concerned.size;
    minutes.forEach(step);
  }
  return new Set([...concerned].map((each) => each.split(' ')[0] ?? ''));
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
        const pairs = naive(events, minute)
          .stays.filter(({ to }) => to === LATER)
          .map(({ child, parent }) => [child, parent] as const);
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
        const world = naive(events, minute);
        const asked = { ...ASKED, asOf: at(minute) };
        for (const thing of THINGS) {
          const whole = await recall(store, thing, asked);
          const wanted = reached(world, thing);
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
          const things = nodes.filter(({ kind }) => kind === 'item').map(({ id }) => id);
          expect(new Set(things)).toEqual(wanted);
          expect(things).toHaveLength(wanted.size);
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
