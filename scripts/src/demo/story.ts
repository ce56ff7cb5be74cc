/**
 * The whole story as records for the cleaned topic, in the order in which they become known: one
 * document per place, then events, with updates of both in between. Pure: nothing but the seed
 * and the number of events decides a byte of it.
 */
import type { EpcisEvent } from './epcis.ts';
import { produce } from './production.ts';
import { createRandom, mixSeeds } from './random.ts';
import { supplyShops } from './retail.ts';
import { createTeller, type Run, type Told } from './teller.ts';
import { carryToCentre } from './transport.ts';
import { DAIRIES, SITES, type Site, STAND } from './world.ts';

/** What a record is about: an event, a further version of one, or the document of a place. */
export type DemoKind = 'event' | 'event update' | 'place' | 'place update' | 'place delete';

export interface DemoRecord {
  readonly kind: DemoKind;
  readonly key: string;
  /** JSON text; null deletes. */
  readonly value: string | null;
}

export interface StoryOptions {
  /** A whole number from 0 to 2^32 - 1. */
  readonly seed: number;
  /** How many events, not counting further versions of them. */
  readonly events: number;
}

/** Monday, 3 March 2025, five in the morning in Colombia. */
const START_MS = Date.UTC(2025, 2, 3, 10);
const HOUR_MS = 3_600_000;
const RUN_EVERY_MS = 14 * HOUR_MS;
/** Every evening one place is inspected. */
const INSPECTION_EVERY_MS = 24 * HOUR_MS;
const FIRST_INSPECTION_MS = START_MS + 13 * HOUR_MS;

export function eventKey(eventID: string): string {
  return `event/${eventID}`;
}

export function placeKey(site: Site): string {
  return `location/${site.id}`;
}

export function* tellStory(options: StoryOptions): Generator<DemoRecord> {
  const random = createRandom(mixSeeds(options.seed, -1));
  const places = createPlaces();
  for (const site of SITES) {
    yield places.opened(site);
  }
  let events = 0;
  let inspectionMs = FIRST_INSPECTION_MS;
  let inspections = 0;
  for (const told of tellInOrder(options.seed)) {
    if (told.kind === 'event' && events === options.events) {
      break;
    }
    while (told.atMs > inspectionMs) {
      yield places.inspected(inspections, inspectionMs, random.pick(['A', 'A', 'A', 'B']));
      inspections += 1;
      inspectionMs += INSPECTION_EVERY_MS;
    }
    events += told.kind === 'event' ? 1 : 0;
    places.saw(told);
    yield eventRecord(told);
  }
  yield* places.closed();
}

function eventRecord({ kind, event }: Told): DemoRecord {
  const value = JSON.stringify(event);
  return { kind: kind === 'event' ? 'event' : 'event update', key: eventKey(event.eventID), value };
}

/** All runs, merged by the time at which things become known; without an end. */
function* tellInOrder(seed: number): Generator<Told> {
  let pending: Told[] = [];
  for (let number = 0; ; number += 1) {
    const startMs = START_MS + number * RUN_EVERY_MS;
    // What is known before the next run begins can no longer be overtaken.
    yield* pending.filter((told) => told.atMs < startMs);
    pending = [
      ...pending.filter((told) => told.atMs >= startMs),
      ...tellRun(seed, number, startMs),
    ];
    // The sort is stable, so that equal times keep their order.
    pending.sort((left, right) => left.atMs - right.atMs);
  }
}

function tellRun(seed: number, number: number, startMs: number): readonly Told[] {
  const random = createRandom(mixSeeds(seed, number));
  const run: Run = { random, seed, number, told: [] };
  const teller = createTeller(run, startMs);
  const dairy = DAIRIES[number % DAIRIES.length];
  if (dairy !== undefined) {
    const shipment = produce(teller, dairy);
    carryToCentre(teller, shipment);
    supplyShops(teller, shipment);
  }
  return run.told;
}

interface Places {
  opened(site: Site): DemoRecord;
  inspected(count: number, atMs: number, grade: string): DemoRecord;
  /** Counts the events at each place. */
  saw(told: Told): void;
  /** The last version of every place: what it has seen, or a delete for the one given up. */
  closed(): Generator<DemoRecord>;
}

function createPlaces(): Places {
  const inspections = new Map<Site, { readonly at: string; readonly grade: string }>();
  const seen = new Map<string, { count: number; last: EpcisEvent }>();
  const document = (site: Site, more: object): string => {
    const { id, name, role, locality, company, latitude, longitude } = site;
    const operator = { name: company.name, id: company.party };
    const address = { locality, country: 'CO', latitude, longitude };
    // Members that are undefined are left out of the text.
    const inspection = inspections.get(site);
    return JSON.stringify({ id, name, role, operator, address, ...more, inspection });
  };
  const version = (kind: DemoKind, site: Site, status: object): DemoRecord => {
    return { kind, key: placeKey(site), value: document(site, status) };
  };
  return {
    opened: (site) => version('place', site, { status: site === STAND ? 'planned' : 'open' }),
    inspected: (count, atMs, grade) => {
      const site = SITES[count % SITES.length] ?? STAND;
      inspections.set(site, { at: new Date(atMs).toISOString(), grade });
      return version('place update', site, { status: site === STAND ? 'planned' : 'open' });
    },
    saw: ({ kind, event }) => {
      const place = event.bizLocation?.id;
      if (kind === 'event' && place !== undefined) {
        seen.set(place, { count: (seen.get(place)?.count ?? 0) + 1, last: event });
      }
    },
    *closed() {
      yield version('place update', STAND, { status: 'given up' });
      for (const site of SITES) {
        const visits = seen.get(site.id);
        if (visits !== undefined) {
          const lastEvent = visits.last.eventID;
          yield version('place update', site, { status: 'open', events: visits.count, lastEvent });
        }
      }
      yield { kind: 'place delete', key: placeKey(STAND), value: null };
    },
  };
}
