/** The ingest pipeline: source events in, batches on the ledger, acks and dead letters out. */
import { setMaxListeners } from 'node:events';
import { createKeyExpression } from '../batch/key-expression.ts';
import { ShuttleError, toShuttleError } from '../errors.ts';
import { Outage, type Waiter } from '../outage.ts';
import { tryUntilAnswered } from '../patience.ts';
import type { SourceEvent } from '../ports.ts';
import { type LedgerIdentity, partitionName, type TopicPartition } from '../values.ts';
import type { Context, IngestDeps, IngestOptions, IngestSummary, Stop } from './context.ts';
import { Partition } from './partition.ts';
import { createWindow } from './window.ts';

/** In-flight batches get this long to finish at an orderly stop. */
const STOP_PATIENCE_MS = 20_000;

/** The last acks of an orderly stop get this long. */
const ACK_PATIENCE_MS = 5_000;

/** With every own partition stopped, the run ends after so many ack intervals. */
const IDLE_TICKS_MAX = 5;

/**
 * Runs until the signal aborts, until every assigned partition has stopped with a code, or, with
 * `untilEnd`, until the ends as they were at the start are finished. Then what is in flight
 * finishes, finished offsets are acked, and the group is left.
 *
 * @throws ShuttleError what stops the whole run: ACCESS_DENIED, TOPIC_MISSING, DEADLINE, ...
 */
export async function runIngest(
  deps: IngestDeps,
  options: IngestOptions,
  signal: AbortSignal,
): Promise<IngestSummary> {
  const run = new IngestRun(deps, options);
  return await run.run(signal);
}

class IngestRun {
  private readonly deps: IngestDeps;
  private readonly options: IngestOptions;
  private readonly partitions = new Map<string, Partition>();
  private stops: readonly Stop[] = [];
  private readonly counts = { recordsRead: 0, applied: 0, rejected: 0, repeated: 0, batches: 0 };
  private readonly outage: Outage;
  private readonly waiter: Waiter;
  /** Ends the reading of events; what is in flight goes on. */
  private readonly end = new AbortController();
  /** Ends everything. */
  private readonly abort = new AbortController();
  private targets: ReadonlyMap<string, bigint> | null = null;
  /** Partitions that other members of the group have acked up to their target. */
  private others: ReadonlySet<string> = new Set<string>();
  private error: ShuttleError | null = null;
  private movedAtMs: number;
  /** Ack intervals in which every own partition was found stopped. */
  private idleTicks = 0;

  constructor(deps: IngestDeps, options: IngestOptions) {
    this.deps = deps;
    this.options = options;
    this.outage = deps.outage ?? new Outage(deps.log, deps.meter, deps.clock);
    this.waiter = this.outage.waiter();
    this.movedAtMs = deps.clock.now();
    // Every waiting lane listens; how many there are is bounded by the lanes, not by ten.
    setMaxListeners(0, this.end.signal, this.abort.signal);
  }

