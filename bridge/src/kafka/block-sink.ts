/** `ports.BlockSink` on kafkajs: one transactional producer whose id is the blocks topic's name. */
import type { RecordMetadata } from 'kafkajs';
import { ShuttleError } from '../errors.ts';
import { backOffMs, PUBLISH_DEADLINE_MS, PUBLISH_TRANSACTION_TIMEOUT_MS } from '../limits.ts';
import type { BlockSink, BlockTail, Clock } from '../ports.ts';
import type { OutputRecord } from '../values.ts';
import { readBlockTail } from './block-tail.ts';
import type { KafkaClient } from './client.ts';
import { isFenced, toKafkaError } from './errors.ts';
import { createReader, type PartitionReader } from './reader.ts';
import { createProducer, type DisposableProducer, sendRecords } from './sender.ts';
import { readTopicFacts, type TopicFacts } from './topic-facts.ts';

export interface BlockSinkOptions {
  readonly blocksTopic: string;
  /** All topics that are published to, the blocks topic among them. */
  readonly topics: readonly string[];
  /** How long a transaction may take; below Kafka's own time-out for it. */
  readonly deadlineMs?: number;
  readonly transactionTimeoutMs?: number;
}

/** How long a close waits for the markers of the last transaction. */
const VISIBLE_PATIENCE_MS = 5_000;

/** A sink is open once: `open` fences all older ones, `publish` follows. */
export function createBlockSink(
  client: KafkaClient,
  options: BlockSinkOptions,
  clock: Clock,
): BlockSink {
  const deadlineMs = options.deadlineMs ?? PUBLISH_DEADLINE_MS;
  let producer: DisposableProducer | null = null;
  let facts: ReadonlyMap<string, TopicFacts> = new Map();
  let busy = false;
  /** Where the records of the last transaction stand. */
  let written: readonly RecordMetadata[] = [];

  const factsOf = (topic: string): TopicFacts => {
    const known = facts.get(topic);
    if (known === undefined) {
      throw new ShuttleError('INTERNAL', `Topic ${topic} is not one of the sink's.`);
    }
    return known;
  };
  const sending = {
    compression: client.options.compression ?? ('none' as const),
    batchBytesMax: (topic: string) => factsOf(topic).batchBytesMax,
    partitions: (topic: string) => factsOf(topic).partitions,
    now: () => clock.now(),
  };

  /** Runs one step under the deadline; after an error the producer is of no more use. */
  const step = async <T>(what: string, run: () => Promise<T>): Promise<T> => {
    if (busy) {
      throw new ShuttleError('INTERNAL', 'A block sink does one thing at a time.');
    }
    busy = true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${deadlineMs} ms have passed`)), deadlineMs);
    });
    try {
      return await Promise.race([run(), late]);
    } catch (error) {
      producer?.abandon();
      producer = null;
      const at = { topic: options.blocksTopic };
      if (isFenced(error)) {
        const message = `Another publisher writes to ${options.blocksTopic}, or Kafka timed out.`;
        throw new ShuttleError('PUBLISHER_FENCED', message, { cause: error, at });
      }
      const named = toKafkaError(error, client.options.brokers);
      // What this topic never takes is no outage that a new producer would mend.
      throw what === 'open' || named.code === 'TOPIC_UNFIT' ? named : failed(error, at);
    } finally {
      clearTimeout(timer);
      busy = false;
    }
  };

  const open = async (reader: PartitionReader): Promise<BlockTail> => {
    facts = await readTopicFacts(client, options.topics);
    producer = createProducer(client, deadlineMs, {
      transactionalId: options.blocksTopic,
      transactionTimeout: options.transactionTimeoutMs ?? PUBLISH_TRANSACTION_TIMEOUT_MS,
    });
    const { made } = producer;
    await made.connect();
    // Only a transaction fences the older instances and settles theirs; connecting does not.
    await (await made.transaction()).abort();
    return await readBlockTail(reader, options.blocksTopic);
  };

  const publish = async (records: readonly OutputRecord[]): Promise<void> => {
    if (producer === null) {
      throw new ShuttleError('PRODUCE_FAILED', 'The block sink is not open.');
    }
    const mine = producer;
    const transaction = await mine.made.transaction();
    const answers = await sendRecords(transaction, mine.cluster, records, sending);
    if (mine !== producer) {
      throw new ShuttleError('PRODUCE_FAILED', 'The deadline had passed before the commit.');
    }
    await transaction.commit();
    written = answers;
  };

  /**
   * Kafka answers a commit before it has written the markers that let committed readers pass.
   * Whoever closes the sink in order shall find what it published.
   */
  const untilVisible = async (reader: PartitionReader): Promise<void> => {
    const untilMs = clock.now() + VISIBLE_PATIENCE_MS;
    for (let attempt = 1; clock.now() < untilMs; attempt++) {
      const ends = await reader.ends(options.topics);
      const hidden = written.some(({ topicName, partition, baseOffset }) => {
        const end = ends.find((at) => at.topic === topicName && at.partition === partition);
        return end !== undefined && end.logEnd <= BigInt(baseOffset ?? -1);
      });
      if (!hidden) {
        return;
      }
      await clock.sleep(backOffMs(attempt, clock.random()));
    }
  };

  return {
    open: async () => {
      producer?.abandon();
      producer = null;
      const reader = createReader(client);
      try {
        return await step('open', () => open(reader));
      } finally {
        void reader.close().catch(() => undefined);
      }
    },
    publish: (records) => step('publish', () => publish(records)),
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

function failed(error: unknown, at: { topic: string }): ShuttleError {
  if (error instanceof ShuttleError && error.code === 'INTERNAL') {
    return error;
  }
  const message = error instanceof Error ? error.message : String(error);
  return new ShuttleError('PRODUCE_FAILED', `The Kafka transaction did not end: ${message}.`, {
    cause: error,
    at,
  });
}
