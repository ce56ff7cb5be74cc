/** Where a page ends, as a text that its reader hands back for the next one. */
import type { Role } from './event.ts';
import type { EdgeKind, Found, NodeKind, WalkPosition } from './walk.ts';

const KINDS: readonly NodeKind[] = ['item', 'transformation', 'event', 'product', 'place'];
const EDGES: readonly EdgeKind[] = ['lot', 'contained', 'input', 'output', 'seen'];

/** @param question - what was asked: a cursor of another question is refused */
export function encodeCursor(question: readonly unknown[], position: WalkPosition): string {
  const { found, at, after, told } = position;
  const rows = found.map(({ id, kind, depth, via, by, from, to, again }) => {
    const way = [id, KINDS.indexOf(kind), depth, via ?? -1, by === null ? -1 : EDGES.indexOf(by)];
    // Most things are concerned at all times.
    return from === null && to === null && !again ? way : [...way, from ?? '', to ?? '', again];
  });
  const entry = after === null ? null : [after.time, after.role, after.eventKey];
  return JSON.stringify([question, at, told, entry, rows]);
}

/** @throws CursorError when it is none of this question's */
export function decodeCursor(question: readonly unknown[], text: string): WalkPosition {
  const [asked, at, told, entry, rows] = parsed(text);
  const isOne =
    JSON.stringify(asked) === JSON.stringify(question) &&
    isWhole(at) &&
    isWhole(told) &&
    (entry === null || isTexts(entry, 3)) &&
    Array.isArray(rows) &&
    at <= rows.length;
  if (!isOne) {
    throw new CursorError();
  }
  const found = (rows as unknown[]).map(foundOf);
  const [time = '', role = '', eventKey = ''] = (entry ?? []) as string[];
  const after = entry === null ? null : { time, role: role as Role, eventKey };
  return { found, at: at as number, after, told: told as number };
}

/** The cursor is not one of the question that it came with. */
export class CursorError extends RangeError {
  override readonly name = 'CursorError';
  constructor() {
    super('The cursor is not one of this question.');
  }
}

function parsed(text: string): readonly unknown[] {
  try {
    const raw: unknown = JSON.parse(text);
    return Array.isArray(raw) ? raw : [];
  } catch {
    throw new CursorError();
  }
}

function foundOf(row: unknown): Found {
  const [id, kind, depth, via, by, from = '', to = '', again = false] = Array.isArray(row)
    ? (row as unknown[])
    : [];
  const kindName = KINDS[kind as number];
  const isSpan = typeof from === 'string' && typeof to === 'string';
  if (typeof id !== 'string' || kindName === undefined || !isWhole(depth) || !isSpan) {
    throw new CursorError();
  }
  return {
    id,
    kind: kindName,
    depth,
    via: isWhole(via) ? via : null,
    by: EDGES[by as number] ?? null,
    from: from === '' ? null : from,
    to: to === '' ? null : to,
    again: again === true,
  };
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTexts(value: unknown, count: number): boolean {
  return (
    Array.isArray(value) &&
    value.length === count &&
    value.every((each) => typeof each === 'string')
  );
}
