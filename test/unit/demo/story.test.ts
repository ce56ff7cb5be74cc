import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { indexEntries } from '../../../chaincode/src/epcis/entries.ts';
import { type DemoRecord, tellStory } from '../../../scripts/src/demo/story.ts';
import { type AnyEvent, identifiersOf, problemsOf } from './checks.ts';
import { createWarehouse } from './warehouse.ts';

const EVENTS = 1_000;
const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const RUNS = { numRuns: 5 };

const recordsOf = (seed: number, events = EVENTS): DemoRecord[] => [...tellStory({ seed, events })];
const parse = (record: DemoRecord): AnyEvent => JSON.parse(record.value ?? 'null') as AnyEvent;
const eventsOf = (records: readonly DemoRecord[]): AnyEvent[] =>
  records.filter(({ kind }) => kind === 'event').map(parse);

/** The events of a corrected reading are known later than they happened. */
const correctivesOf = (records: readonly DemoRecord[]): Set<string> =>
  new Set(
    records
      .filter(({ kind }) => kind === 'event update')
      .flatMap((record) => parse(record).errorDeclaration?.correctiveEventIDs ?? []),
  );

describe('the story', () => {
  test('is the same byte for byte for the same seed, and another for another', () => {
    const digest = (seed: number): string => {
      const hash = createHash('sha256');
      for (const record of tellStory({ seed, events: 300 })) {
        hash.update(JSON.stringify(record));
      }
      return hash.digest('hex');
    };
    fc.assert(
      fc.property(seeds, (seed) => {
        expect(digest(seed)).toBe(digest(seed));
        expect(digest(seed)).not.toBe(digest((seed + 1) % 2 ** 32));
      }),
      RUNS,
    );
    // A change of this digest is a change of everybody's demo: make it on purpose.
    expect(digest(1)).toMatchSnapshot();
  });

  test('has exactly as many events as asked for, and a shorter one is its beginning', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 400 }), (seed, events) => {
        const short = eventsOf(recordsOf(seed, events));
        expect(short).toHaveLength(events);
        expect(eventsOf(recordsOf(seed, events + 50)).slice(0, events)).toEqual(short);
      }),
      RUNS,
    );
  });

  test('holds only events that EPCIS 2.0 accepts, each under its own id', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const records = recordsOf(seed);
        const ids = eventsOf(records).map(({ eventID }) => eventID);
        expect(new Set(ids).size).toBe(EVENTS);
        const events = records.filter(({ kind }) => kind.startsWith('event'));
        const found = events.flatMap((record) => {
          const event = parse(record);
          const key = record.key === `event/${event.eventID}` ? [] : ['key'];
          const index = indexEntries(record.key, Buffer.from(record.value ?? 'null'));
          const reason = 'reason' in index ? [index.reason] : [];
          const problems = [...problemsOf(event), ...key, ...reason];
          return problems.length === 0 ? [] : [{ problems, event }];
        });
        expect(found).toEqual([]);
      }),
      RUNS,
    );
  });

  test('uses all five kinds of event and both forms of identifier, and corrects some', () => {
    const records = recordsOf(1, 5_000);
    const events = eventsOf(records);
    expect(new Set(events.map(({ type }) => type)).size).toBe(5);
    const identifiers = events.flatMap((event) => identifiersOf(event));
    for (const form of [':sgtin:', ':lgtin:', ':sscc:', ':sgln:', '/01/', '/00/', '/414/']) {
      expect(identifiers.some((identifier) => identifier.includes(form))).toBe(true);
    }
    expect(events.some(({ sensorElementList }) => sensorElementList !== undefined)).toBe(true);
    expect(correctivesOf(records).size).toBeGreaterThan(5);
  });

  test('names no item of another seed', () => {
    const itemsOf = (seed: number) =>
      eventsOf(recordsOf(seed)).flatMap(({ epcList = [], eventID }) => [...epcList, eventID]);
    const first = new Set(itemsOf(1));
    expect(itemsOf(2).filter((item) => first.has(item))).toEqual([]);
  });

  test('tells what happens to an item in the order in which it happens', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const records = recordsOf(seed);
        const late = correctivesOf(records);
        const last = new Map<string, number>();
        const early: AnyEvent[] = [];
        for (const event of eventsOf(records).filter(({ eventID }) => !late.has(eventID))) {
          const atMs = Date.parse(event.eventTime);
          for (const item of [...(event.epcList ?? []), ...(event.childEPCs ?? [])]) {
            early.push(...(atMs > (last.get(item) ?? 0) ? [] : [event]));
            last.set(item, atMs);
          }
        }
        expect(last.size).toBeGreaterThan(100);
        expect(early).toEqual([]);
      }),
      RUNS,
    );
  });

  test('corrects an event by the same event with a declaration, beside the right one', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const records = recordsOf(seed);
        const places = new Map(records.map((record, index) => [record.key, index] as const));
        const updates = records.flatMap((record, index) =>
          record.kind === 'event update' ? [{ record, index }] : [],
        );
        for (const { record, index } of updates) {
          const { errorDeclaration, ...rest } = parse(record);
          const first = records.find(({ key }) => key === record.key);
          expect(first).toEqual({ kind: 'event', key: record.key, value: JSON.stringify(rest) });
          const [corrective] = errorDeclaration?.correctiveEventIDs ?? [];
          expect(places.get(`event/${corrective}`)).toBeLessThan(index);
        }
      }),
      RUNS,
    );
  });

  test('opens every place with a document, gives it further versions and deletes one', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 500 }), (seed, events) => {
        const records = recordsOf(seed, events);
        const versions = new Map<string, (string | null)[]>();
        for (const { key, value } of records.filter(({ key }) => key.startsWith('location/'))) {
          versions.set(key, [...(versions.get(key) ?? []), value]);
        }
        for (const event of eventsOf(records)) {
          const place = event.bizLocation?.id;
          expect(place === undefined || versions.has(`location/${place}`)).toBe(true);
        }
        const ends = [...versions.values()].map((values) => values.at(-1));
        expect(ends.filter((value) => value === null)).toHaveLength(1);
        const deleted = [...versions.values()].find((values) => values.at(-1) === null);
        expect(deleted?.length).toBeGreaterThanOrEqual(3);
      }),
      RUNS,
    );
  });
});

describe('goods', () => {
  test('exist before they move, lie in one parent at a time, and are sold at most once', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const warehouse = createWarehouse();
        const objections = eventsOf(recordsOf(seed)).flatMap((event) => warehouse.apply(event));
        expect(objections).toEqual([]);
      }),
      RUNS,
    );
  });
});
