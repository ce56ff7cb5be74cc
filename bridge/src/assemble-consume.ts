/** Reading what was published, put together from the topic and the keys to read it. */
import { createPublishedReader } from './assemble-published.ts';
import type { ConsumeRequest } from './cli/shuttle.ts';
import type { Settings } from './config/schema.ts';
import { type ConsumeSummary, consume } from './consume/consume.ts';
import type { KafkaClient } from './kafka/client.ts';
import { createTopicLog } from './kafka/topic-log.ts';
import type { Outage } from './outage.ts';
import type { Clock } from './ports.ts';

export interface ConsumeParts {
  readonly settings: Settings;
  readonly kafka: KafkaClient;
  readonly outage: Outage;
  readonly clock: Clock;
}

export async function consumeWith(
  { settings, kafka, outage, clock }: ConsumeParts,
  { topic, kind, ...options }: ConsumeRequest,
  signal: AbortSignal,
): Promise<ConsumeSummary> {
  const { channel } = settings.fabric;
  const reader = createPublishedReader(kafka, settings, new Map([[topic, { kind, channel }]]));
  const { deadlineMs } = settings.command;
  try {
    const log = createTopicLog(reader, topic);
    return await consume({ log, clock, outage }, { ...options, deadlineMs }, signal);
  } finally {
    await reader.close();
  }
}
