import { describe, expect, test } from '@jest/globals';
import { cleanOne, problemsOf, refusalOf, stepOf, stepRefusal } from './cleaning.ts';

const ITEM = 'https://id.gs1.org/01/09506000134352/21/A-7';

describe('identifiers', () => {
  const step = { identifiers: { members: ['epcList', '/where/id'] } };

  test('of one thing become one, alone and in lists, wherever they stand', async () => {
    const document = {
      epcList: ['urn:epc:id:sgtin:9506000.013435.A-7', '(01)09506000134352(21)A-7'],
      where: { id: 'urn:epc:id:sgln:0614141.00777.0' },
    };
    expect(await stepOf(step, document)).toEqual({
      epcList: [ITEM, ITEM],
      where: { id: 'https://id.gs1.org/414/0614141007776' },
    });
  });

  test('keep the lot beside the serial, so that a recall finds it', async () => {
    const epcList = ['https://example.com/01/09506000134352/10/LOT/21/A-7'];
    expect(await stepOf(step, { epcList })).toEqual({
      epcList: [ITEM],
      _qualifiers: { [ITEM]: { '10': 'LOT' } },
    });
  });

  test('with a wrong check digit are refused, where they stand', async () => {
    const rules = { steps: [{ rule: 'ids', ...step }] };
    const document = { epcList: [ITEM, '(01)09506000134353'] };
    expect(await refusalOf(rules, JSON.stringify(document))).toMatchObject({
      rule: 'ids',
      code: 'IDENTIFIER_INVALID',
      pointer: '/epcList/1',
    });
  });

  test('that are not of GS1 pass, unless the rule says otherwise', async () => {
    const document = { epcList: ['urn:uuid:02f6f356-0910-4e6c-9b92-0bf15a4e5afd'] };
    expect(await stepOf(step, document)).toEqual(document);
    const strict = { identifiers: { members: ['epcList'], others: 'refuse' } };
    expect((await stepRefusal(strict, document))[0]).toBe('IDENTIFIER_INVALID');
  });

  test('in digits alone are what the rule says', async () => {
    const place = { identifiers: { members: ['gln'], as: '414' } };
    expect(await stepOf(place, { gln: '0614141007776' })).toEqual({
      gln: 'https://id.gs1.org/414/0614141007776',
    });
  });

  test('that are no texts are refused', async () => {
    expect((await stepRefusal(step, { epcList: [7] }))[0]).toBe('TYPE_WRONG');
  });
});

describe('the vocabulary', () => {
  const step = { vocabulary: { members: ['bizStep'], of: 'bizStep' } };

  test('has one word for each spelling', async () => {
    for (const bizStep of ['urn:epcglobal:cbv:bizstep:shipping', 'shipping']) {
      expect(await stepOf(step, { bizStep })).toEqual({ bizStep: 'shipping' });
    }
  });

  test('refuses an unknown word, and names the nearest', async () => {
    const [code, sentence] = await stepRefusal(step, { bizStep: 'shiping' });
    expect([code, sentence]).toEqual(['WORD_UNKNOWN', expect.stringContaining('"shipping"')]);
  });

  test('is one of those that there are', () => {
    const steps = [{ rule: 'one', vocabulary: { members: ['a'], of: 'bizsteps' } }];
    expect(problemsOf({ name: 'x', version: 1, steps }).join()).toMatch(/one of .*bizStep/);
  });
});

describe('epcis', () => {
  const event = {
    type: 'ObjectEvent',
    eventTime: '2026-01-02T03:04:05Z',
    eventTimeZoneOffset: '+01:00',
    action: 'OBSERVE',
    epcList: ['urn:epc:id:sgtin:9506000.013435.A-7'],
  };
  const document = {
    '@context': ['https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld'],
    type: 'EPCISDocument',
    schemaVersion: '2.0',
    creationDate: '2026-01-02T03:04:05Z',
    epcisBody: { eventList: [event, { ...event, eventTime: '2026-01-02T04:04:05Z' }] },
  };
  const steps = [
    { rule: 'events', epcis: {} },
    { rule: 'items', identifiers: { members: ['epcList'] } },
  ];

  test('splits a document into events that stand alone, and later rules see each', async () => {
    const key = { expression: '"event/" & eventTime' };
    const { documents = [] } = await cleanOne({ key, steps }, JSON.stringify(document));
    expect(documents.map((each) => each.key)).toEqual([
      'event/2026-01-02T03:04:05Z',
      'event/2026-01-02T04:04:05Z',
    ]);
    expect(documents[1]?.value).toMatchObject({
      '@context': document['@context'],
      type: 'ObjectEvent',
      epcList: [ITEM],
    });
  });

  test('refuses what is not EPCIS, with the deepest place', async () => {
    const without = { ...event, action: undefined };
    const broken = { ...document, epcisBody: { eventList: [event, without] } };
    expect(await refusalOf({ steps }, JSON.stringify(broken))).toMatchObject({
      rule: 'events',
      code: 'SCHEMA_VIOLATED',
      pointer: expect.stringContaining('/epcisBody/eventList/1'),
    });
  });
});
