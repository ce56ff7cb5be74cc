/** EPCIS 2.0 is taken; what is not is refused at the innermost place, with a sentence. */
import { describe, expect, test } from '@jest/globals';
import { validateEpcis } from '../../../bridge/src/clean/epcis.ts';
import { isInstant } from '../../../bridge/src/clean/epcis-rules.ts';
import { EPCIS_FINDINGS_MAX, EPCIS_VALUES_MAX } from '../../../bridge/src/limits.ts';
import {
  captureDocument,
  EVENTS,
  event,
  type Members,
  queryDocument,
} from '../../support/epcis-samples.ts';
import { because, epcisSamples, isThere } from '../../support/real-data.ts';

type Type = keyof typeof EVENTS;
const TYPES = Object.keys(EVENTS) as Type[];

const told = (document: unknown): string[] =>
  (validateEpcis(document) ?? []).map(({ path, sentence }) => `${path} | ${sentence}`);

describe('what is EPCIS 2.0 is taken', () => {
  test.each(TYPES)('a bare %s', (type) => {
    expect(told(event(type))).toEqual([]);
  });

  test('all of them in a capture document, a query document and a list', () => {
    const all = TYPES.map((type) => event(type));
    expect(told(captureDocument(all))).toEqual([]);
    expect(told(queryDocument(all))).toEqual([]);
    expect(told(all)).toEqual([]);
  });

  test('a document with a header of master data', () => {
    const element = { id: 'urn:epc:id:sgln:0614141.00777.0', attributes: [] };
    const vocabularyList = [{ type: 'urn:example:vtype', vocabularyElementList: [element] }];
    const header = { epcisHeader: { epcisMasterData: { vocabularyList } } };
    expect(told(captureDocument([], header))).toEqual([]);
  });

  test('members of an extension, by their prefix or by an @context in scope', () => {
    const ilmd = { batch: 'L1' };
    const declared = { '@context': [{ batch: 'https://ns.example.com/batch' }] };
    const own = event('ObjectEvent', { ilmd, ...declared });
    expect(told(own)).toEqual([]);
    expect(told(captureDocument([event('ObjectEvent', { ilmd })], declared))).toEqual([]);
    expect(told(event('ObjectEvent', { ilmd }))).toEqual([
      '/ilmd/batch | "batch" is not known here. Members here need a prefix, or an entry in @context.',
    ]);
  });

  test("an event of a type of one's own, which has a prefix", () => {
    const other = event('ObjectEvent', { type: 'example:WeighingEvent', weight: 3 });
    expect(told(other)).toEqual([]);
  });

  test.each<[Type, Members]>([
    ['AggregationEvent', { action: 'DELETE', childEPCs: [], childQuantityList: [] }],
    ['AggregationEvent', { action: 'OBSERVE', parentID: undefined }],
    ['TransformationEvent', { transformationID: 'urn:example:1', outputEPCList: undefined }],
    ['ObjectEvent', { eventTimeZoneOffset: '-14:00', eventTime: '2024-02-29T23:59:59Z' }],
    ['ObjectEvent', { certificationInfo: 'urn:example:certificate:1' }],
  ])('%s with %p', (type, changes) => {
    expect(told(event(type, changes))).toEqual([]);
  });
});

