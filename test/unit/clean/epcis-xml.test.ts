/** EPCIS 1.x in XML: one fact is one document, whether it is told in XML or in JSON. */
import { describe, expect, it } from '@jest/globals';
import { createCleaner } from '../../../bridge/src/clean/cleaner.ts';
import type { JsonObject } from '../../../bridge/src/clean/json.ts';
import { loadRules } from '../../../bridge/src/config/rule-file.ts';
import { captureDocument } from '../../support/epcis-samples.ts';
import { TIMESTAMP } from './cleaning.ts';

const cleaner = createCleaner(loadRules('preset:epcis', '.'), { kind: 'json' });

async function clean(text: string) {
  const raw = {
    key: null,
    value: Buffer.from(text),
    headers: [],
    timestamp: TIMESTAMP,
    offset: 0n,
  };
  const { documents, refused } = await cleaner.clean(raw);
  return {
    refused,
    keys: (documents ?? []).map(({ key }) => Buffer.from(key).toString()),
    values: (documents ?? []).map(({ value }) => JSON.parse(String(value)) as JsonObject),
  };
}

const captured = (events: string, attributes = '') =>
  `<?xml version="1.0" encoding="UTF-8"?>
<epcis:EPCISDocument xmlns:epcis="urn:epcglobal:epcis:xsd:1" xmlns:ex="https://ns.example.com/"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:a a.xsd"
  schemaVersion="1.2" creationDate="2026-03-01T10:00:00Z"${attributes}>
  <EPCISHeader><note xmlns="urn:n">left behind</note></EPCISHeader>
  <EPCISBody><EventList>${events}</EventList></EPCISBody>
</epcis:EPCISDocument>`;

const WHEN = `<eventTime>2026-03-01T09:30:00.000+01:00</eventTime>
  <recordTime>2026-03-01T09:31:00Z</recordTime>
  <eventTimeZoneOffset>+01:00</eventTimeZoneOffset>`;
const when = { eventTime: '2026-03-01T08:30:00Z', eventTimeZoneOffset: '+01:00' };

const ITEM = 'urn:epc:id:sgtin:9506000.013435.A-7';
const LOT = 'urn:epc:class:lgtin:9506000.013435.L1';
const PALLET = 'urn:epc:id:sscc:0614141.1234567890';
const PLACE = 'urn:epc:id:sgln:0614141.00777.0';
const quantity = (list: string) =>
  `<${list}><quantityElement><epcClass>${LOT}</epcClass><quantity>12.50</quantity>
  <uom>KGM</uom></quantityElement></${list}>`;
const lots = [{ epcClass: LOT, quantity: 12.5, uom: 'KGM' }];

