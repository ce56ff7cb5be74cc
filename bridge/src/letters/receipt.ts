/**
 * What a replay leaves behind the letters that it has brought back: a record on their own
 * partition, in the Kafka transaction that brought them back. It lives as long as they do, so there
 * is nothing else to lose that would tell which letters have been replayed. The offsets of a
 * consumer group would not do: Kafka forgets them after a week without members.
 */
import { ShuttleError } from '../errors.ts';
import type { OutputRecord, SourceRecord, TopicPartition } from '../values.ts';
import { REPLAY } from './names.ts';
import { Ranges } from './ranges.ts';

const RECEIPT = `${REPLAY}receipt`;
const VERSION = '1';

/** @param offsets - of the letters, all on the partition */
export function receiptRecord(at: TopicPartition, offsets: readonly bigint[]): OutputRecord {
  const replayed = new Ranges();
  for (const offset of offsets) {
    replayed.add(offset);
  }
  return {
    topic: at.topic,
    partition: at.partition,
    // A compacted topic takes no record without a key, and must not take one for another's.
    key: `${RECEIPT}:${offsets[0]}`,
    value: JSON.stringify({ replayed: replayed.texts() }),
    headers: [{ name: RECEIPT, value: VERSION }],
  };
}

/**
 * Adds the letters that the record says to have been replayed, if it is a receipt.
 *
 * @throws ShuttleError TOPIC_UNFIT for a receipt that cannot be read: its letters would come twice
 */
export function readReceipt(at: TopicPartition, record: SourceRecord, replayed: Ranges): void {
  const [header] = record.headers;
  // A letter has its record's own headers first, whatever these are, and many more behind them.
  if (header?.name !== RECEIPT || record.headers.length > 1) {
    return;
  }
  const texts =
    Buffer.from(header.value ?? '').toString() === VERSION ? textsIn(record.value) : null;
  if (texts === null || !replayed.addTexts(texts)) {
    throw new ShuttleError(
      'TOPIC_UNFIT',
      `Topic ${at.topic} holds a receipt of a replay that this release cannot read.`,
      { at: { topic: at.topic, partition: at.partition, offset: record.offset } },
    );
  }
}

function textsIn(value: Uint8Array | null): readonly unknown[] | null {
  try {
    const { replayed } = JSON.parse(Buffer.from(value ?? '').toString('utf8')) as {
      readonly replayed?: unknown;
    };
    return Array.isArray(replayed) ? (replayed as unknown[]) : null;
  } catch {
    return null;
  }
}