  async run(signal: AbortSignal): Promise<IngestSummary> {
    const stop = (): void => this.end.abort();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) {
      stop();
    }
    let acks: Promise<void> = Promise.resolve();
    try {
      const context = await this.prepare();
      if (context !== null) {
        acks = this.ackRegularly();
        await this.follow(context);
        await this.settle();
      }
    } finally {
      signal.removeEventListener('abort', stop);
      this.end.abort();
      this.abort.abort();
      this.waiter.leave();
      await this.deps.source.close();
      // What Kafka has not taken until then is given up with the source.
      await acks;
    }
    if (this.error !== null) {
      throw this.error;
    }
    return { ...this.counts, stops: this.stops };
  }

  /** Asks both sides what must be known before the first record; waits for either. */
  private async prepare(): Promise<Context | null> {
    const { deps, options } = this;
    const keyExpression = createKeyExpression(options.keyExpression);
    const identity = await this.wait('fabric', () => deps.ledger.identity());
    if (options.untilEnd) {
      const ends = await this.wait('kafka', () => deps.source.ends());
      this.targets = new Map((ends ?? []).map((end) => [partitionName(end), end.logEnd]));
    }
    return identity === null || this.end.signal.aborted
      ? null
      : this.createContext(identity, keyExpression);
  }

  private createContext(
    identity: LedgerIdentity,
    keyExpression: Context['keyExpression'],
  ): Context {
    const { deps, options } = this;
    return {
      ...deps,
      options,
      keyExpression,
      identity,
      window: createWindow(options.inFlightMax, (used) => deps.meter.inFlight(used)),
      signal: this.abort.signal,
      outage: this.outage,
      bufferShare: () => ({
        records: options.bufferRecordsMax / Math.max(1, this.partitions.size),
        bytes: options.bufferBytesMax / Math.max(1, this.partitions.size),
      }),
      count: (what, by) => {
        this.counts[what] += by;
      },
    };
  }

  private wait<T>(side: 'kafka' | 'fabric', call: () => Promise<T>): Promise<T | null> {
    const { signal } = this.end;
    return tryUntilAnswered(call, {
      clock: this.deps.clock,
      signal,
      abandons: false,
      live: () => !signal.aborted,
      answered: () => this.waiter.answered(side),
      failed: (error) => {
        this.waiter.failed(side, error);
        this.checkDeadline(error);
      },
    });
  }

  private async follow(context: Context): Promise<void> {
    this.checkEnd();
    if (this.end.signal.aborted) {
      return;
    }
    for await (const event of this.deps.source.events(this.end.signal)) {
      this.handle(context, event);
    }
  }

  private handle(context: Context, event: SourceEvent): void {
    switch (event.kind) {
      case 'assigned':
        this.assign(context, event.assignment);
        break;
      case 'records':
        this.partitions.get(partitionName(event.batch))?.accept(event.batch);
        break;
      case 'revoked': {
        const name = partitionName(event.owned);
        const partition = this.partitions.get(name);
        if (partition?.assignment.epoch === event.owned.epoch) {
          partition.drop();
          this.partitions.delete(name);
          this.deps.meter.partitionReleased(event.owned);
        }
        break;
      }
      case 'unreachable':
        this.waiter.failed('kafka', toShuttleError(event.error));
        break;
      case 'reachable':
        this.waiter.answered('kafka');
        break;
    }
  }

  private assign(context: Context, assignment: Partition['assignment']): void {
    const name = partitionName(assignment);
    this.partitions.get(name)?.drop();
    // A partition that comes back is judged anew.
    this.stops = this.stops.filter((stop) => partitionName(stop) !== name);
    this.deps.meter.partitionReleased(assignment);
    const partition = new Partition(context, assignment, {
      stopped: (stopped, error) => this.stopped(stopped, error),
      moved: () => {
        this.movedAtMs = this.deps.clock.now();
        this.reportBuffers();
        this.checkEnd();
      },
      stopping: () => this.end.signal.aborted,
      target: this.targets === null ? null : (this.targets.get(name) ?? assignment.logEnd),
    });
    this.partitions.set(name, partition);
    void partition.open();
  }

  private stopped(partition: Partition, error: ShuttleError): void {
    const { topic, partition: number } = partition.assignment;
    this.deps.meter.failed(error.code);
    this.deps.meter.partitionStopped(partition.assignment, error.code);
    this.deps.log.error(
      { topic, partition: number, code: error.code, err: error.message, ...error.at },
      'stopped a partition',
    );
    this.stops = [...this.stops, { topic, partition: number, error }];
    this.checkEnd();
  }

  /**
   * When every own partition has stopped for good, there is nothing left to wait for. Partitions
   * are assigned one by one, so the first that stops says nothing of those that are to come.
   */
  private checkStops(): void {
    const all = [...this.partitions.values()];
    const stopped = all.length > 0 && all.every((p) => this.isStopped(p.assignment));
    this.idleTicks = stopped && !this.options.untilEnd ? this.idleTicks + 1 : 0;
    if (this.idleTicks >= IDLE_TICKS_MAX) {
      this.end.abort();
    }
  }

  private isStopped(at: TopicPartition): boolean {
    return this.stops.some((stop) => partitionName(stop) === partitionName(at));
  }

  /** With untilEnd: ends the run once every own partition is done or stopped. */
  private checkEnd(): void {
    const { targets } = this;
    if (targets === null || this.end.signal.aborted) {
      return;
    }
    const open = [...targets].filter(([name, target]) => {
      const partition = this.partitions.get(name);
      const stopped = partition !== undefined && this.isStopped(partition.assignment);
      return target > 0n && partition?.done !== true && !stopped && !this.others.has(name);
    });
    if (open.length === 0) {
      this.end.abort();
    }
  }

  private async checkOthers(): Promise<void> {
    const { targets } = this;
    if (targets === null || [...targets.keys()].every((name) => this.partitions.has(name))) {
      return;
    }
    const acks = await this.deps.source.acks();
    const done = acks.filter((ack) => {
      const name = partitionName(ack);
      return !this.partitions.has(name) && ack.offset >= (targets.get(name) ?? 0n);
    });
    this.others = new Set(done.map(partitionName));
    this.checkEnd();
  }

  private async ackRegularly(): Promise<void> {
    const { clock } = this.deps;
    while (!this.end.signal.aborted) {
      await clock.sleep(this.options.ackIntervalMs, this.end.signal);
      if (!this.end.signal.aborted) {
        await this.ackAll();
        this.checkDeadline(null);
        this.checkStops();
      }
    }
  }

  /** An ack that fails is made again next time; the ledger's watermarks protect until then. */
  private async ackAll(): Promise<void> {
    try {
      for (const partition of this.partitions.values()) {
        await partition.ack();
      }
      await this.checkOthers();
    } catch (caught) {
      const error = toShuttleError(caught);
      this.deps.log.debug({ code: error.code, err: error.message }, 'could not ack');
    }
  }

  private checkDeadline(cause: ShuttleError | null): void {
    const { deadlineMs, untilEnd } = this.options;
    const { clock } = this.deps;
    if (untilEnd && deadlineMs !== undefined && clock.now() - this.movedAtMs > deadlineMs) {
      const message = `Nothing has moved for ${deadlineMs} ms.`;
      this.error = new ShuttleError('DEADLINE', message, cause === null ? {} : { cause });
      this.end.abort();
    }
  }

  private reportBuffers(): void {
    const all = [...this.partitions.values()].map((partition) => partition.buffered);
    const sum = (of: 'records' | 'bytes'): number => all.reduce((total, b) => total + b[of], 0);
    this.deps.meter.buffered(sum('records'), sum('bytes'));
  }

  /**
   * Lets what is in flight finish, then acks for the last time. While Kafka is away a stop does not
   * wait for it: an ack that is not made costs only reading, the watermarks protect the rest.
   */
  private async settle(): Promise<void> {
    const { clock } = this.deps;
    const untilMs = clock.now() + STOP_PATIENCE_MS;
    const still = (): boolean => [...this.partitions.values()].every((p) => p.still);
    while (!still() && clock.now() < untilMs) {
      await clock.sleep(10);
    }
    const over = new AbortController();
    await Promise.race([this.ackAll(), clock.sleep(ACK_PATIENCE_MS, over.signal)]);
    over.abort();
  }
}
