/** Reads partitions by offset, without a consumer group: nothing is joined, nothing committed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ShuttleError } from '../errors.ts';
import type { PartitionEnds } from '../ports.ts';
import type { TopicPartition } from '../values.ts';
import { partitionName } from '../values.ts';
import type { KafkaClient } from './client.ts';
import { hasType, toKafkaError } from './errors.ts';
import type { FetchAnswer, Fetched } from './fetch-response.ts';
import { type Cluster, createCluster, READ_COMMITTED, READ_UNCOMMITTED } from './hooks.ts';
import { fetchStableOffsets, type GroupOffsets } from './offset-fetch.ts';

const METADATA_MAX_AGE_MS = 60_000;
const FETCH_BYTES_DEFAULT = 4 * 1024 * 1024;
const ATTEMPTS = 6;
const FIRST_WAIT_MS = 50;

export interface FetchOptions {
  readonly maxBytes?: number;
  /** How long the broker waits for a first record. */
  readonly maxWaitMs?: number;
}

/** Found nothing: `lastStable` is how far committed readers may go. */
export type FetchedOrNothing = Fetched | { readonly kind: 'nothing'; readonly lastStable: bigint };

export interface PartitionReader {
  /** All partitions of the topics. */
  ends(topics: readonly string[]): Promise<readonly PartitionEnds[]>;
  /**
   * Of each partition the first offset with this time or a later one; null when it has none. A
   * transaction's end counts, with the time when it ended: records there may be older.
   */
  offsetsAt(topic: string, timeMs: number): Promise<ReadonlyMap<number, bigint | null>>;
  /** One fetch; records before `offset` are left out. */
  fetch(at: TopicPartition, offset: bigint, options?: FetchOptions): Promise<FetchedOrNothing>;
  /**
   * The offsets of a consumer group by partition; those without one are left out. What a
   * transaction has committed counts as soon as the transaction does.
   */
  groupOffsets(
    groupId: string,
    topic: string,
    partitions: readonly number[],
  ): Promise<GroupOffsets>;
  close(): Promise<void>;
}

const STALE = [
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
];

async function fetchOnce(
  cluster: Cluster,
  { topic, partition }: TopicPartition,
  offset: bigint,
  { maxBytes = FETCH_BYTES_DEFAULT, maxWaitMs = 0 }: FetchOptions,
): Promise<FetchedOrNothing> {
  const nodeId = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))[0];
  if (nodeId === undefined) {
    throw new ShuttleError('TOPIC_MISSING', `There is no partition ${topic}/${partition}.`, {
      at: { topic, partition },
    });
  }
  const broker = await cluster.findBroker({ nodeId });
  const answer = (await broker.fetch({
    isolationLevel: READ_COMMITTED,
    maxWaitTime: maxWaitMs,
    minBytes: 1,
    maxBytes,
    topics: [{ topic, partitions: [{ partition, fetchOffset: offset.toString(), maxBytes }] }],
  })) as FetchAnswer;
  const found = answer.responses[0]?.partitions[0];
  if (found === undefined) {
    throw new ShuttleError('KAFKA_UNREACHABLE', 'A fetch was answered without its partition.');
  }
  const fetched = found.messages[0]?.fetched;
  if (fetched?.kind !== 'records') {
    return fetched ?? { kind: 'nothing', lastStable: found.lastStable };
  }
  return { ...fetched, records: fetched.records.filter((record) => record.offset >= offset) };
}

const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** The same connections, asking as a reader that sees open transactions. */
function uncommitted(cluster: Cluster): Cluster {
  return Object.assign(Object.create(cluster) as Cluster, { isolationLevel: READ_UNCOMMITTED });
}

