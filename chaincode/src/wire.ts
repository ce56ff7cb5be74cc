/**
 * The wire format between bridge and chaincode: batch header, records, receipt, lanes and limits.
 *
 * Pure, without any Fabric import, because both ends import it: a rule that stands here once cannot
 * be guessed differently on the two sides. The ledger's own values are in envelope.ts and
 * ledger.ts.
 */
import { createHash, hash as digestOf } from 'node:crypto';

/** Bumped when a batch of the old format would be misread; the chaincode refuses other versions. */
export const WIRE_VERSION = 1;

/** Key in the transient map under which a batch's records travel. */
export const RECORDS_TRANSIENT_KEY = 'records';

/** Hard limits of the protocol. Configuration may only lower them. */
export const KEY_BYTES_MAX = 512;
export const DOCUMENT_BYTES_MAX = 1024 * 1024;
export const BATCH_RECORDS_MAX = 5_000;
export const BATCH_BYTES_MAX = 8 * 1024 * 1024;
export const LANES_MAX = 256;
export const NAME_BYTES_MAX = 249;
/** All claims of a channel together: every transaction that writes documents reads them. */
export const CLAIMS_BYTES_MAX = 64 * 1024;
/** The sentence of one refusal by a contract's own rule; longer ones are cut. */
export const RULE_SENTENCE_BYTES_MAX = 256;
/** Names and sentences of all such refusals that one watermark keeps; more are left out. */
export const RULES_BYTES_MAX = 128 * 1024;

/** The name of a contract's own rule. */
export const RULE_NAME = /^[A-Z][A-Z0-9_]{0,63}$/;

/** Identifies how a record key chooses its lane; part of the layout. */
export const LANE_HASH_VERSION = 1;

/** Codes that refuse one record; the rest of its batch goes on. */
export type RecordRefusalCode =
  | 'KEY_EMPTY'
  | 'KEY_TOO_LONG'
  | 'KEY_NOT_UTF8'
  | 'KEY_RESERVED'
  | 'KEY_CLAIMED'
  | 'VALUE_NOT_UTF8'
  | 'VALUE_NOT_JSON'
  | 'VALUE_TOO_LARGE'
  | 'RULE_REFUSED'
  | 'RULE_FAILED';

/** Codes that refuse a whole transaction; nothing of it is written. */
export type TransactionRefusalCode =
  | 'GAP'
  | 'REPEATED'
  | 'LAYOUT_MISMATCH'
  | 'LAYOUT_MISSING'
  | 'NOT_DRAINED'
  | 'OLDER_PARTITIONS'
  | 'LANE_MISMATCH'
  | 'DIGEST_MISMATCH'
  | 'BATCH_INVALID'
  | 'ARGUMENT_INVALID'
  | 'ADMIN_REQUIRED'
  | 'CLAIM_TAKEN'
  | 'CLAIMS_FULL'
  | 'NOT_FOUND';

export type RefusalCode = RecordRefusalCode | TransactionRefusalCode;

/** One sentence for each record refusal: what people read in a dead letter. */
export const RECORD_REFUSALS: Readonly<Record<RecordRefusalCode, string>> = {
  KEY_EMPTY: 'The record key is empty.',
  KEY_TOO_LONG: `The record key is longer than ${KEY_BYTES_MAX} bytes.`,
  KEY_NOT_UTF8: 'The record key is not valid UTF-8.',
  KEY_RESERVED: 'The record key starts with U+0000 or "_", which Fabric keeps for itself.',
  KEY_CLAIMED: 'Another organisation has claimed the keys that start like this one.',
  VALUE_NOT_UTF8: 'The record value is not valid UTF-8.',
  VALUE_NOT_JSON: 'The record value is not valid JSON.',
  VALUE_TOO_LARGE: `The record value is larger than ${DOCUMENT_BYTES_MAX} bytes.`,
  RULE_REFUSED: "The contract's own rule refused the record.",
  RULE_FAILED: "The contract's own rule failed on the record; the chaincode's log tells where.",
};

/**
 * A Kafka record as it travels: `timestamp` in ms since the epoch, `value` null deletes the key.
 */
