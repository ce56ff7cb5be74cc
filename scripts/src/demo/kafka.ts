/**
 * Kafka by kafkajs alone: what the demo sends and reads back passes through none of Shuttle's code,
 * so that it shows what any other client would see.
 */
import { randomUUID } from 'node:crypto';
import kafkajs, { type Admin, type IHeaders, type Kafka } from 'kafkajs';

export interface Sent {
  readonly key: string | null;
  readonly value: string | null;
}

export interface Received {
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** The next offset of each partition. */
export type Offsets = ReadonlyMap<number, bigint>;

const SEND_RECORDS = 1_000;

export function connectKafka(brokers: readonly string[]): Kafka {
  const { NOTHING } = kafkajs.logLevel;
  return new kafkajs.Kafka({ clientId: 'shuttle-demo', brokers: [...brokers], logLevel: NOTHING });
}

export async function withAdmin<T>(kafka: Kafka, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Creates a topic unless there is one. @returns the number of its partitions */
export async function ensureTopic(
  admin: Admin,
  topic: string,
  partitions: number,
): Promise<number> {
  await admin.createTopics({
    topics: [{ topic, numPartitions: partitions }],
    waitForLeaders: true,
  });
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  return topics[0]?.partitions.length ?? 0;
}

/** Where each partition of a topic ends; empty when there is no such topic. */
export async function endsOf(admin: Admin, topic: string): Promise<Offsets> {
  const topics = await admin.listTopics();
  if (!topics.includes(topic)) {
    return new Map();
  }
  const offsets = await admin.fetchTopicOffsets(topic);
  return new Map(offsets.map(({ partition, high }) => [partition, BigInt(high)]));
}

/** Sends all in order, some at a time; the partition follows from the key. */
export async function produce(
  kafka: Kafka,
  topic: string,
  records: Iterable<Sent>,
  onSent: (count: number) => void,
): Promise<void> {
  const { DefaultPartitioner } = kafkajs.Partitioners;
  const producer = kafka.producer({ createPartitioner: DefaultPartitioner });
  await producer.connect();
  try {
    for (const messages of chunksOf(records, SEND_RECORDS)) {
      // No timestamps of the story: the broker would delete what seems to be older than its
      // retention.
      await producer.send({ topic, acks: -1, messages });
      onSent(messages.length);
    }
  } finally {
    await producer.disconnect();
  }
}

function* chunksOf<T>(values: Iterable<T>, size: number): Generator<T[]> {
  let chunk: T[] = [];
  for (const value of values) {
    chunk.push(value);
    if (chunk.length === size) {
      yield chunk;
      chunk = [];
    }
  }
  if (chunk.length > 0) {
    yield chunk;
  }
}

/** Reads the committed records between two points of a topic, partition by partition in order. */
export async function readBetween(
  kafka: Kafka,
  topic: string,
  from: Offsets,
  to: Offsets,
): Promise<Received[]> {
  const open = new Map([...to].filter(([partition, end]) => end > (from.get(partition) ?? 0n)));
  if (open.size === 0) {
    return [];
  }
  const groupId = `shuttle-demo-${randomUUID()}`;
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 200 });
  const received: Received[] = [];
  await consumer.connect();
  try {
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
      // Markers of transactions occupy offsets without being records, so the end is told by the
      // batch and not by the last record.
      consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
        const end = open.get(payload.partition);
        if (end !== undefined && BigInt(payload.lastOffset) >= end - 1n) {
          open.delete(payload.partition);
        }
        if (open.size === 0) {
          resolve();
        }
      });
      void startReading().catch(reject);
    });
  } finally {
    await consumer.disconnect();
    await withAdmin(kafka, (admin) => admin.deleteGroups([groupId]));
  }
  return received;

  async function startReading(): Promise<void> {
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        const { key, value, headers } = message;
        const offset = BigInt(message.offset);
        if (offset >= (from.get(partition) ?? 0n) && offset < (to.get(partition) ?? 0n)) {
          received.push({ partition, offset, key, value, headers: textOf(headers) });
        }
      },
    });
    for (const partition of open.keys()) {
      consumer.seek({ topic, partition, offset: String(from.get(partition) ?? 0n) });
    }
  }
}

function textOf(headers: IHeaders | undefined): Record<string, string> {
  const entries = Object.entries(headers ?? {}).map(([name, value]) => {
    const last = Array.isArray(value) ? value.at(-1) : value;
    return [name, last === undefined ? '' : last.toString()] as const;
  });
  return Object.fromEntries(entries);
}
