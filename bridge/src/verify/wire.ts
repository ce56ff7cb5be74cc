/** Messages field by field, as views into the block: what is signed are bytes, not objects. */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { asBuffer } from '../block/proto.ts';

const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** Told of each field: its number, and its bytes or its integer. */
export interface OnField {
  readonly bytes?: (field: number, value: Buffer) => void;
  readonly integer?: (field: number, value: bigint) => void;
}

/**
 * Tells the fields of a message in their order; the last value of a field counts.
 *
 * @throws Error when the bytes are no message
 */
export function readFields(message: Uint8Array, { bytes, integer }: OnField): void {
  const reader = new BinaryReader(message);
  while (reader.pos < message.length) {
    const tag = reader.uint32();
    const field = tag >>> 3;
    if (field === 0) {
      throw new RangeError('a field has the number 0');
    }
    if ((tag & 7) === LENGTH_DELIMITED && bytes !== undefined) {
      bytes(field, asBuffer(reader.bytes()));
    } else if ((tag & 7) === VARINT && integer !== undefined) {
      integer(field, BigInt.asUintN(64, BigInt(reader.int64())));
    } else {
      reader.skip(tag & 7, field);
    }
  }
  if (reader.pos !== message.length) {
    throw new RangeError('a field ends behind its message');
  }
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
