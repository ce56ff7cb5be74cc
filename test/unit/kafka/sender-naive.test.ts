/**
 * kafkajs' own send, and Shuttle's by it, to two brokers of which one fails while the other is still
 * at work. The brokers keep Kafka's rules of idempotence: a sequence that was appended is answered
 * again, the next one is appended.
 */
import { createRequire } from 'node:module';
import { describe, expect, test } from '@jest/globals';
import type { ProducerBatch, RecordMetadata } from 'kafkajs';
import { type BatchSender, type Leaders, sendRecords } from '../../../bridge/src/kafka/sender.ts';

const load = createRequire(import.meta.url);
const createSendMessages = load('kafkajs/src/producer/sendMessages.js');
const createEosManager = load('kafkajs/src/producer/eosManager/index.js');
const createRetry = load('kafkajs/src/retry/index.js');
const { KafkaJSConnectionError } = load('kafkajs/src/errors.js');

const TOPIC = 'blocks';
const logger = { debug: () => {}, error: () => {} };

interface Produced {
  readonly topicData: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly firstSequence: number;
      readonly messages: readonly unknown[];
    }[];
  }[];
}

class FakeBroker {
  readonly nodeId: string;
  /** Settles before each answer, or rejects instead of one. */
  before: () => Promise<void> = async () => {};
  appended = 0;
  private next = 0;

  constructor(nodeId: string) {
    this.nodeId = nodeId;
  }

  async initProducerId() {
    return { producerId: 1, producerEpoch: 0 };
  }

  async produce({ topicData }: Produced) {
    await this.before();
    const topics = topicData.map(({ topic, partitions }) => ({
      topicName: topic,
      partitions: partitions.map(({ partition, firstSequence, messages }) => {
        if (firstSequence === this.next) {
          this.next += messages.length;
          this.appended += messages.length;
        }
        return { partition, errorCode: 0, baseOffset: '0' };
      }),
    }));
    return { topics };
  }
}

/** Partition n is led by broker n; the second broker fails once while the first is at work. */
async function twoBrokers() {
  const brokers = [new FakeBroker('0'), new FakeBroker('1')];
  const [slow, failing] = brokers as [FakeBroker, FakeBroker];
  const cluster = {
    retry: {},
    targetTopics: new Set([TOPIC]),
    addMultipleTargetTopics: async () => {},
    refreshMetadataIfNecessary: async () => {},
    refreshMetadata: async () => {},
    removeBroker: () => {},
    isConnected: () => true,
    findControllerBroker: async () => slow,
    findBroker: async ({ nodeId }: { nodeId: string }) => brokers[Number(nodeId)],
    findTopicPartitionMetadata: () => [{ partitionId: 0 }, { partitionId: 1 }],
    findLeaderForPartitions: (_: string, partitions: readonly (number | string)[]) =>
      Object.fromEntries(partitions.map((each) => [String(each), [Number(each)]])),
  };
  const eosManager = createEosManager({ logger, cluster, transactional: false });
  await eosManager.initProducerId();
  let tries = 0;
  let release = (): void => {};
  const failedTwice = new Promise<void>((resolve) => {
    release = resolve;
  });
  slow.before = () => failedTwice;
  failing.before = async () => {
    tries += 1;
    if (tries === 2) {
      release();
    }
    if (tries <= 2) {
      throw new KafkaJSConnectionError('Connection refused');
    }
  };
  const partitioner = ({ message }: { message: { partition: number } }) => message.partition;
  const retrier = createRetry({ initialRetryTime: 1, retries: 10 });
  const send = createSendMessages({ logger, cluster, partitioner, eosManager, retrier });
  const sender: BatchSender = {
    sendBatch: ({ topicMessages, ...options }: ProducerBatch): Promise<RecordMetadata[]> =>
      send({ ...options, topicMessages }),
  };
  return { brokers, sender, leaders: cluster as unknown as Leaders, release };
}

const values = [0, 1].map((partition) => ({ key: null, value: `v${partition}`, partition }));

describe('a send to two brokers, one of which fails while the other is at work', () => {
  test('stands twice on the other, when kafkajs sends to both at once', async () => {
    const { brokers, sender } = await twoBrokers();
    await sender.sendBatch({ acks: -1, topicMessages: [{ topic: TOPIC, messages: values }] });
    expect(brokers.map(({ appended }) => appended)).toEqual([2, 1]);
  });

  test('stands once, when Shuttle sends to one after the other', async () => {
    const { brokers, sender, leaders, release } = await twoBrokers();
    release();
    const records = values.map((value) => ({ ...value, topic: TOPIC, headers: [] }));
    await sendRecords(sender, leaders, records, {
      compression: 'none',
      batchBytesMax: () => 1_000_000,
      partitions: () => 2,
      now: () => 1,
    });
    expect(brokers.map(({ appended }) => appended)).toEqual([1, 1]);
  });
});
