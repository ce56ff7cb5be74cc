/** Batches for tests, cut as a bridge would cut them. */
import {
  type BatchHeader,
  encodeHeader,
  encodeRecords,
  type LayoutSpec,
  laneOf,
  layoutDigest,
  RECORDS_TRANSIENT_KEY,
  sha256Hex,
  type WireRecord,
} from '../../chaincode/src/wire.ts';
import type { Call } from './stub-network.ts';

export const LAYOUT: LayoutSpec = {
  lanes: 1,
  hashVersion: 1,
  keyExpressionDigest: '',
  base: -1n,
};

/** The arguments of openPartition for stream "s", topic "t", partition 0. */
export function openCall(layout: LayoutSpec = LAYOUT, mspId = 'Org1MSP'): Call {
  const { lanes, hashVersion, keyExpressionDigest } = layout;
  return {
    fn: 'openPartition',
    args: ['s', 't', '0', '1', '0', `${lanes}`, `${hashVersion}`, keyExpressionDigest],
    mspId,
  };
}

/** A record; `value` is JSON text, raw bytes, or null to delete. */
export function record(
  offset: number | bigint,
  key: string | Uint8Array,
  value: string | Uint8Array | null,
): WireRecord {
  return {
    offset: BigInt(offset),
    timestamp: 1_600_000_000_000 + Number(offset),
    key: Buffer.from(key as string),
    value: value === null ? null : Buffer.from(value as string),
  };
}

/**
 * submitBatch with records that continue from `after`; `changes` replaces members of the header.
 */
export function batchCall(
  after: number | bigint,
  records: readonly WireRecord[],
  changes: Partial<BatchHeader> = {},
  layout: LayoutSpec = LAYOUT,
): Call {
  const bytes = encodeRecords(records);
  const [first] = records;
  const header: BatchHeader = {
    stream: 's',
    topic: 't',
    partition: 0,
    lane: first === undefined ? 0 : laneOf(first.key, layout.lanes),
    layout: layoutDigest(layout),
    after: BigInt(after),
    first: first?.offset ?? 0n,
    last: records.at(-1)?.offset ?? 0n,
    count: records.length,
    digest: sha256Hex(bytes),
    ...changes,
  };
  return {
    fn: 'submitBatch',
    args: [encodeHeader(header)],
    transient: { [RECORDS_TRANSIENT_KEY]: bytes },
  };
}
