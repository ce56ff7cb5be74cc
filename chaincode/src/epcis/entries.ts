/** The index entries of an event: by each thing that it names, so that the event is found by it. */
import { type EpcisEvent, type EventRefusal, isEvent, parseEvent, type Role } from './event.ts';
import { type Thing, TRANSFORMATION_AI, thingOf } from './things.ts';

/** One event under one thing that it names. */
export interface IndexEntry extends Thing {
  /** The event's, in UTC with milliseconds. */
  readonly time: string;
  readonly role: Role;
}

/**
 * An event that names more is refused: a transaction's writes have to fit the channel's largest
 * block, and a peer's patience.
 */
export const EVENT_ENTRIES_MAX = 10_000;

/** The index entries of a document under an event's key, each once; or why it is no event. */
export function indexEntries(
  eventKey: string,
  document: Uint8Array,
): readonly IndexEntry[] | EventRefusal {
  const event = parseEvent(eventKey, document);
  return isEvent(event) ? entriesOf(event) : event;
}

/** The index entries of an event, each once. */
export function entriesOf(event: EpcisEvent): readonly IndexEntry[] | EventRefusal {
  const seen = new Set<string>();
  const entries: IndexEntry[] = [];
  for (const { thing, role } of placesOf(event)) {
    const { ai, key, qualifierAi, qualifier } = thing;
    const place = `${role}\0${ai}\0${key}\0${qualifierAi}\0${qualifier}`;
    if (!seen.has(place)) {
      seen.add(place);
      entries.push({ ...thing, time: event.time, role });
    }
  }
  return entries.length > EVENT_ENTRIES_MAX
    ? { reason: `The event names ${entries.length} things; ${EVENT_ENTRIES_MAX} are the most.` }
    : entries;
}

function* placesOf({
  named,
  lots,
  transformation,
}: EpcisEvent): Generator<{ readonly thing: Thing; readonly role: Role }> {
  for (const { id, role } of named) {
    yield { thing: thingOf(id), role };
  }
  // Without these, a recall of a lot would miss the items that have serials of their own.
  for (const { lot, role } of lots) {
    yield { thing: thingOf(lot), role };
  }
  if (transformation !== null) {
    const thing = { ai: TRANSFORMATION_AI, key: transformation, qualifierAi: '', qualifier: '' };
    for (const role of ['input', 'output'] as const) {
      if (named.some((each) => each.role === role)) {
        yield { thing, role };
      }
    }
  }
}
