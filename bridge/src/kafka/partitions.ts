/** Which partitions this instance owns, where each stands, and why one is held back. */
import { ShuttleError, toShuttleError } from '../errors.ts';
import { backOffMs } from '../limits.ts';
import type { Clock, Log, LogFields, Owned, PartitionEnds, SourceEvent } from '../ports.ts';
import { partitionName, type TopicPartition } from '../values.ts';
import type { EventQueue } from './event-queue.ts';
import type { Fetched } from './fetch-response.ts';
import type { GroupOffset, Member } from './member.ts';

/** Bytes fetched but not taken by the pipeline, over all partitions. */
const QUEUE_BYTES_MAX = 16 * 1024 * 1024;
const QUEUE_BYTES_LOW = 8 * 1024 * 1024;
/** Answers "out of range" for an offset that the log should hold: a new leader mends it soon. */
const RANGE_TRIES = 6;
/** What so many tries have not mended is no passing hiccup. */
const ORDINARY_TRIES = 5;

/** Why nothing is fetched: not begun, the pipeline's wish, a full queue, or an error to mend. */
type Hold = 'new' | 'pipeline' | 'queue' | 'trouble' | 'ended';

interface Held {
  readonly owned: Owned;
  readonly holds: Set<Hold>;
  /** The next offset to deliver. */
  next: bigint;
  troubles: number;
}

export interface PartitionsPort {
  readonly queue: EventQueue<SourceEvent>;
  readonly clock: Clock;
  readonly closed: AbortSignal;
  readonly log: Log;
  describe(
    topics: readonly string[],
  ): Promise<{ ends: readonly PartitionEnds[]; acks: readonly GroupOffset[] }>;
}

export class Partitions {
  private readonly held = new Map<string, Held>();
  private readonly port: PartitionsPort;
  private member: Member | null = null;
  private memberId: string | null = null;
  private epochs = 0;
  private resting = false;
  private queueFull = false;

  constructor(port: PartitionsPort) {
    this.port = port;
  }

  attach(member: Member): void {
    this.member = member;
  }

  detach(): void {
    this.member = null;
  }

  isOwned(owned: Owned): boolean {
    return this.held.get(partitionName(owned))?.owned.epoch === owned.epoch;
  }

  /** Takes over a new assignment: what the same member keeps goes on where it stands. */
  joined(memberId: string, assignment: readonly TopicPartition[]): void {
    const names = new Set(assignment.map(partitionName));
    for (const held of this.held.values()) {
      if (memberId !== this.memberId || !names.has(partitionName(held.owned))) {
        this.lose(held);
      } else if (!held.holds.has('new')) {
        // kafkajs would go on from the group's offset.
        this.member?.seek(held.owned, held.next);
      }
    }
    this.memberId = memberId;
    const added = assignment.filter((at) => !this.held.has(partitionName(at)));
    this.take(added);
  }

  /** The partition as if it had been assigned just now: what was delivered of it is forgotten. */
  renew(owned: Owned): void {
    const held = this.find(owned);
    if (held !== null && !this.resting) {
      this.lose(held);
      this.take([owned]);
    }
  }

  private take(assignment: readonly TopicPartition[]): void {
    const added = assignment.map(({ topic, partition }): Held => {
      const owned = { topic, partition, epoch: ++this.epochs };
      return { owned, holds: new Set(['new']), next: -1n, troubles: 0 };
    });
    for (const held of added) {
      this.held.set(partitionName(held.owned), held);
      this.member?.pause(held.owned);
    }
    if (added.length > 0 && !this.resting) {
      void this.announce(added);
    }
  }

  loseAll(): void {
    for (const held of this.held.values()) {
      this.lose(held);
    }
    this.memberId = null;
  }

  /** Nothing more is delivered; ownership stays for the last acks. */
  rest(): void {
    this.resting = true;
    for (const held of this.held.values()) {
      this.holdBack(held, 'ended');
    }
  }

  start(owned: Owned, offset: bigint): void {
    const held = this.find(owned);
    if (held !== null) {
      held.next = offset;
      this.member?.seek(held.owned, offset);
      this.letGo(held, 'new');
    }
  }

  hold(owned: Owned, why: Hold): void {
    const held = this.find(owned);
    if (held !== null) {
      this.holdBack(held, why);
    }
  }

  release(owned: Owned, why: Hold): void {
    const held = this.find(owned);
    if (held !== null) {
      this.letGo(held, why);
    }
  }

  /** Called when the pipeline has taken something out of the queue. */
  relieve(): void {
    if (this.queueFull && this.port.queue.bytes < QUEUE_BYTES_LOW) {
      this.queueFull = false;
      for (const held of this.held.values()) {
        this.letGo(held, 'queue');
      }
    }
  }

  /** Hands over what was fetched at `offset`; true when kafkajs may go on behind it. */
  fetched(at: TopicPartition, offset: bigint, fetched: Fetched): boolean {
    const held = this.held.get(partitionName(at));
    if (held === undefined || held.holds.size > 0) {
      return false;
    }
    if (offset !== held.next) {
      this.member?.seek(held.owned, held.next);
      return false;
    }
    if (fetched.kind !== 'records') {
      void this.mend(held, fetched);
      return false;
    }
    held.troubles = 0;
    const from = fetched.records.findIndex((record) => record.offset >= held.next);
    const records = from === 0 ? fetched.records : from < 0 ? [] : fetched.records.slice(from);
    held.next = fetched.next;
    const batch = { ...held.owned, records, next: fetched.next, logStart: fetched.logStart };
    this.port.queue.push({ kind: 'records', batch }, fetched.bytes);
    if (this.port.queue.bytes > QUEUE_BYTES_MAX && !this.queueFull) {
      this.queueFull = true;
      for (const each of this.held.values()) {
        this.holdBack(each, 'queue');
      }
    }
    return true;
  }

