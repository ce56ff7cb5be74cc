/**
 * Protobuf fields as views into the bytes that hold them.
 *
 * Blocks are walked, not decoded into objects: of a batch of 1,000 documents only the write set
 * matters, and generated classes copy every byte of it. Semantics are those of Fabric's Go decoder
 * (protobuf-go): the last value of a field wins, messages given twice are merged, and a known field
 * of another wire type is skipped as unknown.
 */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { ShuttleError } from '../errors.ts';

const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** What an absent bytes field reads as. */
export const EMPTY: Buffer = Buffer.alloc(0);

/** The tag of a bytes, string or message field. */
export const lengthDelimited = (field: number): number => (field << 3) | LENGTH_DELIMITED;

/** The tag of an integer, bool or enum field. */
export const varint = (field: number): number => (field << 3) | VARINT;

/**
 * Calls `onField` for each field up to `end`. It reads the value and answers true, or leaves the
 * reader where it is and answers false to have the field skipped.
 */
export function readFields(
  reader: BinaryReader,
  end: number,
  onField: (tag: number) => boolean,
): void {
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === 0) {
      throw new RangeError('a field has the number 0');
    }
    if (!onField(tag)) {
      reader.skip(tag & 7, tag >>> 3);
    }
  }
  if (reader.pos !== end) {
    throw new RangeError('a field ends behind the message that holds it');
  }
}

/** Reads a message field in place: its length, then its fields. */
export function readMessage(reader: BinaryReader, onField: (tag: number) => boolean): void {
  const length = reader.uint32();
  readFields(reader, reader.pos + length, onField);
}

/** Reads a whole message from bytes of its own. */
export function readBytes(
  bytes: Uint8Array,
  onField: (tag: number, reader: BinaryReader) => boolean,
): void {
  const reader = new BinaryReader(bytes);
  readFields(reader, bytes.length, (tag) => onField(tag, reader));
}

/** A view that cuts further views as Buffers, which the Kafka client takes without wrapping. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Runs a decoder over bytes that somebody else wrote.
 *
 * @throws ShuttleError BLOCK_INVALID for whatever the decoder throws
 */
export function decoding<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof ShuttleError) {
      throw error;
    }
    throw new ShuttleError('BLOCK_INVALID', `The bytes of ${what} cannot be decoded.`, {
      cause: error,
    });
  }
}
