/** Reading and replaying dead letters, put together from the adapters that assemble.ts has made. */
import { createKeyExpression } from './batch/key-expression.ts';
import type { ReplayRequest } from './cli/shuttle.ts';
import type { Settings } from './config/schema.ts';
import { ShuttleError } from './errors.ts';
import type { KafkaClient } from './kafka/client.ts';
import { createLetterLog, createReplaySink } from './kafka/letter-topics.ts';
import { createReader, type PartitionReader } from './kafka/reader.ts';
import { recordAt } from './kafka/scan.ts';
import { letterOf, type Position, positionText } from './letters/letter.ts';
import { Ranges } from './letters/ranges.ts';
import { type ReplaySummary, replayLetters } from './letters/replay.ts';
import { type ListedLetter, listLetters, readReceipts } from './letters/walk.ts';
import type { Clock, Ledger } from './ports.ts';
import type { SourceRecord } from './values.ts';

export interface ReplayTools {
  readonly settings: Settings;
  readonly kafka: KafkaClient;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly stream: string;
}

export async function* lettersWith(
  kafka: KafkaClient,
  sources: readonly string[],
): AsyncGenerator<ListedLetter> {
  const reader = createReader(kafka);
  try {
    for (const source of sources) {
      yield* listLetters(createLetterLog(reader, source));
    }
  } finally {
    await reader.close();
  }
}

/** @throws ShuttleError LETTER_MISSING, TOPIC_MISSING, KAFKA_UNREACHABLE, KAFKA_REFUSED */
export async function letterWith(
  kafka: KafkaClient,
  source: string,
  partition: number,
  offset: bigint,
): Promise<ListedLetter> {
  const reader = createReader(kafka);
  try {
    const log = createLetterLog(reader, source);
    const at = { topic: log.topic, partition };
    const ends = (await log.ends()).find((each) => each.partition === partition);
    const isInside = ends !== undefined && offset >= ends.logStart && offset < ends.logEnd;
    const record = isInside ? await recordAt(reader, at, offset) : null;
    const letter = record === null ? null : letterOf(at, record);
    if (ends === undefined || letter === null) {
      const place = { ...at, offset };
      throw new ShuttleError('LETTER_MISSING', `There is no dead letter ${positionText(place)}.`, {
        at: place,
      });
    }
    const replayed = new Ranges();
    await readReceipts(log, partition, offset, ends.logEnd, replayed);
    return { ...letter, replayed: replayed.has(offset) };
  } finally {
    await reader.close();
  }
}

export async function replayWith(
  { settings, kafka, ledger, clock, stream }: ReplayTools,
  { source, dryRun, ...options }: ReplayRequest,
  signal: AbortSignal,
): Promise<ReplaySummary> {
  const reader = createReader(kafka);
  try {
    return await replayLetters(
      {
        log: createLetterLog(reader, source),
        sink: dryRun ? null : createReplaySink(kafka, source, clock),
        ledger,
        keyExpression: createKeyExpression(settings.ingest.keyExpression),
        readSource: (at) => readSource(reader, at),
        clock,
      },
      { ...options, stream, deadlineMs: settings.command.deadlineMs },
      signal,
    );
  } finally {
    await reader.close();
  }
}

/** Null when the record, or its topic, is not there any more. */
async function readSource(reader: PartitionReader, at: Position): Promise<SourceRecord | null> {
  try {
    return await recordAt(reader, at, at.offset);
  } catch (error) {
    if (error instanceof ShuttleError && error.code === 'TOPIC_MISSING') {
      return null;
    }
    throw error;
  }
}
