/** A dead letter as it stands on its topic, and the record that a replay makes of it. */
import type {
  OutputHeader,
  OutputRecord,
  RecordHeader,
  SourceRecord,
  TopicPartition,
} from '../values.ts';
import {
  CONNECT,
  ERRORS_HEADER,
  LETTER_BEGIN,
  REPLAY,
  REPLAY_ATTEMPT,
  REPLAY_LETTER,
  REPLAY_RECORD,
  REPLAY_TIMESTAMP,
} from './names.ts';

export interface Position extends TopicPartition {
  readonly offset: bigint;
}

export interface KeptLetter {
  /** Where the letter stands. */
  readonly at: Position;
  readonly stream: string;
  /** Where the refused record stood. */
  readonly source: Position;
  /** Where it stood at first: another place when it was a replay itself. */
  readonly origin: Position;
  readonly code: string;
  readonly stage: string;
  readonly reason: string;
  /** The contract's own rule that refused the record, if it was one. */
  readonly rule: string | null;
  readonly txId: string | null;
  /** How often the record has been refused, this time included. */
  readonly attempts: number;
  /** The record's own, in ms since the epoch. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** The record's own headers. */
  readonly headers: readonly RecordHeader[];
}

/** `topic/partition@offset`, as people read and write it. */
export const positionText = ({ topic, partition, offset }: Position): string =>
  `${topic}/${partition}@${offset}`;

/** Null for what is no position. A topic's name holds neither a slash nor an at sign. */
export function parsePosition(text: string): Position | null {
  const [, topic = '', partition = '', offset = ''] =
    /^([^/@]+)\/(\d{1,9})@(\d{1,19})$/.exec(text) ?? [];
  return topic === '' ? null : { topic, partition: Number(partition), offset: BigInt(offset) };
}

const text = (headers: readonly RecordHeader[], name: string): string => {
  const found = headers.findLast((each) => each.name === name);
  return Buffer.from(found?.value ?? '').toString('utf8');
};

/**
 * How often a record with these headers has been brought to the ledger. Anybody may write headers:
 * what cannot be a count is a first time.
 */
export function attemptOf(headers: readonly RecordHeader[]): number {
  const attempt = text(headers, REPLAY_ATTEMPT);
  return /^[1-9]\d{0,8}$/.test(attempt) ? Number(attempt) : 1;
}

/** Where a record with these headers stood at first; `at` when no replay has brought it back. */
export function letterOrigin(headers: readonly RecordHeader[], at: Position): Position {
  return parsePosition(text(headers, REPLAY_RECORD)) ?? at;
}

/** Null for a record that is no dead letter of Shuttle's. */
export function letterOf(at: TopicPartition, record: SourceRecord): KeptLetter | null {
  // The record's own headers stand first, and it may be a letter that somebody produced again.
  const begin = record.headers.findLastIndex(({ name }) => name === LETTER_BEGIN);
  const why = record.headers.slice(Math.max(0, begin));
  const topic = text(why, LETTER_BEGIN);
  const partition = text(why, `${CONNECT}partition`);
  const offset = text(why, `${CONNECT}offset`);
  const id = text(why, `${ERRORS_HEADER}id`);
  const behind = `:${topic}:${partition}:${offset}`;
  const source = parsePosition(`${topic}/${partition}@${offset}`);
  if (begin < 0 || source === null || !id.endsWith(behind)) {
    return null;
  }
  const headers = record.headers.slice(0, begin);
  const optional = (name: string): string | null => {
    const found = text(why, `${ERRORS_HEADER}${name}`);
    return found === '' ? null : found;
  };
  return {
    at: { topic: at.topic, partition: at.partition, offset: record.offset },
    stream: id.slice(0, -behind.length),
    source,
    origin: letterOrigin(headers, source),
    code: text(why, `${ERRORS_HEADER}code`),
    stage: text(why, `${ERRORS_HEADER}stage`),
    reason: text(why, `${CONNECT}exception.message`),
    rule: optional('rule'),
    txId: optional('transaction.id'),
    attempts: attemptOf(headers),
    timestamp: record.timestamp,
    key: record.key,
    value: record.value,
    headers,
  };
}

/**
 * The record again, on the partition that it was on. It gets a new timestamp: retention counts by
 * it, and could remove an old one before it is carried.
 */
export function replayRecord(letter: KeptLetter): OutputRecord {
  const own = letter.headers.filter(({ name }) => !name.startsWith(REPLAY));
  const first = text(letter.headers, REPLAY_TIMESTAMP);
  const marks: readonly [string, string][] = [
    [REPLAY_LETTER, positionText(letter.at)],
    [REPLAY_RECORD, positionText(letter.origin)],
    [REPLAY_TIMESTAMP, /^-?\d{1,19}$/.test(first) ? first : String(letter.timestamp)],
    [REPLAY_ATTEMPT, String(letter.attempts + 1)],
  ];
  const headers: OutputHeader[] = [...own, ...marks.map(([name, value]) => ({ name, value }))];
  const { key, value, source } = letter;
  return { topic: source.topic, partition: source.partition, key, value, headers };
}
