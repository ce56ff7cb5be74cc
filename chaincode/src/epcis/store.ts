/**
 * What the reasoning about events needs of whoever keeps them: the ledger, or a read model of it.
 * The reasoning is the same for both, so both give the same answers.
 */
import type { EpcisEvent, Role } from './event.ts';
import { type Thing, type ThingPrefix, thingOf } from './things.ts';

/** An index entry as it is found under its thing. */
export interface Entry {
  readonly time: string;
  readonly role: Role;
  readonly eventKey: string;
}

/** A store that has its answer at hand gives it at once. */
export type Answer<T> = T | Promise<T>;

export interface EntryQuery {
  /** Entries at this time and later; null from the first on. */
  readonly from: string | null;
  /** Entries up to this time, included; null up to the last. */
  readonly until: string | null;
  /** Entries behind this one only; null from the first on. */
  readonly after: Entry | null;
  readonly limit: number;
}

export interface EventStore {
  /** The first entries of a thing in the order of time, then role, then event key (bytes). */
  entries(thing: Thing, query: EntryQuery): Answer<readonly Entry[]>;
  /** The things behind `after` that are, or narrow, a key; in the order of their parts (bytes). */
  things(prefix: ThingPrefix, after: Thing | null, limit: number): Answer<readonly Thing[]>;
  /** The event that a key has now; null when there is none, or it was deleted. */
  event(key: string): Answer<EpcisEvent | null>;
}

/** A thing with its identifier, taken apart once in a question: the same one is the same object. */
export interface NamedThing extends Thing {
  readonly id: string;
}

/** How much one question may cost. */
export interface Limits {
  /** Entries and events that a page reads, before it ends at the next chance. */
  readonly readsMax: number;
  /** Entries of one thing that are looked at, where its whole story is needed. */
  readonly entriesMax: number;
}

/** An event under a thing, and what the thing is in it. */
export interface Fact {
  readonly entry: Entry;
  readonly event: EpcisEvent;
}

/** So many things named by events, and facts of stories, are kept for a question. */
const KEPT_MAX = 200_000;

/** Entries that are read at once, where the first of them is likely to do. */
const ENTRIES_AT_ONCE = 10;

/** An event costs as much as a read for each so many things that it names. */
const NAMED_PER_READ = 50;
const ENTRIES_PER_READ = 10;

/** So many names of an event are looked through faster than they are sorted by. */
const NAMED_FEW = 100;

/** Roles and names of events that name many. */
const namesOf = new WeakMap<EpcisEvent, ReadonlySet<string>>();

/**
 * Reads for one question: counts reads, keeps what was read, and believes no entry that the event
 * does not confirm as it is now. An event in error does not count, nor does one that was deleted.
 */
export class Reader {
  readonly until: string | null;
  readonly limits: Limits;
  /** Reads so far. */
  reads = 0;
  /** Things with more entries than `limits.entriesMax`, whose story is not whole. */
  readonly partial = new Set<string>();
  private readonly store: EventStore;
  private readonly named = new Map<string, NamedThing>();
  private readonly events = new Kept<string, EpcisEvent | null>(KEPT_MAX);
  private readonly stories = new Kept<NamedThing, readonly Fact[]>(KEPT_MAX);
  private readonly whole = new Kept<NamedThing, readonly Entry[]>(KEPT_MAX);

  constructor(store: EventStore, limits: Limits, until: string | null) {
    this.store = store;
    this.limits = limits;
    this.until = until;
  }

  get isSpent(): boolean {
    return this.reads >= this.limits.readsMax;
  }

  /** @param id - of a thing, not of a transformation */
  thing(id: string): NamedThing {
    let thing = this.named.get(id);
    if (thing === undefined) {
      thing = { ...thingOf(id), id };
      this.named.set(id, thing);
    }
    return thing;
  }

  /** The story of a thing: every event that names it, in the order of time, then event key. */
  async story(thing: NamedThing): Promise<readonly Fact[]> {
    const known = this.stories.get(thing);
    if (known !== undefined) {
      return known;
    }
    const limit = this.limits.entriesMax;
    const query = { from: null, until: this.until, after: null, limit: limit + 1 };
    const entries = await this.entries(thing, query);
    if (entries.length > limit) {
      this.partial.add(thing.id);
    }
    const story = (await this.facts(thing, entries.slice(0, limit))).sort(byTime);
    this.stories.set(thing, story, story.length);
    return story;
  }

