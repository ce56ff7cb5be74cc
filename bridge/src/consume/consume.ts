/** Reads one of the channel's topics for whoever wants its records as they are. */
import { ShuttleError } from '../errors.ts';
import { CONSUME_FOLLOW_WAIT_MS, CONSUME_LOOK_MS } from '../limits.ts';
import type { Outage } from '../outage.ts';
import { untilKafkaAnswers } from '../patience.ts';
import type { Clock, PartitionEnds } from '../ports.ts';
import type { SourceRecord } from '../values.ts';

/** A topic as it is read here: committed records alone, decrypted. */
export interface TopicLog {
  readonly topic: string;
  /** All partitions. */
  ends(): Promise<readonly PartitionEnds[]>;
  /**
   * Of each partition an offset that no record with this time or a later one stands before; null
   * when there is none. It may be too early: the end of a transaction has the time when it ended.
   */
  offsetsAt(timeMs: number): Promise<ReadonlyMap<number, bigint | null>>;
  /**
   * Records from `from` on, and the offset behind all that was read.
   *
   * @throws ShuttleError NOT_FOUND when the partition does not hold `from` any more; KEY_UNKNOWN,
   *   DECRYPTION_FAILED at a record that cannot be decrypted, when it is the first one
   */
  fetch(partition: number, from: bigint, waitMs: number): Promise<Fetched>;
}

interface Fetched {
  readonly records: readonly SourceRecord[];
  readonly next: bigint;
}

export interface ConsumedRecord extends SourceRecord {
  readonly topic: string;
  readonly partition: number;
}

/** Where to begin on each partition. */
export type ConsumeFrom =
  | { readonly kind: 'beginning' }
  | { readonly kind: 'end' }
  | { readonly kind: 'offset'; readonly offset: bigint }
  | { readonly kind: 'time'; readonly timeMs: number };

export interface ConsumeOptions {
  readonly from: ConsumeFrom;
  /** Only this one; all by default. */
  readonly partition?: number | undefined;
  /** Stop at the ends as they are at the start. */
  readonly untilEnd: boolean;
  /** Stop after so many records. */
  readonly max?: number | undefined;
  /** Only records of this key. */
  readonly key?: Uint8Array | undefined;
  /** With `untilEnd`: give up when Kafka does not answer for so long. */
  readonly deadlineMs?: number | undefined;
  readonly onRecord: (record: ConsumedRecord) => void;
  /** Told of each fetch: offsets passed by now, and how many lie ahead. */
  readonly onProgress?: (passed: number, ahead: number) => void;
}

export interface ConsumeSummary {
  readonly topic: string;
  /** Records that were given on. */
  readonly records: number;
  /** Where to go on, by partition. */
  readonly next: readonly { readonly partition: number; readonly offset: bigint }[];
}

export interface ConsumeDeps {
  readonly log: TopicLog;
  readonly clock: Clock;
  readonly outage: Outage;
}

/**
 * Reads until the signal aborts, or `max` or with `untilEnd` the ends are reached. What is there is
 * read one partition after the other; what comes then, from all partitions at once. Outages of
 * Kafka are waited for.
 *
 * @throws ShuttleError NOT_FOUND when there is no such partition or offset; USAGE when an offset is
 *   named and not the partition; KEY_UNKNOWN, DECRYPTION_FAILED; DEADLINE
 */
export async function consume(
  deps: ConsumeDeps,
  options: ConsumeOptions,
  signal: AbortSignal,
): Promise<ConsumeSummary> {
  return await new Consumer(deps, options, signal).run();
}

class Consumer {
  private readonly deps: ConsumeDeps;
  private readonly options: ConsumeOptions;
  private readonly signal: AbortSignal;
  private readonly next = new Map<number, bigint>();
  /** Partitions whose first record of the time that was asked for has not come yet. */
  private readonly early = new Set<number>();
  private records = 0;
  private passed = 0n;
  private hasEnded = false;

  constructor(deps: ConsumeDeps, options: ConsumeOptions, signal: AbortSignal) {
    this.deps = deps;
    this.options = options;
    this.signal = signal;
  }

  private get isOver(): boolean {
    const { max } = this.options;
    return this.hasEnded || this.signal.aborted || (max !== undefined && this.records >= max);
  }

  async run(): Promise<ConsumeSummary> {
    try {
      await this.read();
    } finally {
      // Of fetches of other partitions that are under way nothing is given any more.
      this.hasEnded = true;
    }
    const next = [...this.next].map(([partition, offset]) => ({ partition, offset }));
    return { topic: this.deps.log.topic, records: this.records, next };
  }

