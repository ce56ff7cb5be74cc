/**
 * The graph of what came from what, walked from some things in one direction, page by page.
 *
 * Edges run with the flow of goods: from a lot to its items, from contents to their container, from
 * inputs by way of a transformation to outputs. Down follows them, up goes against them. What is in
 * what counts as it is at the end of the time asked about; what was taken out is not followed.
 *
 * A page ends with a cursor that holds all that was found so far, so whoever keeps the events keeps
 * nothing of the question, and no thing is told twice, whatever circles there are.
 */
import { holdings, isPacking, parentOf } from './containment.ts';
import type { EpcisEvent, LotMember, Role } from './event.ts';
import type { Entry, Fact, NamedThing, Reader } from './store.ts';
import { isClass, TRANSFORMATION_AI, thingText } from './things.ts';

export type Direction = 'up' | 'down';

/**
 * `transformation` has the id that its events share, `event` is a transformation in one event;
 * `product` stands for all things that are, or narrow, what a walk begins with.
 */
export type NodeKind = 'item' | 'transformation' | 'event' | 'product' | 'place';

export type EdgeKind = 'lot' | 'contained' | 'input' | 'output' | 'seen';

export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly kind: EdgeKind;
  /** Key of the event that tells it, and its time. */
  readonly event: string;
  readonly time: string;
  /** When it ended; null while it lasts, and of what does not end. */
  readonly until: string | null;
}

/** A time in UTC with milliseconds, both ends included; null has no end there. */
export interface Span {
  readonly from: string | null;
  readonly to: string | null;
}

/**
 * A thing that was found, and the time for which it is concerned; `via` is the index of the one by
 * which it was found. A container can be found anew, for another time.
 */
export interface Found extends Span {
  readonly id: string;
  readonly kind: NodeKind;
  /** Steps from where the walk began; a transformation is no step of its own. */
  readonly depth: number;
  readonly via: number | null;
  /** The edge's by which it was found; null where the walk began. */
  readonly by: EdgeKind | null;
  /** It was found before, for another time. */
  readonly again: boolean;
}

/** Where a walk goes on: the things found, and how far into which of them it has come. */
export interface WalkPosition {
  readonly found: readonly Found[];
  readonly at: number;
  /** The last entry of the thing at `at` whose edges are all told. */
  readonly after: Entry | null;
  /** Edges told of the entry behind `after`. */
  readonly told: number;
}

export interface WalkOptions {
  readonly direction: Direction;
  /** Things so many steps away are told, but not asked. */
  readonly depthMax: number;
  /** Things that a page finishes at most. */
  readonly nodesMax: number;
  /** Edges that a page tells at most; null when nobody asks for edges. */
  readonly edgesMax: number | null;
  /** Things that are found at most, in all pages together. */
  readonly foundMax: number;
  /** Whether the places are found where a class was seen. */
  readonly places: boolean;
  /** Told of each thing when its edges are told. */
  readonly finished?: (node: Found, found: readonly Found[]) => Promise<void>;
}

export interface WalkPage {
  /** Things that are finished with this page, as indexes of `found`. */
  readonly from: number;
  readonly to: number;
  readonly edges: readonly Edge[];
  readonly found: readonly Found[];
  /** Null when the walk is at its end. */
  readonly next: WalkPosition | null;
  /** Whether things were not asked because they are `depthMax` steps away. */
  readonly depthReached: boolean;
  /** Whether more than `foundMax` things were found, so that some are missing. */
  readonly isCut: boolean;
}

/** The whole time. */
const ALWAYS: Span = { from: null, to: null };

const ENTRIES_AT_ONCE = 100;
const THINGS_AT_ONCE = 100;

export function startOf(id: string, kind: NodeKind): WalkPosition {
  const first = { id, kind, depth: 0, via: null, by: null, ...ALWAYS, again: false };
  return { found: [first], at: 0, after: null, told: 0 };
}

/** Goes on from a position until a limit of the page, or the end. */
export async function walk(
  reader: Reader,
  start: WalkPosition,
  options: WalkOptions,
): Promise<WalkPage> {
  return await new Walk(reader, start, options).run();
}

