/** Tools that look at both sides, put together from the adapters that assemble.ts has made. */
import { createPublishedReader } from './assemble-published.ts';
import type { Settings } from './config/schema.ts';
import { type Reset, type ResetOptions, resetOffsets } from './ingest/offsets.ts';
import type { KafkaClient } from './kafka/client.ts';
import { requireNoMembers } from './kafka/group.ts';
import { openReconcileTopics } from './kafka/reconcile-topics.ts';
import type { Clock, Ledger, Source } from './ports.ts';
import { type ReconcileOptions, type ReconcileSummary, reconcile } from './reconcile/reconcile.ts';

export interface Tools {
  readonly settings: Settings;
  readonly kafka: KafkaClient;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly stream: string;
  readonly blocksTopic: string;
}

/** The ingest pipeline's view of the source, for a look from outside. */
export interface GroupTools {
  readonly kafka: KafkaClient;
  readonly ledger: Ledger;
  readonly source: Source;
  readonly stream: string;
  readonly groupId: string;
}

/** @throws ShuttleError GROUP_ACTIVE while the group has members */
export async function resetOffsetsWith(
  { kafka, ledger, source, stream, groupId }: GroupTools,
  options: Omit<ResetOptions, 'stream'>,
  signal: AbortSignal,
): Promise<readonly Reset[]> {
  await requireNoMembers(kafka, groupId);
  return await resetOffsets({ source, ledger }, { ...options, stream }, signal);
}

export async function reconcileWith(
  { settings, kafka, ledger, clock, stream, blocksTopic }: Tools,
  options: Omit<ReconcileOptions, 'stream' | 'keyExpression'>,
  signal: AbortSignal,
): Promise<ReconcileSummary> {
  const reader = createPublishedReader(kafka, settings);
  try {
    const topics = { source: options.topic, blocks: blocksTopic };
    const openTopics = () => openReconcileTopics(kafka, reader, topics);
    const { keyExpression } = settings.ingest;
    return await reconcile(
      { ledger, openTopics, clock },
      { ...options, stream, keyExpression },
      signal,
    );
  } finally {
    await reader.close();
  }
}
