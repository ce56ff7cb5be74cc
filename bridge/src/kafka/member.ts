/** One life of one member of a consumer group: a kafkajs consumer from its start to its end. */
import type { Consumer, EachBatchPayload } from 'kafkajs';
import type { TopicPartition } from '../values.ts';
import type { KafkaClient } from './client.ts';
import type { Carrier, Fetched } from './fetch-response.ts';
import { type Abandonable, abandonable } from './hooks.ts';
import { createWatchdog } from './watchdog.ts';

/** Fetches wait this long for a first record; a fully paused member looks up as often. */
const MAX_WAIT_MS = 200;
const HEARTBEAT_MS = 3_000;
const REBALANCE_TIMEOUT_MS = 60_000;
const METADATA_MAX_AGE_MS = 60_000;
const BYTES_MAX_PER_PARTITION = 1024 * 1024;
const BYTES_MAX_PER_FETCH = 8 * 1024 * 1024;
const RETRY = { initialRetryTime: 100, multiplier: 1.6, maxRetryTime: 1_000, retries: 10 };

/** Leaving a group whose broker is away is given up then; the session's time-out does the same. */
const CLOSE_PATIENCE_MS = 5_000;

/** What a group offset says: the next offset to read, and whose it is. */
export interface GroupOffset extends TopicPartition {
  readonly offset: bigint;
  readonly metadata: string;
}

export interface MemberOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
}

/** All are called by kafkajs' own loop, and none may throw. */
export interface MemberListener {
  /** The whole assignment, before anything of it is fetched. */
  joined(memberId: string, assignment: readonly TopicPartition[]): void;
  /** True when the position may move behind what was fetched. */
  fetched(at: TopicPartition, offset: bigint, fetched: Fetched): boolean;
  silent(): void;
  sign(): void;
  /** This life is over: kafkajs gave up, or does not move any more. */
  died(error: Error): void;
}

export interface Member {
  start(): Promise<void>;
  pause(at: TopicPartition): void;
  resume(at: TopicPartition): void;
  seek(at: TopicPartition, offset: bigint): void;
  /** Commits group offsets; throws kafkajs' error when Kafka did not take all of them. */
  commit(offsets: readonly GroupOffset[]): Promise<void>;
  /** Leaves the group. */
  close(): Promise<void>;
  /** Lets go of a member that is dead. */
  abandon(): void;
}

type Commit = EachBatchPayload['commitOffsetsIfNecessary'];

function createConsumer(client: KafkaClient, options: MemberOptions): Abandonable<Consumer> {
  return abandonable(client.kafka, () =>
    client.kafka.consumer({
      groupId: options.groupId,
      sessionTimeout: options.sessionTimeoutMs,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      metadataMaxAge: METADATA_MAX_AGE_MS,
      allowAutoTopicCreation: false,
      maxBytesPerPartition: BYTES_MAX_PER_PARTITION,
      maxBytes: BYTES_MAX_PER_FETCH,
      minBytes: 1,
      maxWaitTimeInMs: MAX_WAIT_MS,
      // A consumer that kafkajs restarts by itself would not tell what it owned before.
      retry: { ...RETRY, restartOnFailure: () => Promise.resolve(false) },
    }),
  );
}

/** Between a crash and the word of it kafkajs throws; the partitions are lost then anyway. */
function whileRunning(call: () => void): void {
  try {
    call();
  } catch (error) {
    if ((error as Error).name !== 'KafkaJSNonRetriableError') {
      throw error;
    }
  }
}

const topicsOf = (offsets: readonly GroupOffset[]) => {
  const topics = new Map<string, { partition: number; offset: string; metadata: string }[]>();
  for (const { topic, partition, offset, metadata } of offsets) {
    const partitions = topics.get(topic) ?? [];
    partitions.push({ partition, offset: offset.toString(), metadata });
    topics.set(topic, partitions);
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
};

/** Prepares one life; `start` begins it. */
export function createMember(
  client: KafkaClient,
  options: MemberOptions,
  listener: MemberListener,
): Member {
  const abandonableConsumer = createConsumer(client, options);
  const consumer = abandonableConsumer.made;
  const watchdog = createWatchdog(options.sessionTimeoutMs, REBALANCE_TIMEOUT_MS, listener);
  let commitByBatch: Commit | null = null;
  let over = false;

  const die = (error: Error): void => {
    if (!over) {
      over = true;
      watchdog.stop();
      listener.died(error);
    }
  };

  const onBatch = (payload: EachBatchPayload): Promise<void> => {
    commitByBatch = (offsets) => payload.commitOffsetsIfNecessary(offsets);
    const { topic, partition } = payload.batch;
    const { fetchedOffset } = payload.batch as unknown as { readonly fetchedOffset: string };
    for (const message of payload.batch.messages) {
      const { fetched, offset } = message as unknown as Carrier;
      if (!over && listener.fetched({ topic, partition }, BigInt(fetchedOffset), fetched)) {
        payload.resolveOffset(offset);
      }
    }
    return Promise.resolve();
  };

  const { events } = consumer;
  consumer.on(events.GROUP_JOIN, ({ payload }) => {
    const assignment = Object.entries(payload.memberAssignment).flatMap(([topic, partitions]) =>
      partitions.map((partition) => ({ topic, partition })),
    );
    try {
      if (!over) {
        listener.joined(payload.memberId, assignment);
        watchdog.sign('member');
      }
    } catch (error) {
      // kafkajs would take it for an error of the join.
      die(error as Error);
    }
  });
  consumer.on(events.REBALANCING, () => watchdog.sign('rebalancing'));
  consumer.on(events.HEARTBEAT, () => watchdog.sign('member'));
  consumer.on(events.FETCH, () => watchdog.sign('member'));
  consumer.on(events.CRASH, ({ payload }) => die(payload.error));

  /** Before a first batch there is no payload to commit by; the other way may say nothing. */
  const commitByConsumer = async (offsets: readonly GroupOffset[]): Promise<void> => {
    let taken = false;
    const remove = consumer.on(events.COMMIT_OFFSETS, () => {
      taken = true;
    });
    try {
      await consumer.commitOffsets(offsets.map((o) => ({ ...o, offset: o.offset.toString() })));
    } finally {
      remove();
    }
    if (!taken) {
      throw new Error('The group member is stopping.');
    }
  };

  return {
    start: async () => {
      watchdog.start();
      await consumer.connect();
      await consumer.subscribe({ topics: [...options.topics], fromBeginning: true });
      await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: onBatch });
    },
    pause: ({ topic, partition }) =>
      whileRunning(() => consumer.pause([{ topic, partitions: [partition] }])),
    resume: ({ topic, partition }) =>
      whileRunning(() => consumer.resume([{ topic, partitions: [partition] }])),
    seek: ({ topic, partition }, offset) =>
      whileRunning(() => consumer.seek({ topic, partition, offset: offset.toString() })),
    commit: (offsets) =>
      commitByBatch === null
        ? commitByConsumer(offsets)
        : commitByBatch({ topics: topicsOf(offsets) }),
    close: async () => {
      over = true;
      watchdog.stop();
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(() => {
          abandonableConsumer.abandon();
          resolve();
        }, CLOSE_PATIENCE_MS);
      });
      await Promise.race([consumer.disconnect(), late]);
      clearTimeout(timer);
    },
    abandon: () => {
      over = true;
      watchdog.stop();
      abandonableConsumer.abandon();
      // It may wait for answers that never come; nobody waits for it.
      void consumer.disconnect().catch(() => undefined);
    },
  };
}
