/** Topics as a member of a consumer group reads them: `ports.RenewableSource` on kafkajs. */
import { ShuttleError } from '../errors.ts';
import { backOffMs, SESSION_TIMEOUT_MS_DEFAULT } from '../limits.ts';
import type { Clock, RenewableSource, SourceEvent } from '../ports.ts';
import { createAcks } from './acks.ts';
import type { KafkaClient } from './client.ts';
import { hasType, toKafkaError } from './errors.ts';
import { EventQueue } from './event-queue.ts';
import { createMember, type GroupOffset, type Member } from './member.ts';
import { Partitions } from './partitions.ts';
import { createReader } from './reader.ts';
import { recordAt } from './scan.ts';

const CLOSE_DEADLINE_MS = 10_000;
/** A topic that was created just now is not known to every broker at once. */
const MISSING_TRIES = 3;
/** A broker that has just come up says so of every group, and means a moment. */
const LOADING = ['GROUP_LOAD_IN_PROGRESS', 'GROUP_COORDINATOR_NOT_AVAILABLE'];

export interface KafkaSourceOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
}

/** The group's acked offsets of the topics. */
async function readAcks(
  client: KafkaClient,
  groupId: string,
  topics: readonly string[],
): Promise<readonly GroupOffset[]> {
  const found = await client.admin((a) => a.fetchOffsets({ groupId, topics: [...topics] }));
  return found.flatMap(({ topic, partitions }) =>
    partitions
      .filter(({ offset }) => BigInt(offset) >= 0n)
      .map(({ partition, offset, metadata }) => ({
        topic,
        partition,
        offset: BigInt(offset),
        metadata: metadata ?? '',
      })),
  );
}

/** Waits for each life of the member to end, and begins the next one. */
class Membership {
  readonly queue: EventQueue<SourceEvent>;
  readonly partitions: Partitions;
  private readonly client: KafkaClient;
  private readonly options: KafkaSourceOptions;
  private readonly clock: Clock;
  private member: Member | null = null;
  private reachable = true;
  private readonly stopped: AbortSignal;

  constructor(
    client: KafkaClient,
    options: KafkaSourceOptions,
    clock: Clock,
    partitions: Partitions,
    queue: EventQueue<SourceEvent>,
    stopped: AbortSignal,
  ) {
    this.client = client;
    this.options = options;
    this.clock = clock;
    this.partitions = partitions;
    this.queue = queue;
    this.stopped = stopped;
  }

  /** Lives until the signal; throws what no further life would mend. */
  async drive(): Promise<void> {
    for (let attempt = 1, missing = 0; !this.stopped.aborted; attempt++) {
      const before = Date.now();
      const error = await this.live();
      this.partitions.loseAll();
      if (error === null || this.stopped.aborted) {
        return;
      }
      const named = toKafkaError(error, this.client.options.brokers);
      missing = named.code === 'TOPIC_MISSING' ? missing + 1 : 0;
      const passing = named.kind.retry !== 'never' || (missing > 0 && missing < MISSING_TRIES);
      if (!passing) {
        throw named;
      }
      if (hasType(error, ...LOADING)) {
        this.client.log.debug({ cause: named.message }, 'Group coordinator was loading');
        await this.clock.sleep(backOffMs(attempt + 2, this.clock.random()), this.stopped);
        continue;
      }
      // Whoever takes the event tells it once; this is each life.
      this.client.log.debug({ code: named.code, cause: named.message }, 'Group member was lost');
      this.tell(false, named);
      attempt = Date.now() - before > SESSION_TIMEOUT_MS_DEFAULT ? 1 : attempt;
      // Longer than other waits: each life costs the group a rebalance.
      await this.clock.sleep(backOffMs(attempt + 5, this.clock.random()), this.stopped);
    }
  }

  async commit(offsets: readonly GroupOffset[]): Promise<void> {
    if (this.member === null) {
      throw new Error('There is no group member.');
    }
    await this.member.commit(offsets);
  }

  async close(): Promise<void> {
    const member = this.member;
    this.member = null;
    this.partitions.detach();
    await member?.close().catch((error: unknown) => {
      this.client.log.debug({ cause: String(error) }, 'Group member closed with an error');
    });
  }

  /** One life: its error, or null when it was ended from here. */
  private live(): Promise<Error | null> {
    return new Promise((resolve) => {
      const member = createMember(
        this.client,
        {
          groupId: this.options.groupId,
          topics: this.options.topics,
          sessionTimeoutMs: this.client.options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS_DEFAULT,
        },
        {
          joined: (memberId, assignment) => {
            this.partitions.joined(memberId, assignment);
            this.tell(true);
          },
          fetched: (at, offset, fetched) => this.partitions.fetched(at, offset, fetched),
          silent: () => this.tell(false, new Error('The brokers have not answered for a while.')),
          sign: () => this.tell(true),
          died: (error) => end(error),
        },
      );
      const end = (error: Error): void => {
        if (this.member === member) {
          this.member = null;
          this.partitions.detach();
          member.abandon();
        }
        resolve(error);
      };
      this.member = member;
      this.partitions.attach(member);
      member.start().catch(end);
    });
  }

  private tell(reachable: boolean, error = new Error('Kafka does not answer.')): void {
    const before = this.reachable;
    this.reachable = reachable;
    if (!reachable) {
      this.queue.push({ kind: 'unreachable', error });
    } else if (!before) {
      this.queue.push({ kind: 'reachable' });
    }
  }
}

/** Joins nothing before `events` is called. */
export function createKafkaSource(
  client: KafkaClient,
  options: KafkaSourceOptions,
  clock: Clock,
): RenewableSource {
  const reader = createReader(client);
  const closed = new AbortController();
  const queue = new EventQueue<SourceEvent>(() => partitions.relieve());
  const acksOf = () => readAcks(client, options.groupId, options.topics);
  const partitions = new Partitions({
    queue,
    clock,
    closed: closed.signal,
    log: client.log,
    describe: async (topics) => ({ ends: await reader.ends(topics), acks: await acksOf() }),
  });
  const membership = new Membership(client, options, clock, partitions, queue, closed.signal);
  const acks = createAcks(
    {
      isOwned: (owned) => partitions.isOwned(owned),
      commit: (offsets) => membership.commit(offsets),
    },
    clock,
  );
  let begun = false;

  async function* events(signal: AbortSignal): AsyncGenerator<SourceEvent> {
    if (begun) {
      throw new ShuttleError('INTERNAL', 'The events of a source are read once.');
    }
    begun = true;
    const stop = (): void => {
      // The membership stays until close(), for the last acks.
      queue.end();
      partitions.rest();
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) {
      stop();
      return;
    }
    membership.drive().catch((error: Error) => queue.fail(error));
    try {
      yield* queue;
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
    }
  }

  return {
    events,
    start: (owned, offset) => partitions.start(owned, offset),
    renew: (owned) => partitions.renew(owned),
    pause: (owned) => partitions.hold(owned, 'pipeline'),
    resume: (owned) => partitions.release(owned, 'pipeline'),
    ack: (owned, offset, metadata) => acks.ack(owned, offset, metadata),
    ends: () => reader.ends(options.topics),
    read: (at, offset) => recordAt(reader, at, offset),
    acks: acksOf,
    close: async () => {
      await acks.close(CLOSE_DEADLINE_MS);
      closed.abort();
      queue.end();
      await membership.close();
      partitions.loseAll();
      await reader.close();
    },
  };
}
