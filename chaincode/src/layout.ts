/** The layout of a partition: what openPartition may write, and where it stands on the ledger. */
import { decodeLayout, encodeLayout, LAYOUT_TYPE, type Layout } from './ledger.ts';
import { Refusal } from './refusal.ts';
import type { State } from './state.ts';
import { LANE_HASH_VERSION, LANES_MAX, NAME_BYTES_MAX, shortId } from './wire.ts';

const PARTITION_MAX = 2 ** 31 - 1;

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
  return stored === null ? null : decodeLayout(Buffer.from(stored).toString('utf8'));
}

export function writeLayout(state: State, id: string, layout: Layout): void {
  state.put(layoutKey(state, id), Buffer.from(encodeLayout(layout)));
}

function layoutKey(state: State, id: string): string {
  return state.compositeKey(LAYOUT_TYPE, [id]);
}

/** Whether a layout is that of the partition, and not of another one with the same short id. */
export function belongsTo(layout: Layout, identity: PartitionIdentity): boolean {
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
 * The layout that openPartition is asked to write.
 *
 * @throws Refusal ARGUMENT_INVALID, or LAYOUT_MISMATCH for a hash that this chaincode does not know
 */
export function parseLayout(
  identity: PartitionIdentity,
  lanes: string,
  hashVersion: string,
  keyExpressionDigest: string,
): Layout {
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
    ...identity,
    lanes: parseWhole('lanes', lanes, 1, LANES_MAX),
    hashVersion: version,
    keyExpressionDigest,
    base: -1n,
  };
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
