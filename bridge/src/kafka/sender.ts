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
import { type Abandonable, abandonable, type Cluster } from './hooks.ts';
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
function messagesOf(groups: Record<string, EncodedRecords>, beforeTry: () => void): Message[] {
  const messages: Message[] = [];
  const reduce = () => {
    beforeTry();
    return groups;
  };
  Object.defineProperty(messages, 'reduce', { value: reduce });
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
  const { made, cluster } = created;
  return {
    made,
    cluster,
    abandon: () => {
      created.abandon();
      // It may wait for an answer that never comes; nobody waits for it.
      void made.disconnect().catch(() => undefined);
    },
  };
}

/** What is needed of a cluster to know which broker a batch goes to. */
export type Leaders = Pick<
  Cluster,
  'addMultipleTargetTopics' | 'refreshMetadataIfNecessary' | 'findLeaderForPartitions'
>;

/** One batch each of partitions that the same broker leads. */
type Send = Map<string, Record<string, EncodedRecords>>;

/**
 * Sends all records: for each broker one Produce request with one batch a partition, or several one
 * after another when a partition has more than one batch of records. Answers where each batch
 * stands.
 *
 * kafkajs sends to several brokers at once, and when one of them fails it begins again while the
 * others are still at work: what these are about to acknowledge is then sent a second time, under
 * the next sequence numbers, and stands twice. So a send has one broker only.
 *
 * @throws kafkajs' errors; ShuttleError PRODUCE_FAILED when leaders have moved apart in between
 */
export async function sendRecords(
  sender: BatchSender,
  leaders: Leaders,
  records: readonly OutputRecord[],
  options: SendOptions,
): Promise<readonly RecordMetadata[]> {
  const all = group(records, options);
  const answers: RecordMetadata[] = [];
  const compression = options.compression === 'gzip' ? CODEC_GZIP : CODEC_NONE;
  const rounds = all.reduce((most, { batches }) => Math.max(most, batches.length), 0);
  await leaders.addMultipleTargetTopics([...new Set(all.map(({ topic }) => topic))]);
  for (let round = 0; round < rounds; round++) {
    await leaders.refreshMetadataIfNecessary();
    for (const send of sendsOf(all, round, leaders)) {
      const oneLeader = () => requireOneLeader(send, leaders);
      const topicMessages = [...send].map(([topic, groups]) => ({
        topic,
        messages: messagesOf(groups, oneLeader),
      }));
      const acked = await sender.sendBatch({ acks: -1, compression, topicMessages });
      const sent = [...send.values()].reduce((sum, groups) => sum + Object.keys(groups).length, 0);
      if (acked.length !== sent) {
        throw new ShuttleError('PRODUCE_FAILED', `Kafka acked ${acked.length} of ${sent} batches.`);
      }
      answers.push(...acked);
    }
  }
  return answers;
}

function sendsOf(all: readonly PartitionBatches[], round: number, leaders: Leaders): Send[] {
  const sends = new Map<string, Send>();
  for (const { topic, partition, batches } of all) {
    const batch = batches[round];
    if (batch !== undefined) {
      const leader = leaderOf(leaders, topic, partition);
      const send = sends.get(leader) ?? new Map<string, Record<string, EncodedRecords>>();
      sends.set(leader, send.set(topic, { ...send.get(topic), [partition]: batch }));
    }
  }
  return [...sends.values()];
}

function leaderOf(leaders: Leaders, topic: string, partition: number): string {
  return Object.keys(leaders.findLeaderForPartitions(topic, [partition]))[0] ?? '';
}

/** Called at each try: kafkajs looks the leaders up anew, and they may have changed. */
function requireOneLeader(send: Send, leaders: Leaders): void {
  const found = new Set<string>();
  for (const [topic, groups] of send) {
    for (const partition of Object.keys(groups)) {
      found.add(leaderOf(leaders, topic, Number(partition)));
    }
  }
  if (found.size > 1) {
    throw new ShuttleError('PRODUCE_FAILED', 'Partitions have changed their leaders meanwhile.');
  }
}
