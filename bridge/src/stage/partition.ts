/** One assigned partition: fences it, finds its position, cleans its records, commits them. */
import { BackPressure } from '../back-pressure.ts';
import type { Cleaned } from '../clean/cleaner.ts';
import { type ShuttleError, toShuttleError } from '../errors.ts';
import { CLEAN_WORK_MS_MAX } from '../limits.ts';
import type {
  Assignment,
  CleanedRecord,
  CleanSink,
  CleanStep,
  DeadLetter,
  SourceBatch,
} from '../ports.ts';
import type { SourceRecord } from '../values.ts';
import type { StageCleaner, StageContext } from './context.ts';
import { beginningOf, rebuildWindow, truncated } from './open.ts';
import { RawQueue } from './queue.ts';

/** What a partition tells the run. */
export interface StageHooks {
  /** It has ended by an error; the sink is of no more use. */
  readonly failed: (partition: StagePartition, error: ShuttleError) => void;
  /** Something was committed. */
  readonly moved: (partition: StagePartition) => void;
  /** Whether an orderly stop has begun: what is in flight ends, nothing new begins. */
  readonly stopping: () => boolean;
  /** With untilEnd: the offset behind the last one to clean, null otherwise. */
  readonly target: bigint | null;
}

/** A step with the figures of what it was made of. */
interface Prepared extends CleanStep {
  readonly records: number;
  readonly first: bigint;
  readonly dropped: number;
}

/** A step while it is made. */
interface Making extends Prepared {
  readonly cleaned: CleanedRecord[];
  readonly letters: DeadLetter[];
  next: bigint;
  records: number;
  first: bigint;
  dropped: number;
}

export class StagePartition {
  readonly assignment: Assignment;
  private readonly context: StageContext;
  private readonly hooks: StageHooks;
  private readonly backPressure: BackPressure;
  private readonly sink: CleanSink;
  private readonly cleaner: StageCleaner;
  private readonly queue = new RawQueue();
  /** The next offset to be read; everything below is in the queue or was taken from it. */
  private next = -1n;
  /** The next offset to be cleaned, as it was committed last. */
  private committed = -1n;
  private opened = false;
  private dropped = false;
  private ended = false;
  /** A commit has failed, and nobody has been told yet. */
  private broken = false;
  private wake: () => void = () => {};

  constructor(context: StageContext, assignment: Assignment, hooks: StageHooks) {
    this.context = context;
    this.assignment = assignment;
    this.hooks = hooks;
    this.backPressure = new BackPressure(context.source, assignment);
    this.sink = context.createSink(assignment);
    this.cleaner = context.createCleaner();
  }

  /** Lives until it is dropped, the run stops, or an error ends it. Never rejects. */
  async run(): Promise<void> {
    try {
      await this.open();
      await this.work();
    } catch (caught) {
      if (this.live()) {
        this.context.source.pause(this.assignment);
        this.dropped = true;
        this.hooks.failed(this, toShuttleError(caught));
      }
    } finally {
      this.ended = true;
      await this.sink.close().catch(() => undefined);
    }
  }

  /** Takes what the source has read. Records of a past assignment never come here. */
  accept(batch: SourceBatch): void {
    if (!this.live() || !this.opened) {
      return;
    }
    const { context, assignment } = this;
    if (batch.logStart > this.next) {
      try {
        const { acceptTruncation } = context.options;
        truncated(assignment, this.next, batch.logStart, acceptTruncation, context.log);
      } catch (error) {
        this.fail(toShuttleError(error));
        return;
      }
    }
    const { target } = this.hooks;
    const isWithin = target === null || batch.next <= target;
    const records = isWithin ? batch.records : batch.records.filter((r) => r.offset < target);
    const next = isWithin ? batch.next : target;
    if (next > this.next) {
      this.next = next;
      this.queue.push(records, next, context.clock.now());
    }
    context.count('recordsRead', records.length);
    context.meter.recordsRead(assignment, records.length);
    this.regulate();
    this.wake();
  }

  /** The partition was taken away: nothing of it counts any more. */
  drop(): void {
    this.dropped = true;
    this.wake();
  }

  /** Lets it see that a stop has begun. */
  poke(): void {
    this.wake();
  }

  /** True when everything up to the target is committed. */
  get done(): boolean {
    const { target } = this.hooks;
    return this.opened && target !== null && this.committed >= target;
  }

  /** True when nothing is under way, and nothing will be. */
  get still(): boolean {
    return this.ended;
  }

  get buffered(): { readonly records: number; readonly bytes: number } {
    return { records: this.queue.records, bytes: this.queue.bytes };
  }

  private async open(): Promise<void> {
    const { context, assignment, sink, cleaner } = this;
    const position = await sink.open();
    if (!this.live()) {
      return;
    }
    const begin = beginningOf(position, context.options, context.log);
    // From now on the group knows the topic, so that a lost position can be told from a first one.
    if (position.offset !== begin) {
      await sink.commit({ cleaned: [], letters: [], next: begin });
    }
    const live = () => this.live();
    const rebuilt = await rebuildWindow(cleaner, sink, position.logStart, begin, live);
    if (!this.live()) {
      return;
    }
    this.next = begin;
    this.committed = begin;
    this.opened = true;
    const { topic, partition } = assignment;
    const fields = { topic, partition, offset: begin, window_records: rebuilt };
    context.log.info(fields, 'began a partition');
    context.source.start(assignment, begin);
    this.report();
    this.hooks.moved(this);
  }

  /** Cleans ahead by one transaction while the one before it is committed. */
  private async work(): Promise<void> {
    let committing: Promise<void> = Promise.resolve();
    while (await this.due()) {
      const step = await this.prepare();
      await committing;
      if (step === null) {
        break;
      }
      committing = this.commit(step);
      // It is awaited after the next step is prepared; until then nobody else listens.
      committing.catch(() => {
        this.broken = true;
        this.wake();
      });
    }
    await committing;
  }