class Walk {
  private readonly reader: Reader;
  private readonly start: WalkPosition;
  private readonly options: WalkOptions;
  private readonly found: Found[];
  /** Indexes in `found` of what was found under a name. */
  private readonly known = new Map<string, number[]>();
  private readonly edges: Edge[] = [];
  private depthReached = false;
  private isCut = false;
  private hasMoved = false;
  private at: number;
  private after: Entry | null;
  private told: number;

  constructor(reader: Reader, start: WalkPosition, options: WalkOptions) {
    this.reader = reader;
    this.start = start;
    this.options = options;
    this.found = [...start.found];
    this.found.forEach((node, index) => {
      this.remember(node, index);
    });
    this.at = start.at;
    this.after = start.after;
    this.told = start.told;
  }

  async run(): Promise<WalkPage> {
    while (this.at < this.found.length) {
      const node = this.found[this.at] as Found;
      const isFull = this.at - this.start.at >= this.options.nodesMax;
      if (isFull || this.isSpent() || !(await this.finish(node))) {
        const { found, at, after, told } = this;
        return this.page({ found, at, after, told });
      }
      await this.options.finished?.(node, this.found);
      this.at++;
      this.after = null;
      this.told = 0;
    }
    return this.page(null);
  }

  private page(next: WalkPosition | null): WalkPage {
    const { edges, found, depthReached, isCut } = this;
    return { from: this.start.at, to: this.at, edges, found, next, depthReached, isCut };
  }

  /** Every page gets somewhere: what costs more than a page costs is not cut before it is told. */
  private isSpent(): boolean {
    return this.hasEnoughEdges() || (this.reader.isSpent && this.hasMoved);
  }

  private hasEnoughEdges(): boolean {
    const { edgesMax } = this.options;
    return edgesMax !== null && this.edges.length >= edgesMax;
  }

  /** Tells the edges of a thing. False when the page was full before the last one. */
  private async finish(node: Found): Promise<boolean> {
    if (this.isEnd(node)) {
      this.hasMoved = true;
      return true;
    }
    if (node.kind === 'product') {
      return await this.begin(this.reader.thing(node.id));
    }
    const { id, kind } = node;
    const thing = kind === 'transformation' ? transformationThing(id) : this.reader.thing(id);
    for await (const { entry, facts } of this.entriesOf(node, thing)) {
      for (const fact of facts) {
        if (!(await this.tellFact(node, fact))) {
          return false;
        }
      }
      // A read model has no entries of what has changed; its cursors are the ledger's all the same.
      if (facts.length > 0 || this.reader.isSpent) {
        this.after = entry;
        this.told = 0;
      }
      this.hasMoved = true;
      if (this.reader.isSpent) {
        return false;
      }
    }
    this.hasMoved = true;
    return true;
  }

  /** Whether nothing is asked about a thing. */
  private isEnd({ kind, depth }: Found): boolean {
    const isFar = kind === 'item' && depth >= this.options.depthMax;
    this.depthReached ||= isFar;
    return isFar || kind === 'place';
  }

  /** Tells the edges of one event that are not told yet. False when the page is full. */
  private async tellFact(node: Found, fact: Fact): Promise<boolean> {
    let count = 0;
    for await (const edge of this.edgesOf(node, fact)) {
      count++;
      if (count <= this.told) {
        continue;
      }
      if (this.hasEnoughEdges()) {
        return false;
      }
      this.tell(node, edge);
      this.told = count;
    }
    return true;
  }

  /** Finds what is, or narrows, a key. False when the page is full before the last of them. */
  private async begin(product: NamedThing): Promise<boolean> {
    for (;;) {
      const after = this.after === null ? null : this.reader.thing(this.after.eventKey);
      const isExact = product.qualifierAi !== '';
      const things = isExact ? [product] : await this.reader.things(product, after, THINGS_AT_ONCE);
      for (const thing of things) {
        const id = thingText(thing);
        if (await this.reader.isNamed(this.reader.thing(id))) {
          this.find({ id, kind: 'item', depth: 0, via: null, by: null, ...ALWAYS });
        }
        // A position behind an entry serves for a position behind a thing.
        this.after = { time: '', role: 'object', eventKey: id };
      }
      this.hasMoved = true;
      if (things.length < THINGS_AT_ONCE || this.isCut) {
        return true;
      }
      if (this.reader.isSpent) {
        return false;
      }
    }
  }

