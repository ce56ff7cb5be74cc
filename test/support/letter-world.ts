/** A dead-letter topic, its source topic and a ledger in memory, with faults where a test says. */

import { ShuttleError } from '../../bridge/src/errors.ts';
import { letterRecord } from '../../bridge/src/kafka/dead-letters.ts';
import {
  type Left,
  type ReplayOptions,
  type ReplaySink,
  type ReplayStep,
  type ReplaySummary,
  replayLetters,
} from '../../bridge/src/letters/replay.ts';
import { type LetterLog, type ListedLetter, listLetters } from '../../bridge/src/letters/walk.ts';
import type { OutputRecord, SourceRecord } from '../../bridge/src/values.ts';
import { testClock } from './fakes.ts';

export const STREAM = 'cluster';
export const SOURCE = 'shuttle.cleaned';
export const LETTERS = `${SOURCE}.dead-letters`;

/** What may go wrong with one call. */
export type Fate =
  | 'pass'
  /** The process ends before the call, or after it had its effect. */
  | 'kill-before'
  | 'kill-after'
  /** An error comes back, without and with the effect. */
  | 'fail-before'
  | 'fail-after';

export type Call = 'open' | 'replay' | 'ends' | 'records' | 'evaluate';

/** The end of a process: nothing tries again behind it. */
class Killed extends Error {}

export interface LetterSpec {
  readonly stream?: string;
  readonly offset: bigint;
  readonly sourcePartition?: number;
  readonly sourceTopic?: string;
  readonly key?: string | null;
  readonly code?: string;
  readonly timestamp?: number;
  readonly headers?: SourceRecord['headers'];
}

export interface Version {
  readonly txId: string;
  readonly timestamp: number;
  readonly deleted: boolean;
  readonly source: object | null;
}

const bytes = (value: Uint8Array | string | null): Uint8Array | null =>
  value === null ? null : Buffer.from(value);

export class LetterWorld {
  readonly partitions: SourceRecord[][] = [];
  /** Records that committed readers of the source have got from replays, in their order. */
  readonly source: OutputRecord[] = [];
  /** Newest version by key. */
  readonly versions = new Map<string, Version>();
  /** Records of the source's first partition that the ledger has not finished. */
  readonly unfinished: SourceRecord[] = [];
  /** Records of the source by `partition@offset`. */
  readonly sourceRecords = new Map<string, SourceRecord>();
  progress = new Map<number, bigint>();
  readonly asked: string[] = [];
  /** Decides about each call. */
  fate: (call: Call) => Fate | Promise<Fate> = () => 'pass';
  /** What a broker promises; a test takes it away to see that it would notice. */
  fences = true;
  isAtomic = true;
  sourcePartitions = 2;
  bytesMax = Number.POSITIVE_INFINITY;
  private readonly next: bigint[] = [];
  private epoch = 0;

  constructor(partitions = 2) {
    for (let partition = 0; partition < partitions; partition++) {
      this.partitions.push([]);
      this.next.push(0n);
    }
  }

  /** Adds a letter; where it stands, as `partition@offset`. */
  letter(partition: number, spec: LetterSpec): string {
    const { offset, key = `k${offset}`, code = 'VALUE_NOT_JSON', timestamp = 1_000 } = spec;
    const record: SourceRecord = {
      offset,
      timestamp,
      key: bytes(key),
      value: Buffer.from(`value ${offset}`),
      headers: spec.headers ?? [{ name: 'own', value: Buffer.from('1') }],
    };
    const letter = letterRecord(
      {
        topic: spec.sourceTopic ?? SOURCE,
        partition: spec.sourcePartition ?? 0,
        record,
        stage: 'ledger',
        code,
        reason: 'The record is not good.',
        txId: 'tx',
      },
      { stream: spec.stream ?? STREAM },
    );
    return `${partition}@${this.append(partition, letter)}`;
  }

  /** Leaves an offset without a record, as a transaction's marker does. */
  gap(partition: number): void {
    this.next[partition] = this.end(partition) + 1n;
  }

