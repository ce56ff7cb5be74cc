/** What the demo puts on Kafka: places as clean master data, events raw, some of them wrong. */

import type { Sent } from './kafka.ts';
import { createRandom, mixSeeds } from './random.ts';
import { rawEvent, WRONG_RECORDS } from './raw.ts';
import { type DemoKind, placeKey, type StoryOptions, tellStory } from './story.ts';
import { STAND } from './world.ts';

/** The place whose document is written, updated and deleted in every story. */
export const SHOWN_PLACE = placeKey(STAND);

/** What was sent, for the demo to speak of. */
export interface Sending {
  readonly counts: ReadonlyMap<DemoKind, number>;
  /** Good events. */
  readonly records: { readonly raw: number };
  /** Documents of the places, known once the events have been told. */
  readonly places: readonly Sent[];
  /** The first transformation: a lot, and what it was made of. */
  lot: string | null;
  /** The first item of that lot, if the story got so far: a case with the lot in it. */
  item: string | null;
  /** The first raw record in which much is to be cleaned. */
  shown: Sent | null;
  /** The events and what is wrong, raw. */
  readonly events: () => Generator<Sent>;
}

const isShowy = ({ value }: Sent): boolean =>
  value !== null &&
  value.includes('urn:epcglobal:cbv:bizstep') &&
  /"eventTime":"[^"]*-05:00"/.test(value);

interface Told {
  readonly type: string;
  readonly parentID?: string;
  readonly outputQuantityList?: readonly { readonly epcClass: string }[];
  readonly childQuantityList?: readonly { readonly epcClass: string }[];
}

export function createSending(options: StoryOptions): Sending {
  const counts = new Map<DemoKind, number>();
  const records = { raw: 0 };
  const places: Sent[] = [];
  const random = createRandom(mixSeeds(options.seed, -2));
  const sending: Sending = { counts, records, places, lot: null, item: null, shown: null, events };
  return sending;

  function* events(): Generator<Sent> {
    for (const record of tellStory(options)) {
      const { kind, key, value } = record;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      if (kind === 'event' || kind === 'event update') {
        records.raw += 1;
        remember(JSON.parse(value ?? '') as Told);
        const sent = rawEvent(record, random);
        sending.shown ??= isShowy(sent) ? sent : null;
        yield sent;
      } else {
        places.push({ key, value });
      }
    }
    yield* WRONG_RECORDS;
  }

  function remember(event: Told): void {
    sending.lot ??= event.outputQuantityList?.[0]?.epcClass ?? null;
    const holdsLot = event.childQuantityList?.some(({ epcClass }) => epcClass === sending.lot);
    if (holdsLot === true && sending.item === null) {
      sending.item = event.parentID ?? null;
    }
  }
}
