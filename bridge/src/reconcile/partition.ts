/** Compares one source partition with what the ledger's batches did, both in their own order. */
import { createHash } from 'node:crypto';
import type { Layout } from '@shuttle/chaincode/ledger';
import { laneOf } from '@shuttle/chaincode/wire';
import { carry } from '../batch/carry.ts';
import type { KeyExpression } from '../batch/key-expression.ts';
import type { Change } from '../block/changes.ts';
import type { SourceRecord } from '../values.ts';
import type { Finding, FindingKind, FindingLog } from './findings.ts';
import type { BatchEvent } from './ledger-events.ts';
import type { Letters } from './letters.ts';

/** Records that the ledger has left out are remembered up to so many, to tell late from double. */
const MISSED_MAX = 100_000;

/** A source partition from its start to its end as it was when the run began. */
export interface SourcePartition {
  readonly partition: number;
  readonly logStart: bigint;
  readonly logEnd: bigint;
  /** Compaction may have removed records that the ledger has. */
  readonly compacted: boolean;
  readonly records: AsyncIterable<readonly SourceRecord[]>;
}

export interface PartitionOptions {
  readonly keyExpression: KeyExpression | null;
  /** False for a chaincode whose rules change documents. */
  readonly compareValues: boolean;
}

export interface PartitionCounts {
  read: number;
  applied: number;
  refused: number;
  /** Versions on the ledger whose records the source does not hold any more. */
  gone: number;
  pending: number;
}

/** What is kept of a record until its lane has passed it. */
interface Waiting {
  readonly offset: bigint;
  readonly key: Uint8Array | null;
  readonly digest: string;
  readonly valueDigest: string;
  /** The bridge refused it: it never reaches the ledger. */
  readonly refusal: string | null;
}

/** Short enough to keep for each waiting record, long enough that none is alike by chance. */
export function digestOf(...parts: readonly (Uint8Array | null)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    hash.update(part === null ? '-' : `${part.length}:`);
    hash.update(part ?? '');
  }
  return hash.digest('base64').slice(0, 22);
}

const keyHash = (key: Uint8Array | null): string =>
  createHash('sha256')
    .update(key ?? '')
    .digest('hex')
    .slice(0, 12);

export class PartitionCheck {
  readonly counts: PartitionCounts = { read: 0, applied: 0, refused: 0, gone: 0, pending: 0 };
  private readonly source: SourcePartition;
  private readonly options: PartitionOptions;
  private readonly letters: Letters;
  private readonly findings: FindingLog;
  private readonly records: AsyncIterator<readonly SourceRecord[]>;
  private lanes: Waiting[][] = [];
  private watermarks: bigint[] = [];
  private readonly missed = new Set<bigint>();
  /** Offsets below it have been read from the source. */
  private readTo: bigint;
  private ended = false;

  constructor(
    source: SourcePartition,
    letters: Letters,
    findings: FindingLog,
    options: PartitionOptions,
  ) {
    this.source = source;
    this.letters = letters;
    this.findings = findings;
    this.options = options;
    this.records = source.records[Symbol.asyncIterator]();
    this.readTo = source.logStart;
  }

  /** The layout as a transaction wrote it; a new one begins behind its base. */
  async layout({ lanes, base }: Layout): Promise<void> {
    await this.readThrough(base);
    const waiting = this.lanes.flat().sort((a, b) => (a.offset < b.offset ? -1 : 1));
    this.lanes = Array.from({ length: lanes }, () => []);
    this.watermarks = Array.from({ length: lanes }, () => base);
    for (const entry of waiting) {
      if (entry.offset > base) {
        this.lanes[laneOfEntry(entry, lanes)]?.push(entry);
      } else {
        this.leftOut(entry, null);
      }
    }
  }