const SAME: readonly (readonly [string, string, JsonObject])[] = [
  [
    'an object event with all that there is',
    `<ObjectEvent>${WHEN}
      <baseExtension><errorDeclaration>
        <declarationTime>2026-03-02T00:00:00Z</declarationTime>
        <reason>urn:epcglobal:cbv:er:incorrect_data</reason>
        <correctiveEventIDs><correctiveEventID>urn:uuid:1</correctiveEventID></correctiveEventIDs>
      </errorDeclaration></baseExtension>
      <epcList><epc> ${ITEM} </epc></epcList><action>ADD</action>
      <bizStep>urn:epcglobal:cbv:bizstep:commissioning</bizStep>
      <disposition>urn:epcglobal:cbv:disp:active</disposition>
      <readPoint><id>${PLACE}</id></readPoint>
      <bizLocation><id>urn:epc:id:sgln:0614141.00888.0</id></bizLocation>
      <bizTransactionList>
        <bizTransaction type="urn:epcglobal:cbv:btt:po">urn:example:po:1</bizTransaction>
        <bizTransaction>urn:example:other:2</bizTransaction>
      </bizTransactionList>
      <extension>${quantity('quantityList')}
        <sourceList><source type="urn:epcglobal:cbv:sdt:location">${PLACE}</source></sourceList>
        <destinationList>
          <destination type="urn:epcglobal:cbv:sdt:owning_party">urn:epc:id:pgln:0614141.00777</destination>
        </destinationList>
        <ilmd><ex:bestBefore>2027-03-01</ex:bestBefore></ilmd>
      </extension>
      <ex:gate number="4"><ex:side>left</ex:side><ex:side>right</ex:side></ex:gate>
      <ex:note> as told </ex:note>
    </ObjectEvent>`,
    {
      type: 'ObjectEvent',
      ...when,
      action: 'ADD',
      errorDeclaration: {
        declarationTime: '2026-03-02T00:00:00Z',
        reason: 'incorrect_data',
        correctiveEventIDs: ['urn:uuid:1'],
      },
      epcList: ['https://id.gs1.org/01/09506000134352/21/A-7'],
      bizStep: 'commissioning',
      disposition: 'active',
      readPoint: { id: 'https://id.gs1.org/414/0614141007776' },
      bizLocation: { id: 'https://id.gs1.org/414/0614141008889' },
      bizTransactionList: [
        { type: 'po', bizTransaction: 'urn:example:po:1' },
        { bizTransaction: 'urn:example:other:2' },
      ],
      quantityList: lots,
      sourceList: [{ type: 'location', source: PLACE }],
      destinationList: [{ type: 'owning_party', destination: 'urn:epc:id:pgln:0614141.00777' }],
      ilmd: { 'ex:bestBefore': '2027-03-01' },
      'ex:gate': { number: '4', 'ex:side': ['left', 'right'] },
      'ex:note': ' as told ',
    },
  ],
  [
    'a list of items that is empty, as version 1 needs it',
    `<ObjectEvent>${WHEN}<epcList/><action>OBSERVE</action>
      <extension>${quantity('quantityList')}</extension></ObjectEvent>`,
    { type: 'ObjectEvent', ...when, action: 'OBSERVE', quantityList: lots },
  ],
  [
    'an aggregation event',
    `<AggregationEvent>${WHEN}<parentID>${PALLET}</parentID><childEPCs><epc>${ITEM}</epc></childEPCs>
      <action>ADD</action><extension>${quantity('childQuantityList')}</extension></AggregationEvent>`,
    {
      type: 'AggregationEvent',
      ...when,
      parentID: PALLET,
      childEPCs: [ITEM],
      action: 'ADD',
      childQuantityList: lots,
    },
  ],
  [
    'a quantity event, which was observed',
    `<QuantityEvent>${WHEN}<epcClass>${LOT}</epcClass><quantity>200</quantity>
      <bizStep>urn:epcglobal:cbv:bizstep:stocking</bizStep>
      <ex:quantity>two hundred</ex:quantity></QuantityEvent>`,
    {
      type: 'ObjectEvent',
      ...when,
      action: 'OBSERVE',
      quantityList: [{ epcClass: LOT, quantity: 200 }],
      bizStep: 'stocking',
      'ex:quantity': 'two hundred',
    },
  ],
  [
    'a transaction event',
    `<TransactionEvent>${WHEN}
      <bizTransactionList><bizTransaction>urn:example:po:1</bizTransaction></bizTransactionList>
      <parentID>${PALLET}</parentID><epcList><epc>${ITEM}</epc></epcList><action>ADD</action>
      <extension>${quantity('quantityList')}<extension/></extension></TransactionEvent>`,
    {
      type: 'TransactionEvent',
      ...when,
      bizTransactionList: [{ bizTransaction: 'urn:example:po:1' }],
      parentID: PALLET,
      epcList: [ITEM],
      action: 'ADD',
      quantityList: lots,
    },
  ],
  [
    'a transformation event',
    `<extension><TransformationEvent>${WHEN}
      <inputEPCList><epc>${ITEM}</epc></inputEPCList>${quantity('inputQuantityList')}
      <outputEPCList/>${quantity('outputQuantityList')}
      <transformationID>urn:example:t:1</transformationID>
      <bizStep>urn:epcglobal:cbv:bizstep:assembling</bizStep></TransformationEvent></extension>`,
    {
      type: 'TransformationEvent',
      ...when,
      inputEPCList: [ITEM],
      inputQuantityList: lots,
      outputQuantityList: lots,
      transformationID: 'urn:example:t:1',
      bizStep: 'assembling',
    },
  ],
];

const SENSORS = `<sensorElementList><sensorElement>
  <sensorMetadata time="2026-03-01T09:29:00Z" deviceID="urn:epc:id:giai:4000001.111"/>
  <sensorReport type="gs1:Temperature" value="4.50" uom="CEL" ex:probe="left"/>
  <sensorReport type="gs1:Pressure" booleanValue="true" stringValue="4"/>
  <ex:note>calibrated</ex:note>
</sensorElement></sensorElementList>`;

const sensorElementList = [
  {
    sensorMetadata: { time: '2026-03-01T09:29:00Z', deviceID: 'urn:epc:id:giai:4000001.111' },
    sensorReport: [
      { type: 'Temperature', value: 4.5, uom: 'CEL', 'ex:probe': 'left' },
      { type: 'Pressure', booleanValue: true, stringValue: '4' },
    ],
    'ex:note': 'calibrated',
  },
];

