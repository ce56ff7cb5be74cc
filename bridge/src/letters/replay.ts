/** Brings dead letters back to the topic that they came from, each of them once. */
import { tryUntilAnswered } from '../patience.ts';
import type { Clock } from '../ports.ts';
import type { OutputRecord } from '../values.ts';
import { type KeptLetter, replayRecord } from './letter.ts';
import { findNewer, type NewerDeps } from './newer.ts';
import { Ranges } from './ranges.ts';
import { receiptRecord } from './receipt.ts';
import { isSelected, placeText, type Selection } from './selection.ts';
import { type LetterEnds, type LetterLog, MetLetters, readReceipts, walkLetters } from './walk.ts';

/** Letters of one Kafka transaction. */
const STEP_LETTERS_MAX = 200;
const STEP_BYTES_MAX = 8 * 1024 * 1024;

/**
 * Where letters are brought back to.
 *
 * Guarantees: `open` fences every older replay of the same letters and settles its transaction, so
 * that what is committed then stays so. `replay` is one Kafka transaction: all of it or nothing.
 * After any error the sink is of no more use until it is opened again.
 */
export interface ReplaySink {
  open(): Promise<void>;
  replay(step: ReplayStep): Promise<void>;
  /** Why the source topic does not take the record; null when it does. Answers when open. */
  refusal(record: OutputRecord): { readonly reason: LeftReason; readonly detail: string } | null;
  close(): Promise<void>;
}

export interface ReplayStep {
  readonly records: readonly OutputRecord[];
  /** The replay group's offset: the first letter of the partition that has not been replayed. */
  readonly progress: { readonly partition: number; readonly offset: bigint };
}

/** What each reason to leave a letter means; the table is interface. */
export const LEFT = {
  NEWER: 'the key has a newer document; --force replays it all the same',
  NO_PARTITION: 'the source topic does not have the partition any more',
  TOO_LARGE: 'the source topic does not take a record as large as this any more',
  NO_LETTER: 'there is no dead letter at this position',
} as const;

export type LeftReason = keyof typeof LEFT;

export interface Left {
  readonly reason: LeftReason;
  readonly detail: string;
  /** Where the letter stands, `partition@offset`. */
  readonly place: string;
  /** Null when there is none. */
  readonly letter: KeptLetter | null;
}

export interface ReplayDeps extends NewerDeps {
  readonly log: LetterLog;
  /** Null for a dry run: nothing is fenced and nothing written. */
  readonly sink: ReplaySink | null;
  readonly clock: Clock;
}

export interface ReplayOptions {
  /** Letters of other streams, or of other topics, are counted and left alone. */
  readonly stream: string;
  readonly selection: Selection;
  /** Replays letters whose key has a newer document, too. */
  readonly force: boolean;
  /** Gives up when a Kafka transaction has not been committed for so long. */
  readonly deadlineMs: number;
  readonly onLeft: (left: Left) => void;
  /** Called with the letters that were replayed and the offsets that were walked, of all. */
  readonly onProgress: (replayed: number, walked: number, total: number) => void;
}

export interface ReplaySummary {
  /** Letters that were replayed; in a dry run those that would be. */
  readonly replayed: number;
  /** Those of them whose key has a newer document. */
  readonly forced: number;
  /** Selected letters that an earlier replay has brought back. */
  readonly already: number;
  /** Letters of other streams or topics. */
  readonly foreign: number;
  readonly left: Readonly<Partial<Record<LeftReason, number>>>;
  readonly leftCount: number;
  /** Stopped before the end, on request. */
  readonly stopped: boolean;
}

/**
 * Replays the selected letters of one topic, in their order: letters of one key stand on one
 * partition. Holds one transaction's letters and 40 bytes of every letter.
 *
 * @throws ShuttleError REPLAY_FENCED when another replay of the same letters has started;
 * PRODUCE_FAILED, KAFKA_UNREACHABLE when nothing was committed for `deadlineMs`; what the ledger
 * throws; TOPIC_UNFIT
 */
