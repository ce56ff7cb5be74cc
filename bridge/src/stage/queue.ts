/** Raw records of one partition that wait to be cleaned, with the offsets that they stand for. */
import type { SourceRecord } from '../values.ts';

/** What a record in memory costs beside its bytes. */
const RECORD_OVERHEAD_BYTES = 64;

interface Chunk {
  readonly records: readonly SourceRecord[];
  /** The offset behind the chunk: gaps and markers are passed by it. */
  readonly next: bigint;
  readonly arrivedMs: number;
}

const bytesOf = ({ key, value }: SourceRecord): number =>
  (key?.length ?? 0) + (value?.length ?? 0) + RECORD_OVERHEAD_BYTES;

/** In offset order; knows how many records and bytes wait, and since when. */
export class RawQueue {
  private chunks: Chunk[] = [];
  /** Records of the first chunk that were taken. */
  private taken = 0;
  private heldRecords = 0;
  private heldBytes = 0;

  get records(): number {
    return this.heldRecords;
  }

  get bytes(): number {
    return this.heldBytes;
  }

  /** When the oldest of what waits came; null when nothing does. */
  get oldestMs(): number | null {
    return this.chunks[0]?.arrivedMs ?? null;
  }

  push(records: readonly SourceRecord[], next: bigint, arrivedMs: number): void {
    this.chunks.push({ records, next, arrivedMs });
    this.heldRecords += records.length;
    for (const record of records) {
      this.heldBytes += bytesOf(record);
    }
  }

  /**
   * The next record, and the offset to go on at behind it. Without a record only the offset: what
   * was read there holds none. Null when nothing waits.
   */
  take(): { readonly record: SourceRecord | null; readonly next: bigint } | null {
    const chunk = this.chunks[0];
    if (chunk === undefined) {
      return null;
    }
    const record = chunk.records[this.taken];
    this.taken += 1;
    const isLast = this.taken >= chunk.records.length;
    if (isLast) {
      this.chunks.shift();
      this.taken = 0;
    }
    if (record === undefined) {
      return { record: null, next: chunk.next };
    }
    this.heldRecords -= 1;
    this.heldBytes -= bytesOf(record);
    return { record, next: isLast ? chunk.next : record.offset + 1n };
  }
}
