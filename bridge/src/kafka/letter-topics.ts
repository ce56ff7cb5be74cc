/** The dead-letter topic of a source topic, as a log and as a sink of replays. */
import { ShuttleError } from '../errors.ts';
import { deadLetterTopic } from '../letters/names.ts';
import type { ReplaySink } from '../letters/replay.ts';
import type { LetterLog } from '../letters/walk.ts';
import { REPLAY_DEADLINE_MS, REPLAY_TRANSACTION_TIMEOUT_MS } from '../limits.ts';
import type { Clock } from '../ports.ts';
import type { KafkaClient } from './client.ts';
import { encodedBytes } from './encode-records.ts';
import type { PartitionReader } from './reader.ts';
import { scan } from './scan.ts';
import { createTransactions } from './transactions.ts';

/** The transactional id of replays, and the group whose offsets say how far they have come. */
export const replayGroup = (source: string): string => `${deadLetterTopic(source)}.replay`;

export function createLetterLog(reader: PartitionReader, source: string): LetterLog {
  const topic = deadLetterTopic(source);
  return {
    topic,
    source,
    ends: async () => {
      try {
        return await reader.ends([topic]);
      } catch (error) {
        if (isMissing(error)) {
          await requireTopic(reader, source);
          return [];
        }
        throw error;
      }
    },
    records: (partition, from, to) => scan(reader, { topic, partition }, from, to),
  };
}

const isMissing = (error: unknown): boolean =>
  error instanceof ShuttleError && error.code === 'TOPIC_MISSING';

/** Without refusals there may be no topic for them, but the source must be there. */
async function requireTopic(reader: PartitionReader, topic: string): Promise<void> {
  try {
    await reader.ends([topic]);
  } catch (cause) {
    throw isMissing(cause)
      ? new ShuttleError('TOPIC_MISSING', `There is no topic ${topic}.`, { cause, at: { topic } })
      : cause;
  }
}

/** What a replay writes goes by one transactional id for all who replay these letters. */
export function createReplaySink(
  client: KafkaClient,
  source: string,
  clock: Clock,
  { deadlineMs = REPLAY_DEADLINE_MS } = {},
): ReplaySink {
  const topic = deadLetterTopic(source);
  const at = { topic };
  const groupId = replayGroup(source);
  const transactions = createTransactions(
    client,
    {
      transactionalId: groupId,
      topics: [source, topic],
      deadlineMs,
      transactionTimeoutMs: REPLAY_TRANSACTION_TIMEOUT_MS,
      at,
      fenced: (cause) => {
        const message = `Another replay of ${topic} has started, or Kafka timed out.`;
        return new ShuttleError('REPLAY_FENCED', message, { cause, at });
      },
    },
    clock,
  );
  return {
    open: () => transactions.open(async () => {}),
    replay: ({ records, progress }) => transactions.run(records, { ...progress, topic, groupId }),
    refusal: (record) => {
      const { partitions, batchBytesMax } = transactions.facts(source);
      if ((record.partition ?? 0) >= partitions) {
        return { reason: 'NO_PARTITION', detail: `${source} has ${partitions} partitions` };
      }
      const bytes = encodedBytes(record, clock.now());
      const isCompressed = (client.options.compression ?? 'none') !== 'none';
      return bytes <= batchBytesMax || isCompressed
        ? null
        : {
            reason: 'TOO_LARGE',
            detail: `it needs ${bytes} bytes, and max.message.bytes is ${batchBytesMax}`,
          };
    },
    close: () => transactions.close(),
  };
}
