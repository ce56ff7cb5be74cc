/**
 * The questions about events: trace, item, history and recall. Each answers with a page, and a
 * cursor when there is more; the pages together are the same, however they are cut.
 */
import { holdings, type Moment, staysOf } from './containment.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { type Happening, type LastSeen, lastSeen, lifeOf, seenIn } from './history.ts';
import { compare, type EventStore, type Limits, Reader } from './store.ts';
import { isClass } from './things.ts';
import {
  type Direction,
  type Edge,
  type EdgeKind,
  type Found,
  type NodeKind,
  startOf,
  walk,
} from './walk.ts';

/** How a question is asked; all of them are bounded. */
export interface Asked {
  /** Only events up to this instant count, in UTC with milliseconds; null for all. */
  readonly asOf: string | null;
  /** '' for the first page, or the cursor of the page before. */
  readonly cursor: string;
  /** Rows of a page at most. */
  readonly rowsMax: number;
  readonly limits: Limits;
}

export interface AskedWalk extends Asked {
  /** Things that are found at most, in all pages together; what is beyond is said to be cut. */
  readonly foundMax: number;
}

export interface AskedTrace extends AskedWalk {
  readonly depthMax: number;
  /** Edges of a page at most. */
  readonly edgesMax: number;
}

/** What every answer says of itself. */
export interface Answered {
  /** '' when this page is the last one. */
  readonly cursor: string;
  /** Things with more events than are looked at, so that something may be missing. */
  readonly partial: readonly string[];
}

export interface TraceNode {
  readonly id: string;
  readonly kind: NodeKind;
  readonly depth: number;
}

export interface TraceAnswer extends Answered {
  /** In the order in which they were found, what is nearer first. */
  readonly nodes: readonly TraceNode[];
  readonly edges: readonly Edge[];
  /** Whether more is to be found beyond the depth that was asked for. */
  readonly depthReached: boolean;
  /** Whether more things were found than are told. */
  readonly isCut: boolean;
}

/** Up: what it was made of, what it holds, which lot it is of. Down: the other way. */
export async function trace(
  store: EventStore,
  id: string,
  direction: Direction,
  asked: AskedTrace,
): Promise<TraceAnswer> {
  const { asOf, cursor, rowsMax, limits, foundMax, depthMax, edgesMax } = asked;
  const reader = new Reader(store, limits, asOf);
  const question = ['trace', id, direction, depthMax, asOf];
  const start = cursor === '' ? startOf(id, 'item') : decodeCursor(question, cursor);
  const bounds = { depthMax, nodesMax: rowsMax, edgesMax, foundMax, places: false };
  const page = await walk(reader, start, { direction, ...bounds });
  const { edges, depthReached, isCut, next } = page;
  const nodes = page.found
    .slice(page.from, page.to)
    .filter(({ again }) => !again)
    .map(({ id: node, kind, depth }) => ({ id: node, kind, depth }));
  return {
    nodes,
    edges,
    depthReached,
    isCut,
    cursor: next === null ? '' : encodeCursor(question, next),
    partial: [...reader.partial],
  };
}

/** A thing that is or holds what is recalled, or was made of it. */
export interface RecallRow {
  readonly id: string;
  readonly depth: number;
  /** The thing by which it was found, and how; null for what is recalled itself. */
  readonly via: string | null;
  readonly by: EdgeKind | null;
  /** Null for a lot or a product, which is in many places at once. */
  readonly seen: LastSeen | null;
  /** A place where the lot or product itself was seen; null in all other rows. */
  readonly place: string | null;
  /**
   * Of a container the time for which it held what is recalled, of a place the first and the last
   * time that it was seen there; null is no end.
   */
  readonly since: string | null;
  readonly until: string | null;
}

export interface RecallAnswer extends Answered {
  readonly rows: readonly RecallRow[];
  readonly isCut: boolean;
}

/** A recall goes down to the end. */
const DEPTH_UNBOUNDED = Number.MAX_SAFE_INTEGER;

/**
 * Everything that a lot, an item or any lot or item of a product went into, and where each was last
 * seen. An identifier without a qualifier stands for all that narrow it.
 */