export interface WireRecord {
  readonly offset: bigint;
  readonly timestamp: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** How a partition is cut into lanes; written once by openPartition. */
export interface LayoutSpec {
  readonly lanes: number;
  readonly hashVersion: number;
  /** SHA-256 (hex) of the key expression, or '' when the record's own key is used. */
  readonly keyExpressionDigest: string;
  /** Every lane's watermark counts as at least this offset; -1 for a new partition. */
  readonly base: bigint;
}

/** The argument of submitBatch. Offsets are decimal strings in its JSON. */
export interface BatchHeader {
  readonly stream: string;
  readonly topic: string;
  readonly partition: number;
  readonly lane: number;
  /** layoutDigest() of the layout that the batch was cut under. */
  readonly layout: string;
  /** The watermark that this batch continues from. */
  readonly after: bigint;
  readonly first: bigint;
  readonly last: bigint;
  readonly count: number;
  /** SHA-256 (hex) of the encoded records. */
  readonly digest: string;
}

/** What a contract's own rule said when it refused a record. */
export interface RuleRefusal {
  /** The rule's name, as RULE_NAME has it. */
  readonly name: string;
  /** For people, RULE_SENTENCE_BYTES_MAX at most. */
  readonly sentence: string;
}

/** One refused record of a committed batch. */
export interface Rejection {
  readonly offset: bigint;
  /** A RecordRefusalCode, or one that a later version of the chaincode has. */
  readonly code: string;
  /** With RULE_REFUSED, unless it was left out for its size. */
  readonly rule?: RuleRefusal;
}

/** What a committed batch answers: exceptions only, because the block stores it. */
export interface BatchReceipt {
  /** The lane's new watermark. */
  readonly offset: bigint;
  readonly applied: number;
  readonly rejections: readonly Rejection[];
}

const OFFSET_MAX = 2n ** 63n - 1n;
const REFUSAL_CODE = /^[A-Z][A-Z0-9_]{0,63}$/;
const RECORD_FIXED_BYTES = 8 + 8 + 4 + 4;
const NULL_LENGTH = 0xffffffff;

/** Bytes that one record takes inside an encoded batch. */
export function recordBytes(record: { key: Uint8Array; value: Uint8Array | null }): number {
  return RECORD_FIXED_BYTES + record.key.length + (record.value?.length ?? 0);
}

/**
 * Encodes records one after another: offset (i64), timestamp (i64), key length (u32), key,
 * value length (u32, all ones for null), value. Big-endian.
 */
export function encodeRecords(records: readonly WireRecord[]): Buffer {
  let size = 0;
  for (const record of records) {
    size += recordBytes(record);
  }
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  for (const record of records) {
    out.writeBigInt64BE(record.offset, at);
    writeInt64(out, record.timestamp, at + 8);
    out.writeUInt32BE(record.key.length, at + 16);
    out.set(record.key, at + 20);
    at += 20 + record.key.length;
    out.writeUInt32BE(record.value === null ? NULL_LENGTH : record.value.length, at);
    at += 4;
    if (record.value !== null) {
      out.set(record.value, at);
      at += record.value.length;
    }
  }
  return out;
}

/**
 * Decodes what encodeRecords wrote; keys and values are views into `bytes`, not copies.
 *
 * @throws RangeError when the bytes end in the middle of a record
 */
export function decodeRecords(bytes: Uint8Array): WireRecord[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const records: WireRecord[] = [];
  let at = 0;
  while (at < view.length) {
    const keyLength = at + RECORD_FIXED_BYTES > view.length ? 0 : view.readUInt32BE(at + 16);
    const keyEnd = at + 20 + keyLength;
    const valueStart = keyEnd + 4;
    if (valueStart > view.length) {
      throw cutOff(view.length);
    }
    const valueLength = view.readUInt32BE(keyEnd);
    const end = valueLength === NULL_LENGTH ? valueStart : valueStart + valueLength;
    if (end > view.length) {
      throw cutOff(view.length);
    }
    const offset = view.readBigInt64BE(at);
    const timestamp = readInt64(view, at + 8);
    records.push({
      offset,
      timestamp,
      key: view.subarray(at + 20, keyEnd),
      value: valueLength === NULL_LENGTH ? null : view.subarray(valueStart, end),
    });
    at = end;
  }
  return records;
}

// An error of one's own, because the engine's differ between versions.
function cutOff(length: number): RangeError {
  return new RangeError(`records end at byte ${length}, in the middle of a record`);
}

// Timestamps are safe integers of milliseconds; two halves avoid one bigint per record.
function writeInt64(out: Buffer, value: number, at: number): void {
  out.writeInt32BE(Math.floor(value / 2 ** 32), at);
  out.writeUInt32BE(value >>> 0, at + 4);
}

function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

/** SHA-256 in lower-case hex. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * The lane of a document key: the first 8 bytes of its SHA-256 as an unsigned integer, modulo
 * `lanes`. Not Kafka's murmur2: with the partitioner's own hash, lanes would be skewed. Lane 0 for
 * a record without a key, which only waits there to be refused.
 */
export function laneOf(key: Uint8Array, lanes: number): number {
  if (key.length === 0) {
    return 0;
  }
  const hash = digestOf('sha256', key, 'buffer');
  const high = hash.readUInt32BE(0) % lanes;
  const low = hash.readUInt32BE(4) % lanes;
  return (high * (2 ** 32 % lanes) + low) % lanes;
}

/** The digest by which a batch names the layout that it was cut under. */
export function layoutDigest(layout: LayoutSpec): string {
  return sha256Hex(
    JSON.stringify([
      layout.lanes,
      layout.hashVersion,
      layout.keyExpressionDigest,
      layout.base.toString(),
    ]),
  );
}

/**
 * The short id of a partition in envelopes and state keys: the first 6 bytes of the SHA-256 of its
 * identity, as 8 characters of base64url. The layout under it holds the identity in full.
 */
export function shortId(stream: string, topic: string, partition: number, mspId: string): string {
  const identity = JSON.stringify([stream, topic, partition, mspId]);
  return createHash('sha256').update(identity).digest().subarray(0, 6).toString('base64url');
}

export function encodeHeader(header: BatchHeader): string {
  return JSON.stringify({
    v: WIRE_VERSION,
    stream: header.stream,
    topic: header.topic,
    partition: header.partition,
    lane: header.lane,
    layout: header.layout,
    after: header.after.toString(),
    first: header.first.toString(),
    last: header.last.toString(),
    count: header.count,
    digest: header.digest,
  });
}

/** @throws TypeError naming the member that is missing or of another type */
export function decodeHeader(json: string): BatchHeader {
  const raw = parseObject(json, 'header');
  if (raw.v !== WIRE_VERSION) {
    throw new TypeError(`header.v is not ${WIRE_VERSION}`);
  }
  return {
    stream: text(raw, 'stream'),
    topic: text(raw, 'topic'),
    partition: natural(raw, 'partition'),
    lane: natural(raw, 'lane'),
    layout: text(raw, 'layout'),
    after: integer(raw, 'after'),
    first: integer(raw, 'first'),
    last: integer(raw, 'last'),
    count: natural(raw, 'count'),
    digest: text(raw, 'digest'),
  };
}

export function encodeReceipt(receipt: BatchReceipt): string {
  return JSON.stringify({
    offset: receipt.offset.toString(),
    applied: receipt.applied,
    rejections: encodeRejections(receipt.rejections),
  });
}

/** @throws TypeError naming the member that is missing or of another type */
export function decodeReceipt(json: string): BatchReceipt {
  const raw = parseObject(json, 'receipt');
  return {
    offset: integer(raw, 'offset'),
    applied: natural(raw, 'applied'),
    rejections: decodeRejections(raw.rejections),
  };
}

/** Each as [offset, code], or [offset, code, rule's name, sentence]. */
export function encodeRejections(rejections: readonly Rejection[]): readonly string[][] {
  return rejections.map(({ offset, code, rule }) =>
    rule === undefined
      ? [offset.toString(), code]
      : [offset.toString(), code, rule.name, rule.sentence],
  );
}

/** @throws TypeError when one is not what encodeRejections() writes */
export function decodeRejections(raw: unknown): Rejection[] {
  if (!Array.isArray(raw)) {
    throw new TypeError('rejections is not an array');
  }
  return raw.map((each: unknown) => {
    const [offset, code, name, sentence] = Array.isArray(each) ? (each as unknown[]) : [];
    if (typeof code !== 'string' || !REFUSAL_CODE.test(code)) {
      throw new TypeError('a rejection is not [offset, code]');
    }
    const refused = { offset: integer({ offset }, 'offset'), code };
    return name === undefined ? refused : { ...refused, rule: decodeRule(name, sentence) };
  });
}

function decodeRule(name: unknown, sentence: unknown): RuleRefusal {
  if (typeof name !== 'string' || typeof sentence !== 'string' || !RULE_NAME.test(name)) {
    throw new TypeError('a rejection does not end with the name and the sentence of a rule');
  }
  return { name, sentence: boundedSentence(sentence) };
}

/**
 * A sentence as it may stand in receipts, dead letters and terminals: without control characters,
 * and cut between two characters to RULE_SENTENCE_BYTES_MAX.
 */
export function boundedSentence(sentence: string): string {
  // Of Unicode's tables this class alone never changes, so all versions of the engine agree.
  const bytes = Buffer.from(sentence.replace(/\p{Cc}/gu, ' '));
  let end = Math.min(bytes.length, RULE_SENTENCE_BYTES_MAX);
  while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) {
    end--;
  }
  return bytes.toString('utf8', 0, end);
}