/** The same document as version 2 has it: in its own namespace, and without wrappers. */
const inVersion2 = (events: string) =>
  captured(events).replace('epcis:xsd:1', 'epcis:xsd:2').replace('"1.2"', '"2.0"');

describe('a fact of EPCIS 2.0', () => {
  it.each([
    ['version 2', inVersion2, (inside: string) => inside],
    ['version 1.2 with what came later', captured, inExtensions],
  ])('is the same in XML of %s and in JSON', async (_, document, wrap) => {
    const xml = `<AssociationEvent>${WHEN}
      <parentID>${PALLET}</parentID><childEPCs><epc>${ITEM}</epc></childEPCs>
      <action>ADD</action>${wrap(`<persistentDisposition>
      <unset>urn:epcglobal:cbv:disp:completeness_inferred</unset>
      <set>completeness_verified</set></persistentDisposition>${SENSORS}`)}</AssociationEvent>`;
    const json = {
      type: 'AssociationEvent',
      ...when,
      parentID: PALLET,
      childEPCs: [ITEM],
      action: 'ADD',
      persistentDisposition: {
        set: ['completeness_verified'],
        unset: ['completeness_inferred'],
      },
      sensorElementList,
    };
    const told = captureDocument([json], {
      '@context': [{ ex: 'https://ns.example.com/' }],
    });
    const [inXml, inJson] = [await clean(document(wrap(xml))), await clean(JSON.stringify(told))];
    expect([inXml.refused, inJson.refused]).toEqual([null, null]);
    expect(factOf(inXml.values[0])).toEqual(factOf(inJson.values[0]));
    expect(inXml.keys).toEqual(inJson.keys);
  });

  it('may have one certification or several', async () => {
    const certificates = '<certificationInfo>urn:c:1</certificationInfo>';
    const event = (count: number) =>
      inVersion2(`<ObjectEvent>${fine}${certificates.repeat(count)}</ObjectEvent>`);
    expect((await clean(event(1))).values).toMatchObject([{ certificationInfo: 'urn:c:1' }]);
    expect((await clean(event(2))).values).toMatchObject([
      { certificationInfo: ['urn:c:1', 'urn:c:1'] },
    ]);
  });
});

function inExtensions(inside: string): string {
  return `<extension><extension>${inside}</extension></extension>`;
}

/** Without how and when it was told. */
function factOf(value: JsonObject = {}): JsonObject {
  const how = ['@context', 'recordTime', 'recordTimeOffset', 'eventTimeOffset'];
  return Object.fromEntries(Object.entries(value).filter(([name]) => !how.includes(name)));
}

describe('one fact, told in XML and in JSON', () => {
  it.each(SAME)('has one content hash: %s', async (_, xml, json) => {
    const context = ['https://ref.gs1.org/standards/epcis/epcis-context.jsonld'];
    const told = captureDocument([json], {
      '@context': [...context, { ex: 'https://ns.example.com/' }],
    });
    const [inXml, inJson] = [await clean(captured(xml)), await clean(JSON.stringify(told))];
    expect([inXml.refused, inJson.refused]).toEqual([null, null]);
    expect(inXml.keys).toHaveLength(1);
    expect(inXml.keys[0]).toMatch(/^event\/[0-9a-f]{64}$/);
    expect(factOf(inXml.values[0])).toEqual(factOf(inJson.values[0]));
    expect(inXml.keys).toEqual(inJson.keys);
  });
});

