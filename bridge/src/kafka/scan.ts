/** Walks over a stretch of a partition's committed records. */
import { ShuttleError } from '../errors.ts';
import { partitionName, type SourceRecord, type TopicPartition } from '../values.ts';
import type { PartitionReader } from './reader.ts';

/** Offsets from the end on that are looked at first, and how much farther each next look goes. */
const FIRST_WINDOW = 4n;
const WINDOW_GROWTH = 8n;

/** Committed records with offsets in [from, to), as they are fetched. */
export async function* scan(
  reader: PartitionReader,
  at: TopicPartition,
  from: bigint,
  to: bigint,
): AsyncGenerator<readonly SourceRecord[]> {
  for (let next = from; next < to; ) {
    const fetched = await reader.fetch(at, next);
    if (fetched.kind === 'failed') {
      throw fetched.error;
    }
    if (fetched.kind !== 'records') {
      throw new ShuttleError(
        'KAFKA_UNREACHABLE',
        `Partition ${partitionName(at)} could not be read up to offset ${to - 1n}.`,
        { at: { topic: at.topic, partition: at.partition, offset: next } },
      );
    }
    next = fetched.next;
    yield next <= to ? fetched.records : fetched.records.filter((record) => record.offset < to);
  }
}

/** The first committed record of [from, to), if there is one. */
export async function firstRecord(
  reader: PartitionReader,
  at: TopicPartition,
  from: bigint,
  to: bigint,
): Promise<SourceRecord | null> {
  for await (const records of scan(reader, at, from, to)) {
    const first = records[0];
    if (first !== undefined) {
      return first;
    }
  }
  return null;
}

/**
 * The last `count` committed records of [start, end), looked for from the end. Markers and aborted
 * records hold offsets too, so nothing is concluded from how far apart two offsets are.
 */
export async function lastRecords(
  reader: PartitionReader,
  at: TopicPartition,
  start: bigint,
  end: bigint,
  count: number,
): Promise<readonly SourceRecord[]> {
  let found: readonly SourceRecord[] = [];
  let to = end;
  let window = FIRST_WINDOW + BigInt(count);
  while (to > start && found.length < count) {
    const from = to - window > start ? to - window : start;
    let inside: readonly SourceRecord[] = [];
    for await (const records of scan(reader, at, from, to)) {
      inside = [...inside, ...records].slice(-count);
    }
    found = [...inside, ...found].slice(-count);
    to = from;
    window *= WINDOW_GROWTH;
  }
  return found;
}

/**
 * The committed record at exactly this offset; null when the log has none there. A broker answers
 * with the whole batch that holds the offset, however few bytes are asked for.
 */
export async function recordAt(
  reader: PartitionReader,
  at: TopicPartition,
  offset: bigint,
): Promise<SourceRecord | null> {
  const fetched = await reader.fetch(at, offset, { maxBytes: 1 });
  if (fetched.kind === 'failed') {
    throw fetched.error;
  }
  const first = fetched.kind === 'records' ? fetched.records[0] : undefined;
  return first?.offset === offset ? first : null;
}
