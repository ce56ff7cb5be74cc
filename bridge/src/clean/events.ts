/** Documents of many events become events that stand alone. */
import { EVENT_PLACES } from './epcis.ts';
import type { Event, Finding } from './epcis-rules.ts';

export interface SplitEvent {
  /** The event with all of the @context that its names need, first of its members. */
  readonly event: Event;
  /** Where it stood, as a JSON Pointer. */
  readonly path: string;
}

/**
 * The events of a capture or query document, of a list of events, or the bare event itself, in
 * their order. A document without events gives none. What is no document of these is a finding.
 * Members of the document around the events (its id, header and creation date) are not theirs and
 * are left behind. Each event has an @context of its own, so that changing one changes no other.
 */
export function splitEpcis(document: unknown): readonly SplitEvent[] | Finding {
  if (Array.isArray(document)) {
    return eventsOf(document, '', undefined);
  }
  if (!isRecord(document)) {
    return { path: '', sentence: 'This is neither an EPCIS document nor an event.' };
  }
  const place = EVENT_PLACES.get(document.type);
  if (place === undefined) {
    return typeof document.type === 'string'
      ? [{ event: document, path: '' }]
      : {
          path: '',
          sentence: '"type" is missing: this is neither an EPCIS document nor an event.',
        };
  }
  let list: unknown = document;
  let path = '';
  for (const name of place.path) {
    list = isRecord(list) ? list[name] : undefined;
    path += `/${name}`;
  }
  return Array.isArray(list)
    ? eventsOf(list, path, document['@context'])
    : { path, sentence: `The ${String(document.type)} has no list of events here.` };
}

function eventsOf(
  list: readonly unknown[],
  path: string,
  context: unknown,
): readonly SplitEvent[] | Finding {
  const wrong = list.findIndex((event) => !isRecord(event));
  return wrong >= 0
    ? { path: `${path}/${wrong}`, sentence: 'An event has to be an object.' }
    : list.filter(isRecord).map((event, n) => ({
        event: alone(event, context),
        path: `${path}/${n}`,
      }));
}

/** JSON-LD 1.1, section 4.1: a later context adds to those before it, and wins where both tell. */
function alone(event: Event, context: unknown): Event {
  if (context === undefined) {
    return event;
  }
  const { '@context': own, ...rest } = event;
  const both = own === undefined ? context : [context, own].flat();
  return { '@context': structuredClone(both), ...rest };
}

function isRecord(value: unknown): value is Event {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