describe('what is not EPCIS 2.0 is told where and why', () => {
  test.each<[Type, Members, string]>([
    ['ObjectEvent', { eventTime: undefined }, ' | "eventTime" is missing.'],
    ['ObjectEvent', { action: undefined }, ' | "action" is missing.'],
    ['ObjectEvent', { action: 'CREATE' }, '/action | "CREATE" is none of ADD, OBSERVE, DELETE.'],
    [
      'ObjectEvent',
      { eventTime: '2026-02-30T10:00:00Z' },
      '/eventTime | "2026-02-30T10:00:00Z" is not an instant such as 2026-03-01T09:30:00Z, with its time zone.',
    ],
    [
      'ObjectEvent',
      { eventTimeZoneOffset: '+2' },
      '/eventTimeZoneOffset | "+2" is not an offset such as +02:00.',
    ],
    [
      'ObjectEvent',
      { bizStep: 'shiping' },
      '/bizStep | "shiping" is not a business step of the standard vocabulary. Did you mean "shipping"?',
    ],
    ['ObjectEvent', { epcList: ['A-7'] }, '/epcList/0 | "A-7" is not a URI.'],
    [
      'ObjectEvent',
      { epcLst: ['urn:a:b'] },
      '/epcLst | "epcLst" is not known here. Did you mean "epcList"?',
    ],
    [
      'ObjectEvent',
      { epcList: [], quantityList: undefined, sensorElementList: undefined },
      ' | The event names nothing: epcList, quantityList and sensorElementList are empty or missing.',
    ],
    [
      'ObjectEvent',
      { action: 'OBSERVE' },
      '/ilmd | Master data of new things stands in an event with action ADD, not OBSERVE.',
    ],
    [
      'ObjectEvent',
      { quantityList: [{ epcClass: 'urn:a:b', quantity: 'twenty' }] },
      '/quantityList/0/quantity | This has to be a number, but is the text "twenty".',
    ],
    [
      'ObjectEvent',
      { quantityList: [{ epcClass: 'urn:a:b', uom: 'KGM' }] },
      '/quantityList/0/uom | There is a unit, but no quantity.',
    ],
    [
      'ObjectEvent',
      { quantityList: [{ epcClass: 'urn:a:b', quantity: -1 }] },
      '/quantityList/0/quantity | A quantity cannot be negative, but is -1.',
    ],
    ['ObjectEvent', { readPoint: {} }, '/readPoint | "id" is missing.'],
    [
      'ObjectEvent',
      { persistentDisposition: {} },
      '/persistentDisposition | There is nothing in it.',
    ],
    [
      'ObjectEvent',
      { sensorElementList: [{ sensorReport: [] }] },
      '/sensorElementList/0/sensorReport | The list is empty.',
    ],
    [
      'ObjectEvent',
      { sensorElementList: [{ sensorReport: [{ hexBinaryValue: 'F' }] }] },
      '/sensorElementList/0/sensorReport/0/hexBinaryValue | "F" is not a row of hexadecimal pairs.',
    ],
    [
      'ObjectEvent',
      { errorDeclaration: { reason: 'incorrect_data' } },
      '/errorDeclaration | "declarationTime" is missing.',
    ],
    [
      'ObjectEvent',
      { certificationInfo: [4] },
      '/certificationInfo/0 | This has to be a text or an object, but is 4.',
    ],
    [
      'ObjectEvent',
      {
        certificationInfo: [
          { 'gs1:CertificationDetails': { 'gs1:certificationEndDate': 'in March' } },
        ],
      },
      '/certificationInfo/0/gs1:CertificationDetails/gs1:certificationEndDate | "in March" is not a date such as 2026-03-01.',
    ],
    [
      'AggregationEvent',
      { parentID: undefined },
      ' | "parentID" is missing, which action ADD needs.',
    ],
    [
      'AssociationEvent',
      { parentID: undefined, action: 'DELETE' },
      ' | "parentID" is missing, which action DELETE needs.',
    ],
    [
      'AggregationEvent',
      { childEPCs: [], childQuantityList: undefined },
      ' | The event names nothing: childEPCs and childQuantityList are empty or missing.',
    ],
    ['TransactionEvent', { bizTransactionList: [] }, '/bizTransactionList | The list is empty.'],
    [
      'TransformationEvent',
      { inputQuantityList: [] },
      ' | The transformation has no inputs, and no transformationID to find them by.',
    ],
    [
      'TransformationEvent',
      { inputQuantityList: [], outputEPCList: [], transformationID: 'urn:example:1' },
      ' | The transformation has neither inputs nor outputs.',
    ],
    [
      'TransformationEvent',
      { action: 'ADD' },
      '/action | "action" is not known here. A member of your own needs a prefix, or an entry in @context.',
    ],
    [
      'ObjectEvent',
      { type: 'ObjectEvnt' },
      '/type | "ObjectEvnt" is not a type of event. Did you mean "ObjectEvent"?',
    ],
    [
      'ObjectEvent',
      { type: undefined },
      ' | "type" is missing, which says what kind of event this is.',
    ],
  ])('%s with %p', (type, changes, finding) => {
    expect(told(event(type, changes))).toEqual([finding]);
    const inside = told(captureDocument([event('ObjectEvent'), event(type, changes)]));
    expect(inside).toEqual([`/epcisBody/eventList/1${finding}`]);
  });

  test.each<[string, Members, string]>([
    ['no context', { '@context': undefined }, ' | "@context" is missing.'],
    ['an empty context', { '@context': [] }, '/@context | The list is empty.'],
    [
      'another version',
      { schemaVersion: '1.2' },
      '/schemaVersion | "1.2" is not a version of EPCIS 2.',
    ],
    ['no body', { epcisBody: undefined }, ' | "epcisBody" is missing.'],
    [
      'a list that is none',
      { epcisBody: { eventList: {} } },
      '/epcisBody/eventList | This has to be a list, but is an object.',
    ],
    [
      'an event that is none',
      { epcisBody: { eventList: [7] } },
      '/epcisBody/eventList/0 | An event is an object, not 7.',
    ],
  ])('a document with %s', (_, changes, finding) => {
    const document = JSON.parse(JSON.stringify(captureDocument([], changes)));
    expect(told(document)).toEqual([finding]);
  });

  test.each([null, 7, 'text', undefined])('%p instead of a document', (document) => {
    expect(told(document)).toHaveLength(1);
  });

  test('the innermost finding of an event comes first', () => {
    const wrong = event('ObjectEvent', {
      action: undefined,
      sensorElementList: [{ sensorReport: [{ type: 'Temprature' }] }],
    });
    expect(told(wrong)).toEqual([
      expect.stringContaining('/sensorElementList/0/sensorReport/0/type | '),
      ' | "action" is missing.',
    ]);
  });

  test('of many findings only the first are told, and an event without end is not walked', () => {
    const wrong = captureDocument(Array.from({ length: 100_000 }, () => ({})));
    expect(told(wrong)).toHaveLength(EPCIS_FINDINGS_MAX);
    const long = event('ObjectEvent', { epcList: Array(2 * EPCIS_VALUES_MAX).fill('x') });
    expect(told(long)).toEqual([
      ' | This has more than 100000 values, which no ledger entry holds.',
    ]);
  });
});