  private async read(): Promise<void> {
    const { log, clock } = this.deps;
    for (let isFirst = true; !this.isOver; isFirst = false) {
      const lookedMs = clock.now();
      const ends = await this.ask(async () => this.chosen(await log.ends()));
      if (ends === null || !(await this.begin(ends, isFirst))) {
        break;
      }
      for (const end of ends) {
        await this.readTo(end, ends);
      }
      if (this.options.untilEnd) {
        break;
      }
      await this.follow(lookedMs + CONSUME_LOOK_MS);
    }
  }

  private chosen(ends: readonly PartitionEnds[]): readonly PartitionEnds[] {
    const { partition } = this.options;
    const found = ends.filter((end) => partition === undefined || end.partition === partition);
    if (found.length === 0) {
      const { topic } = this.deps.log;
      throw new ShuttleError('NOT_FOUND', `Topic ${topic} has no partition ${partition}.`, {
        at: { topic, partition: partition ?? 0 },
      });
    }
    return found;
  }

  /** Says where each partition begins; one that is added later, at its start. False: stopped. */
  private async begin(ends: readonly PartitionEnds[], isFirst: boolean): Promise<boolean> {
    const { from } = this.options;
    const times =
      isFirst && from.kind === 'time'
        ? await this.ask(() => this.deps.log.offsetsAt(from.timeMs))
        : new Map<number, bigint | null>();
    if (times === null) {
      return false;
    }
    if (isFirst && from.kind === 'offset' && ends.length > 1) {
      const what = `The topic has ${ends.length} partitions, and an offset is of one`;
      throw new ShuttleError('USAGE', `${what}: --partition says which.`);
    }
    for (const end of ends) {
      if (!this.next.has(end.partition)) {
        const start = isFirst ? startOf(end, from, times) : end.logStart;
        this.next.set(end.partition, start);
        if (isFirst && from.kind === 'time') {
          this.early.add(end.partition);
        }
      }
    }
    return true;
  }

  private async readTo(end: PartitionEnds, ends: readonly PartitionEnds[]): Promise<void> {
    while (!this.isOver && this.position(end) < end.logEnd) {
      await this.step(end.partition, end.logEnd);
      const ahead = ends.reduce((sum, each) => {
        const left = each.logEnd - this.position(each);
        return sum + (left > 0n ? left : 0n);
      }, 0n);
      this.options.onProgress?.(Number(this.passed), Number(ahead));
    }
  }

  /** Waits for new records on all partitions at once, until it is time to look at the ends. */
  private async follow(untilMs: number): Promise<void> {
    while (!this.isOver && this.deps.clock.now() < untilMs) {
      const partitions = [...this.next.keys()];
      await Promise.all(partitions.map((at) => this.step(at, null)));
    }
  }

  /** One fetch; with an end, nothing from there on is given. */
  private async step(partition: number, end: bigint | null): Promise<void> {
    const { log } = this.deps;
    const from = this.next.get(partition) ?? 0n;
    const fetched = await this.ask(() => log.fetch(partition, from, CONSUME_FOLLOW_WAIT_MS));
    for (const record of fetched?.records ?? []) {
      if (this.isOver) {
        return;
      }
      if (end !== null && record.offset >= end) {
        this.next.set(partition, end);
        return;
      }
      this.next.set(partition, record.offset + 1n);
      if (!this.isEarly(partition, record) && isOf(record, this.options.key)) {
        this.records += 1;
        this.options.onRecord({ ...record, topic: log.topic, partition });
      }
    }
    if (fetched !== null && !this.isOver) {
      this.next.set(partition, fetched.next);
      this.passed += fetched.next - from;
    }
  }

  private isEarly(partition: number, { timestamp }: SourceRecord): boolean {
    const { from } = this.options;
    if (from.kind === 'time' && timestamp >= from.timeMs) {
      this.early.delete(partition);
    }
    return this.early.has(partition);
  }

  private position({ partition }: PartitionEnds): bigint {
    return this.next.get(partition) ?? 0n;
  }

  private async ask<T>(call: () => Promise<T>): Promise<T | null> {
    const { deps, options, signal } = this;
    return await untilKafkaAnswers(call, { ...deps, ...options, signal });
  }
}

function startOf(
  end: PartitionEnds,
  from: ConsumeFrom,
  times: ReadonlyMap<number, bigint | null>,
): bigint {
  const { topic, partition, logStart, logEnd } = end;
  switch (from.kind) {
    case 'beginning':
      return logStart;
    case 'end':
      return logEnd;
    case 'time':
      return times.get(partition) ?? logEnd;
    case 'offset': {
      const { offset } = from;
      if (offset < logStart || offset > logEnd) {
        const message = `${topic}/${partition} holds offsets from ${logStart} to ${logEnd - 1n}.`;
        throw new ShuttleError('NOT_FOUND', message, { at: { topic, partition, offset } });
      }
      return offset;
    }
  }
}

function isOf({ key }: SourceRecord, wanted: Uint8Array | undefined): boolean {
  return wanted === undefined || (key !== null && Buffer.from(key).equals(wanted));
}
