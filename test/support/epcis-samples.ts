/** Events and documents of the tests' own, each right until a test changes it. */

export type Members = Record<string, unknown>;

export const CONTEXT = [
  'https://ref.gs1.org/standards/epcis/epcis-context.jsonld',
  { example: 'https://ns.example.com/epcis/' },
] as const;

const when = { eventTime: '2026-03-01T09:30:00.000+01:00', eventTimeZoneOffset: '+01:00' };
const PALLET = 'urn:epc:id:sscc:0614141.1234567890';
const ITEM = 'https://id.gs1.org/01/09506000134352/21/A-7';
const LOT = { epcClass: 'urn:epc:class:lgtin:9506000.013435.L1', quantity: 12, uom: 'KGM' };

/** One right event of each standard type. */
export const EVENTS = {
  ObjectEvent: {
    type: 'ObjectEvent',
    ...when,
    action: 'ADD',
    epcList: [ITEM],
    quantityList: [LOT],
    bizStep: 'commissioning',
    disposition: 'urn:epcglobal:cbv:disp:active',
    persistentDisposition: { set: ['completeness_inferred'], unset: ['conformant'] },
    readPoint: { id: 'urn:epc:id:sgln:0614141.00777.0', 'example:gate': 4 },
    bizLocation: { id: 'urn:epc:id:sgln:0614141.00888.0' },
    bizTransactionList: [{ type: 'po', bizTransaction: 'urn:example:po:1' }],
    sourceList: [{ type: 'location', source: 'urn:epc:id:sgln:0614141.00777.0' }],
    destinationList: [{ type: 'example:hub', destination: 'urn:example:hub:1' }],
    certificationInfo: ['urn:example:certificate:1'],
    errorDeclaration: {
      declarationTime: '2026-03-02T00:00:00Z',
      reason: 'incorrect_data',
      correctiveEventIDs: ['urn:uuid:404d95fc-9457-4a51-bd6a-0bba133845a8'],
    },
    ilmd: { 'example:bestBefore': '2027-03-01' },
    sensorElementList: [
      {
        sensorMetadata: { time: '2026-03-01T09:29:00Z', deviceID: 'urn:epc:id:giai:4000001.111' },
        sensorReport: [
          { type: 'Temperature', value: 4.5, uom: 'CEL', 'example:probe': { at: 1 } },
          { exception: 'gs1:ALARM_CONDITION', hexBinaryValue: 'F00F', booleanValue: true },
        ],
        'example:note': 'calibrated',
      },
    ],
    'example:extension': { anything: [1, null] },
  },
  AggregationEvent: {
    type: 'AggregationEvent',
    ...when,
    action: 'ADD',
    parentID: PALLET,
    childEPCs: [ITEM],
    childQuantityList: [LOT],
  },
  TransactionEvent: {
    type: 'TransactionEvent',
    ...when,
    action: 'ADD',
    epcList: [ITEM],
    bizTransactionList: [{ bizTransaction: 'urn:example:po:1' }],
  },
  TransformationEvent: {
    type: 'TransformationEvent',
    ...when,
    inputQuantityList: [LOT],
    outputEPCList: [ITEM],
  },
  AssociationEvent: {
    type: 'AssociationEvent',
    ...when,
    action: 'ADD',
    parentID: 'urn:epc:id:grai:4012345.55555.987',
    childEPCs: ['urn:epc:id:giai:4000001.111'],
  },
} as const satisfies Record<string, Members>;

/** A copy of an event that a test may change. */
export function event(type: keyof typeof EVENTS, changes: Members = {}): Members {
  const all: Members = { ...structuredClone(EVENTS[type]), ...changes };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

export function captureDocument(eventList: readonly unknown[], changes: Members = {}): Members {
  return {
    '@context': structuredClone(CONTEXT),
    type: 'EPCISDocument',
    schemaVersion: '2.0',
    creationDate: '2026-03-01T10:00:00Z',
    epcisBody: { eventList },
    ...changes,
  };
}

export function queryDocument(eventList: readonly unknown[]): Members {
  const queryResults = { queryName: 'SimpleEventQuery', resultsBody: { eventList } };
  return captureDocument([], { type: 'EPCISQueryDocument', epcisBody: { queryResults } });
}
