/**
 * EPCIS 1.x and 2.0 in XML to the JSON form of EPCIS 2.0, so that one fact is one document in
 * whichever of them it is told. Source: GS1 EPCIS 1.2 and 2.0, section 9 (XML binding), and EPCIS
 * 2.0, section 10 (JSON).
 *
 * Only the form changes: what is wrong with an event is found where JSON events are checked, and so
 * an element that EPCIS does not know stays, as a member of its own name, to be refused there.
 */
import { isExact, type Json, type JsonObject, shown } from './json.ts';
import { RefusedError } from './refusal.ts';
import type { XmlElement } from './xml.ts';
import { createPrefixes, type Prefixes } from './xml-prefixes.ts';

/** What EPCIS itself names things in; its inner elements are in no namespace. */
const OWN_SPACES = [
  '',
  ...['1', '2'].flatMap((version) => [
    `urn:epcglobal:epcis:xsd:${version}`,
    `urn:epcglobal:epcis-query:xsd:${version}`,
  ]),
];
const INSTANCE_SPACE = 'http://www.w3.org/2001/XMLSchema-instance';
const CONTEXT = 'https://ref.gs1.org/standards/epcis/epcis-context.jsonld';
const VERSIONS = /^(?:1(?:\.[0-2])?|2(?:\.\d+){0,2})$/;

const DOCUMENT = 'EPCISDocument';
const QUERY_DOCUMENT = 'EPCISQueryDocument';
const EVENTS = [
  'ObjectEvent',
  'AggregationEvent',
  'QuantityEvent',
  'TransactionEvent',
  'TransformationEvent',
  'AssociationEvent',
];

/**
 * A capture or query document, or a bare event.
 *
 * @throws RefusedError DOCUMENT_INVALID, NUMBER_INVALID, NUMBER_INEXACT
 */
export function epcisOfXml(root: XmlElement): JsonObject {
  if (isOwn(root) && EVENTS.includes(root.name)) {
    return { '@context': CONTEXT, ...eventOf(root) };
  }
  if (!isOwn(root) || (root.name !== DOCUMENT && root.name !== QUERY_DOCUMENT)) {
    const sentence = `<${clipped(root.name)}> is neither an EPCIS document nor an event.`;
    throw new RefusedError('DOCUMENT_INVALID', sentence);
  }
  const version = attributeOf(root, 'schemaVersion');
  if (version !== undefined && !VERSIONS.test(version)) {
    const sentence = `The schemaVersion is ${shown(version)}; there are 1.0 to 1.2, and 2.`;
    throw new RefusedError('DOCUMENT_INVALID', sentence);
  }
  return {
    '@context': CONTEXT,
    type: root.name,
    schemaVersion: '2.0',
    ...defined('creationDate', attributeOf(root, 'creationDate')),
    ...defined('epcisBody', root.name === DOCUMENT ? captured(root) : queried(root)),
  };
}

function captured(root: XmlElement): JsonObject | undefined {
  const body = childOf(root, 'EPCISBody');
  return body === undefined ? undefined : { ...eventList(body) };
}

function queried(root: XmlElement): JsonObject | undefined {
  const body = childOf(root, 'EPCISBody');
  const results = body === undefined ? undefined : childOf(body, 'QueryResults');
  if (results === undefined) {
    return undefined;
  }
  const resultsBody = childOf(results, 'resultsBody');
  return {
    queryResults: {
      ...defined('subscriptionID', textOfChild(results, 'subscriptionID')),
      ...defined('queryName', textOfChild(results, 'queryName')),
      ...defined('resultsBody', resultsBody === undefined ? undefined : eventList(resultsBody)),
    },
  };
}

function eventList(body: XmlElement): JsonObject {
  const list = childOf(body, 'EventList');
  return list === undefined ? {} : { eventList: list.children.flatMap(eventsOf) };
}

/** Events that came after version 1.0 stand inside of extensions. */
function eventsOf(element: XmlElement): JsonObject[] {
  return isOwn(element) && element.name === 'extension'
    ? element.children.flatMap(eventsOf)
    : [eventOf(element)];
}

