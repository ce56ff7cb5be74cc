/** Reads the dead letters of a topic, and which of them have been replayed. */
import type { SourceRecord } from '../values.ts';
import { type KeptLetter, letterOf } from './letter.ts';
import { Ranges } from './ranges.ts';
import { readReceipt } from './receipt.ts';

export interface LetterEnds {
  readonly partition: number;
  readonly logStart: bigint;
  /** The end that read_committed readers see. */
  readonly logEnd: bigint;
}

/** The dead-letter topic of one source topic. */
export interface LetterLog {
  readonly topic: string;
  readonly source: string;
  /** Its partitions as they are now; none when there is no topic. */
  ends(): Promise<readonly LetterEnds[]>;
  /** Committed records with offsets in [from, to), in their order. */
  records(partition: number, from: bigint, to: bigint): AsyncIterable<readonly SourceRecord[]>;
}

/** Adds the letters that receipts in [from, to) tell of. */
export async function readReceipts(
  log: LetterLog,
  partition: number,
  from: bigint,
  to: bigint,
  replayed: Ranges,
): Promise<void> {
  for await (const records of log.records(partition, from, to)) {
    for (const record of records) {
      readReceipt({ topic: log.topic, partition }, record, replayed);
    }
  }
}

/**
 * Letters that have been met. They are delivered at least once, so one may stand on the topic
 * again, and is then no other letter. About 40 bytes are held of each.
 */
export class MetLetters {
  private readonly offsets = new Map<string, Set<number>>();
  copies = 0;

  /** Whether it is met for the first time. */
  meet({ stream, source }: KeptLetter): boolean {
    const partition = `${stream}:${source.topic}:${source.partition}`;
    const known = this.offsets.get(partition) ?? new Set();
    this.offsets.set(partition, known);
    const offset = Number(source.offset);
    const isNew = !known.has(offset);
    known.add(offset);
    this.copies += isNew ? 0 : 1;
    return isNew;
  }
}

/** Each letter of a partition once, as they stand; `next` is behind the last record read. */
export async function* walkLetters(
  log: LetterLog,
  { partition, logStart, logEnd }: LetterEnds,
  met: MetLetters,
): AsyncGenerator<KeptLetter> {
  const at = { topic: log.topic, partition };
  for await (const records of log.records(partition, logStart, logEnd)) {
    for (const record of records) {
      const letter = letterOf(at, record);
      if (letter !== null && met.meet(letter)) {
        yield letter;
      }
    }
  }
}

export interface ListedLetter extends KeptLetter {
  readonly replayed: boolean;
}

/** Each letter of the topic once, partition by partition, oldest first. */
export async function* listLetters(log: LetterLog): AsyncGenerator<ListedLetter> {
  const met = new MetLetters();
  for (const ends of await log.ends()) {
    const replayed = new Ranges();
    // Receipts stand behind their letters, so the partition is read twice.
    await readReceipts(log, ends.partition, ends.logStart, ends.logEnd, replayed);
    for await (const letter of walkLetters(log, ends, met)) {
      yield { ...letter, replayed: replayed.has(letter.at.offset) };
    }
  }
}
