/** `ports.CleanSink` on Kafka transactions: one transactional id for each source partition. */
import { POSITION_HEADER } from '../block/topics.ts';
import { ShuttleError } from '../errors.ts';
import { deadLetterTopic, REPLAY } from '../letters/names.ts';
import { CLEAN_DEADLINE_MS, CLEAN_TRANSACTION_TIMEOUT_MS } from '../limits.ts';
import type { CleanedRecord, CleanPosition, CleanSink, Clock } from '../ports.ts';
import type { OutputHeader, OutputRecord, TopicPartition } from '../values.ts';
import { partitionName } from '../values.ts';
import type { KafkaClient } from './client.ts';
import { letterRecord } from './dead-letters.ts';
import { encodedBytes } from './encode-records.ts';
import { createReader, type PartitionReader } from './reader.ts';
import { scan } from './scan.ts';
import { createTransactions } from './transactions.ts';

export interface CleanSinkOptions {
  readonly groupId: string;
  /** The source partition. */
  readonly at: TopicPartition;
  /** The topic of the cleaned records. */
  readonly to: string;
  /** Tells apart two clusters or two uses of a topic; part of positions and of letters' ids. */
  readonly stream: string;
  readonly deadlineMs?: number;
  readonly transactionTimeoutMs?: number;
}

/** Below so many bytes of keys and values no record is near a topic's limit. */
const HEADERS_MARGIN_BYTES = 64 * 1024;

/** The transactional id of one source partition; every instance of the group uses the same. */
export const cleanTransactionalId = (groupId: string, at: TopicPartition): string =>
  `${groupId}/${partitionName(at)}`;

export function createCleanSink(
  client: KafkaClient,
  options: CleanSinkOptions,
  clock: Clock,
): CleanSink {
  const { groupId, at, to, stream } = options;
  const name = partitionName(at);
  const transactions = createTransactions(
    client,
    {
      transactionalId: cleanTransactionalId(groupId, at),
      topics: [to, deadLetterTopic(at.topic)],
      deadlineMs: options.deadlineMs ?? CLEAN_DEADLINE_MS,
      transactionTimeoutMs: options.transactionTimeoutMs ?? CLEAN_TRANSACTION_TIMEOUT_MS,
      at: { topic: at.topic, partition: String(at.partition) },
      fenced: (cause) =>
        new ShuttleError('CLEAN_FENCED', `Another instance has taken over partition ${name}.`, {
          cause,
          at: { topic: at.topic, partition: at.partition },
        }),
    },
    clock,
  );
  const outputOf = createOutput(to, stream, at);
  let reader: PartitionReader | null = null;
  return {
    open: () => transactions.open((shared) => readPosition(shared, options)),
    commit: ({ cleaned, letters, next }) =>
      transactions.run(
        [
          ...cleaned.map(outputOf),
          ...letters.map((letter) => letterRecord(letter, { stream, connectorName: 'shuttle' })),
        ],
        { ...at, groupId, offset: next },
      ),
    misfit: (record) => {
      const { batchBytesMax } = transactions.facts(to);
      const bytes = (record.value?.length ?? 0) + record.key.length;
      if (bytes + HEADERS_MARGIN_BYTES < batchBytesMax && !hasLargeHeaders(record)) {
        return null;
      }
      const encoded = encodedBytes(outputOf(record), clock.now());
      return encoded <= batchBytesMax
        ? null
        : `The cleaned record needs ${encoded} bytes, and ${to} takes ${batchBytesMax}.`;
    },
    read: (from, end) => {
      reader ??= createReader(client);
      return scan(reader, at, from, end);
    },
    close: async () => {
      await Promise.allSettled([transactions.close(), reader?.close()]);
    },
  };
}

/**
 * Whether the topic has been written comes first: whoever writes there has committed its position
 * before, so that the group is known by the time that its offsets are read.
 */
async function readPosition(
  reader: PartitionReader,
  { groupId, at, to }: CleanSinkOptions,
): Promise<CleanPosition> {
  const isTargetWritten = (await reader.ends([to])).some(({ writtenEnd }) => writtenEnd > 0n);
  const ends = await reader.ends([at.topic]);
  const own = ends.find(({ partition }) => partition === at.partition);
  if (own === undefined) {
    const message = `No broker that was asked knows ${partitionName(at)} yet.`;
    throw new ShuttleError('KAFKA_UNREACHABLE', message);
  }
  const partitions = ends.map(({ partition }) => partition);
  const offsets = await reader.groupOffsets(groupId, at.topic, partitions);
  return {
    ...own,
    offset: offsets.get(at.partition)?.offset ?? null,
    isGroupKnown: offsets.size > 0,
    isTargetWritten,
  };
}

function hasLargeHeaders({ raw }: CleanedRecord): boolean {
  let bytes = 0;
  for (const { name, value } of raw.headers) {
    bytes += name.length * 3 + (value?.length ?? 0) + 10;
  }
  return bytes > HEADERS_MARGIN_BYTES / 2;
}

/**
 * A cleaned record as it is produced: at the raw record's time, with its headers and its position.
 * What a replay had marked it with is of the raw topic and ends there.
 */
function createOutput(to: string, stream: string, { topic, partition }: TopicPartition) {
  const prefix = `${stream}/${topic}/${partition}/`;
  return ({ raw, key, value }: CleanedRecord): OutputRecord => {
    const position: OutputHeader = { name: POSITION_HEADER, value: prefix + raw.offset };
    const own = raw.headers.filter(
      ({ name }) => name !== POSITION_HEADER && !name.startsWith(REPLAY),
    );
    return { topic: to, key, value, timestamp: raw.timestamp, headers: [...own, position] };
  };
}
