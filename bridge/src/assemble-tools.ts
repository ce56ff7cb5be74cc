/** Tools that look at both sides, put together from the adapters that assemble.ts has made. */
import type { Settings } from './config/schema.ts';
import type { KafkaClient } from './kafka/client.ts';
import { createReader } from './kafka/reader.ts';
import { openReconcileTopics } from './kafka/reconcile-topics.ts';
import type { Clock, Ledger } from './ports.ts';
import { type ReconcileOptions, type ReconcileSummary, reconcile } from './reconcile/reconcile.ts';

export interface Tools {
  readonly settings: Settings;
  readonly kafka: KafkaClient;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly stream: string;
  readonly blocksTopic: string;
}

export async function reconcileWith(
  { settings, kafka, ledger, clock, stream, blocksTopic }: Tools,
  options: Omit<ReconcileOptions, 'stream' | 'keyExpression'>,
  signal: AbortSignal,
): Promise<ReconcileSummary> {
  const reader = createReader(kafka);
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
