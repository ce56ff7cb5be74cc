/**
 * Encodes records once, before kafkajs sees them: in the order of their headers, with their own
 * timestamps, cut into batches by bytes. Sending again sends the same bytes.
 */
import type { OutputHeader, OutputRecord } from '../values.ts';
import { varintBytes, varlongBytes, writeVarint, writeVarlong } from './bytes.ts';

const FIRST_BUFFER_BYTES = 64 * 1024;
/** A value as large as a block is not copied but sent from where it lies. */
const COPIED_BYTES_MAX = 64 * 1024;
/** Size of a record batch's own header. */
export const BATCH_HEADER_BYTES = 61;

/** The records of one batch of one partition; `length` is what kafkajs counts sequences by. */
export interface EncodedRecords {
  readonly length: number;
  /** The bytes of all records, one part after another. */
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
}

export interface BatchWriter {
  /** Adds a record; false when it does not fit any more (a first record always fits). */
  add(record: OutputRecord, now: number): boolean;
  end(): EncodedRecords;
}

type Payload = Uint8Array | string | null;

const payloadBytes = (value: Payload): number => {
  if (value === null) return -1;
  return typeof value === 'string' ? Buffer.byteLength(value) : value.length;
};

const sized = (bytes: number): number => varintBytes(bytes) + Math.max(0, bytes);

function writePayload(buffer: Buffer, start: number, value: Payload, bytes: number): number {
  const at = writeVarint(buffer, start, bytes);
  if (typeof value === 'string') {
    return at + buffer.write(value, at, bytes, 'utf8');
  }
  if (value !== null) {
    buffer.set(value, at);
  }
  return at + Math.max(0, bytes);
}

/** The value, if it is to be sent from where it lies. */
function largeOf(value: Payload): Uint8Array | null {
  return value instanceof Uint8Array && value.length > COPIED_BYTES_MAX ? value : null;
}

function headersBytes(headers: readonly OutputHeader[]): number {
  let bytes = varintBytes(headers.length);
  for (const { name, value } of headers) {
    bytes += sized(Buffer.byteLength(name)) + sized(payloadBytes(value));
  }
  return bytes;
}

function writeHeaders(buffer: Buffer, start: number, headers: readonly OutputHeader[]): number {
  let at = writeVarint(buffer, start, headers.length);
  for (const { name, value } of headers) {
    at = writePayload(buffer, at, name, Buffer.byteLength(name));
    at = writePayload(buffer, at, value, payloadBytes(value));
  }
  return at;
}

/** Collects records up to `bytesMax`, the header of the batch included. */
export function createBatchWriter(bytesMax: number): BatchWriter {
  let buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
  let at = 0;
  /** Where the part begins that is being written. */
  let from = 0;
  const parts: Uint8Array[] = [];
  /** Bytes of the parts that lie elsewhere. */
  let elsewhere = 0;
  let length = 0;
  let baseTimestamp = 0;
  let maxTimestamp = 0;

  const ensure = (bytes: number): void => {
    if (at + bytes > buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, at + bytes));
      buffer.copy(larger, 0, 0, at);
      buffer = larger;
    }
  };

  /** Ends the part that is being written. Its buffer may be replaced, so it is cut out by then. */
  const cut = (): void => {
    if (at > from) {
      parts.push(buffer.subarray(from, at));
      from = at;
    }
  };

  /** Writes a value's length, and the value by reference. */
  const point = (value: Uint8Array): number => {
    at = writeVarint(buffer, at, value.length);
    cut();
    parts.push(value);
    elsewhere += value.length;
    return at;
  };

  const add = (record: OutputRecord, now: number): boolean => {
    const timestamp = record.timestamp ?? now;
    const delta = length === 0 ? 0 : timestamp - baseTimestamp;
    const keyBytes = payloadBytes(record.key);
    const valueBytes = payloadBytes(record.value);
    const bytes =
      1 +
      varlongBytes(delta) +
      varintBytes(length) +
      sized(keyBytes) +
      sized(valueBytes) +
      headersBytes(record.headers);
    if (length > 0 && BATCH_HEADER_BYTES + at + elsewhere + sized(bytes) > bytesMax) {
      return false;
    }
    const { value } = record;
    const large = largeOf(value);
    ensure(sized(bytes) - (large?.length ?? 0));
    at = writeVarint(buffer, at, bytes);
    buffer[at++] = 0;
    at = writeVarlong(buffer, at, delta);
    at = writeVarint(buffer, at, length);
    at = writePayload(buffer, at, record.key, keyBytes);
    at = large === null ? writePayload(buffer, at, value, valueBytes) : point(large);
    at = writeHeaders(buffer, at, record.headers);
    baseTimestamp = length === 0 ? timestamp : baseTimestamp;
    maxTimestamp = length === 0 ? timestamp : Math.max(maxTimestamp, timestamp);
    length++;
    return true;
  };

  const end = (): EncodedRecords => {
    cut();
    return { length, parts, bytes: at + elsewhere, baseTimestamp, maxTimestamp };
  };

  return { add, end };
}

/** Bytes of a batch that holds this record alone, before compression. */
export function encodedBytes(record: OutputRecord, now: number): number {
  const writer = createBatchWriter(0);
  writer.add(record, now);
  return BATCH_HEADER_BYTES + writer.end().bytes;
}