  async batch(event: BatchEvent): Promise<void> {
    const { header, receipt } = event;
    await this.readThrough(receipt.offset);
    const versions = this.versionsByOffset(event);
    const refusals = new Map(receipt.rejections.map(({ offset, code }) => [offset, code]));
    const lane = this.lanes[header.lane] ?? [];
    const before = this.watermarks[header.lane] ?? -1n;
    const passed = takeWhile(lane, (entry) => entry.offset <= receipt.offset);
    for (const entry of passed) {
      const version = versions.get(entry.offset);
      const code = refusals.get(entry.offset);
      versions.delete(entry.offset);
      refusals.delete(entry.offset);
      if (version !== undefined && entry.refusal === null) {
        this.compare(entry, version, event);
      } else if (code !== undefined && entry.refusal === null) {
        this.refused(entry, code, event);
      } else {
        this.leftOut(entry, event);
      }
    }
    for (const [offset, version] of versions) {
      this.surplus(offset, version, before, event);
    }
    this.refusalsWithoutRecord([...refusals.keys()]);
    if (receipt.offset > before) {
      this.watermarks[header.lane] = receipt.offset;
    }
  }

  /** The record is not in the source any more, or came after this run began. */
  private refusalsWithoutRecord(offsets: readonly bigint[]): void {
    for (const offset of offsets) {
      this.letters.take(this.source.partition, offset);
      this.counts.gone += offset < this.source.logEnd ? 1 : 0;
    }
  }

  /** Reads what is left; a record that the bridge refused is finished with its letter. */
  async finish(): Promise<void> {
    await this.readThrough(this.source.logEnd);
    this.lanes = this.lanes.map((lane) => lane.filter((entry) => !this.hasFinished(entry)));
    this.counts.pending = this.lanes.reduce((sum, lane) => sum + lane.length, 0);
  }

  /** One finding for each record that the ledger has not finished; to be called after finish(). */
  *pending(): Generator<Finding> {
    const { partition } = this.source;
    for (const { offset, key } of this.lanes.flat()) {
      yield { kind: 'RECORD_PENDING', partition, offset, keyHash: keyHash(key) };
    }
  }

  private hasFinished(entry: Waiting): boolean {
    const isFinished =
      entry.refusal !== null && this.letters.has(this.source.partition, entry.offset);
    if (isFinished) {
      this.refused(entry, entry.refusal ?? '', null);
    }
    return isFinished;
  }

  /** By the lane's rule, versions of one key stand in the order of their offsets. */
  private versionsByOffset(event: BatchEvent): Map<bigint, Change> {
    const found = new Map<bigint, Change>();
    let previous: Change | null = null;
    for (const version of event.versions) {
      const { offset, key } = version;
      if (offset === null) {
        continue;
      }
      const isSameKey = previous !== null && Buffer.from(previous.key).equals(key);
      if (isSameKey && previous?.offset != null && previous.offset > offset) {
        this.add('ORDER_WRONG', offset, key, event, `behind offset ${previous.offset}`);
      }
      if (found.has(offset)) {
        this.add('RECORD_TWICE', offset, key, event, 'twice in one transaction');
      }
      found.set(offset, version);
      previous = version;
    }
    return found;
  }

  private compare(entry: Waiting, { key, value }: Change, event: BatchEvent): void {
    this.counts.applied += 1;
    this.unfounded(entry, event);
    if (entry.key !== null && !Buffer.from(entry.key).equals(key)) {
      const detail = `the ledger's key has hash ${keyHash(key)}`;
      this.add('KEY_DIFFERS', entry.offset, entry.key, event, detail);
    }
    if (this.options.compareValues && digestOf(value) !== entry.valueDigest) {
      this.add('VALUE_DIFFERS', entry.offset, entry.key, event);
    }
  }