  /** Waits until a transaction is full or old enough. False when none is to come. */
  private async due(): Promise<boolean> {
    const { clock, options, signal } = this.context;
    const { transactionRecordsMax, transactionBytesMax, transactionAgeMs } = options;
    for (;;) {
      if (!this.live() || this.broken || this.hooks.stopping()) {
        return false;
      }
      const { records, bytes, oldestMs } = this.queue;
      const { target } = this.hooks;
      const isDrained = target !== null && this.next >= target;
      const ageMs = oldestMs === null ? 0 : clock.now() - oldestMs;
      const isFull = records >= transactionRecordsMax || bytes >= transactionBytesMax;
      if (oldestMs !== null && (isFull || isDrained || ageMs >= transactionAgeMs)) {
        return true;
      }
      const woken = new AbortController();
      const poked = new Promise<void>((resolve) => {
        this.wake = () => {
          woken.abort();
          resolve();
        };
      });
      signal.addEventListener('abort', this.wake, { once: true, signal: woken.signal });
      if (oldestMs === null) {
        await poked;
      } else {
        await clock.sleep(Math.max(1, transactionAgeMs - ageMs), woken.signal);
      }
      woken.abort();
    }
  }

  /** Cleans what waits, up to one transaction. Null when it is not wanted any more. */
  private async prepare(): Promise<Prepared | null> {
    const { clock, options } = this.context;
    const none = { records: 0, dropped: 0, first: -1n, next: -1n };
    const made: Making = { cleaned: [], letters: [], ...none };
    let bytes = 0;
    let sinceMs = clock.now();
    while (made.records < options.transactionRecordsMax && bytes < options.transactionBytesMax) {
      const taken = this.queue.take();
      if (taken === null) {
        break;
      }
      made.next = taken.next;
      bytes += taken.record === null ? 0 : await this.cleanOne(taken.record, made);
      if (clock.now() - sinceMs >= CLEAN_WORK_MS_MAX) {
        await new Promise((resolve) => setImmediate(resolve));
        sinceMs = clock.now();
      }
      if (!this.live()) {
        return null;
      }
    }
    this.regulate();
    return made.next < 0n ? null : made;
  }

  /** @returns how many bytes it takes in the transaction */
  private async cleanOne(record: SourceRecord, made: Making): Promise<number> {
    const result = await this.cleaner.clean(record);
    made.first = made.records === 0 ? record.offset : made.first;
    made.records += 1;
    made.dropped += result.refused === null ? result.dropped : 0;
    return this.place(record, result, made.cleaned, made.letters);
  }

  /** All documents of the record, or its dead letter. @returns how many bytes they have */
  private place(
    raw: SourceRecord,
    { documents, refused }: Cleaned,
    cleaned: CleanedRecord[],
    letters: DeadLetter[],
  ): number {
    if (refused !== null) {
      const { rule, code, sentence } = refused;
      letters.push(this.letter(raw, code, sentence, rule));
      return raw.value?.length ?? 0;
    }
    const made = documents.map(({ key, value }) => ({ raw, key, value }));
    for (const record of made) {
      const misfit = this.sink.misfit(record);
      if (misfit !== null) {
        letters.push(this.letter(raw, 'RECORD_TOO_LARGE', misfit, null));
        return raw.value?.length ?? 0;
      }
    }
    let bytes = 0;
    for (const record of made) {
      cleaned.push(record);
      bytes += record.key.length + (record.value?.length ?? 0);
    }
    return bytes;
  }

  private letter(
    record: SourceRecord,
    code: string,
    reason: string,
    rule: string | null,
  ): DeadLetter {
    const { topic, partition } = this.assignment;
    const named = rule === null ? {} : { rule };
    return { topic, partition, record, stage: 'clean', code, reason, txId: null, ...named };
  }

  private async commit({ records, first, dropped, ...step }: Prepared): Promise<void> {
    const { context, assignment } = this;
    const startedMs = context.clock.now();
    await this.sink.commit(step);
    this.committed = step.next;
    const refused = step.letters.length;
    const documents = step.cleaned.length;
    context.count('transactions', 1);
    context.count('cleaned', records - refused);
    context.count('documents', documents);
    context.count('dropped', dropped);
    context.count('refused', refused);
    for (const { rule = null, code } of step.letters) {
      context.refused(rule, code);
    }
    context.meter.recordsCleaned(assignment, records - refused, documents, refused);
    const { topic, partition } = assignment;
    if (records > 0) {
      context.log.info(
        {
          topic,
          partition,
          offset_first: first,
          offset_last: step.next - 1n,
          record_count: records,
          document_count: documents,
          refused_count: refused,
          duration_ms: context.clock.now() - startedMs,
        },
        'committed cleaned records',
      );
    }
    this.report();
    this.hooks.moved(this);
  }

  private report(): void {
    if (this.live()) {
      const { logEnd } = this.assignment;
      const end = this.next > logEnd ? this.next : logEnd;
      this.context.meter.position(this.assignment, this.committed, end);
    }
  }

  /** Pauses above the bounds, resumes below a share of them. */
  private regulate(): void {
    if (!this.live()) {
      return;
    }
    this.backPressure.regulate(this.queue, this.context.bufferShare());
  }

  private live(): boolean {
    return !this.dropped && !this.context.signal.aborted;
  }

  private fail(error: ShuttleError): void {
    if (this.live()) {
      this.context.source.pause(this.assignment);
      this.dropped = true;
      this.hooks.failed(this, error);
      this.wake();
    }
  }
}