export async function recall(
  store: EventStore,
  id: string,
  asked: AskedWalk,
): Promise<RecallAnswer> {
  const { asOf, cursor, rowsMax, limits, foundMax } = asked;
  const reader = new Reader(store, limits, asOf);
  const question = ['recall', id, asOf];
  const start = cursor === '' ? startOf(id, 'product') : decodeCursor(question, cursor);
  const rows: RecallRow[] = [];
  const finished = async (node: Found, found: readonly Found[]) => {
    if ((node.kind === 'item' || node.kind === 'place') && !node.again) {
      rows.push(await rowOf(reader, found, node));
    }
  };
  const bounds = { depthMax: DEPTH_UNBOUNDED, nodesMax: rowsMax, edgesMax: null, foundMax };
  const options = { direction: 'down', ...bounds, places: true, finished } as const;
  const { isCut, next } = await walk(reader, start, options);
  const last = next === null ? '' : encodeCursor(question, next);
  return { rows, isCut, cursor: last, partial: [...reader.partial] };
}

async function rowOf(reader: Reader, found: readonly Found[], node: Found): Promise<RecallRow> {
  const { depth, by, from: since, to: until } = node;
  const via = viaOf(found, node.via);
  if (node.kind === 'place') {
    const id = via ?? '';
    return { id, depth, via: null, by, seen: null, place: node.id, since, until };
  }
  const thing = reader.thing(node.id);
  const seen = isClass(thing) ? null : await lastSeen(reader, thing);
  return { id: node.id, depth, via, by, seen, place: null, since, until };
}

/** The nearest thing on the way: a transformation is no thing. */
function viaOf(found: readonly Found[], via: number | null): string | null {
  const node = via === null ? undefined : found[via];
  if (node === undefined || node.kind === 'product') {
    return null;
  }
  return node.kind === 'item' ? node.id : viaOf(found, node.via);
}

/** Where a thing is, what it is in, and what is in it. */
export interface ItemAnswer extends Answered {
  readonly id: string;
  /** Events of its life; 0 when nothing is known of it. */
  readonly eventCount: number;
  readonly seen: LastSeen;
  /** What it is in, without what that is in. More than one when the events contradict. */
  readonly containers: readonly Held[];
  /** What it holds, in the order of their identifiers; a page of them. */
  readonly parts: readonly Held[];
  readonly partCount: number;
  readonly lots: readonly string[];
}

/** Something that is in something, since an event. */
export interface Held extends Moment {
  readonly id: string;
}

export async function item(store: EventStore, id: string, asked: Asked): Promise<ItemAnswer> {
  const { asOf, cursor, rowsMax, limits } = asked;
  const reader = new Reader(store, limits, asOf);
  const thing = reader.thing(id);
  const life = await lifeOf(reader, thing);
  const stays = await staysOf(reader, thing);
  const parts: Held[] = [];
  for (const [child, all] of await holdings(reader, thing)) {
    const open = all.find(({ to }) => to === null);
    if (open !== undefined) {
      parts.push({ id: child, ...open.from });
    }
  }
  parts.sort((a, b) => compare(a.id, b.id));
  const rest = cursor === '' ? parts : parts.filter((part) => part.id > cursor);
  const page = rest.slice(0, rowsMax);
  const facts = await reader.story(thing);
  const lots = facts.flatMap(({ event }) => event.lots.filter((lot) => lot.item === id));
  return {
    id,
    eventCount: life.length,
    seen: seenIn(life),
    containers: stays
      .filter(({ to }) => to === null)
      .map(({ container, from }) => ({ id: container, ...from })),
    parts: page,
    partCount: parts.length,
    lots: [...new Set(lots.map(({ lot }) => lot))],
    cursor: rest.length > page.length ? (page.at(-1)?.id ?? '') : '',
    partial: [...reader.partial],
  };
}

export interface HistoryAnswer extends Answered {
  readonly events: readonly Happening[];
}

/** The events of a thing and of the containers that it was in, only between ADD and DELETE. */
export async function history(store: EventStore, id: string, asked: Asked): Promise<HistoryAnswer> {
  const { asOf, cursor, rowsMax, limits } = asked;
  const reader = new Reader(store, limits, asOf);
  const life = await lifeOf(reader, reader.thing(id));
  const rest = cursor === '' ? life : life.filter((each) => placeOf(each) > cursor);
  const events = rest.slice(0, rowsMax);
  const last = events.at(-1);
  return {
    events,
    cursor: rest.length > events.length && last !== undefined ? placeOf(last) : '',
    partial: [...reader.partial],
  };
}

const placeOf = ({ time, event }: Happening): string => `${time} ${event}`;