function eventOf(element: XmlElement): JsonObject {
  const prefixes = createPrefixes();
  const event: JsonObject = { type: isOwn(element) ? element.name : prefixes.nameOf(element) };
  if (isOwn(element) && element.name === 'QuantityEvent') {
    // EPCIS 2.0 has these no more: things of a class were observed, so and so many of them.
    event.type = 'ObjectEvent';
    event.action = 'OBSERVE';
    event.quantityList = [quantityOf(element, prefixes)];
    const others = element.children.filter((child) => !isOfQuantity(child));
    addMembers(event, { ...element, children: others }, EVENT_MEMBERS, prefixes);
  } else {
    addMembers(event, element, EVENT_MEMBERS, prefixes);
  }
  const context = prefixes.context();
  return context === null ? event : { '@context': context, ...event };
}

type Read = (element: XmlElement, prefixes: Prefixes) => Json;

type Readers = Readonly<Record<string, Read>>;

const IN_QUANTITY = ['epcClass', 'quantity', 'uom'];
const QUANTITY_MEMBERS: Readers = { epcClass: word, quantity: number, uom: word };
const ERROR_MEMBERS: Readers = {
  declarationTime: word,
  reason: word,
  correctiveEventIDs: listOf('correctiveEventID', word),
};
const place: Read = (element, prefixes) => objectOf(element, { id: word }, prefixes);
const epcs = listOf('epc', word);
const quantities = listOf('quantityElement', (element, prefixes) =>
  objectOf(element, QUANTITY_MEMBERS, prefixes),
);

const EVENT_MEMBERS: Readers = {
  eventTime: word,
  recordTime: word,
  eventTimeZoneOffset: word,
  eventID: word,
  action: word,
  bizStep: word,
  disposition: word,
  parentID: word,
  transformationID: word,
  readPoint: place,
  bizLocation: place,
  epcList: epcs,
  childEPCs: epcs,
  inputEPCList: epcs,
  outputEPCList: epcs,
  quantityList: quantities,
  childQuantityList: quantities,
  inputQuantityList: quantities,
  outputQuantityList: quantities,
  bizTransactionList: listOf('bizTransaction', typed('bizTransaction')),
  sourceList: listOf('source', typed('source')),
  destinationList: listOf('destination', typed('destination')),
  errorDeclaration: (element, prefixes) => objectOf(element, ERROR_MEMBERS, prefixes),
  ilmd: (element, prefixes) => objectOf(element, {}, prefixes),
  certificationInfo: word,
  persistentDisposition: (element, prefixes) => listsOf(element, DISPOSITIONS, prefixes),
  sensorElementList: listOf('sensorElement', (element, prefixes) => {
    const { sensorMetadata, ...others } = listsOf(element, SENSOR, prefixes);
    const [metadata, second] = Array.isArray(sensorMetadata) ? sensorMetadata : [];
    if (second !== undefined) {
      throw misplaced(element, 'with <sensorMetadata> twice');
    }
    return { ...defined('sensorMetadata', metadata), ...others };
  }),
};

const DISPOSITIONS: Readers = { set: word, unset: word };
const SENSOR: Readers = { sensorMetadata: attributesOf, sensorReport: attributesOf };

/** Elements that may stand several times are a list each. */
function listsOf(element: XmlElement, readers: Readers, prefixes: Prefixes): JsonObject {
  const isListed = (child: XmlElement) => isOwn(child) && Object.hasOwn(readers, child.name);
  const made: JsonObject = {};
  for (const name of Object.keys(readers)) {
    const own = element.children.filter((child) => isListed(child) && child.name === name);
    const read = readers[name] ?? word;
    Object.assign(
      made,
      own.length === 0 ? {} : { [name]: own.map((each) => read(each, prefixes)) },
    );
  }
  const others = element.children.filter((child) => !isListed(child));
  addMembers(made, { ...element, children: others }, {}, prefixes);
  return made;
}

