/** One assigned partition: opens it, spreads its records over the lanes, acks what is finished. */

import type { Watermark } from '@shuttle/chaincode/ledger';
import { layoutDigest } from '@shuttle/chaincode/wire';
import { type Amount, BackPressure } from '../back-pressure.ts';
import { carry } from '../batch/carry.ts';
import { type Item, itemBytes } from '../batch/queue.ts';
import { type ShuttleError, toShuttleError } from '../errors.ts';
import { ACK_AGAIN_MS } from '../limits.ts';
import type { Assignment, SourceBatch } from '../ports.ts';
import type { SourceRecord } from '../values.ts';
import { ackMetadata, type Context } from './context.ts';
import { Lane } from './lane.ts';
import { checkMoved, type Opened, openPartition, truncated } from './open-partition.ts';

/** What a partition tells the run. */
export interface PartitionHooks {
  readonly stopped: (partition: Partition, error: ShuttleError) => void;
  /** Something has finished: the run may be at its end. */
  readonly moved: () => void;
  readonly stopping: () => boolean;
  /** With untilEnd: the offset behind the last one to process, null otherwise. */
  readonly target: bigint | null;
}

export class Partition {
  readonly assignment: Assignment;
  private readonly context: Context;
  private readonly hooks: PartitionHooks;
  private readonly backPressure: BackPressure;
  private lanes: readonly Lane[] = [];
  private next: bigint;
  private acked: bigint | null = null;
  private ackedAtMs = 0;
  private opened = false;
  private dropped = false;
  private metadata = '';

  constructor(context: Context, assignment: Assignment, hooks: PartitionHooks) {
    this.context = context;
    this.assignment = assignment;
    this.hooks = hooks;
    this.backPressure = new BackPressure(context.source, assignment);
    this.next = assignment.logStart;
  }

  /** Reads layout and watermarks, then lets the source begin. Never rejects. */
  async open(): Promise<void> {
    const { context, assignment } = this;
    try {
      const opened = await openPartition(context, assignment, () => this.live());
      if (opened === null || !this.live()) {
        return;
      }
      this.metadata = ackMetadata(context);
      this.lanes = this.createLanes(opened);
      this.next = opened.start;
      this.opened = true;
      const { topic, partition } = assignment;
      context.log.info({ topic, partition, offset: opened.start }, 'began a partition');
      context.source.start(assignment, opened.start);
      // From now on the group knows where this ledger stands, so a later truncation is certain.
      await this.ack();
      this.hooks.moved();
    } catch (error) {
      this.stop(error);
    }
  }

  private createLanes({ layout, watermarks }: Opened): readonly Lane[] {
    const { context, assignment, hooks } = this;
    const home = {
      topic: assignment.topic,
      partition: assignment.partition,
      layoutDigest: layoutDigest(layout),
      base: layout.base,
      live: () => this.live(),
      stopping: hooks.stopping,
      draining: () => this.drained(),
      moved: () => this.moved(),
      failed: (error: unknown) => this.stop(error),
      checkMoved: (watermark: Watermark, held: SourceRecord | null) =>
        checkMoved(context, assignment, watermark, held, () => this.live()),
    };
    const lanes = Array.from({ length: layout.lanes }, (_, i) => i);
    return lanes.map((i) => new Lane(context, home, i, watermarks[i] ?? null));
  }

  /** Takes what the source has read. Records of a past assignment never come here. */
  accept(batch: SourceBatch): void {
    if (!this.live() || !this.opened) {
      return;
    }
    try {
      if (batch.logStart > this.next) {
        truncated(this.context, this.assignment, this.next, batch.logStart, true);
      }
      const nowMs = this.context.clock.now();
      let repeated = 0;
      for (const record of batch.records) {
        repeated += this.place(record, nowMs) ? 0 : 1;
      }
      this.context.meter.recordsFinished(this.assignment, 0, 0, repeated);
      this.context.count('repeated', repeated);
    } catch (error) {
      this.stop(error);
      return;
    }
    this.next = batch.next > this.next ? batch.next : this.next;
    this.context.count('recordsRead', batch.records.length);
    this.context.meter.recordsRead(this.assignment, batch.records.length);
    for (const lane of this.lanes) {
      lane.poke();
    }
    this.moved();
  }

  /** False when the ledger has finished the record already. */
  private place(record: SourceRecord, arrivedMs: number): boolean {
    if (record.offset < this.next || this.beyondTarget(record.offset)) {
      return true;
    }
    const { keyExpression, options } = this.context;
    const carried = carry(record, this.lanes.length, keyExpression, options.batchBytes);
    const wire = carried.kind === 'carried' ? carried.wire : null;
    const item: Item = {
      record,
      wire,
      refusal:
        carried.kind === 'refused' ? { stage: 'carry', code: carried.code, txId: null } : null,
      arrivedMs,
      bytes: itemBytes(record, wire),
    };
    return this.lanes[carried.lane]?.accept(item) ?? true;
  }

  private beyondTarget(offset: bigint): boolean {
    return this.hooks.target !== null && offset >= this.hooks.target;
  }

  /** True once everything up to the target has been read. */
  private drained(): boolean {
    return this.hooks.target !== null && this.next >= this.hooks.target;
  }

  /** True when everything up to the target is finished. */
  get done(): boolean {
    return this.opened && this.drained() && this.lanes.every((lane) => lane.idle);
  }

  /** True when nothing is under way. */
  get still(): boolean {
    return this.lanes.every((lane) => lane.still);
  }

  /** The lowest offset that is not finished: what may be acked. */
  private unfinished(): bigint {
    let least: bigint | null = null;
    for (const { queue } of this.lanes) {
      const { oldest } = queue;
      if (oldest !== null && (least === null || oldest < least)) {
        least = oldest;
      }
    }
    if (least !== null) {
      return least;
    }
    const { target } = this.hooks;
    return target !== null && target < this.next ? target : this.next;
  }

  /**
   * Acks the contiguous finished offsets when they have moved, and now and then when not: the group
   * may have lost them, and added partitions wait for them. @throws what Kafka answers
   */
  async ack(): Promise<void> {
    if (!this.opened || this.dropped) {
      return;
    }
    const offset = this.unfinished();
    const { assignment } = this;
    const nowMs = this.context.clock.now();
    if (offset === this.acked && nowMs < this.ackedAtMs + ACK_AGAIN_MS) {
      return;
    }
    if (await this.context.source.ack(assignment, offset, this.metadata)) {
      this.acked = offset;
      this.ackedAtMs = nowMs;
      this.context.log.debug(
        { topic: assignment.topic, partition: assignment.partition, offset },
        'acked',
      );
    }
  }

  get buffered(): Amount {
    let records = 0;
    let bytes = 0;
    for (const { queue } of this.lanes) {
      records += queue.length;
      bytes += queue.bytes;
    }
    return { records, bytes };
  }

  private moved(): void {
    if (this.live()) {
      this.backPressure.regulate(this.buffered, this.context.bufferShare());
      const { logEnd } = this.assignment;
      const end = this.next > logEnd ? this.next : logEnd;
      this.context.meter.position(this.assignment, this.unfinished(), end);
    }
    this.hooks.moved();
  }

  /** The partition was taken away: nothing of it counts any more. */
  drop(): void {
    this.dropped = true;
  }

  private live(): boolean {
    return !this.dropped && !this.context.signal.aborted;
  }

  private stop(error: unknown): void {
    if (!this.live()) {
      return;
    }
    this.dropped = true;
    this.context.source.pause(this.assignment);
    this.hooks.stopped(this, toShuttleError(error));
  }
}
