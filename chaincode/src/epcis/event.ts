/**
 * An EPCIS event as far as tracing asks for it. Pure: all endorsers have to agree about what an
 * event says, so nothing here depends on the engine, the locale or the clock.
 *
 * Source: GS1 EPCIS 2.0, section 7.4 (event types).
 */
import { KEY_BYTES_MAX, parseObject } from '../wire.ts';
import { lotThing, thingOf, thingText } from './things.ts';

/** Documents under keys that begin with this are events. */
export const EVENT_PREFIX = 'event/';

/** What a thing is in an event. */
export type Role = 'object' | 'parent' | 'child' | 'input' | 'output';

/** Longer identifiers are refused: each is a part of a key of the index. */
export const IDENTIFIER_BYTES_MAX = 512;

/** A cleaner writes under this name what an identity does without, such as an item's lot. */
const QUALIFIERS_MEMBER = '_qualifiers';
const LOT_AI = '10';

/** A thing as an event names it. */
export interface Named {
  /** Its identifier, `thingText` of it. */
  readonly id: string;
  readonly role: Role;
  /** Of a class; null when the event does not say how much, or names an item. */
  readonly quantity: number | null;
  /** Unit of the quantity; null for pieces. */
  readonly unit: string | null;
}

/** A thing that is one of a lot. */
export interface LotMember {
  readonly item: string;
  readonly lot: string;
  readonly role: Role;
}

export interface EpcisEvent {
  /** Key of its document. */
  readonly key: string;
  readonly type: string;
  /** UTC, with milliseconds: such texts are in the order of time. */
  readonly time: string;
  readonly action: 'ADD' | 'OBSERVE' | 'DELETE' | null;
  /** It was declared in error: it does not count. */
  readonly inError: boolean;
  readonly step: string | null;
  readonly disposition: string | null;
  readonly readPoint: string | null;
  readonly bizLocation: string | null;
  /** Joins events to one transformation. */
  readonly transformation: string | null;
  readonly named: readonly Named[];
  readonly lots: readonly LotMember[];
}

/** Why a document is no event that can be indexed; one sentence. */
export interface EventRefusal {
  readonly reason: string;
}

type Members = Readonly<Record<string, unknown>>;

const ID_LISTS: Readonly<Record<string, Role>> = {
  epcList: 'object',
  childEPCs: 'child',
  inputEPCList: 'input',
  outputEPCList: 'output',
};

const QUANTITY_LISTS: Readonly<Record<string, Role>> = {
  quantityList: 'object',
  childQuantityList: 'child',
  inputQuantityList: 'input',
  outputQuantityList: 'output',
};

/** A sentence for whoever sent the event. */
class InvalidEvent extends Error {}

/**
 * Reads an event. Never throws: what cannot be read is refused, with a sentence that holds nothing
 * of the engine's.
 */
export function parseEvent(key: string, document: Uint8Array): EpcisEvent | EventRefusal {
  try {
    return readEvent(key, document);
  } catch (error) {
    if (error instanceof InvalidEvent) {
      return { reason: error.message };
    }
    throw error;
  }
}

export function isEvent(found: EpcisEvent | EventRefusal): found is EpcisEvent {
  return 'time' in found;
}

function readEvent(key: string, document: Uint8Array): EpcisEvent {
  if (!isIndexable(key) || Buffer.byteLength(key) > KEY_BYTES_MAX) {
    throw new InvalidEvent('The key cannot be a part of an index.');
  }
  const raw = objectOf(document);
  const named = [...namedBy(raw)];
  return {
    key,
    type: requiredText(raw, 'type'),
    time: timeOf(raw.eventTime),
    action: actionOf(raw.action),
    inError: raw.errorDeclaration !== undefined && raw.errorDeclaration !== null,
    step: optionalText(raw, 'bizStep'),
    disposition: optionalText(raw, 'disposition'),
    readPoint: placeOf(raw, 'readPoint'),
    bizLocation: placeOf(raw, 'bizLocation'),
    transformation: idOrNull(raw, 'transformationID'),
    named,
    lots: lotsOf(raw, named),
  };
}

function objectOf(document: Uint8Array): Members {
  const { buffer, byteOffset, length } = document;
  try {
    return parseObject(Buffer.from(buffer, byteOffset, length).toString('utf8'), 'the event');
  } catch {
    // The error is dropped on purpose: its text may be the engine's.
    throw new InvalidEvent('An event is a JSON object.');
  }
}

function* namedBy(raw: Members): Generator<Named> {
  const parent = idOrNull(raw, 'parentID');
  if (parent !== null) {
    yield { id: parent, role: 'parent', quantity: null, unit: null };
  }
  for (const [name, role] of Object.entries(ID_LISTS)) {
    for (const each of listOf(raw, name)) {
      yield { id: identifier(each, name), role, quantity: null, unit: null };
    }
  }
  for (const [name, role] of Object.entries(QUANTITY_LISTS)) {
    for (const each of listOf(raw, name)) {
      const element = membersOf(each);
      const amount = element.quantity;
      const quantity = typeof amount === 'number' && amount >= 0 ? amount : null;
      const id = identifier(element.epcClass, name);
      yield { id, role, quantity, unit: optionalText(element, 'uom') };
    }
  }
}