  private find(owned: Owned): Held | null {
    const held = this.held.get(partitionName(owned));
    return held?.owned.epoch === owned.epoch ? held : null;
  }

  private holdBack(held: Held, why: Hold): void {
    held.holds.add(why);
    if (held.holds.size === 1) {
      this.member?.pause(held.owned);
    }
  }

  private letGo(held: Held, why: Hold): void {
    if (held.holds.delete(why) && held.holds.size === 0) {
      this.member?.resume(held.owned);
    }
  }

  private lose(held: Held): void {
    const { owned } = held;
    this.held.delete(partitionName(owned));
    this.port.queue.drop(
      (event) =>
        (event.kind === 'records' && event.batch.epoch === owned.epoch) ||
        (event.kind === 'assigned' && event.assignment.epoch === owned.epoch),
    );
    this.port.queue.push({ kind: 'revoked', owned });
  }

  /** Asks where the new partitions stand until Kafka answers or they are lost again. */
  private async announce(added: readonly Held[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const owned = added.filter((held) => this.find(held.owned) === held);
      if (owned.length === 0 || this.port.queue.ended || this.port.closed.aborted) {
        return;
      }
      try {
        const topics = [...new Set(owned.map((held) => held.owned.topic))];
        const { ends, acks } = await this.port.describe(topics);
        const known = new Map(ends.map((end) => [partitionName(end), end]));
        const found = owned.map((held) => ({ held, end: requireKnown(known, held.owned) }));
        for (const { held, end } of found) {
          this.announceOne(held, end, acks);
        }
        return;
      } catch (error) {
        const named = toShuttleError(error);
        if (named.kind.retry === 'never') {
          this.port.queue.fail(named);
          return;
        }
        this.tell(attempt, { code: named.code }, 'Assignment was not described yet');
        await this.wait(attempt);
      }
    }
  }

  private announceOne(
    held: Held,
    { logStart, logEnd }: PartitionEnds,
    acks: readonly GroupOffset[],
  ): void {
    if (this.find(held.owned) !== held) {
      return;
    }
    const name = partitionName(held.owned);
    const ack = acks.find((at) => partitionName(at) === name) ?? null;
    this.port.queue.push({
      kind: 'assigned',
      assignment: {
        ...held.owned,
        logStart,
        logEnd,
        ack: ack && { offset: ack.offset, metadata: ack.metadata },
      },
    });
  }

  /** Finds out why a partition cannot be read at its position, before it is read on. */
  private async mend(held: Held, fetched: Exclude<Fetched, { kind: 'records' }>): Promise<void> {
    this.holdBack(held, 'trouble');
    held.troubles++;
    try {
      if (fetched.kind === 'failed') {
        throw fetched.error;
      }
      await this.resolveRange(held);
    } catch (error) {
      const named = toShuttleError(error);
      if (named.kind.retry === 'never') {
        this.port.queue.fail(named);
        return;
      }
      const { topic, partition } = held.owned;
      const fields = { topic, partition, code: named.code };
      this.tell(held.troubles, fields, 'Partition was not readable');
      await this.wait(held.troubles);
    }
    this.letGo(held, 'trouble');
  }

  /** Says once what has not passed by itself. When all of Kafka is away, the member says so. */
  private tell(attempt: number, fields: LogFields, message: string): void {
    const level = attempt === ORDINARY_TRIES ? 'warn' : 'debug';
    this.port.log[level]({ ...fields, attempt }, message);
  }

  /**
   * The log does not hold the next offset. When its start has moved beyond it, the loss is told by
   * an empty batch whose `logStart` is higher than what was expected.
   */
  private async resolveRange(held: Held): Promise<void> {
    const { topic, partition } = held.owned;
    const { ends } = await this.port.describe([topic]);
    const end = ends.find((at) => at.topic === topic && at.partition === partition);
    if (end === undefined || this.find(held.owned) !== held) {
      return;
    }
    const { logStart, logEnd } = end;
    if (held.next < logStart) {
      held.next = logStart;
      this.member?.seek(held.owned, logStart);
      const batch = { ...held.owned, records: [], next: logStart, logStart };
      this.port.queue.push({ kind: 'records', batch });
      return;
    }
    if (held.troubles >= RANGE_TRIES) {
      throw new ShuttleError(
        'SOURCE_REWOUND',
        `Partition ${partitionName(held.owned)} ends at ${logEnd}, before the next offset ` +
          `${held.next}.`,
        { at: { topic, partition, offset: held.next } },
      );
    }
    await this.wait(held.troubles);
  }

  private wait(attempt: number): Promise<void> {
    return this.port.clock.sleep(
      backOffMs(attempt + 2, this.port.clock.random()),
      this.port.closed,
    );
  }
}

/** The leader of the group may know of added partitions before a broker that is asked does. */
function requireKnown(
  known: ReadonlyMap<string, PartitionEnds>,
  at: TopicPartition,
): PartitionEnds {
  const end = known.get(partitionName(at));
  if (end === undefined) {
    const message = `No broker that was asked knows ${partitionName(at)} yet.`;
    throw new ShuttleError('KAFKA_UNREACHABLE', message);
  }
  return end;
}
