/**
 * The way into kafkajs 2.2.4. Its consumer decodes a fetch response before anything of it can be
 * seen, and in doing so drops the log start and the list of aborted transactions; its producer
 * cannot write headers in their order. Both sides of the wire are therefore replaced at the one
 * place where kafkajs looks up how a request is written and read: `broker.lookupRequest`.
 * kafkajs is pinned, and the unit test of this file fails when its shape changes.
 */
import type { Kafka } from 'kafkajs';
import { ShuttleError } from '../errors.ts';

/** kafkajs' description of one request: how it is encoded, and how its answer is read. */
export interface ProtocolRequest {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<unknown>;
    expectResponse?(): boolean;
  };
  readonly response: {
    decode(payload: Buffer): Promise<unknown>;
    parse(decoded: unknown): Promise<unknown>;
  };
}

type BuildRequest = (args: Record<string, unknown>) => ProtocolRequest;
type LookupRequest = (apiKey: number, definition: unknown) => BuildRequest;

export interface FetchRequest {
  readonly isolationLevel: number;
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: string;
      readonly maxBytes: number;
    }[];
  }[];
}

export interface OffsetFetchRequest {
  readonly groupId: string;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number }[];
  }[];
}

/** A connection to one broker, as far as it is used here. */
export interface Broker {
  lookupRequest: LookupRequest;
  fetch(request: FetchRequest): Promise<unknown>;
  offsetFetch(request: OffsetFetchRequest): Promise<unknown>;
}

/** What kafkajs knows of the brokers behind one producer, consumer or admin client. */
export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  findBroker(node: { nodeId: number | string }): Promise<Broker>;
  findGroupCoordinator(group: { groupId: string }): Promise<Broker>;
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number }[];
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, number[]>;
  fetchTopicsOffset(
    topics: readonly {
      topic: string;
      partitions: readonly { partition: number }[];
      fromBeginning?: boolean;
      /** In ms since the epoch; asks for the first offset with this time or a later one. */
      fromTimestamp?: number;
    }[],
  ): Promise<readonly { topic: string; partitions: { partition: number; offset: string }[] }[]>;
}

type CreateCluster = (options: Record<string, unknown>) => Cluster;

/** Replaces how one kind of request is written and read; leaves the others as they are. */
export type Rewrite = (protocol: ProtocolRequest, args: Record<string, unknown>) => ProtocolRequest;

const CREATE_CLUSTER = 'private:Kafka:createCluster';
export const READ_UNCOMMITTED = 0;
export const READ_COMMITTED = 1;

function createClusterOf(kafka: Kafka): { symbol: symbol; create: CreateCluster } {
  const symbol = Object.getOwnPropertySymbols(kafka).find((s) => s.description === CREATE_CLUSTER);
  if (symbol === undefined) {
    throw new ShuttleError('INTERNAL', 'The installed kafkajs is not version 2.2.4.');
  }
  return { symbol, create: (kafka as unknown as Record<symbol, CreateCluster>)[symbol] as never };
}

function hookBroker(broker: Broker, seen: WeakSet<Broker>, rewrite: Rewrite): Broker {
  if (seen.has(broker)) {
    return broker;
  }
  seen.add(broker);
  // Each connect assigns lookupRequest anew, so an accessor is what stays in place.
  let inner = broker.lookupRequest;
  const outer: LookupRequest = (apiKey, definition) => {
    const build = inner(apiKey, definition);
    return (args) => rewrite(build(args), args);
  };
  Object.defineProperty(broker, 'lookupRequest', {
    get: () => outer,
    set: (lookup: LookupRequest) => {
      inner = lookup;
    },
  });
  return broker;
}

/** Makes every client that `kafka` creates from now on write and read by `rewrite`. */
export function hook(kafka: Kafka, rewrite: Rewrite): void {
  const { symbol, create } = createClusterOf(kafka);
  const seen = new WeakSet<Broker>();
  const hooked: CreateCluster = (options) => {
    const cluster = create(options);
    const find = cluster.findBroker.bind(cluster);
    cluster.findBroker = async (node) => hookBroker(await find(node), seen, rewrite);
    return cluster;
  };
  (kafka as unknown as Record<symbol, CreateCluster>)[symbol] = hooked;
}

/** Makes a client and lets go of it later, whatever it is waiting for then. */
export interface Abandonable<T> {
  readonly made: T;
  /** What the client knows of the brokers. */
  readonly cluster: Cluster;
  /**
   * Ends kafkajs' retries inside the client, which nobody waits for any more: they would go on as
   * long as the brokers are away, and send again when these are back.
   */
  abandon(): void;
}

/** Creates a producer or consumer that can be abandoned; `hook` comes first. */
export function abandonable<T>(kafka: Kafka, make: () => T): Abandonable<T> {
  const { symbol, create } = createClusterOf(kafka);
  const clusters: Cluster[] = [];
  const holder = kafka as unknown as Record<symbol, CreateCluster>;
  holder[symbol] = (options) => {
    const cluster = create(options);
    clusters.push(cluster);
    return cluster;
  };
  try {
    const made = make();
    const cluster = clusters[0];
    if (cluster === undefined) {
      throw new ShuttleError('INTERNAL', 'The installed kafkajs is not version 2.2.4.');
    }
    return { made, cluster, abandon: () => clusters.forEach(poison) };
  } finally {
    holder[symbol] = create;
  }
}

function poison(cluster: Cluster): void {
  const refuse = (): Promise<never> =>
    Promise.reject(Object.assign(new Error('The client was abandoned.'), { retriable: false }));
  Object.assign(cluster, {
    connect: refuse,
    addMultipleTargetTopics: refuse,
    refreshMetadata: refuse,
    refreshMetadataIfNecessary: refuse,
    findBroker: refuse,
  });
}

/** A bare cluster, for reading partitions by offset without a consumer group. */
export function createCluster(kafka: Kafka, metadataMaxAgeMs: number): Cluster {
  return createClusterOf(kafka).create({
    metadataMaxAge: metadataMaxAgeMs,
    allowAutoTopicCreation: false,
    isolationLevel: READ_COMMITTED,
  });
}
