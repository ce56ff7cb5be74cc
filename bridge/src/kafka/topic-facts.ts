/** What a producer has to know of a topic before it sends. */
import kafkajs from 'kafkajs';
import { ShuttleError } from '../errors.ts';
import type { KafkaClient } from './client.ts';

export interface TopicFacts {
  readonly partitions: number;
  /** max.message.bytes: how large a record batch may be. */
  readonly batchBytesMax: number;
  /** Settings by name, as the broker applies them. */
  readonly settings: ReadonlyMap<string, string>;
}

/**
 * Partitions and settings of topics that exist.
 *
 * @throws ShuttleError TOPIC_MISSING, KAFKA_UNREACHABLE, KAFKA_REFUSED
 */
export async function readTopicFacts(
  client: KafkaClient,
  topics: readonly string[],
): Promise<ReadonlyMap<string, TopicFacts>> {
  const facts = new Map<string, TopicFacts>();
  if (topics.length === 0) {
    return facts;
  }
  const metadata = await client.admin((a) => a.fetchTopicMetadata({ topics: [...topics] }));
  const configs = await client.admin((a) =>
    a.describeConfigs({
      includeSynonyms: false,
      resources: topics.map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
    }),
  );
  for (const { name, partitions } of metadata.topics) {
    const resource = configs.resources.find(({ resourceName }) => resourceName === name);
    const settings = new Map(
      resource?.configEntries.map(({ configName, configValue }) => [configName, configValue]),
    );
    const batchBytesMax = Number(settings.get('max.message.bytes') ?? Number.NaN);
    if (!Number.isSafeInteger(batchBytesMax)) {
      throw new ShuttleError('KAFKA_REFUSED', `The settings of topic ${name} cannot be read.`);
    }
    facts.set(name, { partitions: partitions.length, batchBytesMax, settings });
  }
  return facts;
}