async function endsOnce(
  cluster: Cluster,
  topics: readonly string[],
): Promise<readonly PartitionEnds[]> {
  const wanted = topics.map((topic) => ({
    topic,
    partitions: cluster
      .findTopicPartitionMetadata(topic)
      .map((p) => ({ partition: p.partitionId })),
  }));
  const list = async (on: Cluster, fromBeginning: boolean) => {
    const found = await on.fetchTopicsOffset(wanted.map((topic) => ({ ...topic, fromBeginning })));
    return found.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }) => ({ topic, partition, offset: BigInt(offset) })),
    );
  };
  const byName = (offsets: Awaited<ReturnType<typeof list>>) =>
    new Map(offsets.map((each) => [partitionName(each), each.offset]));
  // The start is read last: records that are deleted in between are then seen to be gone.
  const ends = await list(cluster, false);
  const written = byName(await list(uncommitted(cluster), false));
  const starts = byName(await list(cluster, true));
  const all = ends.map(({ topic, partition, offset }): PartitionEnds => {
    const name = partitionName({ topic, partition });
    const logStart = starts.get(name) ?? 0n;
    const logEnd = offset < logStart ? logStart : offset;
    const writtenEnd = written.get(name) ?? logEnd;
    return { topic, partition, logStart, logEnd, writtenEnd: larger(writtenEnd, logEnd) };
  });
  return all.sort(
    (a, b) => topics.indexOf(a.topic) - topics.indexOf(b.topic) || a.partition - b.partition,
  );
}

async function offsetsAtOnce(
  cluster: Cluster,
  topic: string,
  timeMs: number,
): Promise<ReadonlyMap<number, bigint | null>> {
  const partitions = cluster
    .findTopicPartitionMetadata(topic)
    .map(({ partitionId }) => ({ partition: partitionId }));
  const found = await cluster.fetchTopicsOffset([{ topic, partitions, fromTimestamp: timeMs }]);
  const offsets = found.flatMap((each) => each.partitions);
  return new Map(
    offsets.map(({ partition, offset }) => [
      partition,
      BigInt(offset) < 0n ? null : BigInt(offset),
    ]),
  );
}

/** Opens its own connections when first used. */
export function createReader(client: KafkaClient): PartitionReader {
  const cluster = createCluster(client.kafka, METADATA_MAX_AGE_MS);
  const { pending } = client;
  let closed = false;

  const attempt = async <T>(topics: readonly string[], call: () => Promise<T>): Promise<T> => {
    await cluster.connect();
    await cluster.addMultipleTargetTopics(topics);
    await cluster.refreshMetadataIfNecessary();
    return await call();
  };

  /** Partitions may have been added since the metadata was read. */
  const freshEnds = async (topics: readonly string[]) => {
    await cluster.refreshMetadata();
    return await endsOnce(cluster, topics);
  };

  const retry = async <T>(topics: readonly string[], call: () => Promise<T>): Promise<T> => {
    for (let tries = 1; ; tries++) {
      try {
        return await attempt(topics, call);
      } catch (error) {
        const named = toKafkaError(error, client.options.brokers);
        if (closed || named.kind.retry === 'never' || tries >= ATTEMPTS) {
          throw named;
        }
        if (hasType(error, ...STALE)) {
          await cluster.refreshMetadata().catch(() => undefined);
        }
        await sleep(FIRST_WAIT_MS * 2 ** (tries - 1) * (0.5 + Math.random() / 2));
      }
    }
  };

  return {
    ends: (topics) => pending.during(() => retry(topics, () => freshEnds(topics))),
    offsetsAt: (topic, timeMs) =>
      pending.during(() => retry([topic], () => offsetsAtOnce(cluster, topic, timeMs))),
    fetch: (at, offset, options = {}) =>
      pending.during(() => retry([at.topic], () => fetchOnce(cluster, at, offset, options))),
    groupOffsets: (groupId, topic, partitions) =>
      pending.during(() =>
        retry([topic], () => fetchStableOffsets(cluster, groupId, topic, partitions)),
      ),
    close: async () => {
      closed = true;
      await cluster.disconnect();
    },
  };
}