  async replay(
    selection: ReplayOptions['selection'] = {},
    options: Partial<ReplayOptions> & { readonly dryRun?: boolean } = {},
    signal: AbortSignal = new AbortController().signal,
  ): Promise<ReplaySummary & { readonly lefts: readonly Left[] }> {
    const lefts: Left[] = [];
    const summary = await replayLetters(
      {
        log: this.log(),
        sink: options.dryRun === true ? null : this.sink(),
        ledger: { evaluate: (_, [key = '']) => this.during('evaluate', () => this.history(key)) },
        keyExpression: null,
        readSource: async ({ partition, offset }) =>
          this.sourceRecords.get(`${partition}@${offset}`) ?? null,
        unfinished: ({ partition }) => this.unfinishedOf(partition),
        clock: { ...testClock, sleep: async () => {} },
      },
      {
        stream: STREAM,
        selection,
        force: false,
        deadlineMs: 60_000,
        onLeft: (left) => void lefts.push(left),
        onProgress: () => {},
        ...options,
      },
      signal,
    );
    return { ...summary, lefts };
  }

  async list(): Promise<ListedLetter[]> {
    const found: ListedLetter[] = [];
    for await (const letter of listLetters(this.log())) {
      found.push(letter);
    }
    return found;
  }

  /** Values of the source's replayed records, in their order. */
  replayedValues(): string[] {
    return this.source.map(({ value }) => Buffer.from(value ?? '').toString());
  }

  private async *unfinishedOf(partition: number) {
    yield partition === 0 ? this.unfinished : [];
  }

  private end(partition: number): bigint {
    return this.next[partition] ?? 0n;
  }

  private append(partition: number, record: OutputRecord): bigint {
    const offset = this.end(partition);
    this.next[partition] = offset + 1n;
    this.partitions[partition]?.push({
      offset,
      timestamp: record.timestamp ?? 2_000,
      key: bytes(record.key),
      value: bytes(record.value),
      headers: record.headers.map(({ name, value }) => ({ name, value: bytes(value) })),
    });
    return offset;
  }

  private log(): LetterLog {
    return {
      topic: LETTERS,
      source: SOURCE,
      ends: () =>
        this.during('ends', () =>
          this.next.map((logEnd, partition) => ({ partition, logStart: 0n, logEnd })),
        ),
      records: (partition, from, to) => this.recordsOf(partition, from, to),
    };
  }

  /** In small portions, so that a fault may come between them. */
  private async *recordsOf(partition: number, from: bigint, to: bigint) {
    const all = (this.partitions[partition] ?? []).filter(
      ({ offset }) => offset >= from && offset < to,
    );
    for (let n = 0; n < all.length; n += 3) {
      yield await this.during('records', () => all.slice(n, n + 3));
    }
  }

  private sink(): ReplaySink {
    let mine = -1;
    return {
      open: () =>
        this.during('open', () => {
          this.epoch += 1;
          mine = this.epoch;
        }),
      replay: async (step) => {
        if (!this.isAtomic) {
          this.commit({ ...step, records: step.records.filter(({ topic }) => topic === SOURCE) });
        }
        await this.during('replay', () => {
          if (this.fences && mine !== this.epoch) {
            throw new ShuttleError('REPLAY_FENCED', 'Another replay has started.');
          }
          const rest = step.records.filter(({ topic }) => this.isAtomic || topic === LETTERS);
          this.commit({ ...step, records: rest });
        });
      },
      refusal: (record) => {
        if ((record.partition ?? 0) >= this.sourcePartitions) {
          return { reason: 'NO_PARTITION', detail: 'it is gone' };
        }
        const isLarge = Buffer.from(record.value ?? '').length > this.bytesMax;
        return isLarge ? { reason: 'TOO_LARGE', detail: 'it is large' } : null;
      },
      close: async () => {},
    };
  }

  private commit({ records, progress }: ReplayStep): void {
    for (const record of records) {
      if (record.topic === LETTERS) {
        this.append(record.partition ?? 0, record);
      } else {
        this.source.push(record);
      }
    }
    // The marker of the transaction.
    this.gap(progress.partition);
    this.progress.set(progress.partition, progress.offset);
  }

  private history(key: string): Uint8Array {
    this.asked.push(key);
    const version = this.versions.get(key);
    return Buffer.from(JSON.stringify({ versions: version === undefined ? [] : [version] }));
  }

  private async during<T>(call: Call, work: () => T): Promise<T> {
    const fate = await this.fate(call);
    if (fate === 'kill-before') throw new Killed(call);
    if (fate === 'fail-before') throw new ShuttleError('PRODUCE_FAILED', `${call} failed.`);
    const result = work();
    if (fate === 'kill-after') throw new Killed(call);
    if (fate === 'fail-after') throw new ShuttleError('PRODUCE_FAILED', `${call} was not acked.`);
    return result;
  }
}
