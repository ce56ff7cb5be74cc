/** The changes topic as `read-model/model.ts` knows it. */
import { POSITION_HEADER, RAW_HEADER } from '../block/topics.ts';
import { ShuttleError } from '../errors.ts';
import type { ChangeRecord, ChangesLog } from '../read-model/model.ts';
import type { SourceRecord } from '../values.ts';
import type { KafkaClient } from './client.ts';
import type { PartitionReader } from './reader.ts';
import { recordAt } from './scan.ts';
import { readTopicFacts } from './topic-facts.ts';

const ID_HEADER = 'ce_id';

export function createChangesLog(
  client: KafkaClient,
  reader: PartitionReader,
  topic: string,
): ChangesLog {
  return {
    topic,
    ends: () => reader.ends([topic]),
    deletionsKeptMs: async () => {
      const settings = (await readTopicFacts(client, [topic])).get(topic)?.settings;
      const compacts = settings?.get('cleanup.policy')?.includes('compact') === true;
      return compacts ? Number(settings?.get('delete.retention.ms') ?? 0) : null;
    },
    fetch: async (partition, from, waitMs) => {
      const fetched = await reader.fetch({ topic, partition }, from, { maxWaitMs: waitMs });
      switch (fetched.kind) {
        case 'records':
          return { records: fetched.records.map(changeRecord), next: fetched.next };
        case 'nothing':
          return { records: [], next: from };
        case 'failed':
          throw fetched.error;
        case 'out-of-range':
          throw new ShuttleError('INDEX_BROKEN', `The topic does not hold offset ${from}.`, {
            at: { topic, partition, offset: from },
          });
      }
    },
    at: async (partition, offset) => {
      const record = await recordAt(reader, { topic, partition }, offset);
      return record === null ? null : changeRecord(record);
    },
  };
}

function changeRecord({ offset, key, value, headers }: SourceRecord): ChangeRecord {
  const text = (name: string): string | null => {
    const found = headers.find((header) => header.name === name)?.value;
    return found == null ? null : Buffer.from(found).toString('utf8');
  };
  const id = text(ID_HEADER) ?? '';
  // What is no envelope is no document, whatever stood under its key before.
  const document = text(RAW_HEADER) === 'true' ? null : value;
  return {
    offset,
    id,
    change: {
      key: key ?? new Uint8Array(),
      value: document,
      block: blockOf(id),
      source: text(POSITION_HEADER),
    },
  };
}

/** `<channel>:<block>:<transaction>:<change>`; a channel's name has no colon. */
function blockOf(id: string): bigint | null {
  const number = /^[^:]+:([0-9]{1,20}):/.exec(id)?.[1];
  return number === undefined ? null : BigInt(number);
}
