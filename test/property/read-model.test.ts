/** The read model answers every question about events as the ledger's index does. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openDatabase } from '../../bridge/src/sqlite/database.ts';
import { openReadModel } from '../../bridge/src/sqlite/reader.ts';
import { createWriter, epcisEntries } from '../../bridge/src/sqlite/writer.ts';
import { history, item, recall, trace } from '../../chaincode/src/epcis/questions.ts';
import type { EventStore } from '../../chaincode/src/epcis/store.ts';
import { thingOf } from '../../chaincode/src/epcis/things.ts';
import { ASKED, MemoryEventStore } from '../support/event-store.ts';
import { createTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

const SOURCE = { clusterId: 'c', topic: 't', channel: 'mychannel', chaincode: 'shuttle' };
const GTIN = 'https://id.gs1.org/01/09506000134352';
const LOTS = ['10/L1', '10/L2', '10/é'].map((tail) => `${GTIN}/${encodeURI(tail)}`);
const ITEMS = ['21/1', '21/2', '21/3'].map((tail) => `${GTIN}/${tail}`);
const UNITS = ['https://id.gs1.org/00/095060001343520012', 'urn:uuid:crate', 'pallet', 'pallet2'];
const THINGS = [GTIN, ...LOTS, ...ITEMS, ...UNITS];

const thing = fc.constantFrom(...THINGS);
const things = fc.array(thing, { maxLength: 3 });
const minute = fc.nat({ max: 20 });
const at = (n: number) => new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString();
const action = fc.constantFrom('ADD', 'OBSERVE', 'DELETE');
const place = fc.option(fc.constantFrom('here', 'there'), { nil: null });

const event = fc.oneof(
  fc.record({ parentID: fc.constantFrom(...UNITS), childEPCs: things, action }).map((what) => {
    return { type: 'AggregationEvent', ...what };
  }),
  fc.record({ epcList: things, action, lot: fc.boolean() }).map(({ lot, ...what }) => {
    return { type: 'ObjectEvent', ...what, ...(lot ? { ilmd: { 'cbvmda:lotNumber': 'L1' } } : {}) };
  }),
  fc
    .record({
      inputEPCList: things,
      outputEPCList: things,
      transformationID: fc.constantFrom(undefined, 'urn:t'),
    })
    .map((what) => ({ type: 'TransformationEvent', ...what })),
);

const version = fc
  .tuple(fc.nat({ max: 8 }), fc.option(fc.tuple(event, minute, place, fc.boolean()), { freq: 6 }))
  .map(([key, told]) => {
    if (told === null) {
      return { key: `event/${key}`, document: null };
    }
    const [what, when, where, inError] = told;
    const document = {
      ...what,
      eventTime: at(when),
      ...(where === null ? {} : { readPoint: { id: where }, bizStep: `at ${where}` }),
      ...(inError && key === 3 ? { errorDeclaration: { declarationTime: at(30) } } : {}),
    };
    return { key: `event/${key}`, document };
  });

let folder: TemporaryFolder;

beforeEach(() => {
  folder = createTemporaryFolder();
});

afterEach(() => folder.remove());

/** All pages of a trace: where one ends differs, since only the ledger keeps old entries. */
async function wholeTrace(store: EventStore, id: string, asked: typeof ASKED, page: number) {
  const found: unknown[] = [];
  for (let cursor = '', isLast = false; !isLast; ) {
    const bounds = { ...asked, cursor, depthMax: 5, edgesMax: page, rowsMax: page };
    const answer = await trace(store, id, 'down', bounds);
    found.push(...answer.nodes, ...answer.edges);
    cursor = answer.cursor;
    isLast = cursor === '';
  }
  return found.map((each) => JSON.stringify(each)).toSorted();
}

async function answers(store: EventStore, asOf: string | null): Promise<unknown[]> {
  const asked = { ...ASKED, asOf } as typeof ASKED;
  const found: unknown[] = [];
  for (const id of THINGS) {
    found.push(
      await item(store, id, asked),
      await history(store, id, asked),
      await recall(store, id, asked),
      await trace(store, id, 'up', { ...asked, depthMax: 5 }),
      await wholeTrace(store, id, asked, 2),
    );
  }
  return found;
}

describe('the read model', () => {
  test('gives the ledger the same answers, whatever was told, changed and deleted', async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(version, { maxLength: 25 }),
        fc.option(minute.map(at)),
        async (versions, asOf) => {
          const ledger = new MemoryEventStore();
          for (const { key, document } of versions) {
            ledger.put(key, document);
          }
          const file = join(folder.path, `${runs++}.db`);
          const database = openDatabase(file);
          const writer = createWriter(file, database, SOURCE, epcisEntries, () => 0);
          const changes = versions.map(({ key, document }) => ({
            key: Buffer.from(key),
            value: document === null ? null : Buffer.from(JSON.stringify(document)),
            block: 1n,
            source: null,
          }));
          const next = BigInt(changes.length);
          writer.apply({ partition: 0, from: 0n, next, last: null, changes });
          writer.complete(1);
          const model = openReadModel(file, SOURCE);
          const events = model?.events ?? ledger;
          const both = [await answers(events, asOf), await answers(ledger, asOf)];
          model?.close();
          database.close();
          expect(model).not.toBeNull();
          expect(both[0]).toEqual(both[1]);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('pages entries and things as the ledger does', () => {
    const file = join(folder.path, 'pages.db');
    const database = openDatabase(file);
    const writer = createWriter(file, database, SOURCE, epcisEntries, () => 0);
    const ledger = new MemoryEventStore();
    const changes = Array.from({ length: 60 }, (_, n) => {
      const epcList = THINGS.filter((_, index) => (n * 7 + index) % 3 === 0);
      const document = { type: 'ObjectEvent', action: 'OBSERVE', eventTime: at(n % 4), epcList };
      const key = `event/${n % 2 === 0 ? 'é' : 'z'}${n}`;
      ledger.put(key, document);
      const value = Buffer.from(JSON.stringify(document));
      return { key: Buffer.from(key), value, block: 1n, source: null };
    });
    writer.apply({ partition: 0, from: 0n, next: 60n, last: null, changes });
    writer.complete(1);
    const model = openReadModel(file, SOURCE);
    const stores = [model?.events ?? ledger, ledger] as const;
    const [found, wanted] = stores.map((store) => {
      const pages: unknown[] = [];
      for (const id of THINGS) {
        for (let after = null as never, size = 7; size === 7; ) {
          const page = store.entries(thingOf(id), { from: at(1), until: at(2), after, limit: 7 });
          pages.push(page);
          size = (page as unknown[]).length;
          after = (page as never[]).at(-1) as never;
        }
      }
      for (let after = null as never, size = 2; size === 2; ) {
        const page = store.things({ ai: '01', key: '09506000134352' }, after, 2);
        pages.push(page);
        size = (page as unknown[]).length;
        after = (page as never[]).at(-1) as never;
      }
      return pages;
    });
    model?.close();
    database.close();
    expect(wanted?.length).toBeGreaterThan(20);
    expect(found).toEqual(wanted);
  });
});
