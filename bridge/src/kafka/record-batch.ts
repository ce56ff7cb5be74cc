/**
 * Decodes record batches (Kafka's message format 2) for readers of committed records only.
 *
 * Which records were aborted is decided as Kafka's own consumer decides it: the aborted
 * transactions in order of their first offset, and the end of one by the control flag of a batch,
 * never by what a record looks like.
 */
import { ShuttleError } from '../errors.ts';
import { KAFKA_BATCH_RECORDS_MAX } from '../limits.ts';
import type { RecordHeader, SourceRecord } from '../values.ts';
import { Cursor } from './bytes.ts';
import { CODEC_NONE, decompress } from './codecs.ts';
import { crc32c } from './crc32c.ts';

const HEADER_BYTES = 61;
const BASE_OFFSET_AND_LENGTH_BYTES = 12;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const BASE_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;
const PRODUCER_ID_AT = 43;
const COUNT_AT = 57;

const CODEC_MASK = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const CONTROL_ABORT = 0;

const NO_HEADERS: readonly RecordHeader[] = Object.freeze([]);

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

export interface DecodedRecords {
  readonly records: SourceRecord[];
  /** The offset behind the last batch that is there whole; null when there is none. */
  readonly next: bigint | null;
}

interface Batch {
  readonly bytes: Buffer;
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly attributes: number;
  readonly producerId: bigint;
}

/** The next whole batch at `at`; null when the rest was cut off by the size limit of the fetch. */
function batchAt(set: Buffer, at: number): Batch | null {
  if (set.length - at < BASE_OFFSET_AND_LENGTH_BYTES) {
    return null;
  }
  const end = at + BASE_OFFSET_AND_LENGTH_BYTES + set.readInt32BE(at + 8);
  if (end > set.length) {
    return null;
  }
  const bytes = set.subarray(at, end);
  if (bytes.length < HEADER_BYTES || bytes.readInt8(MAGIC_AT) !== 2) {
    throw new ShuttleError(
      'TOPIC_UNFIT',
      'The partition holds records in a format from before Kafka 0.11.',
    );
  }
  const baseOffset = bytes.readBigInt64BE(0);
  return {
    bytes,
    baseOffset,
    lastOffset: baseOffset + BigInt(bytes.readInt32BE(LAST_OFFSET_DELTA_AT)),
    attributes: bytes.readInt16BE(ATTRIBUTES_AT),
    producerId: bytes.readBigInt64BE(PRODUCER_ID_AT),
  };
}

function checkCrc(batch: Batch): void {
  if (crc32c(batch.bytes.subarray(ATTRIBUTES_AT)) !== batch.bytes.readUInt32BE(CRC_AT)) {
    throw new ShuttleError('KAFKA_UNREACHABLE', 'A record batch arrived damaged (CRC-32C).', {
      at: { offset: batch.baseOffset },
    });
  }
}

function isAbortMarker(batch: Batch): boolean {
  const record = new Cursor(batch.bytes, HEADER_BYTES);
  record.varint();
  record.int8();
  record.varlong();
  record.varint();
  const key = record.varbytes();
  return key !== null && key.length >= 4 && key.readInt16BE(2) === CONTROL_ABORT;
}

function readHeaders(cursor: Cursor): readonly RecordHeader[] {
  const count = cursor.varint();
  if (count <= 0) {
    return NO_HEADERS;
  }
  const headers: RecordHeader[] = [];
  for (let i = 0; i < count; i++) {
    const name = cursor.take(cursor.varint()).toString('utf8');
    headers.push({ name, value: cursor.varbytes() });
  }
  return headers;
}

/** Adds the batch's records unless they are filtered; an error always names the batch. */
async function readBatch(
  batch: Batch,
  isFiltered: (batch: Batch) => boolean,
  into: SourceRecord[],
): Promise<void> {
  try {
    if (!isFiltered(batch)) {
      const codec = batch.attributes & CODEC_MASK;
      const body = batch.bytes.subarray(HEADER_BYTES);
      readRecords(batch, codec === CODEC_NONE ? body : await decompress(codec, body), into);
    }
  } catch (error) {
    if (error instanceof ShuttleError) {
      throw error;
    }
    const why = error instanceof Error ? error.message : String(error);
    throw new ShuttleError(
      'TOPIC_UNFIT',
      `The record batch at offset ${batch.baseOffset} cannot be read: ${why}.`,
      { cause: error, at: { offset: batch.baseOffset } },
    );
  }
}

function readRecords(batch: Batch, body: Buffer, into: SourceRecord[]): void {
  const cursor = new Cursor(body);
  const count = batch.bytes.readInt32BE(COUNT_AT);
  if (count > KAFKA_BATCH_RECORDS_MAX) {
    throw new RangeError(`it tells of ${count} records`);
  }
  const appended = (batch.attributes & LOG_APPEND_TIME) !== 0;
  const base = Number(batch.bytes.readBigInt64BE(BASE_TIMESTAMP_AT));
  const max = Number(batch.bytes.readBigInt64BE(MAX_TIMESTAMP_AT));
  for (let i = 0; i < count; i++) {
    cursor.varint(); // The record's length; its fields tell the same.
    cursor.at++; // Attributes of a record are not in use.
    const timestamp = cursor.varlong();
    const offset = batch.baseOffset + BigInt(cursor.varint());
    into.push({
      offset,
      timestamp: appended ? max : base + timestamp,
      key: cursor.varbytes(),
      value: cursor.varbytes(),
      headers: readHeaders(cursor),
    });
  }
}

/** Decides batch by batch, in order of offsets, whether its records were aborted. */
function createAbortFilter(aborted: readonly AbortedTransaction[]): (batch: Batch) => boolean {
  // Brokers list aborted transactions by their last offset.
  const ahead = [...aborted].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const open = new Set<bigint>();
  let from = 0;
  return (batch) => {
    for (let next = ahead[from]; next && next.firstOffset <= batch.lastOffset; next = ahead[from]) {
      open.add(next.producerId);
      from++;
    }
    if ((batch.attributes & CONTROL) !== 0) {
      if (isAbortMarker(batch)) {
        open.delete(batch.producerId);
      }
      return true;
    }
    return (batch.attributes & TRANSACTIONAL) !== 0 && open.has(batch.producerId);
  };
}

/**
 * The committed records of a fetched record set, and how far it reaches. The set may begin with
 * records from before the offset that was asked for: a broker sends whole batches.
 *
 * @throws ShuttleError CODEC_MISSING, KAFKA_UNREACHABLE (CRC), TOPIC_UNFIT (message format 0 or 1,
 * or bytes that are no records, or become too many)
 */
export async function decodeRecords(
  set: Buffer,
  aborted: readonly AbortedTransaction[],
): Promise<DecodedRecords> {
  const records: SourceRecord[] = [];
  const isFiltered = createAbortFilter(aborted);
  let next: bigint | null = null;
  let at = 0;
  for (let batch = batchAt(set, at); batch !== null; batch = batchAt(set, at)) {
    at += batch.bytes.length;
    checkCrc(batch);
    await readBatch(batch, isFiltered, records);
    next = batch.lastOffset + 1n;
  }
  return { records, next };
}
