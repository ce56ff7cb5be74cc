/** A changes topic in memory, and what it holds as a table. */
import { ShuttleError } from '../../bridge/src/errors.ts';
import type { ChangeRecord, ChangesLog } from '../../bridge/src/read-model/model.ts';
import { testClock } from './fakes.ts';

export class MemoryChanges implements ChangesLog {
  readonly topic = 'shuttle.mychannel.changes';
  readonly partitions: ChangeRecord[][];
  /** First offset that is left; those below were deleted. */
  logStart = 0n;
  keptMs: number | null = 86_400_000;
  /** Calls that fail before one is answered again. */
  outages = 0;
  fetchMax = 500;
  private block = 0n;

  constructor(partitions: number) {
    this.partitions = Array.from({ length: partitions }, () => []);
  }

  /** Writes a version; a key has a partition of its own choice, as with Kafka. */
  write(key: string, value: string | null, partition = key.length % this.partitions.length): void {
    const log = this.partitions[partition] ?? [];
    const offset = BigInt(log.length);
    const block = this.block++;
    log.push({
      offset,
      id: `mychannel:${block}:0:0`,
      change: {
        key: Buffer.from(key),
        value: value === null ? null : Buffer.from(value),
        block,
        source: `cluster/shuttle.cleaned/0/${block}`,
      },
    });
  }

  /** Keys with their values, in the order of the keys' bytes. */
  table(): [string, string][] {
    const rows = new Map<string, string>();
    for (const { change } of this.partitions.flat()) {
      const key = Buffer.from(change.key).toString();
      rows.delete(key);
      if (change.value !== null) {
        rows.set(key, Buffer.from(change.value).toString());
      }
    }
    return [...rows].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  async deletionsKeptMs() {
    return this.keptMs;
  }

  async ends() {
    this.fail();
    return this.partitions.map((log, partition) => {
      const logEnd = BigInt(log.length);
      const { topic, logStart } = this;
      return { topic, partition, logStart, logEnd, writtenEnd: logEnd };
    });
  }

  async fetch(partition: number, from: bigint, waitMs: number) {
    this.fail();
    const log = this.partitions[partition] ?? [];
    if (from >= BigInt(log.length) && waitMs > 0) {
      await testClock.sleep(1);
    }
    const records = log.slice(Number(from), Number(from) + this.fetchMax);
    return { records, next: from + BigInt(records.length) };
  }

  async at(partition: number, offset: bigint) {
    return this.partitions[partition]?.[Number(offset)] ?? null;
  }

  private fail(): void {
    if (this.outages > 0) {
      this.outages -= 1;
      throw new ShuttleError('KAFKA_UNREACHABLE', 'No broker.');
    }
  }
}
