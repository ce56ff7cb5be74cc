/** The batch that a transaction carries: its header's claims, checked against its records. */
import { Refusal } from './refusal.ts';
import type { State } from './state.ts';
import {
  BATCH_BYTES_MAX,
  BATCH_RECORDS_MAX,
  type BatchHeader,
  decodeHeader,
  decodeRecords,
  laneOf,
  RECORDS_TRANSIENT_KEY,
  sha256Hex,
  type WireRecord,
} from './wire.ts';

export interface Batch {
  readonly header: BatchHeader;
  /** At least one, in strictly ascending order of offset. */
  readonly records: readonly WireRecord[];
}

/**
 * Decodes a transaction's batch and checks everything about it that needs no ledger.
 *
 * @throws Refusal BATCH_INVALID, DIGEST_MISMATCH
 */
export function decodeBatch(headerJson: string, state: Pick<State, 'transient'>): Batch {
  const header = orInvalid(() => decodeHeader(headerJson));
  const bytes = state.transient(RECORDS_TRANSIENT_KEY);
  if (bytes === null) {
    throw invalid(`The transient map has no "${RECORDS_TRANSIENT_KEY}".`);
  }
  if (bytes.length > BATCH_BYTES_MAX) {
    throw invalid(`The records take more than ${BATCH_BYTES_MAX} bytes.`);
  }
  if (sha256Hex(bytes) !== header.digest) {
    throw new Refusal('DIGEST_MISMATCH', "The records' SHA-256 is not the header's digest.");
  }
  const records = orInvalid(() => decodeRecords(bytes));
  checkRecords(header, records);
  return { header, records };
}

function checkRecords(header: BatchHeader, records: readonly WireRecord[]): void {
  const first = records.at(0)?.offset;
  const last = records.at(-1)?.offset;
  if (first === undefined || records.length > BATCH_RECORDS_MAX) {
    throw invalid(`The batch does not hold 1 to ${BATCH_RECORDS_MAX} records.`);
  }
  if (records.length !== header.count || first !== header.first || last !== header.last) {
    throw invalid('The header does not describe the records.');
  }
  if (header.after >= first) {
    throw invalid('The batch starts at or below the watermark that it continues from.');
  }
  let previous = -1n;
  for (const { offset, timestamp } of records) {
    if (offset <= previous) {
      throw invalid(`Offset ${offset} follows offset ${previous}.`);
    }
    // A timestamp stands as a number in the envelope, which must be readable everywhere.
    if (!Number.isSafeInteger(timestamp)) {
      throw invalid(`The timestamp at offset ${offset} is out of range.`);
    }
    previous = offset;
  }
}

function orInvalid<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    // The decoders throw sentences of their own, never the engine's.
    throw invalid(`The batch cannot be decoded: ${(error as Error).message}.`);
  }
}

function invalid(sentence: string): Refusal {
  return new Refusal('BATCH_INVALID', sentence);
}

/** @throws Refusal LANE_MISMATCH */
export function checkLanes({ header, records }: Batch, lanes: number): void {
  if (header.lane >= lanes) {
    throw new Refusal('LANE_MISMATCH', `The partition has ${lanes} lanes, no lane ${header.lane}.`);
  }
  for (const { key, offset } of records) {
    if (laneOf(key, lanes) !== header.lane) {
      throw new Refusal(
        'LANE_MISMATCH',
        `The record at offset ${offset} does not belong to lane ${header.lane}.`,
      );
    }
  }
}

/** Names the position in full, so that a reader of events needs no layout to place it. */
export function batchEvent({ header }: Batch, applied: number): Buffer {
  return Buffer.from(
    JSON.stringify({
      stream: header.stream,
      topic: header.topic,
      partition: header.partition,
      lane: header.lane,
      first: header.first.toString(),
      last: header.last.toString(),
      applied,
      rejected: header.count - applied,
    }),
  );
}
