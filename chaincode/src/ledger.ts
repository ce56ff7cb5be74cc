/**
 * The ledger's own entries beside documents: layouts, watermarks and claims, under composite keys
 * so that they never collide with documents. Pure: the bridge decodes the answers with it.
 */
import {
  decodeRejections,
  encodeRejections,
  integer,
  type LayoutSpec,
  natural,
  parseObject,
  type Rejection,
  text,
} from './wire.ts';

/** Object types of the composite keys. */
export const LAYOUT_TYPE = 'layout';
export const WATERMARK_TYPE = 'watermark';
export const CLAIMS_TYPE = 'claims';
export const TOPIC_TYPE = 'topic';

/** A partition's layout with its identity in full: what its short id stands for. */
export interface Layout extends LayoutSpec {
  readonly stream: string;
  readonly topic: string;
  readonly partition: number;
  readonly mspId: string;
}

/** The last record that a lane finished, applied or rejected. */
export interface Watermark {
  readonly offset: bigint;
  readonly txId: string;
  /** Timestamp (ms) and SHA-256 (hex, over its encoded bytes) of that record: its fingerprint. */
  readonly timestamp: number;
  readonly sha256: string;
  /** What that transaction rejected, so that a crash before the dead letter loses nothing. */
  readonly rejections: readonly Rejection[];
}

/** A key prefix under which one organisation, and those that it shares with, write documents. */
export interface Claim {
  readonly prefix: string;
  /** MSP id of the owner, who alone shares or releases it. */
  readonly mspId: string;
  /** MSP ids that may write too. */
  readonly shared: readonly string[];
}

/** The answer of getWatermarks; `watermarks` is by lane, null where the lane has none. */
export interface PartitionState {
  readonly layout: Layout | null;
  readonly watermarks: readonly (Watermark | null)[];
  /** How many partitions of the topic are older, and have to be drained before this one begins. */
  readonly older: number;
}

export function encodeLayout(layout: Layout): string {
  return JSON.stringify({
    stream: layout.stream,
    topic: layout.topic,
    partition: layout.partition,
    mspId: layout.mspId,
    lanes: layout.lanes,
    hashVersion: layout.hashVersion,
    keyExpressionDigest: layout.keyExpressionDigest,
    base: layout.base.toString(),
  });
}

/** @throws TypeError naming the member that is missing or of another type */
export function decodeLayout(json: string): Layout {
  const raw = parseObject(json, 'layout');
  return {
    stream: text(raw, 'stream'),
    topic: text(raw, 'topic'),
    partition: natural(raw, 'partition'),
    mspId: text(raw, 'mspId'),
    lanes: natural(raw, 'lanes'),
    hashVersion: natural(raw, 'hashVersion'),
    keyExpressionDigest: text(raw, 'keyExpressionDigest'),
    base: integer(raw, 'base'),
  };
}

export function encodeWatermark(watermark: Watermark): string {
  return JSON.stringify({
    offset: watermark.offset.toString(),
    txId: watermark.txId,
    timestamp: watermark.timestamp,
    sha256: watermark.sha256,
    rejections: encodeRejections(watermark.rejections),
  });
}

/** @throws TypeError naming the member that is missing or of another type */
export function decodeWatermark(json: string): Watermark {
  const raw = parseObject(json, 'watermark');
  const timestamp = raw.timestamp;
  if (typeof timestamp !== 'number' || !Number.isSafeInteger(timestamp)) {
    throw new TypeError('timestamp is not a whole number');
  }
  return {
    offset: integer(raw, 'offset'),
    txId: text(raw, 'txId'),
    timestamp,
    sha256: text(raw, 'sha256'),
    rejections: decodeRejections(raw.rejections),
  };
}

/** Joins the entries' own JSON; null for a lane without a watermark. */
export function encodePartitionState(
  layout: string | null,
  watermarks: readonly (string | null)[],
  older: number,
): string {
  const entries = watermarks.map((watermark) => watermark ?? 'null').join(',');
  return `{"layout":${layout ?? 'null'},"watermarks":[${entries}],"older":${older}}`;
}

/** @throws TypeError naming the member that is missing or of another type */
export function decodePartitionState(json: string): PartitionState {
  const raw = parseObject(json, 'partition state');
  const { layout, watermarks } = raw;
  if (!Array.isArray(watermarks)) {
    throw new TypeError('watermarks is not an array');
  }
  return {
    layout: layout === null ? null : decodeLayout(JSON.stringify(layout)),
    watermarks: watermarks.map((w: unknown) =>
      w === null ? null : decodeWatermark(JSON.stringify(w)),
    ),
    older: natural(raw, 'older'),
  };
}

export function encodeTopic(counts: readonly number[]): string {
  return JSON.stringify({ partitions: counts });
}

/** @throws TypeError when it is not a list of whole numbers */
export function decodeTopic(json: string): number[] {
  const { partitions } = parseObject(json, 'topic');
  const isCount = (count: unknown): count is number => Number.isSafeInteger(count);
  if (!Array.isArray(partitions) || !partitions.every(isCount)) {
    throw new TypeError('partitions is not a list of whole numbers');
  }
  return partitions;
}

/** All claims, in the order of their prefixes. */
export function encodeClaims(claims: readonly Claim[]): string {
  const entries = claims.map(({ prefix, mspId, shared }) => ({ prefix, mspId, shared }));
  return JSON.stringify({ claims: entries });
}

/** @throws TypeError naming the member that is missing or of another type */
export function decodeClaims(json: string): Claim[] {
  const { claims } = parseObject(json, 'claims');
  if (!Array.isArray(claims)) {
    throw new TypeError('claims is not an array');
  }
  return claims.map((each: unknown) => {
    const raw = (each ?? {}) as Record<string, unknown>;
    const { shared } = raw;
    const isText = (id: unknown): id is string => typeof id === 'string';
    if (!Array.isArray(shared) || !shared.every(isText)) {
      throw new TypeError('shared is not an array of strings');
    }
    return { prefix: text(raw, 'prefix'), mspId: text(raw, 'mspId'), shared };
  });
}
