/**
 * Kafka transactions of one transactional id, under the rules by which kafkajs neither loses nor
 * repeats records: one send at a time, a deadline, and after any error another producer.
 */
import type { RecordMetadata, Transaction } from 'kafkajs';
import { ShuttleError } from '../errors.ts';
import { backOffMs } from '../limits.ts';
import type { Clock } from '../ports.ts';
import type { OutputRecord, TopicPartition } from '../values.ts';
import type { KafkaClient } from './client.ts';
import { isFenced, toKafkaError } from './errors.ts';
import { createReader, type PartitionReader } from './reader.ts';
import { createProducer, type DisposableProducer, sendRecords } from './sender.ts';
import { readTopicFacts, type TopicFacts } from './topic-facts.ts';

export interface TransactionsOptions {
  readonly transactionalId: string;
  /** All topics that are written to. */
  readonly topics: readonly string[];
  /** How long a transaction may take; below Kafka's own time-out for it. */
  readonly deadlineMs: number;
  readonly transactionTimeoutMs: number;
  /** Where errors happen. */
  readonly at: Readonly<Record<string, string>>;
  /** The error of one that another producer of the same id has fenced. */
  readonly fenced: (cause: unknown) => ShuttleError;
}

/** The offset of a consumer group that a transaction commits with its records. */
export interface GroupProgress extends TopicPartition {
  readonly groupId: string;
  readonly offset: bigint;
  readonly metadata?: string;
}

export interface Transactions {
  /**
   * Fences every older producer of the id, settles its transaction, and then reads: nobody else can
   * write any more.
   *
   * @throws ShuttleError TOPIC_MISSING, KAFKA_UNREACHABLE, KAFKA_REFUSED
   */
  open<T>(read: (reader: PartitionReader) => Promise<T>): Promise<T>;
  /**
   * One transaction: all of the records, and the progress, or nothing.
   *
   * @throws ShuttleError PRODUCE_FAILED when it is not known which; TOPIC_UNFIT; `fenced`
   */
  run(records: readonly OutputRecord[], progress?: GroupProgress): Promise<void>;
  facts(topic: string): TopicFacts;
  /** Resolves when committed readers see what was written, or after some patience. */
  close(): Promise<void>;
}

/** How long a close waits for the markers of the last transaction. */
const VISIBLE_PATIENCE_MS = 5_000;

/** Nothing is contacted before `open`. */
export function createTransactions(
  client: KafkaClient,
  options: TransactionsOptions,
  clock: Clock,
): Transactions {
  const { deadlineMs, at } = options;
  let producer: DisposableProducer | null = null;
  let topicFacts: ReadonlyMap<string, TopicFacts> = new Map();
  let busy = false;
  /** Where the records of the last transaction stand. */
  let written: readonly RecordMetadata[] = [];

  const facts = (topic: string): TopicFacts => {
    const known = topicFacts.get(topic);
    if (known === undefined) {
      throw new ShuttleError('INTERNAL', `Topic ${topic} is not one of the sink's.`);
    }
    return known;
  };
  const sending = {
    compression: client.options.compression ?? ('none' as const),
    batchBytesMax: (topic: string) => facts(topic).batchBytesMax,
    partitions: (topic: string) => facts(topic).partitions,
    now: () => clock.now(),
  };

  /** Runs one step under the deadline; after an error the producer is of no more use. */
  const step = async <T>(what: 'open' | 'run', work: () => Promise<T>): Promise<T> => {
    if (busy) {
      throw new ShuttleError('INTERNAL', 'A transactional producer does one thing at a time.');
    }
    busy = true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${deadlineMs} ms have passed`)), deadlineMs);
    });
    try {
      return await Promise.race([work(), late]);
    } catch (error) {
      producer?.abandon();
      producer = null;
      if (isFenced(error)) {
        throw options.fenced(error);
      }
      const named = toKafkaError(error, client.options.brokers);
      // What this topic never takes is no outage that a new producer would mend.
      throw what === 'open' || named.code === 'TOPIC_UNFIT' ? named : failed(error, at);
    } finally {
      clearTimeout(timer);
      busy = false;
    }
  };

  const fence = async (): Promise<void> => {
    topicFacts = await readTopicFacts(client, options.topics);
    producer = createProducer(client, deadlineMs, {
      transactionalId: options.transactionalId,
      transactionTimeout: options.transactionTimeoutMs,
    });
    const { made } = producer;
    await made.connect();
    // Only a transaction fences the older instances and settles theirs; connecting does not.
    await (await made.transaction()).abort();
  };

  const run = async (records: readonly OutputRecord[], progress?: GroupProgress): Promise<void> => {
    if (producer === null) {
      throw new ShuttleError('PRODUCE_FAILED', 'The transactional producer is not open.');
    }
    const mine = producer;
    const transaction = await mine.made.transaction();
    const answers = await sendRecords(transaction, mine.cluster, records, sending);
    if (progress !== undefined) {
      await sendProgress(transaction, progress);
    }
    if (mine !== producer) {
      throw new ShuttleError('PRODUCE_FAILED', 'The deadline had passed before the commit.');
    }
    await transaction.commit();
    written = answers;
  };

  /**
   * Kafka answers a commit before it has written the markers that let committed readers pass.
   * Whoever closes the sink in order shall find what was written.
   */
  const untilVisible = async (reader: PartitionReader): Promise<void> => {
    const untilMs = clock.now() + VISIBLE_PATIENCE_MS;
    for (let attempt = 1; clock.now() < untilMs; attempt++) {
      const ends = await reader.ends(options.topics);
      const hidden = written.some(({ topicName, partition, baseOffset }) => {
        const end = ends.find((each) => each.topic === topicName && each.partition === partition);
        return end !== undefined && end.logEnd <= BigInt(baseOffset ?? -1);
      });
      if (!hidden) {
        return;
      }
      await clock.sleep(backOffMs(attempt, clock.random()));
    }
  };

  return {
    facts,
    open: async (read) => {
      producer?.abandon();
      producer = null;
      const reader = createReader(client);
      try {
        return await step('open', async () => {
          await fence();
          return await read(reader);
        });
      } finally {
        void reader.close().catch(() => undefined);
      }
    },
    run: (records, progress) => step('run', () => run(records, progress)),
    close: async () => {
      const open = producer;
      producer = null;
      if (open !== null && written.length > 0) {
        const reader = createReader(client);
        await untilVisible(reader).catch(() => undefined);
        void reader.close().catch(() => undefined);
      }
      await open?.made.disconnect();
    },
  };
}

/** The records come first: Kafka may still refuse offsets behind a commit of a moment ago. */
async function sendProgress(transaction: Transaction, progress: GroupProgress): Promise<void> {
  const { groupId, topic, partition, offset, metadata = '' } = progress;
  // kafkajs passes metadata on; its types do not know.
  const committed = { partition, offset: offset.toString(), metadata };
  await transaction.sendOffsets({
    consumerGroupId: groupId,
    topics: [{ topic, partitions: [committed] }],
  });
}

function failed(error: unknown, at: Readonly<Record<string, string>>): ShuttleError {
  if (error instanceof ShuttleError && error.code === 'INTERNAL') {
    return error;
  }
  const message = error instanceof Error ? error.message : String(error);
  return new ShuttleError('PRODUCE_FAILED', `The Kafka transaction did not end: ${message}.`, {
    cause: error,
    at,
  });
}