  private refused(entry: Waiting, code: string, event: BatchEvent | null): void {
    this.counts.refused += 1;
    const letter = this.letters.take(this.source.partition, entry.offset);
    if (letter === null) {
      this.add('LETTER_MISSING', entry.offset, entry.key, event, `refused with ${code}`);
    } else if (letter.code !== code) {
      const detail = `refused with ${code}, the letter says ${letter.code}`;
      this.add('LETTER_DIFFERS', entry.offset, entry.key, event, detail);
    } else if (letter.digest !== entry.digest) {
      const detail = 'the letter holds another key or value';
      this.add('LETTER_DIFFERS', entry.offset, entry.key, event, detail);
    }
  }

  private leftOut(entry: Waiting, event: BatchEvent | null): void {
    if (entry.refusal !== null) {
      this.refused(entry, entry.refusal, event);
      return;
    }
    this.unfounded(entry, event);
    if (this.missed.size < MISSED_MAX) {
      this.missed.add(entry.offset);
    }
    const detail = event === null ? undefined : `its lane passed to ${event.receipt.offset}`;
    this.add('RECORD_MISSING', entry.offset, entry.key, event, detail);
  }

  private unfounded(entry: Waiting, event: BatchEvent | null): void {
    const letter = this.letters.take(this.source.partition, entry.offset);
    if (letter !== null) {
      const detail = `the letter says ${letter.code}`;
      this.add('LETTER_UNFOUNDED', entry.offset, entry.key, event, detail);
    }
  }

  /** A version that no waiting record stands for. */
  private surplus(offset: bigint, version: Change, before: bigint, event: BatchEvent): void {
    const { logStart, logEnd, compacted } = this.source;
    if (this.missed.delete(offset)) {
      const detail = `its lane was finished up to ${before} before`;
      this.add('ORDER_WRONG', offset, version.key, event, detail);
    } else if (offset >= logEnd) {
      // Produced after this run began.
      return;
    } else if (offset < logStart) {
      this.counts.gone += 1;
    } else if (offset <= before) {
      this.add('RECORD_TWICE', offset, version.key, event);
    } else if (compacted) {
      this.counts.gone += 1;
    } else {
      this.add('RECORD_UNKNOWN', offset, version.key, event);
    }
  }

  private async readThrough(offset: bigint): Promise<void> {
    while (!this.ended && this.readTo <= offset) {
      const { done, value } = await this.records.next();
      if (done === true) {
        this.ended = true;
        return;
      }
      for (const record of value) {
        this.wait(record);
        this.readTo = record.offset + 1n;
      }
    }
  }

  private wait(record: SourceRecord): void {
    this.counts.read += 1;
    const lanes = Math.max(1, this.lanes.length);
    const carried = carry(record, lanes, this.options.keyExpression);
    const key = carried.kind === 'carried' ? carried.wire.key : record.key;
    const entry: Waiting = {
      offset: record.offset,
      // A copy: a view would keep the whole fetch that it came with.
      key: key === null ? null : Buffer.from(key),
      digest: digestOf(record.key, record.value),
      valueDigest: digestOf(record.value),
      refusal: carried.kind === 'refused' ? carried.code : null,
    };
    if (this.lanes.length === 0) {
      this.lanes = [[]];
    }
    this.lanes[carried.lane]?.push(entry);
  }

  private add(
    kind: FindingKind,
    offset: bigint,
    key: Uint8Array | null,
    event: BatchEvent | null,
    detail?: string,
  ): void {
    this.findings.add({
      kind,
      partition: this.source.partition,
      offset,
      keyHash: keyHash(key),
      ...(event === null ? {} : { txId: event.txId, blockNumber: event.blockNumber }),
      ...(detail === undefined ? {} : { detail }),
    });
  }
}

function laneOfEntry({ key, refusal }: Waiting, lanes: number): number {
  return key === null || refusal === 'KEY_MISSING' ? 0 : laneOf(key, lanes);
}

/** Removes the entries from the head of the lane for which it holds. */
function takeWhile(lane: Waiting[], holds: (entry: Waiting) => boolean): Waiting[] {
  const end = lane.findIndex((entry) => !holds(entry));
  return lane.splice(0, end < 0 ? lane.length : end);
}
