/** Blocks between the peer and Kafka: bounded by bytes, taken as whole blocks. */
import type { OutputRecord } from '../values.ts';

/** A checked block with all of its records; they stay together in one Kafka transaction. */
export interface PreparedBlock {
  readonly number: bigint;
  /** Header hash, lower-case hex. */
  readonly hash: string;
  readonly records: readonly OutputRecord[];
  readonly bytes: number;
  readonly transactions: number;
  readonly changes: number;
  readonly events: number;
}

export interface GroupLimits {
  readonly bytesMax: number;
  readonly recordsMax: number;
}

/** One reader pushes, one publisher takes. What was pushed before an end is still taken. */
export class BlockQueue {
  private readonly bytesMax: number;
  private readonly blocks: PreparedBlock[] = [];
  private bytes = 0;
  private ended = false;
  private coming = false;
  private error: Error | null = null;
  private wake: (() => void) | null = null;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  push(block: PreparedBlock): void {
    this.blocks.push(block);
    this.bytes += block.bytes;
    this.notify();
  }

  /**
   * Whether more blocks are known to come at once. A Kafka transaction costs the same whatever is
   * in it, so while the publisher is behind the chain its transactions are filled first.
   */
  expectMore(coming: boolean): void {
    this.coming = coming;
    if (!coming) {
      this.notify();
    }
  }

  /** No more blocks come; with an error, `take` throws it once the blocks are taken. */
  end(error: Error | null): void {
    this.ended = true;
    this.error = error;
    this.notify();
  }

  /** Whether another block may be read. One block may overshoot the bound, however large it is. */
  hasRoom(): boolean {
    return this.bytes < this.bytesMax;
  }

  /** Resolves at the next push, take or end. Each side waits only while the other one works. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.wake;
      this.wake = () => {
        before?.();
        resolve();
      };
    });
  }

  /**
   * The whole blocks that are there now, up to the limits; one block always fits. Null while there
   * are none, or not enough and more are coming; an empty group when no more come.
   */
  take({ bytesMax, recordsMax }: GroupLimits): PreparedBlock[] | null {
    const [first] = this.blocks;
    if (first === undefined) {
      if (this.error !== null) {
        throw this.error;
      }
      return this.ended ? [] : null;
    }
    let bytes = 0;
    let records = 0;
    let count = 0;
    let full = false;
    for (const block of this.blocks) {
      bytes += block.bytes;
      records += block.records.length;
      full = bytes > bytesMax || records > recordsMax;
      if (full && count > 0) {
        break;
      }
      count += 1;
    }
    if (!full && this.coming && !this.ended && this.hasRoom()) {
      return null;
    }
    const group = this.blocks.splice(0, count);
    this.bytes -= group.reduce((total, block) => total + block.bytes, 0);
    this.notify();
    return group;
  }

  private notify(): void {
    const { wake } = this;
    this.wake = null;
    wake?.();
  }
}
