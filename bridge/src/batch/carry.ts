/** Decides for one record whether it can travel to the ledger, and on which lane. */
import { BATCH_BYTES_MAX, laneOf, recordBytes, type WireRecord } from '@shuttle/chaincode/wire';
import type { CarryRefusalCode } from '../errors.ts';
import type { SourceRecord } from '../values.ts';
import type { KeyExpression } from './key-expression.ts';

/** A record on its lane: carried with its wire form, or refused before it could travel. */
export type Carried =
  | { readonly kind: 'carried'; readonly lane: number; readonly wire: WireRecord }
  | { readonly kind: 'refused'; readonly lane: number; readonly code: CarryRefusalCode };

/**
 * The rules of the ledger's documents (UTF-8, JSON, sizes) are the chaincode's to judge, so that a
 * refusal stands on the ledger. Here only that is refused which has no way to get there.
 */
export function carry(
  record: SourceRecord,
  lanes: number,
  keyExpression: KeyExpression | null,
  batchBytesMax: number = BATCH_BYTES_MAX,
): Carried {
  const key = record.key ?? findKey(record, keyExpression);
  if (key === null) {
    return { kind: 'refused', lane: 0, code: 'KEY_MISSING' };
  }
  const lane = laneOf(key, lanes);
  const { offset, timestamp, value } = record;
  if (!Number.isSafeInteger(timestamp)) {
    return { kind: 'refused', lane, code: 'TIMESTAMP_INVALID' };
  }
  if (recordBytes({ key, value }) > batchBytesMax) {
    return { kind: 'refused', lane, code: 'RECORD_TOO_LARGE' };
  }
  return { kind: 'carried', lane, wire: { offset, timestamp, key, value } };
}

function findKey(record: SourceRecord, keyExpression: KeyExpression | null): Uint8Array | null {
  return record.value === null || keyExpression === null ? null : keyExpression.find(record.value);
}
