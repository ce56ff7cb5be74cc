/** A Kafka topic and one consumer group in memory, behind the Source port. */
import type {
  Assignment,
  Owned,
  PartitionEnds,
  RenewableSource,
  SourceBatch,
  SourceEvent,
} from '../../bridge/src/ports.ts';
import { partitionName, type SourceRecord, type TopicPartition } from '../../bridge/src/values.ts';

/** A partition's log: records with gaps allowed, and the first offset that is still there. */
export interface MemoryPartition {
  records: SourceRecord[];
  logStart: bigint;
  /** Offset behind the last one, markers included. */
  logEnd: bigint;
}

export class MemoryTopic {
  readonly name: string;
  readonly partitions: MemoryPartition[];
  /** Acked offsets of the one group, with their metadata. */
  readonly acks = new Map<string, { offset: bigint; metadata: string }>();

  constructor(name: string, partitions: number) {
    this.name = name;
    this.partitions = Array.from({ length: partitions }, () => ({
      records: [],
      logStart: 0n,
      logEnd: 0n,
    }));
  }

  append(
    partition: number,
    key: string | null,
    value: string | null,
    headers: SourceRecord['headers'] = [],
  ): bigint {
    const log = this.partition(partition);
    const offset = log.logEnd;
    log.logEnd += 1n;
    log.records.push({
      offset,
      timestamp: 1_700_000_000_000 + Number(offset),
      key: key === null ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      headers,
    });
    return offset;
  }

  /** Offsets that no reader sees: transaction markers, compacted or aborted records. */
  skip(partition: number, count: number): void {
    this.partition(partition).logEnd += BigInt(count);
  }

  truncate(partition: number, logStart: bigint): void {
    const log = this.partition(partition);
    log.logStart = logStart;
    log.records = log.records.filter((record) => record.offset >= logStart);
  }

  partition(index: number): MemoryPartition {
    const log = this.partitions[index];
    if (log === undefined) {
      throw new RangeError(`no partition ${index}`);
    }
    return log;
  }
}

interface Position {
  readonly owned: Owned;
  next: bigint | null;
  paused: boolean;
}

/** One member of the group; owns what `assign` gives it. */
export class MemorySource implements RenewableSource {
  readonly topic: MemoryTopic;
  /** Every ack in order, with the partition it was for. */
  readonly ackLog: { at: string; offset: bigint }[] = [];
  /** How often each partition was paused. */
  readonly pauses = new Map<string, number>();
  batchRecordsMax = 100;
  private readonly positions = new Map<string, Position>();
  private readonly queue: SourceEvent[] = [];
  private wake: (() => void) | null = null;
  private epoch = 0;
  private closed = false;

  constructor(topic: MemoryTopic, assigned = topic.partitions.map((_, i) => i)) {
    this.topic = topic;
    this.assign(assigned);
  }

  assign(partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.epoch += 1;
      const owned = { topic: this.topic.name, partition, epoch: this.epoch };
      this.positions.set(partitionName(owned), { owned, next: null, paused: false });
      const { logStart, logEnd } = this.topic.partition(partition);
      const ack = this.topic.acks.get(partitionName(owned)) ?? null;
      this.emit({ kind: 'assigned', assignment: { ...owned, logStart, logEnd, ack } });
    }
  }

  revoke(partition: number): void {
    const name = partitionName({ topic: this.topic.name, partition });
    const position = this.positions.get(name);
    if (position !== undefined) {
      this.positions.delete(name);
      this.emit({ kind: 'revoked', owned: position.owned });
    }
  }

  private emit(event: SourceEvent): void {
    this.queue.push(event);
    this.kick();
  }

  /** Lets the reader look again, after records were appended. */
  kick(): void {
    this.wake?.();
    this.wake = null;
  }

  async *events(signal: AbortSignal): AsyncGenerator<SourceEvent> {
    signal.addEventListener('abort', () => this.kick(), { once: true });
    while (!signal.aborted) {
      const event = this.queue.shift() ?? this.fetch();
      if (event === undefined) {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      } else {
        yield event;
        // A turn of the event loop between two fetches, as the network would give.
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }

  private fetch(): SourceEvent | undefined {
    for (const position of this.positions.values()) {
      const batch = this.next(position);
      if (batch !== null) {
        return { kind: 'records', batch };
      }
    }
    return undefined;
  }

  private next(position: Position): SourceBatch | null {
    const { owned, next, paused } = position;
    const log = this.topic.partition(owned.partition);
    if (next === null || paused || next >= log.logEnd) {
      return null;
    }
    const from = next < log.logStart ? log.logStart : next;
    const records = log.records.filter((r) => r.offset >= from).slice(0, this.batchRecordsMax);
    const last = records.at(-1)?.offset;
    const more = last !== undefined && log.records.some((r) => r.offset > last);
    const end = more && last !== undefined ? last + 1n : log.logEnd;
    position.next = end;
    return { ...owned, records, next: end, logStart: log.logStart };
  }

  private own(owned: Owned): Position | null {
    const position = this.positions.get(partitionName(owned));
    return position?.owned.epoch === owned.epoch ? position : null;
  }

  start(owned: Owned, offset: bigint): void {
    const position = this.own(owned);
    if (position !== null) {
      position.next = offset;
      this.kick();
    }
  }

  renew(owned: Owned): void {
    if (this.own(owned) !== null) {
      this.revoke(owned.partition);
      this.assign([owned.partition]);
    }
  }

  pause(owned: Owned): void {
    const position = this.own(owned);
    if (position !== null) {
      position.paused = true;
      const name = partitionName(owned);
      this.pauses.set(name, (this.pauses.get(name) ?? 0) + 1);
    }
  }

  resume(owned: Owned): void {
    const position = this.own(owned);
    if (position !== null) {
      position.paused = false;
      this.kick();
    }
  }

  async ack(owned: Owned, offset: bigint, metadata: string): Promise<boolean> {
    if (this.own(owned) === null || this.closed) {
      return false;
    }
    this.topic.acks.set(partitionName(owned), { offset, metadata });
    this.ackLog.push({ at: partitionName(owned), offset });
    return true;
  }

  async ends(): Promise<readonly PartitionEnds[]> {
    return this.topic.partitions.map(({ logStart, logEnd }, partition) => ({
      topic: this.topic.name,
      partition,
      logStart,
      logEnd,
      writtenEnd: logEnd,
    }));
  }

  async read({ partition }: TopicPartition, offset: bigint): Promise<SourceRecord | null> {
    return this.topic.partition(partition).records.find((r) => r.offset === offset) ?? null;
  }

  async acks(): Promise<readonly (TopicPartition & { offset: bigint; metadata: string })[]> {
    return this.topic.partitions.flatMap((_, partition) => {
      const at = { topic: this.topic.name, partition };
      const ack = this.topic.acks.get(partitionName(at));
      return ack === undefined ? [] : { ...at, ...ack };
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    this.positions.clear();
    this.kick();
  }
}

export type { Assignment };
