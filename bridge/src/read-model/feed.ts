/** Feeds a read model from the changes topic, until stopped or up to the topic's end. */
import { ShuttleError } from '../errors.ts';
import { INDEX_FOLLOW_WAIT_MS, INDEX_LOOK_MS, INDEX_STEP_CHANGES_MAX } from '../limits.ts';
import type { Outage } from '../outage.ts';
import { untilKafkaAnswers } from '../patience.ts';
import type { Clock, Log, PartitionEnds } from '../ports.ts';
import type { ChangeRecord, ChangesLog, ModelPosition, ReadModelWriter } from './model.ts';

export interface FeedDeps {
  readonly changes: ChangesLog;
  readonly model: ReadModelWriter;
  readonly clock: Clock;
  readonly log: Log;
  readonly outage: Outage;
}

export interface FeedOptions {
  /** Stop at the ends as they are at the start. */
  readonly untilEnd: boolean;
  /** With `untilEnd`: give up when Kafka does not answer for so long. */
  readonly deadlineMs?: number;
  /** Told of each step: changes read by now, and how many offsets lie ahead. */
  readonly onProgress?: (read: number, ahead: number) => void;
}

export interface FeedSummary {
  /** Changes that this run applied. */
  readonly changes: number;
  /** Of the last change applied; null when there was none. */
  readonly lastBlock: bigint | null;
  /** Whether the model held all that was on the topic at some moment of this run. */
  readonly complete: boolean;
}

/**
 * Feeds the model until the signal aborts, or with `untilEnd` up to the ends as they are now.
 *
 * @throws ShuttleError INDEX_BROKEN when topic and model do not belong together any more; DEADLINE;
 *   what Kafka refuses for good
 */
export async function feedReadModel(
  deps: FeedDeps,
  options: FeedOptions,
  signal: AbortSignal,
): Promise<FeedSummary> {
  return await new Feed(deps, options, signal).run();
}

class Feed {
  private readonly deps: FeedDeps;
  private readonly options: FeedOptions;
  private readonly signal: AbortSignal;
  private readonly summary = { changes: 0, lastBlock: null as bigint | null, complete: false };
  private positions: Map<number, ModelPosition>;
  private keptMs: number | null = null;

  constructor(deps: FeedDeps, options: FeedOptions, signal: AbortSignal) {
    this.deps = deps;
    this.options = options;
    this.signal = signal;
    this.positions = new Map(deps.model.positions());
  }

  async run(): Promise<FeedSummary> {
    const { changes, log, clock } = this.deps;
    const { untilEnd } = this.options;
    let waitMs = 0;
    for (let first = true; !this.signal.aborted; first = false) {
      const lookedMs = clock.now();
      const ends = await this.ask(() => this.look(first));
      if (ends === null) {
        break;
      }
      const reached = await this.readTo(ends, waitMs);
      if (!reached) {
        break;
      }
      this.deps.model.complete(lookedMs);
      if (!this.summary.complete) {
        log.info({ topic: changes.topic, change_count: this.summary.changes }, 'built the index');
      }
      this.summary.complete = true;
      if (untilEnd) {
        break;
      }
      waitMs = INDEX_FOLLOW_WAIT_MS;
      await this.follow(ends, lookedMs + INDEX_LOOK_MS);
    }
    return { ...this.summary };
  }

  /** The ends of all partitions, once it is certain that the model is of this log. */
  private async look(first: boolean): Promise<readonly PartitionEnds[]> {
    const { changes } = this.deps;
    this.keptMs = first ? await changes.deletionsKeptMs() : this.keptMs;
    const ends = await changes.ends();
    this.requireFresh(ends, this.keptMs);
    for (const at of ends) {
      const position = this.positions.get(at.partition);
      requireWithin(at, position);
      if (first && position?.last != null) {
        await this.requireSame(at.partition, position.last);
      }
    }
    return ends;
  }

  /** Compaction takes deletions away after a while: whoever comes later does not hear of them. */
  private requireFresh(ends: readonly PartitionEnds[], keptMs: number | null): void {
    const { changes, model, clock } = this.deps;
    const freshAtMs = model.freshAtMs();
    const isBehind = ends.some(
      ({ partition, logStart, logEnd }) =>
        this.positions.has(partition) && this.next(partition, logStart) < logEnd,
    );
    if (keptMs !== null && isBehind && clock.now() - freshAtMs > keptMs) {
      const since = new Date(freshAtMs).toISOString();
      throw broken(`The index is not complete since ${since}; deletions may be gone since.`, {
        topic: changes.topic,
        complete_at: since,
      });
    }
  }

