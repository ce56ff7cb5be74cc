/** Reading and replaying dead letters, put together from the adapters that assemble.ts has made. */
import { createKeyExpression } from './batch/key-expression.ts';
import type { ReplayRequest } from './cli/shuttle.ts';
import type { Settings } from './config/schema.ts';
import { ShuttleError } from './errors.ts';
import { ackMetadata } from './ingest/context.ts';
import type { KafkaClient } from './kafka/client.ts';
import { createLetterLog, createReplaySink } from './kafka/letter-topics.ts';
import { createReader, type PartitionReader } from './kafka/reader.ts';
import { recordAt, scan } from './kafka/scan.ts';
import { createKafkaSource } from './kafka/source.ts';
import { letterOf, type Position, positionText } from './letters/letter.ts';
import { Ranges } from './letters/ranges.ts';
import { type ReplaySummary, replayLetters } from './letters/replay.ts';
import { type ListedLetter, listLetters, readReceipts } from './letters/walk.ts';
import type { Clock, Ledger, Source } from './ports.ts';
import type { SourceRecord, TopicPartition } from './values.ts';

export interface ReplayTools {
  readonly settings: Settings;
  readonly kafka: KafkaClient;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly stream: string;
  /** The group that ingests. */
  readonly groupId: string;
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
  { settings, kafka, ledger, clock, stream, groupId }: ReplayTools,
  { source: topic, dryRun, ...options }: ReplayRequest,
  signal: AbortSignal,
): Promise<ReplaySummary> {
  const reader = createReader(kafka);
  const source = createKafkaSource(kafka, { groupId, topics: [topic] }, clock);
  try {
    return await replayLetters(
      {
        log: createLetterLog(reader, topic),
        sink: dryRun ? null : createReplaySink(kafka, topic, clock),
        ledger,
        keyExpression: createKeyExpression(settings.ingest.keyExpression),
        readSource: (at) => readSource(source, at),
        unfinished: (at) => readUnfinished({ reader, source, ledger, stream }, at),
        clock,
      },
      { ...options, stream, deadlineMs: settings.command.deadlineMs },
      signal,
    );
  } finally {
    await Promise.all([reader.close(), source.close()]);
  }
}

/**
 * Raw records have no ledger to ask: only the rules know under which keys their documents are.
 * What is newer is a later raw record with the same key of its own.
 */
export async function replayRawWith(
  { settings, kafka, clock, stream }: Omit<ReplayTools, 'ledger' | 'groupId'>,
  { source: topic, dryRun, ...options }: ReplayRequest,
  signal: AbortSignal,
): Promise<ReplaySummary> {
  const reader = createReader(kafka);
  try {
    return await replayLetters(
      {
        log: createLetterLog(reader, topic),
        sink: dryRun ? null : createReplaySink(kafka, topic, clock),
        ledger: { evaluate: async () => Buffer.from('{"versions":[]}') },
        keyExpression: null,
        readSource: async () => null,
        unfinished: (at) => readWhole(reader, at),
        clock,
      },
      { ...options, stream, deadlineMs: settings.command.deadlineMs },
      signal,
    );
  } finally {
    await reader.close();
  }
}

async function* readWhole(
  reader: PartitionReader,
  { topic, partition }: TopicPartition,
): AsyncGenerator<readonly SourceRecord[]> {
  const ends = (await reader.ends([topic])).find((each) => each.partition === partition);
  if (ends !== undefined) {
    yield* scan(reader, { topic, partition }, ends.logStart, ends.logEnd);
  }
}

/** Null when the record, or its topic, is not there any more. */
async function readSource(source: Source, at: Position): Promise<SourceRecord | null> {
  try {
    return await source.read(at, at.offset);
  } catch (error) {
    if (error instanceof ShuttleError && error.code === 'TOPIC_MISSING') {
      return null;
    }
    throw error;
  }
}

interface Unfinished {
  readonly reader: PartitionReader;
  readonly source: Source;
  readonly ledger: Ledger;
  readonly stream: string;
}

/** From the group's ack to the end; from the start when no ack of this ledger says otherwise. */
async function* readUnfinished(
  { reader, source, ledger, stream }: Unfinished,
  at: TopicPartition,
): AsyncGenerator<readonly SourceRecord[]> {
  const mine = ackMetadata({ identity: await ledger.identity(), options: { stream } });
  const isAt = ({ topic, partition }: TopicPartition) =>
    topic === at.topic && partition === at.partition;
  // The acks first: what they cover is on the ledger whatever comes meanwhile.
  const ack = (await source.acks()).find((each) => isAt(each) && each.metadata === mine);
  const ends = (await source.ends()).find(isAt);
  if (ends !== undefined) {
    const { logStart, logEnd } = ends;
    const from = ack !== undefined && ack.offset > logStart ? ack.offset : logStart;
    yield* scan(reader, at, from, logEnd);
  }
}
