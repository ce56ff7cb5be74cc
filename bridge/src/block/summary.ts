/** What the transactions topic tells of a transaction, valid or not. */
import type { BatchHeader } from '@shuttle/chaincode/wire';
import { ShuttleError } from '../errors.ts';
import { type Change, changesOf, sourceHeader } from './changes.ts';
import { ENDORSER_TRANSACTION, headerTypeName, VALID, validationCodeName } from './codes.ts';
import {
  type ChaincodeAction,
  type ChaincodeEvent,
  decodeAction,
  decodeTransactionHeader,
  type Timestamp,
  type TransactionHeader,
} from './transaction.ts';

/** A transaction with what it did. Null where an invalid one's bytes do not tell. */
export interface Transaction {
  readonly index: number;
  readonly code: number;
  readonly header: TransactionHeader | null;
  readonly action: ChaincodeAction | null;
  /** The batch header, when it is a submitBatch of the configured chaincode. */
  readonly source: BatchHeader | null;
  /** Empty unless the transaction is valid. */
  readonly changes: readonly Change[];
  /** Null unless the transaction is valid. */
  readonly event: ChaincodeEvent | null;
}

/**
 * Reads entry `index` of a block. An invalid transaction may be any bytes that somebody signed:
 * what cannot be read of it is left out. A valid one was read by every peer, so it must be
 * readable.
 *
 * @throws ShuttleError BLOCK_INVALID when a valid transaction cannot be decoded
 */
export function readTransaction(
  entry: Uint8Array,
  index: number,
  code: number,
  chaincode: string,
): Transaction {
  const strict = code === VALID;
  const header = lenient(strict, () => decodeTransactionHeader(entry));
  const endorsed = header?.type === ENDORSER_TRANSACTION;
  const action = endorsed ? lenient(strict, () => decodeAction(header.data)) : null;
  const source = action === null ? null : sourceHeader(action, chaincode);
  const effective = strict && header !== null && action !== null;
  return {
    index,
    code,
    header,
    action,
    source,
    changes: effective ? changesOf(action, chaincode, source, header.creatorMspId) : [],
    event: effective ? action.event : null,
  };
}

function lenient<T>(strict: boolean, read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (!strict && error instanceof ShuttleError) {
      return null;
    }
    throw error;
  }
}

/**
 * Longest text that is taken over from a transaction. An invalid one may name itself by megabytes,
 * which JSON makes six times as long: no topic would take the record, and publishing would end.
 */
const TEXT_CHARS_MAX = 256;

function bounded(text: string): string {
  return text.length <= TEXT_CHARS_MAX ? text : `${text.slice(0, TEXT_CHARS_MAX)}…`;
}

/** The transaction's id; empty when it has none, or one that is none of Fabric's. */
export function usableTxId({ header }: Transaction): string {
  const txId = header?.txId ?? '';
  return txId.length <= TEXT_CHARS_MAX ? txId : '';
}

/** The JSON value on the transactions topic. 64-bit numbers are decimal strings. */
export function summaryJson(channel: string, blockNumber: string, tx: Transaction): string {
  const { header, action, source } = tx;
  const timestamp = header?.timestamp ?? null;
  return JSON.stringify({
    transactionId: boundedOrNull(header?.txId),
    channel,
    blockNumber,
    index: tx.index,
    type: header === null ? null : headerTypeName(header.type),
    timestamp: timestamp === null ? null : timestampText(timestamp),
    valid: tx.code === VALID,
    validationCode: tx.code,
    validationCodeName: validationCodeName(tx.code),
    creatorMspId: boundedOrNull(header?.creatorMspId),
    chaincode: boundedOrNull(action?.chaincode),
    function: boundedOrNull(action?.function),
    responseStatus: action?.response.status ?? null,
    changes: tx.changes.length,
    event: boundedOrNull(tx.event?.name),
    source: source === null ? null : sourceJson(source),
  });
}

function boundedOrNull(text: string | undefined): string | null {
  return text === undefined ? null : bounded(text);
}

function sourceJson(source: BatchHeader): object {
  return {
    ...source,
    stream: bounded(source.stream),
    topic: bounded(source.topic),
    layout: bounded(source.layout),
    after: source.after.toString(),
    first: source.first.toString(),
    last: source.last.toString(),
    digest: bounded(source.digest),
  };
}

const SECONDS_MAX = 253_402_300_799n;

/** Milliseconds since the epoch; null outside of the years 1970 to 9999, which Kafka refuses. */
export function timestampMs(timestamp: Timestamp | null): number | null {
  if (timestamp === null || !isUsable(timestamp)) {
    return null;
  }
  return Number(timestamp.seconds) * 1000 + Math.floor(timestamp.nanos / 1_000_000);
}

/** RFC 3339 in UTC with all nine digits; null outside of the years 1970 to 9999. */
export function timestampText(timestamp: Timestamp): string | null {
  if (!isUsable(timestamp)) {
    return null;
  }
  const seconds = new Date(Number(timestamp.seconds) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${timestamp.nanos.toString().padStart(9, '0')}Z`;
}

function isUsable({ seconds, nanos }: Timestamp): boolean {
  return seconds >= 0n && seconds <= SECONDS_MAX && nanos >= 0 && nanos < 1_000_000_000;
}
