/** What the demo puts on the cleaned topic: the story, and two records that are wrong on purpose. */

import type { Sent } from './kafka.ts';
import { type DemoKind, placeKey, type StoryOptions, tellStory } from './story.ts';
import { STAND } from './world.ts';

export const WRONG_RECORDS: readonly Sent[] = [
  { key: 'event/cut-off', value: '{"type":"ObjectEvent","eventID":"urn:uu' },
  { key: null, value: '{"type":"ObjectEvent","comment":"nobody could ever ask for this again"}' },
];

/** The place whose document is written, updated and deleted in every story. */
export const SHOWN_PLACE = placeKey(STAND);

/** What was sent, for the demo to speak of. */
export interface Sending {
  readonly counts: ReadonlyMap<DemoKind, number>;
  records: number;
  /** The first temperature reading, or the last event when the story is too short for one. */
  shown: { readonly key: string; readonly value: string } | null;
  readonly iterate: () => Generator<Sent>;
}

export function createSending(options: StoryOptions): Sending {
  const counts = new Map<DemoKind, number>();
  let found = false;
  const sending: Sending = { counts, records: 0, shown: null, iterate };
  return sending;

  function* iterate(): Generator<Sent> {
    for (const { kind, key, value } of tellStory(options)) {
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      if (kind === 'event' && value !== null && !found) {
        sending.shown = { key, value };
        found = value.includes('"sensorElementList"');
      }
      sending.records += 1;
      yield { key, value };
    }
    for (const record of WRONG_RECORDS) {
      sending.records += 1;
      yield record;
    }
  }
}