  /** The entries behind the position with what their events confirm, in the order of the store. */
  private async *entriesOf(
    node: Found,
    thing: NamedThing,
  ): AsyncGenerator<{ readonly entry: Entry; readonly facts: readonly Fact[] }> {
    if (node.kind === 'event') {
      // The event is its own only entry.
      const event = this.after === null ? await this.reader.event(node.id) : null;
      if (event !== null && !event.inError) {
        const entry = { time: event.time, role: 'object' as const, eventKey: event.key };
        yield { entry, facts: [{ entry, event }] };
      }
      return;
    }
    let after = this.after;
    for (;;) {
      const query = { from: null, until: this.reader.until, after, limit: ENTRIES_AT_ONCE };
      const entries = await this.reader.entries(thing, query);
      for (const entry of entries) {
        yield { entry, facts: await this.reader.facts(thing, [entry]) };
      }
      if (entries.length < ENTRIES_AT_ONCE) {
        return;
      }
      after = entries.at(-1) as Entry;
    }
  }

  private tell(node: Found, edge: NamedEdge): void {
    const { kindOfOther: kind, span, isTold, ...told } = edge;
    if (this.options.edgesMax !== null && !isTold) {
      this.edges.push(told);
    }
    const id = this.options.direction === 'down' ? told.to : told.from;
    const depth = node.depth + (kind === 'item' ? 1 : 0);
    this.find({ id, kind, depth, via: this.at, by: told.kind, ...span });
  }

  private find(node: Omit<Found, 'again'>): void {
    const before = this.known.get(this.nameOf(node)) ?? [];
    if (node.kind === 'place' && before[0] !== undefined) {
      // Entries come in the order of time: the class was seen there until now.
      this.found[before[0]] = { ...(this.found[before[0]] as Found), to: node.to };
      return;
    }
    if (before.some((index) => covers(this.found[index] as Found, node))) {
      return;
    }
    if (this.found.length >= this.options.foundMax) {
      this.isCut = true;
      return;
    }
    const found = { ...node, again: before.length > 0 };
    this.remember(found, this.found.length);
    this.found.push(found);
  }

  private remember(node: Omit<Found, 'again'>, index: number): void {
    const name = this.nameOf(node);
    const there = this.known.get(name);
    if (there === undefined) {
      this.known.set(name, [index]);
    } else {
      there.push(index);
    }
  }

  /** Each class has its own places. */
  private nameOf({ kind, id, via }: Omit<Found, 'again'>): string {
    return kind === 'place' ? `${kind} ${via} ${id}` : `${kind} ${id}`;
  }

  /** The spans for which a thing's containment has been told already. */
  private toldSpans(node: Found): readonly Span[] {
    const all = node.again ? (this.known.get(this.nameOf(node)) ?? []) : [];
    return all.filter((index) => index < this.at).map((index) => this.found[index] as Found);
  }

  private edgesOf(node: Found, fact: Fact): AsyncIterable<NamedEdge> {
    return node.kind === 'item' ? this.itemEdges(node, fact) : this.transformed(node, fact);
  }

  private async *itemEdges(node: Found, fact: Fact): AsyncGenerator<NamedEdge> {
    const isDown = this.options.direction === 'down';
    const { event, entry } = fact;
    if (!node.again) {
      yield* this.madeEdges(node.id, fact);
    }
    if (isPacking(event) && entry.role === (isDown ? 'child' : 'parent')) {
      yield* this.packed(node, event, isDown);
    }
  }

  /** What holds whatever the time is for which a thing is concerned. */
  private *madeEdges(id: string, { event, entry }: Fact): Generator<NamedEdge> {
    const isDown = this.options.direction === 'down';
    const { key, time } = event;
    const common = { event: key, time, until: null, span: ALWAYS, isTold: false };
    for (const { item, lot } of lotsBy(event, entry, id, isDown)) {
      yield { ...common, from: lot, to: item, kind: 'lot', kindOfOther: 'item' };
    }
    if (entry.role === (isDown ? 'input' : 'output')) {
      const { transformation } = event;
      const other = transformation ?? key;
      const kindOfOther = transformation === null ? 'event' : 'transformation';
      const [from, to] = isDown ? [id, other] : [other, id];
      yield { ...common, from, to, kind: isDown ? 'input' : 'output', kindOfOther };
    }
    if (this.options.places && entry.role === 'object') {
      yield* seenAt(this.reader.thing(id), event);
    }
  }

