/** One lane of a partition: a queue, and at most one transaction in flight. */
import type { Watermark } from '@shuttle/chaincode/ledger';
import { RECORD_REFUSALS, type Rejection } from '@shuttle/chaincode/wire';
import { type Item, LaneQueue, type Refusal } from '../batch/queue.ts';
import { CARRY_REFUSALS, ShuttleError } from '../errors.ts';
import type { DeadLetter } from '../ports.ts';
import type { SourceRecord, TopicPartition } from '../values.ts';
import type { Context } from './context.ts';
import { type Outcome, submitBatch } from './submit.ts';

/** What a lane needs of its partition. */
export interface LaneHome extends TopicPartition {
  readonly layoutDigest: string;
  readonly base: bigint;
  /** False when the partition was revoked or stopped: late completions are then ignored. */
  readonly live: () => boolean;
  /** True when the run is to end: what is in flight finishes, nothing new begins. */
  readonly stopping: () => boolean;
  /** True when nothing more will come soon: batches go at once, whatever their age. */
  readonly draining: () => boolean;
  /** Records have left the lane, so buffers and the ack may move. */
  readonly moved: () => void;
  /** The lane cannot go on; stops the whole partition. */
  readonly failed: (error: unknown) => void;
  /**
   * Compares a watermark that another transaction has moved with the source; `held` is the record
   * at its offset, when the lane has it.
   */
  readonly checkMoved: (watermark: Watermark, held: SourceRecord | null) => Promise<void>;
}

export class Lane {
  readonly queue = new LaneQueue();
  private readonly context: Context;
  private readonly home: LaneHome;
  private readonly number: number;
  private watermark: bigint;
  private pending = new Map<bigint, Refusal>();
  private busy = false;
  private timer: AbortController | null = null;

  constructor(context: Context, home: LaneHome, number: number, watermark: Watermark | null) {
    this.context = context;
    this.home = home;
    this.number = number;
    this.watermark = home.base;
    if (watermark !== null) {
      this.adopt(watermark);
    }
  }

  /** Nothing is queued and nothing is under way. */
  get idle(): boolean {
    return !this.busy && this.queue.length === 0;
  }

  /** Nothing is under way, whatever is queued. */
  get still(): boolean {
    return !this.busy;
  }

  /** Queues a record; false when the ledger has finished it already. */
  accept(item: Item): boolean {
    const judged = this.judge(item);
    if (judged !== null) {
      this.queue.push(judged);
    }
    return judged !== null;
  }

  /** Starts the next step when it is due, else sets the timer for it. */
  poke(): void {
    if (this.busy || !this.mayBegin()) {
      return;
    }
    const { clock, options } = this.context;
    const dueMs = this.queue.dueInMs(clock.now(), options);
    if (dueMs === null) {
      return;
    }
    if (dueMs > 0 && !this.home.draining()) {
      this.wakeIn(dueMs);
      return;
    }
    this.timer?.abort();
    this.timer = null;
    this.busy = true;
    void this.step().then(
      () => {
        this.busy = false;
        this.home.moved();
        this.poke();
      },
      (error: unknown) => {
        this.busy = false;
        this.home.failed(error);
      },
    );
  }

  private mayBegin(): boolean {
    return this.home.live() && !this.home.stopping();
  }

  private wakeIn(ms: number): void {
    if (this.timer === null) {
      const timer = new AbortController();
      this.timer = timer;
      void this.context.clock.sleep(ms, timer.signal).then(() => {
        if (this.timer === timer) {
          this.timer = null;
          this.poke();
        }
      });
    }
  }

  private async step(): Promise<void> {
    const { options, window } = this.context;
    if (this.queue.head(options)?.kind === 'refused') {
      await this.bury();
      return;
    }
    const release = await window.acquire();
    try {
      // Cut only now: while the lane waited for room, its batch has grown.
      const head = this.mayBegin() ? this.queue.head(options) : null;
      if (head?.kind === 'batch') {
        await this.send(head.items);
      }
    } finally {
      release();
    }
  }

  /** Sends the refused records at the head to the dead letters before anything behind them. */
  private async bury(): Promise<void> {
    const head = this.queue.head(this.context.options);
    if (head?.kind === 'refused') {
      await this.deadLetter(head.items);
      if (this.home.live()) {
        this.queue.drop(head.items.length);
        this.finished(0, head.items.length, 0);
      }
    }
  }