const NUMBERS = ['value', 'minValue', 'maxValue', 'meanValue', 'sDev', 'percRank', 'percValue'];

/** Sensors tell everything by attributes. */
function attributesOf(element: XmlElement, prefixes: Prefixes): JsonObject {
  const made = objectOf({ ...element, attributes: [] }, {}, prefixes);
  for (const attribute of ownAttributes(element)) {
    const { space, name, value } = attribute;
    const isNumber = space === '' && NUMBERS.includes(name);
    const isTruth = name === 'booleanValue' && ['true', 'false'].includes(value);
    const told = isNumber ? numberIn(value.trim(), element) : isTruth ? value === 'true' : value;
    addRepeated(made, prefixes.nameOf(attribute), told);
  }
  return made;
}

const isOfQuantity = (child: XmlElement): boolean =>
  isOwn(child) && IN_QUANTITY.includes(child.name);

/** Of the quantity event itself, whose members these are too. */
function quantityOf(element: XmlElement, prefixes: Prefixes): JsonObject {
  const children = element.children.filter(isOfQuantity);
  return objectOf({ ...element, attributes: [], children }, QUANTITY_MEMBERS, prefixes);
}

function objectOf(element: XmlElement, readers: Readers, prefixes: Prefixes): JsonObject {
  const made: JsonObject = {};
  addMembers(made, element, readers, prefixes);
  return made;
}

/** Extensions of EPCIS itself only wrap; what is in them belongs to what they stand in. */
const WRAPPERS = ['extension', 'baseExtension'];

function addMembers(
  made: JsonObject,
  element: XmlElement,
  readers: Readers,
  prefixes: Prefixes,
): void {
  refuseText(element);
  addAttributes(made, element, prefixes);
  for (const child of element.children) {
    const read = Object.hasOwn(readers, child.name) ? readers[child.name] : undefined;
    if (!isOwn(child)) {
      addRepeated(made, prefixes.nameOf(child), extensionOf(child, prefixes));
    } else if (WRAPPERS.includes(child.name)) {
      addMembers(made, child, readers, prefixes);
    } else {
      addOwn(made, child, (read ?? extensionOf)(child, prefixes));
    }
  }
}

function addOwn(made: JsonObject, element: XmlElement, value: Json): void {
  // Version 1 needs some lists even where nothing is to be told in them.
  const isNothing = Array.isArray(value) && value.length === 0;
  if (element.name === 'certificationInfo') {
    addRepeated(made, element.name, value);
  } else if (!isNothing) {
    addOnce(made, element, value);
  }
}

/** How it was written down is no part of what it says. */
function ownAttributes({ attributes }: XmlElement) {
  return attributes.filter(({ space }) => space !== INSTANCE_SPACE);
}

function addAttributes(made: JsonObject, element: XmlElement, prefixes: Prefixes): void {
  for (const attribute of ownAttributes(element)) {
    addRepeated(made, prefixes.nameOf(attribute), attribute.value);
  }
}

function addOnce(made: JsonObject, { name, line }: XmlElement, value: Json): void {
  if (Object.hasOwn(made, name) || name === '__proto__') {
    const why = name === '__proto__' ? 'has a name that no document may use' : 'stands twice';
    throw new RefusedError('DOCUMENT_INVALID', `Line ${line}: <${clipped(name)}> ${why}.`);
  }
  made[name] = value;
}

/** What stands several times is a list. */
function addRepeated(made: JsonObject, name: string, value: Json): void {
  if (name === '__proto__') {
    const sentence = `<${name}> has a name that no document may use.`;
    throw new RefusedError('DOCUMENT_INVALID', sentence);
  }
  const before = Object.hasOwn(made, name) ? made[name] : undefined;
  if (before === undefined) {
    made[name] = value;
  } else if (Array.isArray(before)) {
    before.push(value);
  } else {
    made[name] = [before, value];
  }
}