test('an instant has a time zone and a day that its month has', () => {
  const right = ['2024-02-29T00:00:00Z', '2000-02-29T00:00:00.1+14:00', '0001-01-01T00:00:00Z'];
  const wrong = [
    '2023-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2024-13-01T00:00:00Z',
    '2024-00-01T00:00:00Z',
    '2024-01-00T00:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T00:60:00Z',
    '2024-01-01T00:00:00',
    '2024-01-01T00:00:00+14:01',
    '2024-01-01 00:00:00Z',
    '2024-01-01',
  ];
  expect([...right, ...wrong].filter(isInstant)).toEqual(right);
});

const maybe = isThere ? test : test.skip;

describe('documents beside the project', () => {
  maybe(`37 of 38 capture documents and all bare events are taken${because}`, () => {
    const documents = epcisSamples('Capture/Documents');
    const refused = documents.filter(({ document }) => validateEpcis(document) !== null);
    expect(documents).toHaveLength(38);
    expect(refused.map(({ name }) => name)).toEqual(['SensorData_with_combined_events.json']);
    expect(told(refused[0]?.document)).toEqual([
      expect.stringContaining('sensorReport/1/type | "Molar_concentration" is not'),
      expect.stringContaining('sensorReport/2/type | "Molar_concentration" is not'),
    ]);
    const events = epcisSamples('Capture/Events');
    expect(events.map(({ document }) => validateEpcis(document))).toEqual(Array(5).fill(null));
  });

  maybe(`query documents are taken, except the one with that word${because}`, () => {
    const documents = epcisSamples('Query');
    const refused = documents.filter(({ document }) => validateEpcis(document) !== null);
    expect(documents).toHaveLength(9);
    expect(refused.map(({ name }) => name)).toEqual(['SensorData_with_combined_events.json']);
  });

  maybe(`all invalid ones are refused, with a place and a sentence${because}`, () => {
    const documents = [...epcisSamples('Capture/Invalid'), ...epcisSamples('Query/Invalid')];
    expect(documents).toHaveLength(17);
    for (const { name, document } of documents) {
      const [first] = validateEpcis(document) ?? [];
      expect([name, first]).toEqual([
        name,
        { path: expect.stringMatching(/^(\/|$)/), sentence: expect.stringMatching(/^.+[.?]$/) },
      ]);
    }
  });
});
