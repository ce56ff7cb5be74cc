/** `LoadSink` on Kafka transactions: the position is an offset of a group of the load's own. */
import { ShuttleError } from '../errors.ts';
import { LOAD_DEADLINE_MS, LOAD_TRANSACTION_TIMEOUT_MS } from '../limits.ts';
import type { LoadRecord, LoadSink } from '../load/load.ts';
import type { Clock } from '../ports.ts';
import type { OutputRecord } from '../values.ts';
import type { KafkaClient } from './client.ts';
import { encodedBytes } from './encode-records.ts';
import { createTransactions } from './transactions.ts';

export interface LoadSinkOptions {
  readonly topic: string;
  readonly name: string;
  readonly deadlineMs?: number;
}

/** So many records without a key go to one partition before the next one's turn. */
const TURN_RECORDS = 1_000;
/** Below so many bytes less than its limit no record is near it. */
const MARGIN_BYTES = 1_024;
/** A group has offsets of partitions; that of a load stands for the first one. */
const PARTITION = 0;

/** The group of a load, and its transactional id. */
export const loadGroup = (topic: string, name: string): string => `load/${topic}/${name}`;

export function createLoadSink(
  client: KafkaClient,
  { topic, name, deadlineMs = LOAD_DEADLINE_MS }: LoadSinkOptions,
  clock: Clock,
): LoadSink {
  const groupId = loadGroup(topic, name);
  const at = { topic, load: name };
  const transactions = createTransactions(
    client,
    {
      transactionalId: groupId,
      topics: [topic],
      deadlineMs,
      transactionTimeoutMs: LOAD_TRANSACTION_TIMEOUT_MS,
      at,
      fenced: (cause) =>
        new ShuttleError('LOAD_FENCED', `Another load of ${name} has started.`, { cause, at }),
    },
    clock,
  );
  const outputOf = ({ key, value }: LoadRecord, number: number): OutputRecord => {
    const { partitions } = transactions.facts(topic);
    const turn = key === null ? { partition: Math.floor(number / TURN_RECORDS) % partitions } : {};
    return { topic, key, value, headers: [], ...turn };
  };
  return {
    open: () =>
      transactions.open(async (reader) => {
        const found = (await reader.groupOffsets(groupId, topic, [PARTITION])).get(PARTITION);
        return found === undefined
          ? null
          : { records: Number(found.offset), digest: found.metadata };
      }),
    commit: (records, first, position) =>
      transactions.run(
        records.map((record, index) => outputOf(record, first + index)),
        {
          topic,
          partition: PARTITION,
          groupId,
          offset: BigInt(position.records),
          metadata: position.digest,
        },
      ),
    misfit: (record) => {
      const { batchBytesMax } = transactions.facts(topic);
      if (record.value.length + (record.key?.length ?? 0) * 3 + MARGIN_BYTES < batchBytesMax) {
        return null;
      }
      const bytes = encodedBytes(outputOf(record, 0), clock.now());
      return bytes <= batchBytesMax
        ? null
        : `it needs ${bytes} bytes, and ${topic} takes ${batchBytesMax}.`;
    },
    close: () => transactions.close(),
  };
}