describe('a document of XML', () => {
  it('gives its events in their order, each with the meaning of its own prefixes', async () => {
    const event = (inside: string) =>
      `<ObjectEvent>${WHEN}<epcList><epc>${ITEM}</epc></epcList><action>OBSERVE</action>${inside}</ObjectEvent>`;
    const { values } = await clean(
      captured(
        event('<ex:a>1</ex:a>') +
          event('<b xmlns="urn:b">2</b><ex:a xmlns:ex="urn:other#">3</ex:a><ex:a>4</ex:a>') +
          event('<m:lotNumber xmlns:m="urn:epcglobal:cbv:mda">L</m:lotNumber>') +
          event('<ex:t unit="C">4.0</ex:t>'),
      ),
    );
    const standard = 'https://ref.gs1.org/standards/epcis/epcis-context.jsonld';
    expect(values).toMatchObject([
      { '@context': [standard, { ex: 'https://ns.example.com/' }], 'ex:a': '1' },
      {
        '@context': [
          standard,
          {
            ns: { '@id': 'urn:b', '@prefix': true },
            ex: 'urn:other#',
            ex2: 'https://ns.example.com/',
          },
        ],
        'ns:b': '2',
        'ex:a': '3',
        'ex2:a': '4',
      },
      { '@context': standard, 'cbvmda:lotNumber': 'L' },
      { 'ex:t': { unit: 'C', 'rdf:value': '4.0' } },
    ]);
  });

  it('may be the answer to a query, a bare event, or all in one namespace', async () => {
    const event = `<ObjectEvent>${WHEN}<epcList><epc>${ITEM}</epc></epcList><action>OBSERVE</action></ObjectEvent>`;
    const query = `<q:EPCISQueryDocument xmlns:q="urn:epcglobal:epcis-query:xsd:1" schemaVersion="1.2"
      creationDate="2026-03-01T10:00:00Z"><EPCISBody><q:QueryResults><queryName>Simple</queryName>
      <resultsBody><EventList>${event}</EventList></resultsBody></q:QueryResults></EPCISBody></q:EPCISQueryDocument>`;
    const inOne = `<EPCISDocument xmlns="urn:epcglobal:epcis:xsd:1" schemaVersion="1.1"
      creationDate="2026-03-01T10:00:00Z"><EPCISBody><EventList>${event}</EventList></EPCISBody></EPCISDocument>`;
    const told = await Promise.all([captured(event), query, event, inOne].map(clean));
    expect(told.map(({ refused }) => refused)).toEqual([null, null, null, null]);
    expect(new Set(told.flatMap(({ keys }) => keys)).size).toBe(1);
  });

  it('without events gives none', async () => {
    expect(await clean(captured(''))).toEqual({ refused: null, keys: [], values: [] });
  });
});

const fine = `${WHEN}<epcList><epc>${ITEM}</epc></epcList><action>OBSERVE</action>`;
const object = (inside: string) => captured(`<ObjectEvent>${inside}</ObjectEvent>`);

describe('nothing of XML is left out silently', () => {
  it.each([
    ['an element nobody knows', object(`${fine}<bizStap>x</bizStap>`), 'SCHEMA_VIOLATED'],
    ['an action that is missing', object(fine.replace('OBSERVE', '')), 'SCHEMA_VIOLATED'],
    ['a wrong business step', object(`${fine}<bizStep>shiping</bizStep>`), 'SCHEMA_VIOLATED'],
    ['an element twice', object(`${fine}<action>ADD</action>`), 'DOCUMENT_INVALID'],
    ['a name of no data', object(`${fine}<__proto__>x</__proto__>`), 'DOCUMENT_INVALID'],
    ['the same inside', object(`${fine}<ex:a><__proto__/></ex:a>`), 'DOCUMENT_INVALID'],
    ['text between elements', object(`${fine}and so on`), 'DOCUMENT_INVALID'],
    ['the same in an extension', object(`${fine}<ex:a>x<ex:b/></ex:a>`), 'DOCUMENT_INVALID'],
    ['an element in a text', object(`${fine}<bizStep>x<b/></bizStep>`), 'DOCUMENT_INVALID'],
    ['another thing in a list', object(fine.replace(/epc>/g, 'ecp>')), 'DOCUMENT_INVALID'],
    ['an attribute', object(fine.replace('<epc>', '<epc id="7">')), 'DOCUMENT_INVALID'],
    ['no event', captured('<ObjectEvnt/>'), 'SCHEMA_VIOLATED'],
    [
      'a word for a quantity',
      object(`${fine}<extension>${quantity('quantityList')}</extension>`).replace('12.50', 'many'),
      'NUMBER_INVALID',
    ],
    [
      'a quantity of too many digits',
      object(`${fine}<extension>${quantity('quantityList')}</extension>`).replace(
        '12.50',
        '0.12345678901234567890',
      ),
      'NUMBER_INEXACT',
    ],
    ['version 3', captured('').replace('"1.2"', '"3.0"'), 'DOCUMENT_INVALID'],
    [
      'a measurement that is no number',
      object(`${fine}${SENSORS.replace('4.50', 'cold')}`),
      'NUMBER_INVALID',
    ],
    ['no date of its making', captured('').replace(/ creationDate="[^"]*"/, ''), 'SCHEMA_VIOLATED'],
  ])('%s is refused', async (_, text, code) => {
    expect((await clean(text)).refused).toMatchObject({ code });
  });
});
