/** Reads a topic for people: committed records only, without a consumer group. */
import type { PartitionEnds } from '../ports.ts';
import type { SourceRecord, TopicPartition } from '../values.ts';
import type { KafkaClient } from './client.ts';
import { createReader, type PartitionReader } from './reader.ts';
import { lastRecords, recordAt, scan } from './scan.ts';

/** How long one fetch waits for new records; an abort is noticed as late as that. */
const FOLLOW_WAIT_MS = 250;

export interface TailRecord extends SourceRecord {
  readonly partition: number;
}

export interface TailOptions {
  /** Start so many records before the end, over all partitions, or at the start. */
  readonly from: { readonly last: number } | 'beginning';
  /** Wait for more at the end instead of stopping there. */
  readonly follow: boolean;
}

const inPartition = (partition: number) => (record: SourceRecord) => ({ ...record, partition });

/** The last records of the topic, in order of their timestamps. */
async function lastOfAll(
  reader: PartitionReader,
  ends: readonly PartitionEnds[],
  count: number,
): Promise<readonly TailRecord[]> {
  const all: TailRecord[] = [];
  for (const at of ends) {
    const last = await lastRecords(reader, at, at.logStart, at.logEnd, count);
    all.push(...last.map(inPartition(at.partition)));
  }
  return all.sort((a, b) => a.timestamp - b.timestamp).slice(-count);
}

/** New records of all partitions from their ends on, until the signal. */
async function* follow(
  reader: PartitionReader,
  ends: readonly PartitionEnds[],
  signal: AbortSignal,
): AsyncGenerator<TailRecord> {
  const positions = ends.map((at) => ({ at, next: at.logEnd }));
  while (!signal.aborted) {
    const found = await Promise.all(
      positions.map(async (position) => {
        const { at, next } = position;
        const fetched = await reader.fetch(at, next, { maxWaitMs: FOLLOW_WAIT_MS });
        if (fetched.kind === 'failed') {
          throw fetched.error;
        }
        if (fetched.kind === 'out-of-range') {
          const now = (await reader.ends([at.topic])).find((e) => e.partition === at.partition);
          position.next = now?.logStart ?? next;
          return [];
        }
        position.next = fetched.kind === 'records' ? fetched.next : next;
        return fetched.kind === 'records' ? fetched.records.map(inPartition(at.partition)) : [];
      }),
    );
    for (const record of found.flat()) {
      if (signal.aborted) {
        return;
      }
      yield record;
    }
  }
}

/**
 * The committed record at exactly this offset; null when the log has none there.
 *
 * @throws ShuttleError TOPIC_MISSING, KAFKA_UNREACHABLE, KAFKA_REFUSED, CODEC_MISSING
 */
export async function readRecord(
  client: KafkaClient,
  at: TopicPartition,
  offset: bigint,
): Promise<SourceRecord | null> {
  const reader = createReader(client);
  try {
    return await recordAt(reader, at, offset);
  } finally {
    await reader.close();
  }
}

/**
 * Records of a topic: those that are there, and with `follow` those that come until the signal.
 * The reader is closed behind them.
 *
 * @throws ShuttleError TOPIC_MISSING, KAFKA_UNREACHABLE, KAFKA_REFUSED, CODEC_MISSING
 */
export async function* readTail(
  reader: PartitionReader,
  topic: string,
  options: TailOptions,
  signal: AbortSignal,
): AsyncGenerator<TailRecord> {
  try {
    const ends = await reader.ends([topic]);
    if (options.from === 'beginning') {
      for (const at of ends) {
        for await (const records of scan(reader, at, at.logStart, at.logEnd)) {
          if (signal.aborted) {
            return;
          }
          yield* records.map(inPartition(at.partition));
        }
      }
    } else if (options.from.last > 0) {
      yield* await lastOfAll(reader, ends, options.from.last);
    }
    if (options.follow) {
      yield* follow(reader, ends, signal);
    }
  } finally {
    await reader.close();
  }
}