  private async requireSame(partition: number, last: { offset: bigint; id: string }) {
    const found = await this.deps.changes.at(partition, last.offset);
    if (found !== null && found.id !== last.id) {
      throw broken(
        `Offset ${last.offset} of the topic is another record than the index has read.`,
        {
          topic: this.deps.changes.topic,
          partition,
          offset: last.offset,
        },
      );
    }
  }

  /** Reads every partition up to its end. False when a stop came first. */
  private async readTo(ends: readonly PartitionEnds[], waitMs: number): Promise<boolean> {
    for (const { partition, logStart, logEnd } of ends) {
      while (this.next(partition, logStart) < logEnd) {
        if (this.signal.aborted || !(await this.step(partition, logStart, waitMs))) {
          return false;
        }
        this.tell(ends);
      }
    }
    this.tell(ends);
    return !this.signal.aborted;
  }

  /** Waits for new changes on all partitions at once, until it is time to look at the ends. */
  private async follow(ends: readonly PartitionEnds[], untilMs: number): Promise<void> {
    while (!this.signal.aborted && this.deps.clock.now() < untilMs) {
      const steps = ends.map(({ partition, logStart }) =>
        this.step(partition, logStart, INDEX_FOLLOW_WAIT_MS),
      );
      await Promise.all(steps);
    }
  }

  /** One fetch. False when a stop came first. */
  private async step(partition: number, logStart: bigint, waitMs: number): Promise<boolean> {
    const from = this.next(partition, logStart);
    const fetched = await this.ask(() => this.deps.changes.fetch(partition, from, waitMs));
    if (fetched === null) {
      return false;
    }
    const { records } = fetched;
    for (let start = 0; start < Math.max(1, records.length); start += INDEX_STEP_CHANGES_MAX) {
      const part = records.slice(start, start + INDEX_STEP_CHANGES_MAX);
      const isLast = start + INDEX_STEP_CHANGES_MAX >= records.length;
      const end = isLast ? fetched.next : (part.at(-1)?.offset ?? from) + 1n;
      if (!this.apply(partition, part, end)) {
        return true;
      }
      // The database works without yielding; signals and answers come in between.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return true;
  }

  /** False when somebody else has moved the partition: it goes on from there. */
  private apply(partition: number, records: readonly ChangeRecord[], next: bigint): boolean {
    const { model } = this.deps;
    const known = this.positions.get(partition);
    const from = known?.next ?? 0n;
    const final = records.at(-1);
    const last =
      final === undefined ? (known?.last ?? null) : { offset: final.offset, id: final.id };
    if (next === from) {
      return true;
    }
    const changes = records.map(({ change }) => change);
    if (!model.apply({ partition, from, next, last, changes })) {
      this.positions = new Map(model.positions());
      return false;
    }
    const fields = { topic: this.deps.changes.topic, partition, from, next };
    this.deps.log.debug({ ...fields, change_count: changes.length }, 'applied changes');
    this.positions.set(partition, { partition, next, last });
    this.summary.changes += changes.length;
    this.summary.lastBlock = changes.reduce(
      (most, { block }) => (block !== null && (most === null || block > most) ? block : most),
      this.summary.lastBlock,
    );
    return true;
  }

  private next(partition: number, logStart: bigint): bigint {
    return this.positions.get(partition)?.next ?? logStart;
  }

  private tell(ends: readonly PartitionEnds[]): void {
    const ahead = ends.reduce((sum, { partition, logStart, logEnd }) => {
      const left = logEnd - this.next(partition, logStart);
      return sum + (left > 0n ? left : 0n);
    }, 0n);
    this.options.onProgress?.(this.summary.changes, Number(ahead));
  }

  private async ask<T>(call: () => Promise<T>): Promise<T | null> {
    const { deps, options, signal } = this;
    return await untilKafkaAnswers(call, { ...deps, ...options, signal });
  }
}

/** The model must be neither ahead of its log nor behind what the log has left. */
function requireWithin(ends: PartitionEnds, position: ModelPosition | undefined): void {
  const { topic, partition, logStart, logEnd } = ends;
  const next = position?.next ?? 0n;
  if (next > logEnd) {
    throw broken(`The index has read up to offset ${next - 1n}, and the topic ends before it.`, {
      topic,
      partition,
      log_end: logEnd,
    });
  }
  if (next < logStart) {
    throw broken(`The index goes on at offset ${next}, which the topic has lost.`, {
      topic,
      partition,
      log_start: logStart,
    });
  }
}

function broken(message: string, at: ShuttleError['at']): ShuttleError {
  return new ShuttleError('INDEX_BROKEN', message, { at });
}