export async function replayLetters(
  deps: ReplayDeps,
  options: ReplayOptions,
  signal: AbortSignal,
): Promise<ReplaySummary> {
  const run = new ReplayRun(deps, options, signal);
  try {
    return await run.run();
  } finally {
    await deps.sink?.close();
  }
}

interface Candidate {
  readonly letter: KeptLetter;
  readonly record: OutputRecord;
}

class ReplayRun {
  private readonly deps: ReplayDeps;
  private readonly options: ReplayOptions;
  private readonly signal: AbortSignal;
  private readonly met = new MetLetters();
  private readonly missing: Set<string>;
  private readonly left = new Map<LeftReason, number>();
  private readonly counts = { replayed: 0, forced: 0, already: 0, foreign: 0 };
  /** Offsets of the partitions before, and of this one. */
  private walked = 0;
  private inPartition = 0;
  private total = 0;

  constructor(deps: ReplayDeps, options: ReplayOptions, signal: AbortSignal) {
    this.deps = deps;
    this.options = options;
    this.signal = signal;
    this.missing = new Set(options.selection.positions);
  }

  async run(): Promise<ReplaySummary> {
    const { log, sink } = this.deps;
    const isEmpty = (await log.ends()).length === 0;
    if (!isEmpty) {
      await this.patiently(async () => sink?.open());
    }
    // Read only now: nobody else can replay any more.
    const all = isEmpty ? [] : await log.ends();
    this.total = all.reduce((sum, { logStart, logEnd }) => sum + Number(logEnd - logStart), 0);
    for (const ends of all) {
      if (!this.signal.aborted) {
        await this.partition(ends);
      }
    }
    if (!this.signal.aborted) {
      for (const place of this.missing) {
        this.leave({ reason: 'NO_LETTER', detail: LEFT.NO_LETTER, place, letter: null });
      }
    }
    const leftCount = [...this.left.values()].reduce((sum, count) => sum + count, 0);
    const left = Object.fromEntries(this.left);
    return { ...this.counts, left, leftCount, stopped: this.signal.aborted };
  }

  private async partition(ends: LetterEnds): Promise<void> {
    const partition = new PartitionProgress(this.deps.log, ends);
    await partition.refresh();
    let step: KeptLetter[] = [];
    let bytes = 0;
    for await (const letter of walkLetters(this.deps.log, ends, this.met)) {
      const size = (letter.key?.length ?? 0) + (letter.value?.length ?? 0);
      if (step.length >= STEP_LETTERS_MAX || bytes + size > STEP_BYTES_MAX) {
        await this.replay(step, partition);
        step = [];
        bytes = 0;
      }
      if (this.signal.aborted) {
        return;
      }
      if (this.isDue(letter, partition)) {
        step.push(letter);
        bytes += size;
      }
      this.inPartition = Number(letter.at.offset - ends.logStart);
      this.tell();
    }
    await this.replay(step, partition);
    this.walked += Number(ends.logEnd - ends.logStart);
    this.inPartition = 0;
    this.tell();
  }

  private tell(): void {
    this.options.onProgress(this.counts.replayed, this.walked + this.inPartition, this.total);
  }

  private isDue(letter: KeptLetter, partition: PartitionProgress): boolean {
    const isSelectedNow = isSelected(letter, this.options.selection);
    if (isSelectedNow) {
      this.missing.delete(placeText(letter));
    }
    const isOurs =
      letter.stream === this.options.stream && letter.source.topic === this.deps.log.source;
    const isDone = partition.replayed.has(letter.at.offset);
    this.counts.foreign += isSelectedNow && !isOurs ? 1 : 0;
    this.counts.already += isSelectedNow && isOurs && isDone ? 1 : 0;
    const isDue = isSelectedNow && isOurs && !isDone;
    if (!(isDue || isDone)) {
      partition.keep(letter.at.offset);
    }
    return isDue;
  }

