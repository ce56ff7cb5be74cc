/** The read model, put together from the changes topic and its database. */
import { createPublishedReader } from './assemble-published.ts';
import { topicNames } from './block/topics.ts';
import type { IndexOptions, IndexSummary } from './cli/shuttle.ts';
import type { Settings } from './config/schema.ts';
import { createChangesLog } from './kafka/changes-log.ts';
import type { KafkaClient } from './kafka/client.ts';
import type { Outage } from './outage.ts';
import type { Clock, Log } from './ports.ts';
import { feedReadModel } from './read-model/feed.ts';
import type { ReadModel } from './read-model/queries.ts';
import { openDatabase } from './sqlite/database.ts';
import { openReadModel } from './sqlite/reader.ts';
import { createWriter, epcisEntries } from './sqlite/writer.ts';
import { patiently } from './system/patience.ts';

const FILE_DEFAULT = 'shuttle-index.db';

export interface IndexParts {
  readonly settings: Settings;
  readonly kafka: KafkaClient;
  readonly log: Log;
  readonly outage: Outage;
  readonly clock: Clock;
}

export async function indexWith(
  { settings, kafka, log, outage, clock }: IndexParts,
  options: IndexOptions & { readonly deadlineMs?: number },
  signal: AbortSignal,
): Promise<IndexSummary> {
  const { file, source } = modelOf(settings);
  const patience = { clock, outage, signal, deadlineMs: options.deadlineMs };
  const clusterId = await patiently('kafka', () => kafka.clusterId(), patience);
  if (clusterId === null) {
    return { file, changes: 0, lastBlock: null, complete: false };
  }
  const reader = createPublishedReader(kafka, settings);
  const database = openDatabase(file);
  try {
    const nowMs = () => clock.now();
    const model = createWriter(file, database, { ...source, clusterId }, epcisEntries, nowMs);
    if (options.rebuild) {
      model.clear();
    }
    const changes = createChangesLog(kafka, reader, source.topic);
    const summary = await feedReadModel({ changes, model, clock, log, outage }, options, signal);
    return { file, ...summary };
  } finally {
    database.close();
    await reader.close();
  }
}

/** @throws ShuttleError INDEX_FOREIGN, INDEX_FAILED */
export function readModelOf(settings: Settings): ReadModel | null {
  const { file, source } = modelOf(settings);
  return openReadModel(file, source);
}

function modelOf({ index, fabric, publish }: Settings) {
  const { channel, chaincode } = fabric;
  const topic = topicNames(publish.prefix, channel).changes;
  return { file: index.file ?? FILE_DEFAULT, source: { topic, channel, chaincode } };
}