/** Parses a JSON object. @throws TypeError when it is not one */
export function parseObject(json: string, name: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new TypeError(`${name} is not JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`${name} is not a JSON object`);
  }
  return value as Record<string, unknown>;
}

/** A member that is a string. */
export function text(raw: Record<string, unknown>, name: string): string {
  const value = raw[name];
  if (typeof value !== 'string') {
    throw new TypeError(`${name} is not a string`);
  }
  return value;
}

/** A member that is a whole number, not negative. */
export function natural(raw: Record<string, unknown>, name: string): number {
  const value = raw[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new TypeError(`${name} is not a whole number`);
  }
  return value;
}

/** A member that is an offset as a decimal string: -1 or more, and at most 64 bits. */
export function integer(raw: Record<string, unknown>, name: string): bigint {
  const value = raw[name];
  const offset = typeof value === 'string' ? parseOffset(value) : null;
  if (offset === null) {
    throw new TypeError(`${name} is not a decimal string`);
  }
  return offset;
}

/** An offset of -1 or more in decimal digits; null when the text is not one or exceeds 64 bits. */
export function parseOffset(text: string): bigint | null {
  if (!/^(?:-1|0|[1-9][0-9]{0,18})$/.test(text)) {
    return null;
  }
  const offset = BigInt(text);
  return offset > OFFSET_MAX ? null : offset;
}