  /** Judges the letters and brings back those that may go, in one transaction. */
  private async replay(letters: readonly KeptLetter[], partition: PartitionProgress) {
    const due = await this.judge(letters, partition);
    await this.commit(due, partition);
    this.counts.replayed += due.length;
    this.tell();
  }

  private async judge(
    letters: readonly KeptLetter[],
    partition: PartitionProgress,
  ): Promise<readonly Candidate[]> {
    const newer = await findNewer(letters, this.deps);
    const due: Candidate[] = [];
    for (const letter of letters) {
      const record = replayRecord(letter);
      const detail = newer.get(letter) ?? null;
      const refusal = this.deps.sink?.refusal(record) ?? null;
      const place = placeText(letter);
      if (refusal !== null) {
        partition.keep(letter.at.offset);
        this.leave({ ...refusal, place, letter });
      } else if (detail !== null && !this.options.force) {
        partition.keep(letter.at.offset);
        this.leave({ reason: 'NEWER', detail, place, letter });
      } else {
        this.counts.forced += detail === null ? 0 : 1;
        due.push({ letter, record });
      }
    }
    return due;
  }

  /**
   * An error leaves open what became of the transaction. A sink that is opened again has settled
   * it, and the receipts tell.
   */
  private async commit(due: readonly Candidate[], partition: PartitionProgress): Promise<void> {
    const { sink } = this.deps;
    if (sink === null) {
      return;
    }
    let isOpen = true;
    await this.patiently(async () => {
      if (!isOpen) {
        await sink.open();
        await partition.refresh();
        isOpen = true;
      }
      const rest = due.filter(({ letter }) => !partition.replayed.has(letter.at.offset));
      if (rest.length === 0) {
        return;
      }
      isOpen = false;
      const offsets = rest.map(({ letter }) => letter.at.offset);
      const last = offsets.at(-1) ?? 0n;
      await sink.replay({
        records: [...rest.map(({ record }) => record), receiptRecord(partition.at, offsets)],
        progress: { partition: partition.at.partition, offset: partition.firstKept ?? last + 1n },
      });
      isOpen = true;
      for (const offset of offsets) {
        partition.replayed.add(offset);
      }
    });
  }

  /** Tries until it is done, cannot be, or the deadline has passed. */
  private async patiently(call: () => Promise<void>): Promise<void> {
    const { clock } = this.deps;
    const { signal } = this;
    const untilMs = clock.now() + this.options.deadlineMs;
    await tryUntilAnswered(call, {
      clock,
      signal,
      abandons: false,
      live: () => true,
      answered: () => undefined,
      failed: (error) => {
        if (signal.aborted || clock.now() >= untilMs) {
          throw error;
        }
      },
    });
  }

  private leave(left: Left): void {
    this.left.set(left.reason, (this.left.get(left.reason) ?? 0) + 1);
    this.options.onLeft(left);
  }
}

/** What is known of one partition of the letters. */
class PartitionProgress {
  readonly at: { readonly topic: string; readonly partition: number };
  readonly replayed = new Ranges();
  /** The first letter that is there to be replayed by somebody later. */
  firstKept: bigint | null = null;
  private readonly log: LetterLog;
  private next: bigint;

  constructor(log: LetterLog, { partition, logStart }: LetterEnds) {
    this.log = log;
    this.at = { topic: log.topic, partition };
    this.next = logStart;
  }

  keep(offset: bigint): void {
    this.firstKept ??= offset;
  }

  /** Reads the receipts that have come since the last time. */
  async refresh(): Promise<void> {
    const ends = (await this.log.ends()).find(({ partition }) => partition === this.at.partition);
    if (ends !== undefined && ends.logEnd > this.next) {
      const from = ends.logStart > this.next ? ends.logStart : this.next;
      await readReceipts(this.log, this.at.partition, from, ends.logEnd, this.replayed);
      this.next = ends.logEnd;
    }
  }
}
