/** Tells events one after another: gives each its id, and a time behind the one before. */
import { type EpcisEvent, eventOf, type WhatHappened } from './epcis.ts';
import type { Random } from './random.ts';

/** An event as it becomes known; `update` is a further version of an event told earlier. */
export interface Told {
  readonly kind: 'event' | 'update';
  readonly event: EpcisEvent;
  /** When it became known; a correction is known later than what it is about. */
  readonly atMs: number;
}

/** What all events of one run share: a run is one lot of yoghurt from farms to shops. */
export interface Run {
  readonly random: Random;
  readonly seed: number;
  readonly number: number;
  readonly told: Told[];
}

export interface Teller {
  readonly run: Run;
  /** Tells what happened after a while of `minutes`, and what time it then was. */
  tell(minutes: readonly [least: number, most: number], what: WhatHappened): EpcisEvent;
  nowMs(): number;
  /** Declares an event wrong and tells what it should have said, some hours later. */
  correct(wrong: EpcisEvent, what: WhatHappened): void;
  /** Goes on from the same time, independently: for goods that part ways. */
  branch(): Teller;
}

const MINUTE_MS = 60_000;
const CORRECTION_MINUTES = [70, 200] as const;

export function createTeller(run: Run, startMs: number): Teller {
  let nowMs = startMs;
  const afterMs = ([least, most]: readonly [number, number]): number => {
    const seconds = run.random.whole(least * 60, most * 60);
    return nowMs + seconds * 1_000 + run.random.whole(1, 999);
  };
  return {
    run,
    nowMs: () => nowMs,
    tell: (minutes, what) => {
      nowMs = afterMs(minutes);
      const event = eventOf(what, eventIdOf(run), nowMs);
      run.told.push({ kind: 'event', event, atMs: nowMs });
      return event;
    },
    correct: (wrong, what) => {
      const atMs = afterMs(CORRECTION_MINUTES);
      const right = eventOf(what, eventIdOf(run), Date.parse(wrong.eventTime));
      // EPCIS 2.0, section 7.4.3: the event again, whole, with the declaration.
      const errorDeclaration = {
        declarationTime: new Date(atMs).toISOString(),
        reason: 'incorrect_data',
        correctiveEventIDs: [right.eventID],
      } as const;
      // The right one first: a declaration never names an event that is not there.
      run.told.push({ kind: 'event', event: right, atMs });
      const declared = { ...wrong, errorDeclaration };
      run.told.push({ kind: 'update', event: declared, atMs: atMs + MINUTE_MS });
    },
    branch: () => createTeller(run, nowMs),
  };
}

function eventIdOf(run: Run): string {
  return `urn:uuid:${run.random.uuid()}`;
}

/** A serial number that no other run of any seed has; at most 20 characters, as GS1 asks. */
export function serialOf(run: Run, count: number): string {
  return `${run.seed}${String(run.number).padStart(6, '0')}${String(count).padStart(3, '0')}`;
}

/** A number for a logistic unit: below 10^9, and unlike those of the next seeds. */
export function unitOf(run: Run, count: number): number {
  return ((run.seed % 10_000) * 100_000 + run.number * 10 + count) % 1_000_000_000;
}
