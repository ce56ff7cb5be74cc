/**
 * A list in JSON, item by item, from pieces of a file: only the item that is being read is kept.
 *
 * Brackets and strings are followed just so far as to see where an item ends; each is parsed on
 * its own, so that one which is wrong is refused alone. Bytes suffice for that: in UTF-8 none of a
 * longer character looks like a bracket, a comma or a quote.
 */

export interface JsonItem {
  /** Where it starts, counted from 1. */
  readonly line: number;
  readonly bytes: Uint8Array;
  /** What is wrong with the list here; null where this is an item of it. */
  readonly problem: string | null;
}

export interface JsonItems {
  /** The items that are complete with these bytes; at the end, what is left. */
  push(bytes: Uint8Array, end: boolean): JsonItem[];
  /** Bytes of the item that is being read, and the line behind the last one. */
  pending(): { readonly length: number; readonly line: number };
}

const [LINE_FEED, QUOTE, BACKSLASH, COMMA] = [0x0a, 0x22, 0x5c, 0x2c];
const [LIST_START, LIST_END, OBJECT_START, OBJECT_END] = [0x5b, 0x5d, 0x7b, 0x7d];
const WHITE_SPACE = new Set([0x20, 0x09, LINE_FEED, 0x0d]);
const BYTE_ORDER_MARK = new Set([0xef, 0xbb, 0xbf]);

/** Whether what starts with these bytes is a list. */
export function startsList(bytes: Uint8Array): boolean {
  const first = bytes.find((byte) => !WHITE_SPACE.has(byte) && !BYTE_ORDER_MARK.has(byte));
  return first === LIST_START;
}

/** For bytes that start a list. */
export function createJsonItems(): JsonItems {
  const follow = createFollower();
  let rest: Buffer = Buffer.alloc(0);
  let line = 1;
  let isEnded = false;
  let count = 0;
  /** What is taken of the bytes now, without the white space before it. */
  const take = (bytes: Buffer, problem: string | null): JsonItem => {
    const start = bytes.findIndex((byte) => !WHITE_SPACE.has(byte));
    const own = Buffer.from(bytes.subarray(start < 0 ? bytes.length : start));
    const item = { line: line + feeds(bytes.subarray(0, Math.max(start, 0))), bytes: own, problem };
    line += feeds(bytes);
    return item;
  };
  const isEmpty = (bytes: Buffer) => bytes.every((byte) => WHITE_SPACE.has(byte));
  /** The item that ends here; none at the start of the list, or in one that is empty. */
  const cut = (what: 'start' | 'item' | 'end', piece: Buffer): JsonItem[] => {
    isEnded = what === 'end';
    if (what === 'start' || (isEnded && count === 0 && isEmpty(piece))) {
      line += feeds(piece);
      return [];
    }
    count += 1;
    return [take(piece, null)];
  };
  const finish = (): JsonItem[] => {
    if (!isEnded) {
      return [take(rest, 'The list has no end: the file may have been cut off.')];
    }
    return isEmpty(rest) ? [] : [take(rest, 'There is text behind the end of the list.')];
  };
  return {
    push(bytes, end) {
      const items: JsonItem[] = [];
      let from = 0;
      const scanned = rest.length;
      rest = Buffer.concat([rest, bytes]);
      for (let at = scanned; at < rest.length && !isEnded; at++) {
        const what = follow(rest[at] ?? 0);
        if (what !== null) {
          items.push(...cut(what, rest.subarray(from, at)));
          from = at + 1;
        }
      }
      rest = from === 0 ? rest : Buffer.from(rest.subarray(from));
      return end ? [...items, ...finish()] : items;
    },
    pending: () => ({ length: rest.length, line }),
  };
}

/** Tells of each byte whether the list starts or ends with it, or an item ends before it. */
function createFollower(): (byte: number) => 'start' | 'item' | 'end' | null {
  let depth = 0;
  let isString = false;
  let isEscaped = false;
  const inString = (byte: number) => {
    isString = isEscaped || byte !== QUOTE;
    isEscaped = !isEscaped && byte === BACKSLASH;
    return null;
  };
  const open = () => {
    depth += 1;
    return depth === 1 ? 'start' : null;
  };
  const close = () => {
    // One bracket too many is the item's fault, not the end of the list.
    depth = Math.max(1, depth - 1);
    return null;
  };
  return (byte) => {
    if (isString) {
      return inString(byte);
    }
    switch (byte) {
      case QUOTE:
        isString = true;
        return null;
      case LIST_START:
      case OBJECT_START:
        return open();
      case COMMA:
        return depth === 1 ? 'item' : null;
      case LIST_END:
        return depth === 1 ? 'end' : close();
      case OBJECT_END:
        return close();
      default:
        return null;
    }
  };
}

function feeds(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) {
    count += byte === LINE_FEED ? 1 : 0;
  }
  return count;
}