/** The lots of items with serials: kept beside their identity, or told of all new items. */
function lotsOf(raw: Members, named: readonly Named[]): LotMember[] {
  const kept = membersOf(raw[QUALIFIERS_MEMBER]);
  const lotOfNew = lotNumber(membersOf(raw.ilmd));
  return named.flatMap(({ id, role }) => {
    const own = membersOf(kept[id])[LOT_AI];
    const isNew = role === 'output' || role === 'object';
    const lot = typeof own === 'string' ? own : isNew ? lotOfNew : null;
    const thing = lot === null || lot === '' ? null : lotThing(thingOf(id), lot);
    return thing === null ? [] : [{ item: id, lot: checked(thingText(thing), 'a lot'), role }];
  });
}

/** `lotNumber` of the master data, whatever prefix its vocabulary has there. */
function lotNumber(ilmd: Members): string | null {
  for (const [name, value] of Object.entries(ilmd)) {
    if (/(?:^|[:#/])lotNumber$/.test(name) && typeof value === 'string') {
      return value;
    }
  }
  return null;
}

const INSTANT = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))$/;

/** An instant in UTC with milliseconds, computed from its digits alone. */
export function utcInstant(text: string): string | null {
  return plainUtc(text) ?? computedUtc(text);
}

function computedUtc(text: string): string | null {
  const found = INSTANT.exec(text);
  if (found === null) {
    return null;
  }
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found
    .slice(1, 7)
    .map(Number);
  const local = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const isDay = local.getUTCMonth() === month - 1 && local.getUTCDate() === day;
  if (year < 1000 || !isDay || hour > 23 || minute > 59 || second > 59) {
    return null;
  }
  const sign = found[8] === '-' ? 1 : -1;
  const offset = sign * (Number(found[9] ?? 0) * 60 + Number(found[10] ?? 0)) * 60_000;
  const milliseconds = Number(`${found[7] ?? ''}000`.slice(0, 3));
  const utc = new Date(local.getTime() + offset + milliseconds).toISOString();
  return utc.length === 24 ? utc : null;
}

const SECONDS_LENGTH = 'yyyy-MM-ddTHH:mm:ss'.length;
const UTC_LENGTH = 'yyyy-MM-ddTHH:mm:ss.SSSZ'.length;

/** What has no offset from UTC needs no computing, which most texts have not. Null for others. */
function plainUtc(text: string): string | null {
  const zone = text.endsWith('Z') ? 1 : text.endsWith('+00:00') ? '+00:00'.length : 0;
  const local = text.slice(0, -zone);
  const likely = local.length === SECONDS_LENGTH ? `${local}.000Z` : `${local}Z`;
  const isLikely = zone > 0 && likely.length === UTC_LENGTH && likely >= '1000';
  const ms = isLikely ? Date.parse(likely) : Number.NaN;
  return !Number.isNaN(ms) && new Date(ms).toISOString() === likely ? likely : null;
}

function timeOf(value: unknown): string {
  const time = typeof value === 'string' ? utcInstant(value) : null;
  if (time === null) {
    throw new InvalidEvent('"eventTime" is no instant with a time zone.');
  }
  return time;
}

function actionOf(value: unknown): EpcisEvent['action'] {
  if (value === undefined || value === null) {
    return null;
  }
  if (value === 'ADD' || value === 'OBSERVE' || value === 'DELETE') {
    return value;
  }
  throw new InvalidEvent('"action" is none of ADD, OBSERVE and DELETE.');
}

function membersOf(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Members)
    : {};
}

function listOf(raw: Members, name: string): readonly unknown[] {
  const value = raw[name];
  if (value === undefined || value === null) {
    return [];
  }
  if (!Array.isArray(value)) {
    throw new InvalidEvent(`"${name}" is no list.`);
  }
  return value;
}

function identifier(value: unknown, where: string): string {
  if (typeof value !== 'string' || value === '') {
    throw new InvalidEvent(`"${where}" holds what is no identifier.`);
  }
  return checked(value, `"${where}"`);
}

/** Whether a text can be an identifier of the index. */
export function isIdentifier(id: string): boolean {
  return id !== '' && isIndexable(id) && Buffer.byteLength(id) <= IDENTIFIER_BYTES_MAX;
}

function checked(id: string, where: string): string {
  if (!isIdentifier(id)) {
    throw new InvalidEvent(
      `An identifier of ${where} has over ${IDENTIFIER_BYTES_MAX} bytes or unusable characters.`,
    );
  }
  return id;
}

/** What Fabric takes as a part of a composite key. */
function isIndexable(text: string): boolean {
  return !/[\0\ud800-\udfff\u{10ffff}]/u.test(text);
}

function requiredText(raw: Members, name: string): string {
  const value = raw[name];
  if (typeof value !== 'string' || value === '') {
    throw new InvalidEvent(`"${name}" is missing.`);
  }
  return value;
}

function optionalText(raw: Members, name: string): string | null {
  const value = raw[name];
  return typeof value === 'string' ? value : null;
}

function idOrNull(raw: Members, name: string): string | null {
  const value = raw[name];
  return value === undefined || value === null ? null : identifier(value, name);
}

function placeOf(raw: Members, name: string): string | null {
  return optionalText(membersOf(raw[name]), 'id');
}
