/**
 * What was in what, and when. Only ADD and DELETE change it; OBSERVE tells what was seen together.
 *
 * A DELETE that names no children takes all of them out that were put in by events of its type. A
 * child that is in two containers at once is in both, until each says otherwise: nobody can tell
 * from the events which of them is wrong, and a recall has to look into both.
 */
import type { EpcisEvent, Named } from './event.ts';
import { compare, type Fact, type NamedThing, type Reader } from './store.ts';

/** A moment in the order of events. */
export interface Moment {
  readonly time: string;
  readonly event: string;
}

/** A time that a thing spent in a container; `to` null when it is still there. */
export interface Stay {
  readonly container: string;
  readonly from: Moment;
  readonly to: Moment | null;
}

const CONTAINING: readonly string[] = ['AggregationEvent', 'AssociationEvent'];

/** A stay that has begun and not ended. */
interface Open {
  readonly child: string;
  readonly container: string;
  readonly type: string;
  readonly from: Moment;
  /** Of a class; null when not all of it is known. */
  quantity: number | null;
  readonly unit: string | null;
}

/** Sums of decimal quantities differ from zero by rounding. */
const QUANTITY_EPSILON = 1e-9;

/** By the story of the container, and of the thing that was in some. */
const holdingsOf = new WeakMap<readonly Fact[], ReadonlyMap<string, readonly Stay[]>>();
const staysBy = new WeakMap<readonly Fact[], readonly Stay[]>();

/** The stays of everything that was ever in a container, by child; in the order of their begin. */
export async function holdings(
  reader: Reader,
  container: NamedThing,
): Promise<ReadonlyMap<string, readonly Stay[]>> {
  const story = await reader.story(container);
  let found = holdingsOf.get(story);
  if (found === undefined) {
    found = replay(story);
    holdingsOf.set(story, found);
  }
  return found;
}

/** The containers that a thing was ever put into, each once, in the order of their first event. */
function containersIn(story: readonly Fact[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { entry, event } of story) {
    const parent = entry.role === 'child' && isPacking(event) ? parentOf(event) : null;
    if (parent !== null) {
      found.add(parent);
    }
  }
  return found;
}

/** All stays of a thing, in the order of their begin. */
export async function staysOf(reader: Reader, thing: NamedThing): Promise<readonly Stay[]> {
  const story = await reader.story(thing);
  const known = staysBy.get(story);
  if (known !== undefined) {
    return known;
  }
  const stays: Stay[] = [];
  for (const container of containersIn(story)) {
    stays.push(...((await holdings(reader, reader.thing(container))).get(thing.id) ?? []));
  }
  stays.sort((a, b) => compareMoments(a.from, b.from));
  staysBy.set(story, stays);
  return stays;
}

/** The stay that an event began and none has ended; null when there is none. */
export function openStay(stays: readonly Stay[] | undefined, event: string): Stay | null {
  return stays?.find(({ to, from }) => to === null && from.event === event) ?? null;
}

export function isPacking(event: EpcisEvent): boolean {
  return CONTAINING.includes(event.type) && event.action === 'ADD';
}

export function parentOf(event: EpcisEvent): string | null {
  return event.named.find(({ role }) => role === 'parent')?.id ?? null;
}

export function compareMoments(one: Moment, other: Moment): number {
  return compare(one.time, other.time) || compare(one.event, other.event);
}

/** Goes through the events of a container in order. */
function replay(story: readonly Fact[]): Map<string, Stay[]> {
  const stays = new Map<string, Stay[]>();
  const open = new Map<string, Open>();
  const end = (place: string, { child, container, from }: Open, to: Moment | null): void => {
    const all = stays.get(child) ?? [];
    all.push({ container, from, to });
    stays.set(child, all);
    open.delete(place);
  };
  for (const { entry, event } of story) {
    const container = parentOf(event);
    if (entry.role === 'parent' && CONTAINING.includes(event.type) && container !== null) {
      for (const [place, gone] of changeContents(open, event, container)) {
        end(place, gone, momentOf(event));
      }
    }
  }
  for (const [place, held] of open) {
    end(place, held, null);
  }
  return stays;
}

/** Puts in what the event puts in; answers what it takes out. */
function changeContents(
  open: Map<string, Open>,
  event: EpcisEvent,
  container: string,
): (readonly [place: string, gone: Open])[] {
  const children = event.named.filter(({ role }) => role === 'child');
  if (event.action === 'ADD') {
    for (const child of children) {
      putIn(open, event, container, child);
    }
    return [];
  }
  if (event.action !== 'DELETE') {
    return [];
  }
  if (children.length === 0) {
    return [...open].filter(([, { type }]) => type === event.type);
  }
  return children.flatMap((child) => {
    const place = placeOf(event, child);
    const there = open.get(place);
    return there !== undefined && isGone(there, child) ? [[place, there] as const] : [];
  });
}

export const momentOf = ({ time, key }: EpcisEvent): Moment => ({ time, event: key });

const placeOf = ({ type }: EpcisEvent, { id }: Named): string => `${type} ${id}`;

/** What is there already stays there since it came; a class becomes more. */
function putIn(open: Map<string, Open>, event: EpcisEvent, container: string, child: Named): void {
  const place = placeOf(event, child);
  const there = open.get(place);
  const { id, quantity, unit } = child;
  if (there === undefined) {
    const { type } = event;
    open.set(place, { child: id, container, type, from: momentOf(event), quantity, unit });
    return;
  }
  const known = there.quantity !== null && quantity !== null && there.unit === unit;
  there.quantity = known ? (there.quantity ?? 0) + quantity : null;
}

/** Whether nothing of it is left; what is known of its quantity is lowered. */
function isGone(there: Open, child: Named): boolean {
  if (there.quantity === null || child.quantity === null || there.unit !== child.unit) {
    return true;
  }
  there.quantity -= child.quantity;
  return there.quantity <= QUANTITY_EPSILON;
}
