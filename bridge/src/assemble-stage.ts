/** What fills the raw topic, and what cleans it, put together from topics, rules and groups. */
import { createCleaner } from './clean/cleaner.ts';
import type { LoadRequest } from './cli/shuttle.ts';
import { registryConnection } from './config/connections.ts';
import { loadRules } from './config/rule-file.ts';
import type { Settings } from './config/schema.ts';
import { ShuttleError } from './errors.ts';
import { createCleanSink } from './kafka/clean-sink.ts';
import type { KafkaClient } from './kafka/client.ts';
import { createLoadSink } from './kafka/load-sink.ts';
import { createKafkaSource } from './kafka/source.ts';
import { ensureCleanTopics, ensureTopics, sourceTopicSpecs } from './kafka/topics.ts';
import {
  CLEAN_BUFFER_BYTES_MAX,
  CLEAN_BUFFER_RECORDS_MAX,
  CLEAN_FENCED_PATIENCE_MS,
  CLEAN_TRANSACTION_AGE_MS,
  CLEAN_TRANSACTION_BYTES_MAX,
  CLEAN_TRANSACTION_RECORDS_MAX,
} from './limits.ts';
import { type LoadSummary, loadRecords } from './load/load.ts';
import type { Outage } from './outage.ts';
import type { Clock, Log, Meter } from './ports.ts';
import { registryFor } from './registry/open.ts';
import type { StageSummary } from './stage/context.ts';
import { runStage } from './stage/stage.ts';
import { patiently } from './system/patience.ts';

export interface StageParts {
  readonly settings: Settings;
  readonly kafka: KafkaClient;
  readonly stream: () => Promise<string>;
  readonly log: Log;
  readonly meter: Meter;
  readonly outage: Outage;
  readonly clock: Clock;
}

const NOTHING_CLEANED: StageSummary = {
  recordsRead: 0,
  cleaned: 0,
  documents: 0,
  dropped: 0,
  refused: 0,
  transactions: 0,
  refusals: [],
  stops: [],
};

export async function loadWith(
  { kafka, outage, clock }: Pick<StageParts, 'kafka' | 'outage' | 'clock'>,
  { topic, ...load }: LoadRequest & { readonly deadlineMs: number },
  signal: AbortSignal,
): Promise<LoadSummary> {
  const patience = { clock, outage, signal, deadlineMs: load.deadlineMs };
  const ensure = () => ensureTopics(kafka, sourceTopicSpecs([topic]));
  if ((await patiently('kafka', ensure, patience)) === null) {
    return { records: 0, before: 0, bytes: 0, isComplete: false };
  }
  const sink = createLoadSink(kafka, { topic, name: load.name }, clock);
  return await loadRecords({ sink, clock, outage }, load, signal);
}

/**
 * @throws ShuttleError USAGE without rules; RULES_INVALID, CONFIG_INVALID, FILE_UNREADABLE; of
 *   runStage
 */
export async function cleanWith(
  { settings, kafka, stream: streamOf, log, meter, outage, clock }: StageParts,
  bounds: { readonly untilEnd: boolean; readonly deadlineMs?: number },
  signal: AbortSignal,
): Promise<StageSummary> {
  const { rules: named, format, from, to, groupId: given } = settings.clean;
  const { acceptTruncation, acceptLostPosition } = settings.clean;
  if (named === undefined) {
    throw new ShuttleError('USAGE', 'No rules are named: --rules, or the setting clean.rules.');
  }
  const rules = loadRules(named, process.cwd());
  const patienceMs = bounds.deadlineMs ?? Number.POSITIVE_INFINITY;
  const schemas = registryFor(rules.format ?? { kind: format }, registryConnection(settings), {
    clock,
    log,
    signal,
    patienceMs,
  });
  const patience = { clock, outage, signal, deadlineMs: bounds.deadlineMs };
  const stream = await patiently('kafka', streamOf, patience);
  const ensure = () => ensureCleanTopics(kafka, { from, to });
  if (stream === null || (await patiently('kafka', ensure, patience)) === null) {
    return NOTHING_CLEANED;
  }
  const groupId = given ?? `${stream}.clean.${from}.${to}`;
  return await runStage(
    {
      source: createKafkaSource(kafka, { groupId, topics: [from] }, clock),
      createSink: (at) => createCleanSink(kafka, { groupId, at, to, stream }, clock),
      createCleaner: () => createCleaner(rules, { kind: format }, schemas),
      clock,
      log,
      meter,
      outage,
    },
    {
      acceptTruncation,
      acceptLostPosition,
      ...bounds,
      transactionRecordsMax: CLEAN_TRANSACTION_RECORDS_MAX,
      transactionBytesMax: CLEAN_TRANSACTION_BYTES_MAX,
      transactionAgeMs: CLEAN_TRANSACTION_AGE_MS,
      bufferRecordsMax: CLEAN_BUFFER_RECORDS_MAX,
      bufferBytesMax: CLEAN_BUFFER_BYTES_MAX,
      fencedPatienceMs: CLEAN_FENCED_PATIENCE_MS,
    },
    signal,
  );
}