/** An extension: its text as it stands, or an object when there is more to it. */
function extensionOf(element: XmlElement, prefixes: Prefixes): Json {
  if (element.children.length === 0 && ownAttributes(element).length === 0) {
    return element.text;
  }
  const made: JsonObject = {};
  addAttributes(made, element, prefixes);
  if (element.children.length === 0) {
    addRepeated(made, 'rdf:value', element.text);
    return made;
  }
  refuseText(element);
  for (const child of element.children) {
    addRepeated(made, prefixes.nameOf(child), extensionOf(child, prefixes));
  }
  return made;
}

/** A word, a time or a URI, which white space is no part of. */
function word(element: XmlElement): string {
  const [child] = element.children;
  if (child !== undefined) {
    throw misplaced(child, `inside of <${element.name}>, which holds text only`);
  }
  refuseAttributes(element, []);
  return element.text.trim();
}

function number(element: XmlElement): number {
  return numberIn(word(element), element);
}

function numberIn(text: string, element: XmlElement): number {
  if (!/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) {
    const sentence = `Line ${element.line}: ${shown(text)} is no number.`;
    throw new RefusedError('NUMBER_INVALID', sentence);
  }
  if (!isExact(text.replace(/^\+/, ''))) {
    const sentence = `Line ${element.line}: the number ${shown(text)} has too many digits.`;
    throw new RefusedError('NUMBER_INEXACT', sentence);
  }
  return Number(text);
}

/** `<source type="...">...</source>` is an object of both. */
function typed(name: string): Read {
  return (element) => {
    const type = attributeOf(element, 'type');
    refuseAttributes(element, ['type']);
    const text = word({ ...element, attributes: [] });
    return { ...defined('type', type?.trim()), [name]: text };
  };
}

function listOf(name: string, read: Read): Read {
  return (list, prefixes) => {
    refuseText(list);
    refuseAttributes(list, []);
    return list.children.map((item) => {
      if (!isOwn(item) || item.name !== name) {
        throw misplaced(item, `inside of <${list.name}>, which holds <${name}>`);
      }
      return read(item, prefixes);
    });
  };
}

function refuseText({ name, text, line }: XmlElement): void {
  if (text.trim() !== '') {
    const sentence = `Line ${line}: <${clipped(name)}> has text between its elements.`;
    throw new RefusedError('DOCUMENT_INVALID', sentence);
  }
}

/** The JSON form has no place for an attribute here, and nothing is left out silently. */
function refuseAttributes(element: XmlElement, taken: readonly string[]): void {
  const other = ownAttributes(element).find(
    ({ space, name }) => space !== '' || !taken.includes(name),
  );
  if (other !== undefined) {
    const what = `an attribute "${clipped(other.name)}" that has no place in EPCIS`;
    const sentence = `Line ${element.line}: <${clipped(element.name)}> has ${what}.`;
    throw new RefusedError('DOCUMENT_INVALID', sentence);
  }
}

function misplaced({ name, line }: XmlElement, where: string): RefusedError {
  const sentence = `Line ${line}: <${clipped(name)}> stands ${where}.`;
  return new RefusedError('DOCUMENT_INVALID', sentence);
}

function isOwn({ space }: XmlElement): boolean {
  return OWN_SPACES.includes(space);
}

function childOf({ children }: XmlElement, name: string): XmlElement | undefined {
  return children.find((child) => isOwn(child) && child.name === name);
}

function textOfChild(element: XmlElement, name: string): string | undefined {
  return childOf(element, name)?.text.trim();
}

function attributeOf({ attributes }: XmlElement, name: string): string | undefined {
  return attributes.find((attribute) => attribute.space === '' && attribute.name === name)?.value;
}

function defined(name: string, value: Json | undefined): JsonObject {
  return value === undefined ? {} : { [name]: value };
}

const SHOWN_MAX = 60;

function clipped(name: string): string {
  return name.length > SHOWN_MAX ? `${name.slice(0, SHOWN_MAX)}...` : name;
}