  /** Whether any event names the thing now: entries stay behind what was changed or deleted. */
  async isNamed(thing: NamedThing): Promise<boolean> {
    for (let after: Entry | null = null; ; ) {
      const query = { from: null, until: this.until, after, limit: ENTRIES_AT_ONCE };
      const entries: readonly Entry[] = await this.entries(thing, query);
      for (const entry of entries) {
        if ((await this.facts(thing, [entry])).length > 0) {
          return true;
        }
      }
      if (entries.length < ENTRIES_AT_ONCE) {
        return false;
      }
      after = entries.at(-1) as Entry;
    }
  }

  /** A walk reads the entries of a thing, and its story needs the same: they are read once. */
  async entries(thing: NamedThing, query: EntryQuery): Promise<readonly Entry[]> {
    const { from, until, after, limit } = query;
    const isFromStart = from === null && after === null && until === this.until;
    const known = isFromStart ? this.whole.get(thing) : undefined;
    if (known !== undefined) {
      return known.length > limit ? known.slice(0, limit) : known;
    }
    const entries = await this.store.entries(thing, query);
    this.reads += 1 + entries.length / ENTRIES_PER_READ;
    if (isFromStart && entries.length < limit) {
      this.whole.set(thing, entries, 1 + entries.length);
    }
    return entries;
  }

  async things(prefix: ThingPrefix, after: Thing | null, limit: number): Promise<readonly Thing[]> {
    const things = await this.store.things(prefix, after, limit);
    this.reads += 1 + things.length;
    return things;
  }

  /** What of a thing's entries its events confirm. */
  async facts({ id }: NamedThing, entries: readonly Entry[]): Promise<Fact[]> {
    const facts: Fact[] = [];
    for (const entry of entries) {
      const event = await this.event(entry.eventKey);
      if (event !== null && confirms(event, id, entry)) {
        facts.push({ entry, event });
      }
    }
    return facts;
  }

  /** The event that a key has now; null when there is none. */
  async event(key: string): Promise<EpcisEvent | null> {
    let event = this.events.get(key);
    if (event === undefined) {
      event = await this.store.event(key);
      const weight = 1 + (event?.named.length ?? 0);
      this.reads += 1 + weight / NAMED_PER_READ;
      this.events.set(key, event, weight);
    }
    return event;
  }
}

export function byTime(one: Fact, other: Fact): number {
  return compare(one.event.time, other.event.time) || compare(one.event.key, other.event.key);
}

export function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function confirms(event: EpcisEvent, id: string, { time, role }: Entry): boolean {
  if (event.inError || event.time !== time) {
    return false;
  }
  if (event.named.length <= NAMED_FEW) {
    return isNamed(event, id, role);
  }
  let names = namesOf.get(event);
  if (names === undefined) {
    names = new Set(event.named.map((each) => `${each.role} ${each.id}`));
    namesOf.set(event, names);
  }
  return names.has(`${role} ${id}`) || isNamed({ ...event, named: [] }, id, role);
}

function isNamed({ named, lots, transformation }: EpcisEvent, id: string, role: Role): boolean {
  return (
    named.some((each) => each.id === id && each.role === role) ||
    lots.some((each) => each.lot === id && each.role === role) ||
    transformation === id
  );
}

/** A map that lets its oldest entries go when together they weigh too much. */
class Kept<K, V> {
  private readonly weightMax: number;
  private readonly values = new Map<K, { readonly value: V; readonly weight: number }>();
  private weight = 0;

  constructor(weightMax: number) {
    this.weightMax = weightMax;
  }

  get(key: K): V | undefined {
    return this.values.get(key)?.value;
  }

  set(key: K, value: V, weight: number): void {
    this.values.set(key, { value, weight });
    this.weight += weight;
    for (const [oldest, held] of this.values) {
      if (this.weight <= this.weightMax || oldest === key) {
        break;
      }
      this.values.delete(oldest);
      this.weight -= held.weight;
    }
  }
}
