/** A partition on the ledger: its layout, its lanes' watermarks, and what is asked of them. */
import { utf8Text } from './documents.ts';
import {
  decodeLayout,
  decodeWatermark,
  encodeLayout,
  LAYOUT_TYPE,
  type Layout,
  WATERMARK_TYPE,
  type Watermark,
} from './ledger.ts';
import { Refusal } from './refusal.ts';
import type { State } from './state.ts';
import {
  LANE_HASH_VERSION,
  LANES_MAX,
  type LayoutSpec,
  layoutDigest,
  NAME_BYTES_MAX,
  shortId,
} from './wire.ts';

const PARTITION_MAX = 2 ** 31 - 1;
const OFFSET_MAX = 2n ** 63n - 1n;

/** How a partition's records are spread over its lanes. */
export type Cut = Omit<LayoutSpec, 'base'>;

/** What a short id stands for. */
export interface PartitionIdentity {
  readonly stream: string;
  readonly topic: string;
  readonly partition: number;
  readonly mspId: string;
}

/** The short id of a partition, in envelopes and in state keys. */
export function partitionId(of: PartitionIdentity): string {
  return shortId(of.stream, of.topic, of.partition, of.mspId);
}

/** Reads the layout under a short id; null when the partition was never opened. */
export async function readLayout(state: State, id: string): Promise<Layout | null> {
  const stored = await state.get(layoutKey(state, id));
  return stored === null ? null : decodeLayout(utf8Text(stored));
}

export function writeLayout(state: State, id: string, layout: Layout): void {
  state.put(layoutKey(state, id), Buffer.from(encodeLayout(layout)));
}

function layoutKey(state: State, id: string): string {
  return state.compositeKey(LAYOUT_TYPE, [id]);
}

/** The key of a lane's watermark. */
export function laneKey(state: State, id: string, lane: number): string {
  return state.compositeKey(WATERMARK_TYPE, [id, lane.toString()]);
}

/** Reads a lane's watermark; null when the lane has finished nothing yet. */
export async function readLane(state: State, id: string, lane: number): Promise<Watermark | null> {
  const stored = await state.get(laneKey(state, id, lane));
  return stored === null ? null : decodeWatermark(utf8Text(stored));
}

function belongsTo(layout: Layout, identity: PartitionIdentity): boolean {
  return (
    layout.stream === identity.stream &&
    layout.topic === identity.topic &&
    layout.partition === identity.partition &&
    layout.mspId === identity.mspId
  );
}

/**
 * The identity of a partition from a transaction's arguments.
 *
 * @throws Refusal ARGUMENT_INVALID
 */
export function parseIdentity(
  stream: string,
  topic: string,
  partition: string,
  mspId: string,
): PartitionIdentity {
  checkName('stream', stream);
  checkName('topic', topic);
  return { stream, topic, partition: parseWhole('partition', partition, 0, PARTITION_MAX), mspId };
}

/**
 * The cut that openPartition or relane is asked for.
 *
 * @throws Refusal ARGUMENT_INVALID, or LAYOUT_MISMATCH for a hash that this chaincode does not know
 */
export function parseCut(lanes: string, hashVersion: string, keyExpressionDigest: string): Cut {
  const version = parseWhole('hashVersion', hashVersion, 0, Number.MAX_SAFE_INTEGER);
  if (version !== LANE_HASH_VERSION) {
    throw new Refusal(
      'LAYOUT_MISMATCH',
      `The lane hash version is ${version}; this chaincode knows ${LANE_HASH_VERSION} only.`,
    );
  }
  if (!/^(?:[0-9a-f]{64})?$/.test(keyExpressionDigest)) {
    throw new Refusal(
      'ARGUMENT_INVALID',
      'keyExpressionDigest is neither empty nor a SHA-256 in lower-case hex.',
    );
  }
  return {
    lanes: parseWhole('lanes', lanes, 1, LANES_MAX),
    hashVersion: version,
    keyExpressionDigest,
  };
}

/**
 * How many partitions a topic has, one of which is this one.
 *
 * @throws Refusal ARGUMENT_INVALID
 */
export function parsePartitions(partitions: string, { partition }: PartitionIdentity): number {
  return parseWhole('partitions', partitions, partition + 1, PARTITION_MAX);
}

/**
 * An offset in decimal digits.
 *
 * @throws Refusal ARGUMENT_INVALID
 */
export function parseOffset(name: string, text: string): bigint {
  const offset = /^(?:0|[1-9][0-9]{0,18})$/.test(text) ? BigInt(text) : OFFSET_MAX + 1n;
  if (offset > OFFSET_MAX) {
    throw new Refusal('ARGUMENT_INVALID', `${name} is not an offset from 0 to ${OFFSET_MAX}.`);
  }
  return offset;
}

/**
 * A whole number in decimal digits between two bounds, both included.
 *
 * @throws Refusal ARGUMENT_INVALID
 */
export function parseWhole(name: string, text: string, min: number, max: number): number {
  const value = /^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw new Refusal('ARGUMENT_INVALID', `${name} is not a whole number from ${min} to ${max}.`);
  }
  return value;
}

function checkName(name: string, text: string): void {
  const bytes = Buffer.byteLength(text);
  if (bytes === 0 || bytes > NAME_BYTES_MAX) {
    throw new Refusal('ARGUMENT_INVALID', `${name} is not 1 to ${NAME_BYTES_MAX} bytes long.`);
  }
}

/** @throws Refusal LAYOUT_MISSING, LAYOUT_MISMATCH */
export function requireOpened(layout: Layout | null, identity: PartitionIdentity): Layout {
  if (layout === null) {
    throw new Refusal(
      'LAYOUT_MISSING',
      'The partition was never opened by the submitting organisation.',
    );
  }
  requireOwn(layout, identity);
  return layout;
}

/** @throws Refusal LAYOUT_MISSING; LAYOUT_MISMATCH unless `digest` is the layout's own */
export function requireCut(
  stored: Layout | null,
  identity: PartitionIdentity,
  digest: string,
): Layout {
  const layout = requireOpened(stored, identity);
  if (layoutDigest(layout) !== digest) {
    throw new Refusal(
      'LAYOUT_MISMATCH',
      `The batch was cut under another layout than ${encodeLayout(layout)}.`,
    );
  }
  return layout;
}

/** @throws Refusal NOT_DRAINED */
export function requireBelow(drained: bigint, lane: number, finished: bigint): void {
  if (finished >= drained) {
    throw new Refusal(
      'NOT_DRAINED',
      `Lane ${lane} is finished up to offset ${finished}, which is not below ${drained}.`,
    );
  }
}

/**
 * Short ids have 48 bits: a collision is not to be expected, but must not mix two partitions up.
 *
 * @throws Refusal LAYOUT_MISMATCH
 */
export function requireOwn(layout: Layout, identity: PartitionIdentity): void {
  if (!belongsTo(layout, identity)) {
    throw new Refusal(
      'LAYOUT_MISMATCH',
      `The partition shares its short id with another one: ${encodeLayout(layout)}.`,
    );
  }
}
