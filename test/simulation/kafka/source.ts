/** A member of the consumer group behind the Source port: what it believes may be out of date. */
import { ShuttleError } from '@shuttle/bridge/dist/errors.js';
import type {
  Owned,
  PartitionEnds,
  Source,
  SourceBatch,
  SourceEvent,
} from '@shuttle/bridge/dist/ports.js';
import {
  partitionName,
  type SourceRecord,
  type TopicPartition,
} from '@shuttle/bridge/dist/values.js';
import type { Host } from '../host.ts';
import { type Group, HEARTBEAT_MS, type View } from './group.ts';
import type { Fetched, Topics } from './log.ts';

const TIMEOUT_MS = 2_000;
const FETCH_WAIT_MS = 1_000;
const RETRY_MS = 150;

export interface SourceOptions {
  readonly topics: readonly string[];
  readonly fetchRecordsMax: number;
}

interface Position {
  readonly owned: Owned;
  next: bigint | null;
  paused: boolean;
  /** Fetched, and not handed out yet. */
  batch: SourceBatch | null;
}

export class SimulatedSource implements Source {
  private readonly host: Host;
  private readonly cluster: Topics;
  private readonly group: Group;
  private readonly options: SourceOptions;
  private readonly positions = new Map<string, Position>();
  private readonly queue: SourceEvent[] = [];
  private memberId: string | null = null;
  private generation = 0;
  private epoch = 0;
  private reachable = true;
  private closed = false;
  private acking: Promise<unknown> = Promise.resolve();
  private waiting: (() => void)[] = [];

  constructor(host: Host, cluster: Topics, group: Group, options: SourceOptions) {
    this.host = host;
    this.cluster = cluster;
    this.group = group;
    this.options = options;
  }

  async *events(signal: AbortSignal): AsyncGenerator<SourceEvent> {
    signal.addEventListener('abort', () => this.kick(), { once: true });
    void this.live();
    while (!signal.aborted) {
      const event = this.queue.shift() ?? this.takeBatch();
      if (event === null) {
        await this.kicked();
      } else {
        yield event;
      }
    }
  }

  private takeBatch(): SourceEvent | null {
    for (const position of this.positions.values()) {
      const { batch } = position;
      if (batch !== null && !position.paused) {
        position.batch = null;
        this.kick();
        return { kind: 'records', batch };
      }
    }
    return null;
  }

  private kick(): void {
    for (const wake of this.waiting.splice(0)) {
      wake();
    }
  }

