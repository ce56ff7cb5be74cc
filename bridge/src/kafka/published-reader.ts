/** Reads a channel's topics as they were before encryption: for everybody who reads them back. */
import type { DecryptRecord, PublishedTopic } from '../block/encryption.ts';
import { ShuttleError } from '../errors.ts';
import type { SourceRecord, TopicPartition } from '../values.ts';
import type { FetchedOrNothing, PartitionReader } from './reader.ts';

export interface PublishedTopics {
  /** By the names of the topics; records of other topics are left as they are. */
  readonly topics: ReadonlyMap<string, PublishedTopic>;
  readonly decrypt: DecryptRecord;
}

/**
 * A reader whose records have their values decrypted. `fetch` throws KEY_UNKNOWN or
 * DECRYPTION_FAILED for a record that cannot be, after those before it have been answered.
 */
export function decryptingReader(
  reader: PartitionReader,
  { topics, decrypt }: PublishedTopics,
): PartitionReader {
  return {
    ...reader,
    fetch: async (at, offset, options) => {
      const fetched = await reader.fetch(at, offset, options);
      const topic = topics.get(at.topic);
      return topic === undefined
        ? fetched
        : decrypted(at, fetched, (record) => decrypt(record, topic));
    },
  };
}

function decrypted(
  at: TopicPartition,
  fetched: FetchedOrNothing,
  decrypt: (record: SourceRecord) => SourceRecord,
): FetchedOrNothing {
  if (fetched.kind !== 'records') {
    return fetched;
  }
  const records: SourceRecord[] = [];
  for (const record of fetched.records) {
    try {
      records.push(decrypt(record));
    } catch (caught) {
      if (records.length === 0) {
        throw positioned(caught, at, record.offset);
      }
      // Whoever reads on meets it as the first one, and has used those before it.
      return { ...fetched, records, next: record.offset };
    }
  }
  return { ...fetched, records };
}

function positioned(
  caught: unknown,
  { topic, partition }: TopicPartition,
  offset: bigint,
): unknown {
  if (!(caught instanceof ShuttleError)) {
    return caught;
  }
  const at = { topic, partition, offset, ...caught.at };
  return new ShuttleError(caught.code, caught.message, { cause: caught.cause, at });
}
