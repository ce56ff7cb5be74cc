/**
 * The life of one thing: its own events, and those of the containers that it was in, only while it
 * was in them.
 */
import { compareMoments, type Moment, momentOf, staysOf } from './containment.ts';
import type { EpcisEvent, Role } from './event.ts';
import type { Fact, NamedThing, Reader } from './store.ts';

/** One event in the life of a thing. */
export interface Happening {
  readonly event: string;
  readonly time: string;
  readonly type: string;
  readonly action: EpcisEvent['action'];
  readonly step: string | null;
  readonly disposition: string | null;
  readonly readPoint: string | null;
  readonly bizLocation: string | null;
  /** What the thing, or the container, is in the event. */
  readonly role: Role;
  /** The container by which the event concerns the thing; null when the event names it itself. */
  readonly through: string | null;
}

/** Where and how a thing was last told of: by the latest event that tells each, if any. */
export interface LastSeen {
  readonly place: Happening | null;
  readonly step: Happening | null;
  readonly disposition: Happening | null;
}

/** A thing or a container, and the time for which its events are those of the thing asked for. */
interface Window {
  readonly thing: NamedThing;
  /** Null for the thing itself, whose whole time it is. */
  readonly from: Moment | null;
  readonly to: Moment | null;
}

/** A thing that was in more containers, and those in others, has a life that is not told whole. */
const WINDOWS_MAX = 1_000;

/** The whole life of a thing, in the order of time, then event key; each event once. */
export async function lifeOf(reader: Reader, thing: NamedThing): Promise<readonly Happening[]> {
  // The thing's own window comes first, and the nearer container before the farther.
  const byEvent = new Map<string, Happening>();
  for (const window of await windowsOf(reader, thing)) {
    const through = window.from === null ? null : window.thing.id;
    for (const fact of await reader.story(window.thing)) {
      const { key } = fact.event;
      if (isWithin(momentOf(fact.event), window) && !byEvent.has(key)) {
        byEvent.set(key, happeningOf(fact, through));
      }
    }
  }
  return [...byEvent.values()].sort(compareMoments);
}

export async function lastSeen(reader: Reader, thing: NamedThing): Promise<LastSeen> {
  return seenIn(await lifeOf(reader, thing));
}

/** @param life - in the order of time */
export function seenIn(life: readonly Happening[]): LastSeen {
  return {
    place: life.findLast((each) => each.readPoint !== null || each.bizLocation !== null) ?? null,
    step: life.findLast(({ step }) => step !== null) ?? null,
    disposition: life.findLast(({ disposition }) => disposition !== null) ?? null,
  };
}

/**
 * Container by container, the nearest first. Containers that hold each other end it too, because a
 * window that lies within one of the same thing adds nothing.
 */
async function windowsOf(reader: Reader, thing: NamedThing): Promise<readonly Window[]> {
  const windows: Window[] = [{ thing, from: null, to: null }];
  for (let at = 0; at < windows.length; at++) {
    const window = windows[at] as Window;
    for (const stay of await staysOf(reader, window.thing)) {
      const from = latest(stay.from, window.from);
      const to = earliest(stay.to, window.to);
      const next = { thing: reader.thing(stay.container), from, to };
      if ((to !== null && compareMoments(from, to) > 0) || isCovered(next, windows)) {
        continue;
      }
      if (windows.length === WINDOWS_MAX) {
        reader.partial.add(thing.id);
        return windows;
      }
      windows.push(next);
    }
  }
  return windows;
}

function isCovered({ thing, from, to }: Window, windows: readonly Window[]): boolean {
  return windows.some(
    (other) =>
      other.thing === thing &&
      (other.from === null || (from !== null && compareMoments(other.from, from) <= 0)) &&
      (other.to === null || (to !== null && compareMoments(other.to, to) >= 0)),
  );
}

/** The events that begin and end a stay belong to it. */
function isWithin(moment: Moment, { from, to }: Window): boolean {
  return (
    (from === null || compareMoments(from, moment) <= 0) &&
    (to === null || compareMoments(moment, to) <= 0)
  );
}

function latest(one: Moment, other: Moment | null): Moment {
  return other !== null && compareMoments(other, one) > 0 ? other : one;
}

function earliest(one: Moment | null, other: Moment | null): Moment | null {
  if (one === null || other === null) {
    return one ?? other;
  }
  return compareMoments(one, other) < 0 ? one : other;
}

function happeningOf({ entry, event }: Fact, through: string | null): Happening {
  const { key, time, type, action, step, disposition, readPoint, bizLocation } = event;
  const { role } = entry;
  const places = { readPoint, bizLocation };
  return { event: key, time, type, action, step, disposition, ...places, role, through };
}
