/** Kafka's partitions: offsets with gaps, transactions with their markers, read_committed ends. */
import type { OutputRecord, SourceRecord } from '@shuttle/bridge/dist/values.js';

/** A producer's transaction; its records count once it is committed and its marker is written. */
export class Transaction {
  outcome: 'open' | 'committed' | 'aborted' = 'open';
  readonly partitions = new Set<PartitionLog>();
}

interface Entry {
  readonly record: SourceRecord;
  readonly transaction: Transaction | null;
}

export interface Fetched {
  readonly records: readonly SourceRecord[];
  readonly next: bigint;
  readonly logStart: bigint;
}

export class PartitionLog {
  readonly topic: string;
  readonly partition: number;
  logStart = 0n;
  /** The offset that the next record or marker gets. */
  end = 0n;
  private entries: Entry[] = [];
  /** What retention took away. */
  private lost: Entry[] = [];
  /** Transactions without a marker so far, with their first offset here. */
  private readonly open = new Map<Transaction, bigint>();
  private readonly watchers = new Set<() => void>();

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  append(
    record: Omit<SourceRecord, 'offset'>,
    transaction: Transaction | null = null,
  ): SourceRecord {
    const appended = { ...record, offset: this.end };
    this.entries.push({ record: appended, transaction });
    if (transaction !== null && !this.open.has(transaction)) {
      this.open.set(transaction, this.end);
      transaction.partitions.add(this);
    }
    this.end += 1n;
    this.changed();
    return appended;
  }

  /** The end of a transaction: a marker, which takes an offset that no reader ever sees. */
  mark(transaction: Transaction): void {
    this.open.delete(transaction);
    this.end += 1n;
    this.changed();
  }

  /** Offsets that never held a record, as after a compaction long ago. */
  skip(count: number): void {
    this.end += BigInt(count);
    this.changed();
  }

  /** Behind the last record that committed readers may see. */
  get stableEnd(): bigint {
    let least = this.end;
    for (const first of this.open.values()) {
      least = first < least ? first : least;
    }
    return least < this.logStart ? this.logStart : least;
  }

  /** Behind the last record that committed readers see: gaps and markers may follow. */
  get lastReadable(): bigint {
    const end = this.stableEnd;
    const last = this.entries.findLast((e) => isCommitted(e) && e.record.offset < end);
    return last === undefined ? 0n : last.record.offset + 1n;
  }

  fetch(from: bigint, recordsMax: number): Fetched {
    const { logStart, stableEnd } = this;
    const records: SourceRecord[] = [];
    for (let index = this.indexOf(from); index < this.entries.length; index++) {
      const entry = this.entries[index];
      if (entry === undefined || entry.record.offset >= stableEnd) {
        break;
      }
      if (isCommitted(entry)) {
        if (records.length === recordsMax) {
          return { records, next: (records.at(-1)?.offset ?? from) + 1n, logStart };
        }
        records.push(entry.record);
      }
    }
    return { records, next: stableEnd > from ? stableEnd : from, logStart };
  }

  /** All records that committed readers see, or have seen before the log was emptied. */
  everCommitted(): SourceRecord[] {
    const end = this.stableEnd;
    return [...this.lost, ...this.entries]
      .filter((entry) => isCommitted(entry) && entry.record.offset < end)
      .map(({ record }) => record);
  }

  /** How many records committed readers see. */
  get visible(): number {
    const end = this.stableEnd;
    return this.entries.filter((entry) => isCommitted(entry) && entry.record.offset < end).length;
  }

  at(offset: bigint): SourceRecord | null {
    const entry = this.entries[this.indexOf(offset)];
    return entry?.record.offset === offset && isCommitted(entry) && offset < this.stableEnd
      ? entry.record
      : null;
  }

  /** Removes single records: the gap that compaction leaves. */
  remove(offsets: ReadonlySet<bigint>): void {
    this.entries = this.entries.filter(({ record }) => !offsets.has(record.offset));
  }

  /** Removes all before an offset, as retention does; offsets go on from where they were. */
  truncate(logStart: bigint): void {
    const index = this.indexOf(logStart);
    this.lost = [...this.lost, ...this.entries.slice(0, index)];
    this.entries = this.entries.slice(index);
    this.logStart = logStart;
    this.changed();
  }

  /** Resolves when there is something to read at `from`; the caller bounds its patience. */
  beyond(from: bigint): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.stableEnd > from || this.logStart > from) {
          this.watchers.delete(look);
          resolve();
        }
      };
      this.watchers.add(look);
      look();
    });
  }

  private changed(): void {
    for (const look of this.watchers) {
      look();
    }
  }

  /** Index of the first entry at or behind an offset. */
  private indexOf(offset: bigint): number {
    let [low, high] = [0, this.entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const found = this.entries[middle]?.record.offset ?? 0n;
      [low, high] = found < offset ? [middle + 1, high] : [low, middle];
    }
    return low;
  }
}

function isCommitted({ transaction }: Entry): boolean {
  return transaction === null || transaction.outcome === 'committed';
}

/** All topics of a cluster. */
export class Topics {
  private readonly logs = new Map<string, PartitionLog[]>();

  /** Creates a topic, or adds partitions to it. */
  create(topic: string, partitions: number): readonly PartitionLog[] {
    const before = this.logs.get(topic) ?? [];
    const made = Array.from(
      { length: partitions },
      (_, i) => new PartitionLog(topic, before.length + i),
    );
    this.logs.set(topic, [...before, ...made]);
    return made;
  }

  of(topic: string): readonly PartitionLog[] {
    const found = this.logs.get(topic);
    if (found === undefined) {
      throw new Error(`there is no topic ${topic}`);
    }
    return found;
  }

  log(topic: string, partition: number): PartitionLog {
    const found = this.of(topic)[partition];
    if (found === undefined) {
      throw new Error(`there is no partition ${topic}/${partition}`);
    }
    return found;
  }
}

const bytesOf = (value: Uint8Array | string | null): Uint8Array | null =>
  typeof value === 'string' ? Buffer.from(value) : value;

/** A produced record as a log keeps it. */
export function stored(record: OutputRecord): Omit<SourceRecord, 'offset'> {
  return {
    timestamp: record.timestamp ?? 0,
    key: bytesOf(record.key),
    value: bytesOf(record.value),
    headers: record.headers.map(({ name, value }) => ({ name, value: bytesOf(value) })),
  };
}
