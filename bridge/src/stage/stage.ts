/** The clean stage: raw records in; documents, dead letters and the position out, at once. */
import { setMaxListeners } from 'node:events';
import { ShuttleError, toShuttleError } from '../errors.ts';
import { backOffMs } from '../limits.ts';
import type { Waiter } from '../outage.ts';
import { tryUntilAnswered } from '../patience.ts';
import type { Assignment, Owned, SourceEvent } from '../ports.ts';
import { partitionName } from '../values.ts';
import type {
  StageContext,
  StageDeps,
  StageOptions,
  StageRefusal,
  StageStop,
  StageSummary,
} from './context.ts';
import { StagePartition } from './partition.ts';

/** What is in flight gets this long to finish at an orderly stop. */
const STOP_PATIENCE_MS = 20_000;
/** How often deadlines and other members are looked at. */
const TICK_MS = 1_000;
/** With every own partition stopped, the run ends after so many ticks. */
const IDLE_TICKS_MAX = 5;

/**
 * Runs until the signal aborts, until every assigned partition has stopped with a code, or, with
 * `untilEnd`, until the ends as they were at the start are cleaned. Then what is in flight
 * finishes, and the group is left.
 *
 * @throws ShuttleError what stops the whole run: TOPIC_MISSING, KAFKA_REFUSED, DEADLINE, ...
 */
export async function runStage(
  deps: StageDeps,
  options: StageOptions,
  signal: AbortSignal,
): Promise<StageSummary> {
  return await new StageRun(deps, options).run(signal);
}

/** One partition over all its assignments. */
interface Place {
  readonly waiter: Waiter;
  /** Failures since something was committed. */
  failures: number;
  /** It is given up to be taken anew, and not because somebody else has it. */
  renewing: boolean;
  current: StagePartition | null;
}

class StageRun {
  private readonly deps: StageDeps;
  private readonly options: StageOptions;
  private readonly places = new Map<string, Place>();
  private readonly lives = new Set<Promise<void>>();
  private readonly refusals = new Map<string, StageRefusal>();
  private stops: readonly StageStop[] = [];
  private readonly counts = {
    recordsRead: 0,
    cleaned: 0,
    documents: 0,
    dropped: 0,
    refused: 0,
    transactions: 0,
  };
  private readonly waiter: Waiter;
  /** Ends the reading of events; what is in flight goes on. */
  private readonly end = new AbortController();
  /** Ends everything. */
  private readonly abort = new AbortController();
  private targets: ReadonlyMap<string, bigint> | null = null;
  /** Partitions that other members of the group have cleaned up to their target. */
  private others: ReadonlySet<string> = new Set<string>();
  private error: ShuttleError | null = null;
  private movedAtMs: number;
  private idleTicks = 0;

  constructor(deps: StageDeps, options: StageOptions) {
    this.deps = deps;
    this.options = options;
    this.waiter = deps.outage.waiter();
    this.movedAtMs = deps.clock.now();
    setMaxListeners(0, this.end.signal, this.abort.signal);
  }

