/** Readers of the topics that Shuttle publishes to, put together with the keys to read them. */
import { createDecryptor, type PublishedTopic } from './block/encryption.ts';
import { type TopicKind, topicNames } from './block/topics.ts';
import { encryptionKeys } from './config/publish-keys.ts';
import type { Settings } from './config/schema.ts';
import type { KafkaClient } from './kafka/client.ts';
import { decryptingReader } from './kafka/published-reader.ts';
import { createReader, type PartitionReader } from './kafka/reader.ts';

/** The channel's topics by their names. */
export function publishedTopics({ publish, fabric }: Settings): Map<string, PublishedTopic> {
  const { channel } = fabric;
  const names = Object.entries(topicNames(publish.prefix, channel)) as [TopicKind, string][];
  return new Map(names.map(([kind, name]) => [name, { kind, channel }]));
}

/**
 * A reader that decrypts what is on the channel's topics, with the configured keys.
 *
 * @param topics - the topics that are the channel's, when they are not named as configured
 * @throws ShuttleError FILE_UNREADABLE, KEY_INVALID
 */
export function createPublishedReader(
  kafka: KafkaClient,
  settings: Settings,
  topics: ReadonlyMap<string, PublishedTopic> = publishedTopics(settings),
): PartitionReader {
  const decrypt = createDecryptor(encryptionKeys(settings));
  return decryptingReader(createReader(kafka), { topics, decrypt });
}
