/** Sends records through a kafkajs producer as batches of at most so many bytes a partition. */
import type {
  Message,
  Producer,
  ProducerBatch,
  ProducerConfig,
  RecordMetadata,
  RetryOptions,
} from 'kafkajs';
import { ShuttleError } from '../errors.ts';
import type { OutputRecord } from '../values.ts';
import type { KafkaClient } from './client.ts';
import { CODEC_GZIP, CODEC_NONE } from './codecs.ts';
import { type BatchWriter, createBatchWriter, type EncodedRecords } from './encode-records.ts';
import { type Abandonable, abandonable } from './hooks.ts';
import { partitionOf } from './murmur2.ts';
import type { KafkaCompression } from './options.ts';

const RETRY_WAIT_MS_MAX = 1_000;

/** A kafkajs producer or transaction. */
export interface BatchSender {
  sendBatch(batch: ProducerBatch): Promise<RecordMetadata[]>;
}

export interface SendOptions {
  readonly compression: KafkaCompression;
  /** How many bytes a record batch of the topic may have. */
  batchBytesMax(topic: string): number;
  /** How many partitions the topic has. */
  partitions(topic: string): number;
  now(): number;
}

/** The batches of one partition, in the order in which they have to be sent. */
interface PartitionBatches {
  readonly topic: string;
  readonly partition: number;
  readonly batches: EncodedRecords[];
  writer: BatchWriter;
}

/** All records with a key go by its hash; those without go to the first partition. */
function choosePartition(record: OutputRecord, partitions: number): number {
  if (record.partition !== undefined || record.key === null) {
    const partition = record.partition ?? 0;
    if (partition >= partitions) {
      // kafkajs would leave the record out and say nothing.
      throw new ShuttleError('INTERNAL', `There is no partition ${record.topic}/${partition}.`);
    }
    return partition;
  }
  const key = typeof record.key === 'string' ? Buffer.from(record.key) : record.key;
  return partitions === 1 ? 0 : partitionOf(key, partitions);
}

function group(records: readonly OutputRecord[], options: SendOptions): PartitionBatches[] {
  const topics = new Map<string, { partitions: number; groups: PartitionBatches[] }>();
  const all: PartitionBatches[] = [];
  const now = options.now();
  for (const record of records) {
    let topic = topics.get(record.topic);
    if (topic === undefined) {
      topic = { partitions: options.partitions(record.topic), groups: [] };
      topics.set(record.topic, topic);
    }
    const partition = choosePartition(record, topic.partitions);
    let batches = topic.groups[partition];
    if (batches === undefined) {
      const writer = createBatchWriter(options.batchBytesMax(record.topic));
      batches = { topic: record.topic, partition, batches: [], writer };
      topic.groups[partition] = batches;
      all.push(batches);
    }
    if (!batches.writer.add(record, now)) {
      batches.batches.push(batches.writer.end());
      batches.writer = createBatchWriter(options.batchBytesMax(record.topic));
      batches.writer.add(record, now);
    }
  }
  for (const batches of all) {
    batches.batches.push(batches.writer.end());
  }
  return all;
}

/**
 * kafkajs groups messages by copying the group for every message, and chooses partitions anew when
 * it tries again, under the same sequence numbers. It is given the finished groups instead.
 */
function messagesOf(groups: Record<string, EncodedRecords>): Message[] {
  const messages: Message[] = [];
  Object.defineProperty(messages, 'reduce', { value: () => groups });
  return messages;
}

/**
 * kafkajs loses or repeats records when a producer goes on after it gave up a send, so it retries
 * beyond the deadline of the caller, who then throws the producer away.
 */
function retryBeyond(deadlineMs: number): RetryOptions {
  return {
    // kafkajs' own 300 ms would be waited at the begin of every transaction.
    initialRetryTime: 10,
    multiplier: 1.4,
    maxRetryTime: RETRY_WAIT_MS_MAX,
    retries: Math.ceil(20 + (1.25 * deadlineMs) / RETRY_WAIT_MS_MAX),
  };
}

/** A producer that is thrown away after its first error. */
export type DisposableProducer = Abandonable<Producer>;

/** An idempotent producer with one request in flight; nothing is connected yet. */
export function createProducer(
  client: KafkaClient,
  deadlineMs: number,
  config: Pick<ProducerConfig, 'transactionalId' | 'transactionTimeout'>,
): DisposableProducer {
  const created = abandonable(client.kafka, () =>
    client.kafka.producer({
      ...config,
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      // Records are grouped before kafkajs sees them, so it has nothing to choose.
      createPartitioner: () => () => 0,
      retry: retryBeyond(deadlineMs),
    }),
  );
  const { made } = created;
  return {
    made,
    abandon: () => {
      created.abandon();
      // It may wait for an answer that never comes; nobody waits for it.
      void made.disconnect().catch(() => undefined);
    },
  };
}

/**
 * Sends all records: one Produce request with one batch a partition, or several one after another
 * when a partition has more than one batch of records. Answers where each batch stands.
 *
 * @throws kafkajs' errors
 */
export async function sendRecords(
  sender: BatchSender,
  records: readonly OutputRecord[],
  options: SendOptions,
): Promise<readonly RecordMetadata[]> {
  const all = group(records, options);
  const answers: RecordMetadata[] = [];
  const compression = options.compression === 'gzip' ? CODEC_GZIP : CODEC_NONE;
  const rounds = all.reduce((most, { batches }) => Math.max(most, batches.length), 0);
  for (let round = 0; round < rounds; round++) {
    const topics = new Map<string, Record<string, EncodedRecords>>();
    for (const { topic, partition, batches } of all) {
      const batch = batches[round];
      if (batch !== undefined) {
        topics.set(topic, { ...topics.get(topic), [partition]: batch });
      }
    }
    const topicMessages = [...topics].map(([topic, groups]) => ({
      topic,
      messages: messagesOf(groups),
    }));
    const acked = await sender.sendBatch({ acks: -1, compression, topicMessages });
    const sent = all.filter(({ batches }) => batches[round] !== undefined).length;
    if (acked.length !== sent) {
      throw new ShuttleError('PRODUCE_FAILED', `Kafka acked ${acked.length} of ${sent} batches.`);
    }
    answers.push(...acked);
  }
  return answers;
}
