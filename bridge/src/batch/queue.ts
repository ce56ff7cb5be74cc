/** The records of one lane in order, and how the next batch is cut from their head. */
import { eventIndexBytes } from '@shuttle/chaincode/epcis/index-keys';
import { type RuleRefusal, recordBytes, type WireRecord } from '@shuttle/chaincode/wire';
import type { SourceRecord } from '../values.ts';

/** Why a record goes to the dead letters instead of the ledger. */
export interface Refusal {
  readonly stage: 'carry' | 'ledger';
  readonly code: string;
  readonly txId: string | null;
  /** What the contract's own rule said, when that refused the record. */
  readonly rule?: RuleRefusal;
}

export interface Item {
  readonly record: SourceRecord;
  /** Null when the record was refused before it could travel. */
  readonly wire: WireRecord | null;
  readonly refusal: Refusal | null;
  readonly arrivedMs: number;
  readonly bytes: number;
}

export interface CutLimits {
  readonly batchRecords: number;
  readonly batchBytes: number;
  readonly batchAgeMs: number;
}

/** What stands at the head of a lane: a run of refused records, or a batch. */
export type Head =
  | { readonly kind: 'refused'; readonly items: readonly Item[] }
  | { readonly kind: 'batch'; readonly items: readonly Item[] };

/** Bytes by which an item counts against every bound: the index of an event is a part of it. */
export function itemBytes(record: SourceRecord, wire: WireRecord | null): number {
  const { key, value } = wire ?? { key: record.key ?? new Uint8Array(), value: record.value };
  const index = wire === null ? 0 : eventIndexBytes(key, value);
  return recordBytes({ key, value }) + index;
}

/**
 * A first-in-first-out queue that is cut from its head. Taken items leave by `drop`, only when they
 * are finished, so that the oldest unfinished offset is always the head's.
 */
export class LaneQueue {
  private items: Item[] = [];
  private start = 0;
  private queuedBytes = 0;

  get length(): number {
    return this.items.length - this.start;
  }

  get bytes(): number {
    return this.queuedBytes;
  }

  /** Offset of the oldest unfinished record, or null when there is none. */
  get oldest(): bigint | null {
    return this.items[this.start]?.record.offset ?? null;
  }

  /** The record at an offset, or null when it is not queued. */
  find(offset: bigint): SourceRecord | null {
    for (let i = this.start; i < this.items.length; i++) {
      const record = this.items[i]?.record;
      if (record?.offset === offset) {
        return record;
      }
    }
    return null;
  }

  push(item: Item): void {
    this.items.push(item);
    this.queuedBytes += item.bytes;
  }

  /**
   * Milliseconds until the head is due: 0 when a batch is full, old enough, or a refused record
   * closes it; null when the queue is empty.
   */
  dueInMs(nowMs: number, limits: CutLimits): number | null {
    const head = this.items[this.start];
    if (head === undefined) {
      return null;
    }
    if (this.length >= limits.batchRecords || this.queuedBytes >= limits.batchBytes) {
      return 0;
    }
    return head.refusal !== null ? 0 : Math.max(0, head.arrivedMs + limits.batchAgeMs - nowMs);
  }

  /** The next run of refused records, or the next batch up to the limits. */
  head(limits: CutLimits): Head | null {
    const first = this.items[this.start];
    if (first === undefined) {
      return null;
    }
    const items: Item[] = [];
    const refused = first.refusal !== null;
    let bytes = 0;
    for (let i = this.start; i < this.items.length; i++) {
      const item = this.items[i];
      if (item === undefined || (item.refusal !== null) !== refused) {
        break;
      }
      bytes += item.bytes;
      if (items.length > 0 && (items.length >= limits.batchRecords || bytes > limits.batchBytes)) {
        break;
      }
      items.push(item);
    }
    return { kind: refused ? 'refused' : 'batch', items };
  }

  /** Removes `count` finished items from the head. */
  drop(count: number): void {
    for (let i = 0; i < count; i++) {
      const item = this.items[this.start + i];
      this.queuedBytes -= item?.bytes ?? 0;
    }
    this.start += count;
    if (this.start > 4_096 || this.start === this.items.length) {
      this.items = this.items.slice(this.start);
      this.start = 0;
    }
  }

  /** Replaces items; used when the ledger turns out to have finished some of them. */
  rewrite(change: (item: Item) => Item | null): number {
    const before = this.length;
    const kept = this.items.slice(this.start).flatMap((item) => change(item) ?? []);
    this.items = kept;
    this.start = 0;
    this.queuedBytes = kept.reduce((sum, item) => sum + item.bytes, 0);
    return before - kept.length;
  }
}