  /** What this very event put into a container, if it was there while the thing is concerned. */
  private async *packed(
    node: Found,
    event: EpcisEvent,
    isDown: boolean,
  ): AsyncGenerator<NamedEdge> {
    const container = parentOf(event);
    if (container === null) {
      return;
    }
    const told = this.toldSpans(node);
    const stays = await holdings(this.reader, this.reader.thing(container));
    for (const child of isDown ? [node.id] : namedAs(event, 'child')) {
      for (const stay of (stays.get(child) ?? []).filter((each) => each.from.event === event.key)) {
        const whole = { from: stay.from.time, to: stay.to?.time ?? null };
        const span = shared(whole, node);
        if (span !== null) {
          yield {
            from: child,
            to: container,
            kind: 'contained',
            event: stay.from.event,
            time: stay.from.time,
            until: whole.to,
            kindOfOther: 'item',
            span,
            isTold: told.some((each) => shared(whole, each) !== null),
          };
        }
      }
    }
  }

  private async *transformed(node: Found, fact: Fact): AsyncGenerator<NamedEdge> {
    const isDown = this.options.direction === 'down';
    const role = isDown ? 'output' : 'input';
    const { key, time } = fact.event;
    const common = { kind: role, event: key, time, until: null, span: ALWAYS } as const;
    // The index has an event twice under the id that it shares, once for each side.
    const isOther = node.kind === 'transformation' && fact.entry.role !== role;
    for (const id of isOther ? [] : namedAs(fact.event, role)) {
      const [from, to] = isDown ? [node.id, id] : [id, node.id];
      yield { ...common, from, to, kindOfOther: 'item', isTold: false };
    }
  }
}

/** Where an event saw a class itself, and not items of it. */
function* seenAt(thing: NamedThing, event: EpcisEvent): Generator<NamedEdge> {
  const { id } = thing;
  const { key, time, named } = event;
  const place = event.bizLocation ?? event.readPoint;
  if (place !== null && isClass(thing) && named.some((each) => each.id === id)) {
    const span = { from: time, to: time };
    const common = { event: key, time, until: null, span, isTold: false };
    yield { ...common, from: id, to: place, kind: 'seen', kindOfOther: 'place' };
  }
}

interface NamedEdge extends Edge {
  readonly kindOfOther: NodeKind;
  /** The time for which the other is concerned. */
  readonly span: Span;
  /** It was told when the thing was found before. */
  readonly isTold: boolean;
}

/** What two spans share; null when that is nothing. */
function shared(one: Span, other: Span): Span | null {
  const from = one.from === null || (other.from ?? '') > one.from ? other.from : one.from;
  const to = one.to === null || (other.to !== null && other.to < one.to) ? other.to : one.to;
  return from !== null && to !== null && from > to ? null : { from, to };
}

function covers(whole: Span, part: Span): boolean {
  const begins = whole.from === null || (part.from !== null && whole.from <= part.from);
  return begins && (whole.to === null || (part.to !== null && whole.to >= part.to));
}

/** Down from a lot its items, up from an item its lots: as this entry names it. */
function lotsBy(
  event: EpcisEvent,
  { role }: Entry,
  id: string,
  isDown: boolean,
): readonly LotMember[] {
  if (event.lots.length === 0) {
    return [];
  }
  let lots = lotsByName.get(event);
  if (lots === undefined) {
    lots = new Map<string, LotMember[]>();
    for (const member of event.lots) {
      for (const name of [
        `down ${member.role} ${member.lot}`,
        `up ${member.role} ${member.item}`,
      ]) {
        const there = lots.get(name) ?? [];
        there.push(member);
        lots.set(name, there);
      }
    }
    lotsByName.set(event, lots);
  }
  return lots.get(`${isDown ? 'down' : 'up'} ${role} ${id}`) ?? [];
}

/** An event may name thousands of items, each of which asks it for its lot. */
const lotsByName = new WeakMap<EpcisEvent, Map<string, LotMember[]>>();

function namedAs({ named }: EpcisEvent, role: Role): ReadonlySet<string> {
  return new Set(named.filter((each) => each.role === role).map(({ id }) => id));
}

function transformationThing(id: string): NamedThing {
  return { id, ai: TRANSFORMATION_AI, key: id, qualifierAi: '', qualifier: '' };
}
