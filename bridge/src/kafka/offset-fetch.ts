/**
 * The offsets of a consumer group as a transaction has left them.
 *
 * A transaction counts as complete before the group's coordinator has taken in the offsets that it
 * committed. Who reads them in that moment the way kafkajs does, by OffsetFetch version 4, gets the
 * ones before, and does again what was done. Version 7 has `require_stable` (KIP-447): the
 * coordinator then says that it is not ready. kafkajs has no such version, so the request is
 * written and the answer read here. Brokers know it from 2.5 on.
 */
import { ShuttleError } from '../errors.ts';
import { Cursor } from './bytes.ts';
import type { Cluster, OffsetFetchRequest, ProtocolRequest } from './hooks.ts';

export const OFFSET_FETCH_API_KEY = 9;
const STABLE_VERSION = 7;
const UNSTABLE_OFFSET_COMMIT = 88;

export interface GroupOffset {
  readonly offset: bigint;
  readonly metadata: string;
}

/** By partition, of one topic. */
export type GroupOffsets = ReadonlyMap<number, GroupOffset>;

/** Requests that ask for stable offsets; kafkajs hands its own on untouched. */
const stable = new WeakSet<object>();

/** @throws ShuttleError KAFKA_UNREACHABLE while offsets are not stable; kafkajs' errors */
export async function fetchStableOffsets(
  cluster: Cluster,
  groupId: string,
  topic: string,
  partitions: readonly number[],
): Promise<GroupOffsets> {
  const coordinator = await cluster.findGroupCoordinator({ groupId });
  const topics = [{ topic, partitions: partitions.map((partition) => ({ partition })) }];
  stable.add(topics);
  return (await coordinator.offsetFetch({ groupId, topics })) as GroupOffsets;
}

/** Leaves requests alone that do not ask for stable offsets. */
export function rewriteOffsetFetch(
  protocol: ProtocolRequest,
  args: Record<string, unknown>,
): ProtocolRequest {
  if (!stable.has(args.topics as object)) {
    return protocol;
  }
  const buffer = encodeOffsetFetch(args as unknown as OffsetFetchRequest);
  return {
    request: {
      ...protocol.request,
      apiVersion: STABLE_VERSION,
      encode: async () => ({ buf: buffer, buffer }),
    },
    response: {
      decode: async (payload) => decodeOffsetFetch(payload),
      parse: async (decoded) => {
        const { errorCode, offsets } = decoded as Answer;
        if (errorCode !== 0) {
          throw errorOf(errorCode);
        }
        return offsets;
      },
    },
  };
}

/** A length of the compact kinds of version 6 and later: one more than it is. */
function compact(length: number): Buffer {
  const bytes: number[] = [];
  let rest = length + 1;
  for (; rest >= 0x80; rest >>>= 7) {
    bytes.push((rest & 0x7f) | 0x80);
  }
  return Buffer.from([...bytes, rest]);
}

const text = (value: string): Buffer[] => [compact(Buffer.byteLength(value)), Buffer.from(value)];

/** No tagged fields. */
const NO_TAGS = Buffer.from([0]);
const YES = Buffer.from([1]);

export function encodeOffsetFetch({ groupId, topics }: OffsetFetchRequest): Buffer {
  // The tags of the request's header come first: kafkajs writes the header without them.
  const parts = [NO_TAGS, ...text(groupId), compact(topics.length)];
  for (const { topic, partitions } of topics) {
    const numbers = Buffer.alloc(4 * partitions.length);
    for (const [index, { partition }] of partitions.entries()) {
      numbers.writeInt32BE(partition, 4 * index);
    }
    parts.push(...text(topic), compact(partitions.length), numbers, NO_TAGS);
  }
  return Buffer.concat([...parts, YES, NO_TAGS]);
}

interface Answer {
  readonly errorCode: number;
  readonly offsets: GroupOffsets;
}

function skipTags(cursor: Cursor): void {
  for (let left = cursor.uvarint(); left > 0; left--) {
    cursor.uvarint();
    cursor.take(cursor.uvarint());
  }
}

export function decodeOffsetFetch(payload: Buffer): Answer {
  const cursor = new Cursor(payload);
  const offsets = new Map<number, GroupOffset>();
  let errorCode = 0;
  skipTags(cursor);
  // Throttle time; kafkajs waits by the answers of its own requests.
  cursor.int32();
  for (let topics = cursor.uvarint() - 1; topics > 0; topics--) {
    cursor.take(cursor.uvarint() - 1);
    for (let partitions = cursor.uvarint() - 1; partitions > 0; partitions--) {
      const partition = cursor.int32();
      const offset = cursor.int64();
      cursor.int32();
      const metadata = cursor.take(Math.max(0, cursor.uvarint() - 1)).toString();
      errorCode = cursor.int16() || errorCode;
      skipTags(cursor);
      if (offset >= 0n) {
        offsets.set(partition, { offset, metadata });
      }
    }
    skipTags(cursor);
  }
  errorCode = cursor.int16() || errorCode;
  return { errorCode, offsets };
}

function errorOf(errorCode: number): Error {
  if (errorCode === UNSTABLE_OFFSET_COMMIT) {
    return new ShuttleError(
      'KAFKA_UNREACHABLE',
      "The offsets of the group's last transaction are not ready yet.",
    );
  }
  const [type, sentence] = KNOWN[errorCode] ?? [`code ${errorCode}`, `Kafka says ${errorCode}`];
  return Object.assign(new Error(`The offsets of the group were not told: ${sentence}.`), { type });
}

/** Errors by kafkajs' names and words: the group's coordinator moves, is loading, or refuses. */
const KNOWN: Readonly<Record<number, readonly [type: string, sentence: string]>> = {
  14: ['GROUP_LOAD_IN_PROGRESS', 'the coordinator is loading'],
  15: ['GROUP_COORDINATOR_NOT_AVAILABLE', 'the coordinator is not available'],
  16: ['NOT_COORDINATOR_FOR_GROUP', 'this is not the correct coordinator'],
  29: ['TOPIC_AUTHORIZATION_FAILED', 'the topic is not allowed'],
  30: ['GROUP_AUTHORIZATION_FAILED', 'the group is not allowed'],
};
