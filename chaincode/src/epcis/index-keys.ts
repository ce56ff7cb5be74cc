/**
 * The index of events on the ledger:
 *
 *   epc ~ <ai> ~ <key> ~ <qualifier ai> ~ <qualifier> ~ <time> ~ <role> ~ <event key>
 *
 * One partial key so serves an item, a lot, or all lots and items of a product.
 */
import { type IndexKey, indexBytes } from '../index-keys.ts';
import { type IndexEntry, indexEntries } from './entries.ts';
import { EVENT_PREFIX, type EventRefusal, type Role } from './event.ts';
import type { Entry } from './store.ts';
import type { Thing, ThingPrefix } from './things.ts';

export const EPC_TYPE = 'epc';

/** Beside its document of 1 MiB at most, an event's index fits one batch. */
export const EVENT_INDEX_BYTES_MAX = 4 * 1024 * 1024;

/** Fabric's composite keys have no empty attributes. */
const NONE = '-';

const NO_KEYS: readonly IndexKey[] = [];

/** The index keys of a document: none unless its key begins with EVENT_PREFIX. */
export function eventIndex(key: string, document: Uint8Array): readonly IndexKey[] | EventRefusal {
  if (!key.startsWith(EVENT_PREFIX)) {
    return NO_KEYS;
  }
  const entries = indexEntries(key, document);
  if ('reason' in entries) {
    return entries;
  }
  const keys = entries.map((entry) => indexKeyOf(key, entry));
  return indexBytes(keys) > EVENT_INDEX_BYTES_MAX
    ? { reason: `The index entries of the event take over ${EVENT_INDEX_BYTES_MAX} bytes.` }
    : keys;
}

const EVENT_PREFIX_BYTES = Buffer.from(EVENT_PREFIX);

/** Bytes by which the index of a record's document counts against its batch. */
export function eventIndexBytes(key: Uint8Array, value: Uint8Array | null): number {
  const isEvent = EVENT_PREFIX_BYTES.equals(key.subarray(0, EVENT_PREFIX_BYTES.length));
  if (!isEvent || value === null) {
    return 0;
  }
  const keys = eventIndex(Buffer.from(key).toString('utf8'), value);
  return 'reason' in keys ? 0 : indexBytes(keys);
}

/** The attributes that all entries of a thing begin with. */
export function thingAttributes({ ai, key, qualifierAi, qualifier }: Thing): readonly string[] {
  return [ai, key, qualifierAi || NONE, qualifier || NONE];
}

/** The attributes that all entries of what is, or narrows, a key begin with. */
export function prefixAttributes({ ai, key }: ThingPrefix): readonly string[] {
  return [ai, key];
}

/** The attributes behind a thing's. */
export function entryAttributes({ time, role, eventKey }: Entry): readonly string[] {
  return [time, role, eventKey];
}

function indexKeyOf(eventKey: string, { time, role, ...thing }: IndexEntry): IndexKey {
  const entry = entryAttributes({ time, role, eventKey });
  return { type: EPC_TYPE, attributes: [...thingAttributes(thing), ...entry] };
}

/** Takes a composite key of the index apart. */
export function parseIndexKey(indexKey: string): {
  readonly thing: Thing;
  readonly entry: Entry;
} {
  const [, ai = '', key = '', qualifierAi = '', qualifier = '', ...rest] = indexKey
    .slice(1)
    .split('\0');
  const [time = '', role = '', eventKey = ''] = rest;
  const isNarrow = qualifierAi !== NONE;
  const thing = {
    ai,
    key,
    qualifierAi: isNarrow ? qualifierAi : '',
    qualifier: isNarrow ? qualifier : '',
  };
  return { thing, entry: { time, role: role as Role, eventKey } };
}
