/** Messages field by field, as views into the block: what is signed are bytes, not objects. */
import { asBuffer } from '../block/proto.ts';

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;
const FIELD_MAX = 2 ** 29 - 1;

/** Told of each field: its number, and its bytes or its integer. */
export interface OnField {
  readonly bytes?: (field: number, value: Buffer) => void;
  readonly integer?: (field: number, value: bigint) => void;
}

/** Told of each field where its bytes are, for who does not need a view of them. */
export interface OnRange {
  readonly bytes?: (field: number, start: number, end: number) => void;
  readonly integer?: (field: number, value: bigint) => void;
}

/**
 * Tells the fields of a message in their order; the last value of a field counts.
 *
 * @throws Error when the bytes are no message
 */
export function readFields(message: Uint8Array, { bytes, integer }: OnField): void {
  const buffer = asBuffer(message);
  readRanges(buffer, 0, buffer.length, {
    bytes: (field, start, end) => bytes?.(field, buffer.subarray(start, end)),
    ...(integer === undefined ? {} : { integer }),
  });
}

/**
 * The same for a message from `start` to `end`. A block has hundreds of thousands of small ones, so
 * that nothing is made for each.
 */
export function readRanges(
  buffer: Buffer,
  start: number,
  end: number,
  { bytes, integer }: OnRange,
): void {
  const cursor = { at: start, end };
  while (cursor.at < end) {
    const tag = readUvarint(buffer, cursor);
    const field = Math.floor(tag / 8);
    const type = tag % 8;
    if (field === 0 || field > FIELD_MAX) {
      throw new RangeError(`a field has the number ${field}`);
    }
    if (type === LENGTH_DELIMITED) {
      const length = readUvarint(buffer, cursor);
      const from = cursor.at;
      advance(cursor, length);
      bytes?.(field, from, cursor.at);
    } else if (type === VARINT) {
      const value = readUvarint64(buffer, cursor);
      integer?.(field, value);
    } else if (type === FIXED_64 || type === FIXED_32) {
      advance(cursor, type === FIXED_64 ? 8 : 4);
    } else {
      throw new RangeError(`a field has the wire type ${type}`);
    }
  }
}

interface Cursor {
  at: number;
  readonly end: number;
}

function advance(cursor: Cursor, length: number): void {
  cursor.at += length;
  if (cursor.at > cursor.end) {
    throw new RangeError('a field ends behind its message');
  }
}

/** Of a tag or a length, which have at most 32 bits. */
function readUvarint(buffer: Buffer, cursor: Cursor): number {
  let value = 0;
  for (let scale = 1; scale < 2 ** 35; scale *= 0x80) {
    const byte = buffer[cursor.at];
    if (byte === undefined || cursor.at >= cursor.end) {
      break;
    }
    cursor.at += 1;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80 && value < 2 ** 32) {
      return value;
    }
  }
  throw new RangeError('a number does not end');
}

function readUvarint64(buffer: Buffer, cursor: Cursor): bigint {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = buffer[cursor.at];
    if (byte === undefined || cursor.at >= cursor.end) {
      break;
    }
    cursor.at += 1;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) {
      return BigInt.asUintN(64, value);
    }
  }
  throw new RangeError('a number does not end');
}

const NONE: Buffer = Buffer.alloc(0);

/** The last value of a bytes field; empty when absent. */
export function bytesField(message: Uint8Array, wanted: number): Buffer {
  let found = NONE;
  readFields(message, {
    bytes: (field, value) => {
      found = field === wanted ? value : found;
    },
  });
  return found;
}

/** The last values of the bytes fields 1 to `count`; empty where absent. */
export function bytesFields(message: Uint8Array, count: number): Buffer[] {
  const found = Array.from({ length: count }, () => NONE);
  readFields(message, {
    bytes: (field, value) => {
      if (field <= count) {
        found[field - 1] = value;
      }
    },
  });
  return found;
}

/** All values of a repeated bytes field. */
export function repeatedField(message: Uint8Array, wanted: number): Buffer[] {
  const found: Buffer[] = [];
  readFields(message, {
    bytes: (field, value) => {
      if (field === wanted) {
        found.push(value);
      }
    },
  });
  return found;
}

/** An unsigned integer in base 128, least group first. */
export function uvarint(value: number | bigint): Buffer {
  const groups: number[] = [];
  let rest = BigInt(value);
  do {
    const group = Number(rest & 0x7fn);
    rest >>= 7n;
    groups.push(rest === 0n ? group : group | 0x80);
  } while (rest > 0n);
  return Buffer.from(groups);
}

/** How many bytes `uvarint` takes for a length. */
export function uvarintBytes(value: number): number {
  return value < 0x80
    ? 1
    : value < 0x4000
      ? 2
      : value < 0x20_0000
        ? 3
        : value < 0x1000_0000
          ? 4
          : 5;
}

/** Length-delimited field; nothing when the value is empty, as proto3 has it. */
export function encodeBytes(field: number, value: Uint8Array): Buffer[] {
  return value.length === 0 ? [] : encodeItem(field, value);
}

/** The same, for an item of a repeated field, which stays when it is empty. */
export function encodeItem(field: number, value: Uint8Array): Buffer[] {
  return [uvarint((field << 3) | LENGTH_DELIMITED), uvarint(value.length), asBuffer(value)];
}

export function encodeInteger(field: number, value: bigint): Buffer[] {
  return value === 0n ? [] : [uvarint(field << 3), uvarint(value)];
}

/** A message field that is made of pieces, none of which is copied. */
export function encodeMessage(field: number, pieces: readonly Buffer[]): Buffer[] {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return [uvarint((field << 3) | LENGTH_DELIMITED), uvarint(length), ...pieces];
}

/** Where bytes differ first from pieces put together; null when they do not. */
export function firstDifference(bytes: Uint8Array, pieces: readonly Buffer[]): number | null {
  const whole = asBuffer(bytes);
  let at = 0;
  for (const piece of pieces) {
    const isSame = piece.buffer === whole.buffer && piece.byteOffset === whole.byteOffset + at;
    if (!isSame && !piece.equals(whole.subarray(at, at + piece.length))) {
      const rest = whole.subarray(at);
      const within = piece.findIndex((byte, index) => byte !== rest[index]);
      return at + Math.max(within, 0);
    }
    at += piece.length;
  }
  return at === whole.length ? null : at;
}
