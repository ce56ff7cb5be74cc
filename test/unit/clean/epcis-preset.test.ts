/** The preset for EPCIS: one fact is one document, whatever its spelling. */
import { describe, expect, it } from '@jest/globals';
import { createCleaner } from '../../../bridge/src/clean/cleaner.ts';
import type { JsonObject } from '../../../bridge/src/clean/json.ts';
import { loadRules } from '../../../bridge/src/config/rule-file.ts';
import { because, epcisSamples, isThere } from '../../support/real-data.ts';
import { TIMESTAMP } from './cleaning.ts';

const cleaner = createCleaner(loadRules('preset:epcis', '.'), { kind: 'json' });

async function clean(document: unknown) {
  const value = Buffer.from(JSON.stringify(document));
  const { documents, refused } = await cleaner.clean({
    key: null,
    value,
    headers: [],
    timestamp: TIMESTAMP,
    offset: 0n,
  });
  return {
    refused,
    keys: (documents ?? []).map(({ key }) => Buffer.from(key).toString()),
    values: (documents ?? []).map(({ value: bytes }) => JSON.parse(String(bytes)) as JsonObject),
  };
}

const ITEM = 'https://id.gs1.org/01/09506000134352/21/A-7';
const event = {
  type: 'ObjectEvent',
  eventTime: '2026-01-02T03:04:05.000Z',
  eventTimeZoneOffset: '+01:00',
  action: 'OBSERVE',
  bizStep: 'shipping',
  epcList: [ITEM],
  readPoint: { id: 'https://id.gs1.org/414/0614141007776' },
};
const inOtherWords = {
  readPoint: { id: 'urn:epc:id:sgln:0614141.00777.0' },
  epcList: ['urn:epc:id:sgtin:9506000.013435.A-7'],
  bizStep: 'urn:epcglobal:cbv:bizstep:shipping',
  action: 'OBSERVE',
  eventTimeZoneOffset: '+01:00',
  eventTime: '2026-01-02T04:04:05+01:00',
  recordTime: '2026-01-03T00:00:00Z',
  type: 'ObjectEvent',
};
const inADocument = (...events: unknown[]) => ({
  '@context': ['https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld'],
  type: 'EPCISDocument',
  schemaVersion: '2.0',
  creationDate: '2026-01-05T00:00:00Z',
  epcisBody: { eventList: events },
});

describe('an event without an id', () => {
  it('has one key, in whatever words and document it is told', async () => {
    const told = await Promise.all([event, inOtherWords, inADocument(inOtherWords)].map(clean));
    expect(told.map(({ refused }) => refused)).toEqual([null, null, null]);
    const [[key] = []] = told.map(({ keys }) => keys);
    expect(key).toMatch(/^event\/[0-9a-f]{64}$/);
    expect(told.map(({ keys }) => keys)).toEqual([[key], [key], [key]]);
  });

  it('has the same key when it is declared in error, which so becomes a version of it', async () => {
    const errorDeclaration = { declarationTime: '2026-01-03T00:00:00Z', reason: 'incorrect_data' };
    const told = await clean(inADocument(event, { ...event, errorDeclaration }));
    expect([told.refused, new Set(told.keys).size]).toEqual([null, 1]);
    expect(told.values[1]).toMatchObject({ errorDeclaration: { reason: 'incorrect_data' } });
  });

  it.each([
    ['time', { eventTime: '2026-01-02T03:04:06Z' }],
    ['item', { epcList: ['urn:epc:id:sgtin:9506000.013435.A-8'] }],
    ['place', { readPoint: { id: 'urn:epc:id:sgln:0614141.00777.1' } }],
    ['step', { bizStep: 'receiving' }],
  ])('has another key with another %s', async (_, other) => {
    const { keys } = await clean(inADocument(event, { ...event, ...other }));
    expect(new Set(keys).size).toBe(2);
  });
});

describe('an event with an id', () => {
  it('has it in its key, and its words in one form', async () => {
    const { keys, values } = await clean({ ...inOtherWords, eventID: 'urn:uuid:1' });
    expect(keys).toEqual(['event/urn:uuid:1']);
    expect(values).toMatchObject([{ ...event, eventID: 'urn:uuid:1' }]);
  });
});

describe('an event that cannot be', () => {
  it.each([
    ['not-tomorrow', { eventTime: '2027-01-01T00:00:00Z' }],
    ['items', { epcList: ['https://id.gs1.org/01/09506000134353/21/A-7'] }],
    ['events', { bizStep: 'shiping' }],
  ])('is refused by the rule "%s"', async (rule, other) => {
    expect((await clean({ ...event, ...other })).refused).toMatchObject({ rule });
  });
});

describe('capture documents of others', () => {
  (isThere ? it : it.skip)(`are cleaned, 36 of 38${because}`, async () => {
    const samples = epcisSamples('Capture/Documents');
    const cleaned = await Promise.all(samples.map(({ document }) => clean(document)));
    const refused = cleaned.flatMap((each) => (each.refused === null ? [] : [each.refused]));
    expect(samples).toHaveLength(38);
    expect(refused.map(({ rule, code }) => `${rule} ${code}`).sort()).toEqual([
      'events SCHEMA_VIOLATED',
      'items IDENTIFIER_INVALID',
    ]);
    expect(cleaned.flatMap(({ keys }) => keys)).toHaveLength(49);
  });
});
