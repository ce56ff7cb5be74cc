/** The events of the ledger and their index, for the reasoning about them. */

import { isEvent, parseEvent } from './epcis/event.ts';
import {
  EPC_TYPE,
  entryAttributes,
  parseIndexKey,
  prefixAttributes,
  thingAttributes,
} from './epcis/index-keys.ts';
import type { Entry, EntryQuery, EventStore } from './epcis/store.ts';
import type { Thing, ThingPrefix } from './epcis/things.ts';
import { currentDocument } from './queries.ts';
import type { State } from './state.ts';

/** Behind every key that begins with what stands before it. */
const LAST = '\u{10ffff}';

/** Entries that a peer sends at once; it stops at some 100 by itself. */
const ENTRIES_AT_ONCE = 100;

export function ledgerEvents(state: State): EventStore {
  return {
    entries: (thing, query) => readEntries(state, thing, query),
    things: (prefix, after, limit) => readThings(state, prefix, after, limit),
    event: async (key) => {
      const document = await currentDocument(state, key);
      const event = document === null ? null : parseEvent(key, document);
      // What a rule of an earlier version let in and is no event is not a part of any answer.
      return event === null || !isEvent(event) ? null : event;
    },
  };
}

async function readEntries(
  state: State,
  thing: Thing,
  { from, until, after, limit }: EntryQuery,
): Promise<readonly Entry[]> {
  const attributes = thingAttributes(thing);
  const prefix = state.compositeKey(EPC_TYPE, attributes);
  // A composite key ends with U+0000, so the next possible one has one more.
  const first =
    after === null
      ? `${prefix}${from ?? ''}`
      : `${state.compositeKey(EPC_TYPE, [...attributes, ...entryAttributes(after)])}\0`;
  const entries: Entry[] = [];
  let next = first;
  do {
    const size = Math.min(ENTRIES_AT_ONCE, limit - entries.length);
    const page = await state.partialPage(EPC_TYPE, attributes, next, size);
    for (const { key } of page.entries) {
      const { entry } = parseIndexKey(key);
      if (until !== null && entry.time > until) {
        return entries;
      }
      entries.push(entry);
    }
    next = page.next;
  } while (next !== '' && entries.length < limit);
  return entries;
}

/** Looks at the first entry of each thing, and goes on behind the last that it could have. */
async function readThings(
  state: State,
  prefix: ThingPrefix,
  after: Thing | null,
  limit: number,
): Promise<readonly Thing[]> {
  const attributes = prefixAttributes(prefix);
  const behind = (thing: Thing) => state.compositeKey(EPC_TYPE, thingAttributes(thing)) + LAST;
  const things: Thing[] = [];
  let next = after === null ? state.compositeKey(EPC_TYPE, attributes) : behind(after);
  while (things.length < limit) {
    const [first] = (await state.partialPage(EPC_TYPE, attributes, next, 1)).entries;
    if (first === undefined) {
      break;
    }
    const { thing } = parseIndexKey(first.key);
    things.push(thing);
    next = behind(thing);
  }
  return things;
}
