/** Reads the answers to Fetch requests (versions 5 to 11), with all that kafkajs drops of them. */
import { ShuttleError, toShuttleError } from '../errors.ts';
import type { SourceRecord } from '../values.ts';
import { Cursor } from './bytes.ts';
import type { ProtocolRequest } from './hooks.ts';
import { type AbortedTransaction, decodeRecords } from './record-batch.ts';

export const FETCH_API_KEY = 1;
const OLDEST_VERSION = 5;
const OFFSET_OUT_OF_RANGE = 1;
/** An offset that no log reaches, for carriers that stand for no records. */
const BEYOND_ALL_OFFSETS = (2n ** 63n - 1n).toString();

/** What one fetch found in one partition. */
export type Fetched =
  | {
      readonly kind: 'records';
      readonly records: readonly SourceRecord[];
      readonly next: bigint;
      readonly logStart: bigint;
      readonly lastStable: bigint;
      /** Bytes on the wire. */
      readonly bytes: number;
    }
  /** The log does not hold the offset that was asked for. */
  | { readonly kind: 'out-of-range' }
  | { readonly kind: 'failed'; readonly error: ShuttleError };

/**
 * Takes the place of kafkajs' messages: one for all records of a partition, so that kafkajs does
 * nothing per record, and its own filter of aborted records finds nothing to decide.
 */
export interface Carrier {
  readonly offset: string;
  readonly isControlRecord: false;
  readonly fetched: Fetched;
}

export interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: string;
  readonly lastStable: bigint;
  readonly logStart: bigint;
  readonly abortedTransactions: readonly never[];
  readonly preferredReadReplica: number;
  readonly messages: readonly Carrier[];
}

export interface FetchAnswer {
  readonly throttleTime: 0;
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly sessionId: number;
  readonly responses: { topicName: string; partitions: FetchedPartition[] }[];
}

const carry = (fetched: Fetched, offset = BEYOND_ALL_OFFSETS): Carrier => ({
  offset,
  isControlRecord: false,
  fetched,
});

function readAborted(cursor: Cursor): AbortedTransaction[] {
  const aborted: AbortedTransaction[] = [];
  for (let left = cursor.int32(); left > 0; left--) {
    aborted.push({ producerId: cursor.int64(), firstOffset: cursor.int64() });
  }
  return aborted;
}

async function readCarriers(
  set: Buffer,
  aborted: readonly AbortedTransaction[],
  logStart: bigint,
  lastStable: bigint,
): Promise<Carrier[]> {
  try {
    const { records, next } = await decodeRecords(set, aborted);
    if (next === null) {
      return [];
    }
    const fetched = { kind: 'records', records, next, logStart, lastStable } as const;
    return [carry({ ...fetched, bytes: set.length }, (next - 1n).toString())];
  } catch (error) {
    return [carry({ kind: 'failed', error: toShuttleError(error) })];
  }
}

async function readPartition(cursor: Cursor, version: number): Promise<FetchedPartition> {
  const partition = cursor.int32();
  const errorCode = cursor.int16();
  const highWatermark = cursor.int64();
  const lastStable = cursor.int64();
  const logStart = cursor.int64();
  const aborted = readAborted(cursor);
  const preferredReadReplica = version >= 11 ? cursor.int32() : -1;
  const set = cursor.take(Math.max(0, cursor.int32()));
  const outOfRange = errorCode === OFFSET_OUT_OF_RANGE;
  return {
    partition,
    // kafkajs would answer this error by moving the group's offset to another place.
    errorCode: outOfRange ? 0 : errorCode,
    highWatermark: highWatermark.toString(),
    lastStable,
    logStart,
    abortedTransactions: [],
    preferredReadReplica,
    messages: outOfRange
      ? [carry({ kind: 'out-of-range' })]
      : await readCarriers(set, aborted, logStart, lastStable),
  };
}

/**
 * Decodes the answer to a Fetch request of `version`.
 *
 * @throws ShuttleError KAFKA_UNREACHABLE when the bytes are no such answer
 */
export async function decodeFetch(payload: Buffer, version: number): Promise<FetchAnswer> {
  try {
    return await readAnswer(payload, version);
  } catch (cause) {
    throw new ShuttleError('KAFKA_UNREACHABLE', 'The answer to a fetch cannot be read.', { cause });
  }
}

async function readAnswer(payload: Buffer, version: number): Promise<FetchAnswer> {
  const cursor = new Cursor(payload);
  const clientSideThrottleTime = cursor.int32();
  const errorCode = version >= 7 ? cursor.int16() : 0;
  const sessionId = version >= 7 ? cursor.int32() : 0;
  const responses: FetchAnswer['responses'] = [];
  for (let topics = cursor.int32(); topics > 0; topics--) {
    const topicName = cursor.string();
    const partitions: FetchedPartition[] = [];
    for (let left = cursor.int32(); left > 0; left--) {
      partitions.push(await readPartition(cursor, version));
    }
    responses.push({ topicName, partitions });
  }
  return { throttleTime: 0, clientSideThrottleTime, errorCode, sessionId, responses };
}

/** Makes kafkajs read the answers to its Fetch requests by `decodeFetch`. */
export function rewriteFetch(protocol: ProtocolRequest): ProtocolRequest {
  const version = protocol.request.apiVersion;
  if (version < OLDEST_VERSION) {
    throw new ShuttleError('KAFKA_REFUSED', 'The broker is older than Kafka 1.0.');
  }
  return {
    ...protocol,
    response: {
      decode: (payload) => decodeFetch(payload, version),
      parse: (decoded) => protocol.response.parse(decoded),
    },
  };
}