  private async send(items: readonly Item[]): Promise<void> {
    const { context, home } = this;
    const { clock, log, meter } = context;
    const startMs = clock.now();
    const { topic, partition, layoutDigest: layout, base } = home;
    const place = { topic, partition, lane: this.number, layout, base, after: this.watermark };
    const outcome = await submitBatch(context, place, items, () => this.mayBegin());
    if (!home.live() || outcome.kind === 'abandoned') {
      return;
    }
    if (outcome.kind === 'overtaken') {
      await this.overtaken(outcome.watermark);
      return;
    }
    const durationMs = clock.now() - startMs;
    log.info(
      {
        topic,
        partition,
        lane: this.number,
        offset_first: items[0]?.record.offset,
        offset_last: outcome.offset,
        record_count: items.length,
        tx_id: outcome.txId,
        block_number: outcome.blockNumber,
        duration_ms: durationMs,
      },
      'committed a batch',
    );
    meter.batchCommitted(home, this.number, items.length, durationMs);
    context.count('batches', 1);
    await this.committed(items, outcome);
  }

  private async committed(
    items: readonly Item[],
    outcome: Extract<Outcome, { kind: 'committed' }>,
  ): Promise<void> {
    const { rejections, txId } = outcome;
    const refusals = refusalsOf(rejections, txId);
    const refused = items.flatMap((item) => {
      const refusal = refusals.get(item.record.offset);
      return refusal === undefined ? [] : { ...item, refusal };
    });
    if (refused.length > 0) {
      await this.deadLetter(refused);
    }
    if (this.home.live()) {
      this.watermark = outcome.offset;
      this.queue.drop(items.length);
      this.finished(outcome.applied, refused.length, 0);
    }
  }

  /** Another transaction has moved the watermark: what it covers is finished, the rest stays. */
  private async overtaken(watermark: Watermark): Promise<void> {
    await this.home.checkMoved(watermark, this.queue.find(watermark.offset));
    const { topic, partition } = this.home;
    this.context.log.info(
      { topic, partition, lane: this.number, offset: watermark.offset, tx_id: watermark.txId },
      'adopted a newer watermark',
    );
    this.adopt(watermark);
    const covered = this.queue.rewrite((item) => this.judge(item));
    this.finished(0, 0, covered);
  }

  /** Whoever reads a watermark sends its rejections to the dead letters before going on. */
  private adopt(watermark: Watermark): void {
    if (watermark.offset > this.watermark) {
      this.watermark = watermark.offset;
      this.pending = refusalsOf(watermark.rejections, watermark.txId);
    }
  }

  /**
   * The record as it is still to be handled; null when the ledger has finished it. A record that
   * the bridge refuses itself is finished too when the watermark is beyond it: nothing behind it
   * was submitted before its dead letter was acked.
   */
  private judge(item: Item): Item | null {
    if (item.record.offset > this.watermark) {
      return item;
    }
    const refusal = this.pending.get(item.record.offset);
    return refusal === undefined ? null : { ...item, refusal };
  }

  private async deadLetter(items: readonly Item[]): Promise<void> {
    const { topic, partition } = this.home;
    const letters = items.map((item): DeadLetter => {
      const { record, refusal } = item;
      if (refusal === null) {
        throw new ShuttleError('INTERNAL', 'A record without a refusal met the dead letters.');
      }
      return { topic, partition, record, ...explained(refusal) };
    });
    await this.context.deadLetters.send(letters, this.context.signal);
    for (const { record, code, rule, txId } of letters) {
      this.context.log.info(
        { topic, partition, lane: this.number, offset: record.offset, code, rule, tx_id: txId },
        'refused a record',
      );
    }
  }

  private finished(applied: number, rejected: number, repeated: number): void {
    this.context.meter.recordsFinished(this.home, applied, rejected, repeated);
    this.context.count('applied', applied);
    this.context.count('rejected', rejected);
    this.context.count('repeated', repeated);
  }
}

function refusalsOf(rejections: readonly Rejection[], txId: string): Map<bigint, Refusal> {
  return new Map(
    rejections.map(({ offset, ...refused }) => [offset, { stage: 'ledger', ...refused, txId }]),
  );
}

const REASONS: Readonly<Record<string, string>> = { ...RECORD_REFUSALS, ...CARRY_REFUSALS };

/** A refusal in the words of its dead letter: its rule's own, when it has one. */
function explained(refusal: Refusal): Omit<DeadLetter, 'topic' | 'partition' | 'record'> {
  const { stage, code, txId, rule } = refusal;
  const reason = REASONS[code] ?? 'The record was refused.';
  return rule === undefined
    ? { stage, code, reason, txId }
    : { stage, code, reason: rule.sentence || reason, rule: rule.name, txId };
}