  private kicked(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private ask<T>(name: string, effect: () => T | Promise<T>): Promise<T> {
    return this.host.call({
      side: 'kafka',
      name,
      effect,
      timeoutMs: TIMEOUT_MS,
      lost: () => new ShuttleError('KAFKA_UNREACHABLE', `No answer to ${name}.`),
    });
  }

  /** The member's life: joins, tells that it lives, and learns what it owns. */
  private async live(): Promise<void> {
    let silentMs: number | null = null;
    while (!this.closed) {
      try {
        const view = await this.tell();
        silentMs = null;
        this.reached(true);
        if (view === null) {
          this.loseAll();
          continue;
        }
        await this.adopt(view);
      } catch (error) {
        const nowMs = this.host.clock.now();
        silentMs ??= nowMs;
        if (nowMs - silentMs > HEARTBEAT_MS) {
          this.reached(false, error as Error);
        }
      }
      await this.host.clock.sleep(HEARTBEAT_MS);
    }
  }

  private tell(): Promise<View | null> {
    const { memberId } = this;
    return memberId === null
      ? this.ask('join', () => this.group.join())
      : this.ask('heartbeat', () => this.group.heartbeat(memberId));
  }

  private reached(yes: boolean, error = new Error('silence')): void {
    if (this.reachable !== yes) {
      this.reachable = yes;
      this.emit(yes ? { kind: 'reachable' } : { kind: 'unreachable', error });
    }
  }

  private emit(event: SourceEvent): void {
    this.queue.push(event);
    this.kick();
  }

  private async adopt({ memberId, generation, partitions }: View): Promise<void> {
    if (this.memberId === memberId && this.generation === generation) {
      return;
    }
    // Whoever missed a generation cannot know who has owned its partitions meanwhile.
    const isNext = this.memberId === memberId && this.generation + 1 === generation;
    const kept = new Set(isNext ? partitions.map(partitionName) : []);
    this.memberId = memberId;
    this.generation = generation;
    this.lose((name) => !kept.has(name));
    const added = partitions.filter((at) => !this.positions.has(partitionName(at)));
    while (added.length > 0 && !this.closed && this.generation === generation) {
      try {
        const [ends, acks] = [await this.ends(), await this.acks()];
        for (const at of added) {
          this.assign(at, ends, acks);
        }
        return;
      } catch {
        await this.host.clock.sleep(RETRY_MS);
      }
    }
  }

  private assign(
    at: TopicPartition,
    ends: readonly PartitionEnds[],
    acks: readonly (TopicPartition & { offset: bigint; metadata: string })[],
  ): void {
    const name = partitionName(at);
    const found = ends.find((each) => partitionName(each) === name);
    if (found === undefined) {
      return;
    }
    this.epoch += 1;
    const { topic, partition } = at;
    const owned = { topic, partition, epoch: this.epoch };
    const ack = acks.find((each) => partitionName(each) === name) ?? null;
    this.positions.set(name, { owned, next: null, paused: false, batch: null });
    const { logStart, logEnd } = found;
    this.emit({ kind: 'assigned', assignment: { ...owned, logStart, logEnd, ack } });
  }

  private lose(isLost: (name: string) => boolean): void {
    for (const [name, position] of this.positions) {
      if (isLost(name)) {
        this.positions.delete(name);
        this.emit({ kind: 'revoked', owned: position.owned });
      }
    }
  }

  private loseAll(): void {
    this.memberId = null;
    this.lose(() => true);
  }

  private own(owned: Owned): Position | null {
    const position = this.positions.get(partitionName(owned));
    return position?.owned.epoch === owned.epoch && !this.closed ? position : null;
  }

  start(owned: Owned, offset: bigint): void {
    const position = this.own(owned);
    if (position !== null) {
      position.next = offset;
      void this.follow(position);
    }
  }

  /** Fetches ahead by one batch, for as long as the partition is ours. */
  private async follow(position: Position): Promise<void> {
    const { owned } = position;
    const log = this.cluster.log(owned.topic, owned.partition);
    while (this.own(owned) === position) {
      if (position.paused || position.batch !== null) {
        await this.kicked();
        continue;
      }
      const from = position.next ?? 0n;
      try {
        const fetched = await this.ask('fetch', async (): Promise<Fetched> => {
          await Promise.race([log.beyond(from), this.host.deps.scheduler.wait(FETCH_WAIT_MS)]);
          const start = from < log.logStart ? log.logStart : from;
          return log.fetch(start, this.options.fetchRecordsMax);
        });
        if (fetched.next > from) {
          position.next = fetched.next;
          position.batch = { ...owned, ...fetched };
          this.kick();
        }
      } catch {
        await this.host.clock.sleep(RETRY_MS);
      }
    }
  }

  pause(owned: Owned): void {
    const position = this.own(owned);
    if (position !== null) {
      position.paused = true;
    }
  }

  resume(owned: Owned): void {
    const position = this.own(owned);
    if (position !== null) {
      position.paused = false;
      this.kick();
    }
  }

  /** One at a time, as the adapter does: an older ack must not arrive behind a newer one. */
  ack(owned: Owned, offset: bigint, metadata: string): Promise<boolean> {
    const mine = this.acking.then(() => this.ackUntilTaken(owned, offset, metadata));
    this.acking = mine;
    return mine;
  }

  private async ackUntilTaken(owned: Owned, offset: bigint, metadata: string): Promise<boolean> {
    const { topic, partition } = owned;
    while (this.own(owned) !== null) {
      const memberId = this.memberId ?? '';
      try {
        return await this.ask('ack', () =>
          this.group.commit(memberId, { topic, partition }, { offset, metadata }),
        );
      } catch {
        await this.host.clock.sleep(RETRY_MS);
      }
    }
    return false;
  }

  ends(): Promise<readonly PartitionEnds[]> {
    return this.ask('ends', () =>
      this.logs().map(({ topic, partition, logStart, stableEnd, end }) => ({
        topic,
        partition,
        logStart,
        logEnd: stableEnd,
        writtenEnd: end,
      })),
    );
  }

  read({ topic, partition }: TopicPartition, offset: bigint): Promise<SourceRecord | null> {
    return this.ask('read', () => this.cluster.log(topic, partition).at(offset));
  }

  acks(): Promise<readonly (TopicPartition & { offset: bigint; metadata: string })[]> {
    return this.ask('acks', () =>
      this.logs().flatMap(({ topic, partition }) => {
        const found = this.group.offsets.get(partitionName({ topic, partition }));
        return found === undefined ? [] : [{ topic, partition, ...found }];
      }),
    );
  }

  private logs() {
    return this.options.topics.flatMap((topic) => this.cluster.of(topic));
  }

  /** Leaves the group; should the request be lost, the session's time-out does it. */
  async close(): Promise<void> {
    this.closed = true;
    this.kick();
    const { memberId } = this;
    if (memberId !== null) {
      await this.ask('leave', () => this.group.leave(memberId)).catch(() => undefined);
    }
    this.positions.clear();
  }
}
