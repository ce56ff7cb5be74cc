/** A topic as `consume/consume.ts` knows it. */
import type { TopicLog } from '../consume/consume.ts';
import { ShuttleError } from '../errors.ts';
import type { PartitionReader } from './reader.ts';

/** @param reader - one that decrypts, for topics that may be encrypted */
export function createTopicLog(reader: PartitionReader, topic: string): TopicLog {
  return {
    topic,
    ends: () => reader.ends([topic]),
    offsetsAt: (timeMs) => reader.offsetsAt(topic, timeMs),
    fetch: async (partition, from, waitMs) => {
      const fetched = await reader.fetch({ topic, partition }, from, { maxWaitMs: waitMs });
      switch (fetched.kind) {
        case 'records':
          return { records: fetched.records, next: fetched.next };
        case 'nothing':
          return { records: [], next: from };
        case 'failed':
          throw fetched.error;
        case 'out-of-range':
          throw new ShuttleError(
            'NOT_FOUND',
            `${topic}/${partition} does not hold offset ${from} any more.`,
            { at: { topic, partition, offset: from } },
          );
      }
    },
  };
}