  async run(signal: AbortSignal): Promise<StageSummary> {
    const stop = (): void => this.finish();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) {
      stop();
    }
    let ticks: Promise<void> = Promise.resolve();
    try {
      if (await this.prepare()) {
        ticks = this.tickRegularly();
        await this.follow();
        await this.settle();
      }
    } finally {
      signal.removeEventListener('abort', stop);
      this.finish();
      this.abort.abort();
      await Promise.all(this.lives);
      for (const place of this.places.values()) {
        place.waiter.leave();
      }
      this.waiter.leave();
      await this.deps.source.close();
      await ticks;
    }
    if (this.error !== null) {
      throw this.error;
    }
    const refusals = [...this.refusals.values()].sort((a, b) => b.records - a.records);
    return { ...this.counts, refusals, stops: this.stops };
  }

  /** Begins the orderly stop. */
  private finish(): void {
    this.end.abort();
    for (const { current } of this.places.values()) {
      current?.poke();
    }
  }

  private async prepare(): Promise<boolean> {
    const { deps, options, end } = this;
    if (options.untilEnd) {
      const ends = await tryUntilAnswered(() => deps.source.ends(), {
        clock: deps.clock,
        signal: end.signal,
        abandons: true,
        live: () => !end.signal.aborted,
        answered: () => this.waiter.answered('kafka'),
        failed: (error) => {
          this.waiter.failed('kafka', error);
          this.checkDeadline(error);
        },
      });
      this.targets = new Map((ends ?? []).map((each) => [partitionName(each), each.logEnd]));
      this.checkEnd();
    }
    return !end.signal.aborted;
  }

  private async follow(): Promise<void> {
    const context: StageContext = {
      ...this.deps,
      options: this.options,
      signal: this.abort.signal,
      bufferShare: () => ({
        records: this.options.bufferRecordsMax / Math.max(1, this.places.size),
        bytes: this.options.bufferBytesMax / Math.max(1, this.places.size),
      }),
      count: (what, by) => {
        this.counts[what] += by;
      },
      refused: (rule, code) => this.countRefusal(rule, code),
    };
    for await (const event of this.deps.source.events(this.end.signal)) {
      this.handle(context, event);
    }
  }

  private handle(context: StageContext, event: SourceEvent): void {
    switch (event.kind) {
      case 'assigned':
        this.assign(context, event.assignment);
        break;
      case 'records':
        this.current(event.batch)?.accept(event.batch);
        break;
      case 'revoked':
        this.revoke(event.owned);
        break;
      case 'unreachable':
        this.waiter.failed('kafka', toShuttleError(event.error));
        break;
      case 'reachable':
        this.waiter.answered('kafka');
        break;
    }
  }

  private current(owned: Owned): StagePartition | null {
    const found = this.places.get(partitionName(owned))?.current ?? null;
    return found?.assignment.epoch === owned.epoch ? found : null;
  }

  private assign(context: StageContext, assignment: Assignment): void {
    const name = partitionName(assignment);
    const place = this.places.get(name) ?? {
      waiter: this.deps.outage.waiter(),
      failures: 0,
      renewing: false,
      current: null,
    };
    this.places.set(name, place);
    place.renewing = false;
    place.current?.drop();
    // A partition that comes back is judged anew.
    this.stops = this.stops.filter((stop) => partitionName(stop) !== name);
    this.deps.meter.partitionReleased(assignment);
    const partition = new StagePartition(context, assignment, {
      failed: (failed, error) => this.failed(place, failed, error),
      moved: (moved) => this.moved(place, moved),
      stopping: () => this.end.signal.aborted,
      target: this.targets === null ? null : (this.targets.get(name) ?? assignment.logEnd),
    });
    place.current = partition;
    const life = partition.run();
    this.lives.add(life);
    void life.then(() => this.lives.delete(life));
  }

  private revoke(owned: Owned): void {
    const name = partitionName(owned);
    const place = this.places.get(name);
    if (place === undefined) {
      return;
    }
    const { current } = place;
    if (current !== null && current.assignment.epoch !== owned.epoch) {
      return;
    }
    current?.drop();
    place.current = null;
    if (current === null || !place.renewing) {
      place.waiter.leave();
      this.places.delete(name);
      this.deps.meter.partitionReleased(owned);
    }
  }

  private moved(place: Place, { assignment }: StagePartition): void {
    if (this.current(assignment) === null) {
      return;
    }
    place.failures = 0;
    place.waiter.answered('kafka');
    this.movedAtMs = this.deps.clock.now();
    const all = [...this.places.values()].flatMap(({ current }) => current?.buffered ?? []);
    const sum = (of: 'records' | 'bytes'): number => all.reduce((total, b) => total + b[of], 0);
    this.deps.meter.buffered(sum('records'), sum('bytes'));
    this.checkEnd();
  }

  /**
   * What may pass is tried again from the beginning: a new sink fences, and reads what was
   * committed. Nothing that was in memory is used again.
   */
  private failed(place: Place, partition: StagePartition, error: ShuttleError): void {
    const { assignment } = partition;
    if (error.kind.retry === 'never') {
      this.stopped(assignment, error);
      return;
    }
    place.failures += 1;
    const { clock, log, source } = this.deps;
    const { topic, partition: number } = assignment;
    const fields = { topic, partition: number, code: error.code, err: error.message };
    let waitMs = backOffMs(place.failures + 3, clock.random());
    if (error.code === 'CLEAN_FENCED') {
      log.info(fields, 'was fenced');
      this.deps.meter.failed(error.code);
      waitMs = this.options.fencedPatienceMs * (1 + clock.random());
    } else {
      log.debug(fields, 'gave a transaction up');
      place.waiter.failed('kafka', error);
      this.checkDeadline(error);
    }
    const again = clock.sleep(waitMs, this.end.signal).then(() => {
      if (!this.end.signal.aborted) {
        place.renewing = true;
        source.renew(assignment);
      }
    });
    this.lives.add(again);
    void again.then(() => this.lives.delete(again));
  }

  private stopped(assignment: Assignment, error: ShuttleError): void {
    const { topic, partition } = assignment;
    this.deps.meter.failed(error.code);
    this.deps.meter.partitionStopped(assignment, error.code);
    this.deps.log.error(
      { topic, partition, code: error.code, err: error.message, ...error.at },
      'stopped a partition',
    );
    this.stops = [...this.stops, { topic, partition, error }];
    this.checkEnd();
  }

  private countRefusal(rule: string | null, code: string): void {
    const name = `${rule} ${code}`;
    const records = (this.refusals.get(name)?.records ?? 0) + 1;
    this.refusals.set(name, { rule, code, records });
  }

  private isStopped(name: string): boolean {
    return this.stops.some((stop) => partitionName(stop) === name);
  }

  /** With untilEnd: ends the run once every partition is done or stopped, here or elsewhere. */
  private checkEnd(): void {
    const { targets } = this;
    if (targets === null || this.end.signal.aborted) {
      return;
    }
    const open = [...targets].filter(([name, target]) => {
      const done = this.places.get(name)?.current?.done === true;
      return target > 0n && !done && !this.isStopped(name) && !this.others.has(name);
    });
    if (open.length === 0) {
      this.finish();
    }
  }

  private async tickRegularly(): Promise<void> {
    const { clock, log } = this.deps;
    while (!this.end.signal.aborted) {
      await clock.sleep(TICK_MS, this.end.signal);
      if (this.end.signal.aborted) {
        return;
      }
      this.checkDeadline(null);
      this.checkStops();
      await this.checkOthers().catch((caught: unknown) => {
        const { code, message } = toShuttleError(caught);
        log.debug({ code, err: message }, 'could not ask for the positions of others');
      });
    }
  }

  /** When every own partition has stopped for good, there is nothing left to wait for. */
  private checkStops(): void {
    const names = [...this.places.keys()];
    const stopped = names.length > 0 && names.every((name) => this.isStopped(name));
    this.idleTicks = stopped && !this.options.untilEnd ? this.idleTicks + 1 : 0;
    if (this.idleTicks >= IDLE_TICKS_MAX) {
      this.finish();
    }
  }

  private async checkOthers(): Promise<void> {
    const { targets } = this;
    if (targets === null || [...targets.keys()].every((name) => this.places.has(name))) {
      return;
    }
    const done = (await this.deps.source.acks()).filter((ack) => {
      const name = partitionName(ack);
      return !this.places.has(name) && ack.offset >= (targets.get(name) ?? 0n);
    });
    this.others = new Set(done.map(partitionName));
    this.checkEnd();
  }

  private checkDeadline(cause: ShuttleError | null): void {
    const { deadlineMs, untilEnd } = this.options;
    const { clock } = this.deps;
    if (untilEnd && deadlineMs !== undefined && clock.now() - this.movedAtMs > deadlineMs) {
      const message = `Nothing has moved for ${deadlineMs} ms.`;
      this.error = new ShuttleError('DEADLINE', message, cause === null ? {} : { cause });
      this.finish();
    }
  }

  /** Lets what is in flight finish. What does not is aborted by Kafka, and cleaned again later. */
  private async settle(): Promise<void> {
    const { clock } = this.deps;
    const over = new AbortController();
    const all = Promise.all(this.lives);
    await Promise.race([all, clock.sleep(STOP_PATIENCE_MS, over.signal)]);
    over.abort();
  }
}
