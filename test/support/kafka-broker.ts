/** A real Kafka broker of the tests' own, with the clients and topics that they need. */
import { randomUUID } from 'node:crypto';
import { type Admin, Kafka, logLevel, type Producer } from 'kafkajs';
import { createKafkaClient, type KafkaClient } from '../../bridge/src/kafka/client.ts';
import type { KafkaOptions } from '../../bridge/src/kafka/options.ts';
import { type Network, startNetwork } from '../../network/src/index.ts';
import { createTestLog, testClock } from './fakes.ts';
import { type KafkaProxy, startKafkaProxy } from './kafka-proxy.ts';
import { createTemporaryFolder } from './temporary-folder.ts';

export interface TestBroker {
  readonly network: Network;
  readonly brokers: readonly string[];
  readonly proxy: KafkaProxy;
  /** Reached through the proxy. */
  readonly proxied: readonly string[];
  readonly admin: Admin;
  /** A client that shares nothing with the bridge. */
  readonly plain: Kafka;
  readonly producer: Producer;
  /** The bridge's own client; closed with the broker. */
  client(options?: Partial<KafkaOptions>): KafkaClient;
  /** A new topic; settings by name. */
  topic(partitions?: number, settings?: Record<string, string>): Promise<string>;
  createTopic(name: string, partitions?: number, settings?: Record<string, string>): Promise<void>;
  /** Deletes the records before `offset`; -1 deletes all. */
  truncate(topic: string, offset: bigint): Promise<void>;
  stop(): Promise<void>;
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1));

export interface TestBrokerOptions {
  /** Of each test file its own, and below the ports that clients are given by the system. */
  readonly portOffset: number;
  readonly secure?: boolean;
}

export async function startTestBroker({
  portOffset,
  secure = false,
}: TestBrokerOptions): Promise<TestBroker> {
  const folder = createTemporaryFolder();
  const network = await startNetwork({
    dir: folder.path,
    portOffset,
    fabric: false,
    kafkaProxied: true,
    kafkaSecure: secure,
  });
  const { brokers, proxied } = network.description.kafka;
  const listener = proxied?.[0];
  if (listener === undefined) {
    throw new Error('The broker has no listener for a proxy.');
  }
  const proxy = await startKafkaProxy({
    listenPort: portOf(listener.advertised),
    targetPort: portOf(listener.listens),
  });
  const plain = new Kafka({
    brokers: [...brokers],
    clientId: 'plain',
    logLevel: logLevel.NOTHING,
    retry: { retries: 20 },
  });
  const admin = plain.admin();
  // Without idempotence kafkajs doubles records of partitions that nobody leads yet.
  const producer = plain.producer({
    createPartitioner: () => byMessage,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await Promise.all([admin.connect(), producer.connect()]);
  await awaitCoordinators(admin);
  const clients: KafkaClient[] = [];

  const createTopic = async (
    name: string,
    partitions = 1,
    settings: Record<string, string> = {},
  ): Promise<void> => {
    await admin.createTopics({
      waitForLeaders: false,
      topics: [
        {
          topic: name,
          numPartitions: partitions,
          configEntries: Object.entries(settings).map(([key, value]) => ({ name: key, value })),
        },
      ],
    });
    await known(name);
  };

  /** A topic that was created just now is not known to the broker at once. */
  const known = async (name: string): Promise<void> => {
    for (let tries = 0; tries < 200; tries++) {
      const { topics } = await admin
        .fetchTopicMetadata({ topics: [name] })
        .catch(() => ({ topics: [] }));
      if (topics[0]?.partitions.every(({ leader }) => leader >= 0)) {
        return;
      }
      await testClock.sleep(20);
    }
    throw new Error(`Topic ${name} did not come up.`);
  };

  return {
    network,
    brokers,
    proxy,
    proxied: [listener.advertised],
    admin,
    plain,
    producer,
    client: (options = {}) => {
      const client = createKafkaClient({ brokers, clientId: 'test', ...options }, createTestLog());
      clients.push(client);
      return client;
    },
    topic: async (partitions, settings) => {
      const name = `t-${randomUUID()}`;
      await createTopic(name, partitions, settings);
      return name;
    },
    createTopic,
    truncate: async (topic, offset) => {
      // kafkajs does not look up the topic's leader by itself.
      await admin.fetchTopicOffsets(topic);
      const partitions = [{ partition: 0, offset: offset.toString() }];
      await admin.deleteTopicRecords({ topic, partitions });
    },
    stop: async () => {
      await Promise.allSettled([
        producer.disconnect(),
        admin.disconnect(),
        ...clients.map((client) => client.close()),
      ]);
      await proxy.close();
      await network.stop({ delete: true });
      folder.remove();
    },
  };
}

/** kafkajs' consumers die of a coordinator that is still loading, as it does on a new broker. */
async function awaitCoordinators(admin: Admin): Promise<void> {
  // So many that every partition of the offsets topic is asked for.
  for (let group = 0; group < 40; group++) {
    for (let tries = 1; ; tries++) {
      try {
        await admin.fetchOffsets({ groupId: `warm-${group}`, topics: [] });
        break;
      } catch (error) {
        if (tries === 100) {
          throw error;
        }
        await testClock.sleep(50);
      }
    }
  }
}

/** Messages name their partition; those that do not go to the first. */
const byMessage = ({ message }: { message: { partition?: number } }): number =>
  message.partition ?? 0;
