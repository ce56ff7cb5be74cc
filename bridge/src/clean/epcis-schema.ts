/**
 * JSON Schema (draft 2020-12) of EPCIS 2.0 in its JSON-LD form: capture and query documents, the
 * five types of events and those of others. Source: GS1 EPCIS 2.0, sections 7.3 and 7.4 (data
 * model) and 9 (JSON binding). `description` completes "... is not ..."; `term` names the
 * vocabulary of a word, which plain validators leave out of account.
 */
import type { VocabularyName } from './vocabulary.ts';

type Schema = Readonly<Record<string, unknown>>;

/** The event types that the standard defines. */
export const EVENT_TYPES = [
  'ObjectEvent',
  'AggregationEvent',
  'TransactionEvent',
  'TransformationEvent',
  'AssociationEvent',
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

const EXTENSION = '^[^:]+:.+$';

const uri: Schema = { type: 'string', format: 'uri', description: 'a URI' };
const uris: Schema = { type: 'array', items: uri };
const text: Schema = { type: 'string' };
const amount: Schema = { type: 'number' };
const instant: Schema = {
  type: 'string',
  format: 'date-time',
  description: 'an instant such as 2026-03-01T09:30:00Z, with its time zone',
};
const offset: Schema = {
  type: 'string',
  pattern: '^[+-](?:(?:0\\d|1[0-3]):[0-5]\\d|14:00)$',
  description: 'an offset such as +02:00',
};

const term = (term: VocabularyName | 'unit'): Schema => ({ type: 'string', term });

/** An object with these members, and those of extensions, which have a prefix. */
function object(properties: Schema, required: readonly string[] = []): Schema {
  return {
    type: 'object',
    required,
    properties,
    patternProperties: { [EXTENSION]: true },
    additionalProperties: false,
  };
}

const list = (items: Schema, minItems = 0): Schema => ({ type: 'array', minItems, items });

const place = object({ id: uri }, ['id']);

const quantities = list(
  object({ epcClass: uri, quantity: amount, uom: term('unit') }, ['epcClass']),
);

const bizTransactions = object({ type: term('bizTransactionType'), bizTransaction: uri }, [
  'bizTransaction',
]);

const sourceOrDestination = (name: 'source' | 'destination'): Schema =>
  list(object({ type: term('sourceDestinationType'), [name]: uri }, ['type', name]));

const device = {
  deviceID: uri,
  deviceMetadata: uri,
  rawData: uri,
  dataProcessingMethod: uri,
  bizRules: uri,
};

const sensorReport = object({
  ...device,
  type: term('measurementType'),
  exception: term('alertType'),
  time: instant,
  microorganism: uri,
  chemicalSubstance: uri,
  value: amount,
  component: term('component'),
  stringValue: text,
  booleanValue: { type: 'boolean' },
  hexBinaryValue: {
    type: 'string',
    pattern: '^(?:[0-9A-Fa-f]{2})*$',
    description: 'a row of hexadecimal pairs',
  },
  uriValue: uri,
  minValue: amount,
  maxValue: amount,
  meanValue: amount,
  sDev: amount,
  percRank: amount,
  percValue: amount,
  uom: term('unit'),
  coordinateReferenceSystem: uri,
});

const sensorElement = object(
  {
    sensorMetadata: object({ ...device, time: instant, startTime: instant, endTime: instant }),
    sensorReport: { ...list(sensorReport), minItems: 1 },
  },
  ['sensorReport'],
);

const context: Schema = {
  type: ['string', 'object', 'array'],
  minItems: 1,
  items: { type: ['string', 'object'] },
};

const date: Schema = { type: 'string', format: 'date', description: 'a date such as 2026-03-01' };

/** A certification by its URI, or told in the words of the GS1 Web Vocabulary. */
const certification: Schema = {
  ...object({
    'gs1:CertificationDetails': object({
      'gs1:certificationAuditDate': date,
      'gs1:certificationStartDate': date,
      'gs1:certificationEndDate': date,
    }),
  }),
  type: ['string', 'object'],
  format: 'uri',
  description: 'a URI',
};

/** Sections 7.4.1 (all events) and what all events about things at places have. */
const COMMON = {
  '@context': context,
  type: text,
  eventID: uri,
  eventTime: instant,
  recordTime: instant,
  eventTimeZoneOffset: offset,
  certificationInfo: {
    ...certification,
    type: ['string', 'object', 'array'],
    items: certification,
  },
  errorDeclaration: object(
    { declarationTime: instant, reason: term('errorReason'), correctiveEventIDs: uris },
    ['declarationTime'],
  ),
  bizStep: term('bizStep'),
  disposition: term('disposition'),
  persistentDisposition: {
    ...object({ set: list(term('disposition')), unset: list(term('disposition')) }),
    minProperties: 1,
  },
  readPoint: place,
  bizLocation: place,
  bizTransactionList: list(bizTransactions),
  sourceList: sourceOrDestination('source'),
  destinationList: sourceOrDestination('destination'),
  sensorElementList: list(sensorElement),
} as const;

const REQUIRED = ['type', 'eventTime', 'eventTimeZoneOffset'];
const action: Schema = { enum: ['ADD', 'OBSERVE', 'DELETE'] };
const ilmd = object({});

const event = (properties: Schema, required: readonly string[]): Schema =>
  object({ ...COMMON, ...properties }, [...REQUIRED, ...required]);

const EVENTS: Readonly<Record<EventType, Schema>> = {
  ObjectEvent: event({ action, epcList: uris, quantityList: quantities, ilmd }, ['action']),
  AggregationEvent: event(
    { action, parentID: uri, childEPCs: uris, childQuantityList: quantities },
    ['action'],
  ),
  TransactionEvent: event(
    {
      action,
      parentID: uri,
      epcList: uris,
      quantityList: quantities,
      bizTransactionList: list(bizTransactions, 1),
    },
    ['action', 'bizTransactionList'],
  ),
  TransformationEvent: event(
    {
      inputEPCList: uris,
      inputQuantityList: quantities,
      outputEPCList: uris,
      outputQuantityList: quantities,
      transformationID: uri,
      ilmd,
    },
    [],
  ),
  AssociationEvent: event(
    { action, parentID: uri, childEPCs: uris, childQuantityList: quantities },
    ['action'],
  ),
};

const attribute = object({ id: uri, attribute: true }, ['id']);
const masterDatum = object({ id: uri, attributes: list(attribute), children: uris }, ['id']);
const vocabulary = object({ type: uri, vocabularyElementList: list(masterDatum) }, ['type']);
const header = object({ epcisMasterData: object({ vocabularyList: list(vocabulary) }) });

const events = { type: 'array' };

const frame = (type: string, body: Schema): Schema =>
  object(
    {
      '@context': context,
      id: uri,
      type: { const: type },
      schemaVersion: {
        type: 'string',
        pattern: '^2(?:\\.\\d+){0,2}$',
        description: 'a version of EPCIS 2',
      },
      creationDate: instant,
      instanceIdentifier: text,
      sender: text,
      receiver: text,
      epcisHeader: header,
      epcisBody: body,
    },
    ['@context', 'type', 'schemaVersion', 'creationDate', 'epcisBody'],
  );

/** The whole schema; the events of a document are checked by the definition of their type. */
export const EPCIS_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'urn:shuttle:schema:epcis',
  $defs: {
    ...EVENTS,
    /** An event of somebody's own type has a prefix, and members that only its owner knows. */
    ExtendedEvent: { ...event({}, []), additionalProperties: true },
    EPCISDocument: frame('EPCISDocument', object({ eventList: events }, ['eventList'])),
    EPCISQueryDocument: frame(
      'EPCISQueryDocument',
      object(
        {
          queryResults: object(
            {
              subscriptionID: text,
              queryName: text,
              resultsBody: object({ eventList: events }, ['eventList']),
            },
            ['resultsBody'],
          ),
        },
        ['queryResults'],
      ),
    ),
  },
} as const;

export type DefinitionName = keyof typeof EPCIS_SCHEMA.$defs;
