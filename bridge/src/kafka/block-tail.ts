/** Finds the first and the last committed record of the blocks topic. */
import {
  BLOCK_HASH_HEADER,
  BLOCK_NUMBER_HEADER,
  CHECKPOINT_HEADER,
  COMMIT_HASH_HEADER,
} from '../block/topics.ts';
import { ShuttleError } from '../errors.ts';
import type { BlockPosition, BlockTail } from '../ports.ts';
import type { SourceRecord } from '../values.ts';
import type { PartitionReader } from './reader.ts';
import { firstRecord, lastRecords } from './scan.ts';

const NUMBER = /^(0|[1-9][0-9]*)$/;
const HASH = /^[0-9a-f]{64}$/;

function header(record: SourceRecord, name: string): string | undefined {
  const value = record.headers.find((h) => h.name === name)?.value;
  return value ? Buffer.from(value).toString('utf8') : undefined;
}

function positionOf(topic: string, record: SourceRecord): BlockPosition {
  const number = header(record, BLOCK_NUMBER_HEADER);
  const hash = header(record, BLOCK_HASH_HEADER);
  if (number === undefined || hash === undefined || !NUMBER.test(number) || !HASH.test(hash)) {
    throw new ShuttleError(
      'TOPIC_UNFIT',
      `Topic ${topic} holds a record that is not a block of Shuttle's.`,
      { at: { topic, partition: 0, offset: record.offset } },
    );
  }
  const commitHash = header(record, COMMIT_HASH_HEADER);
  const checkpoint = header(record, CHECKPOINT_HEADER);
  return {
    number: BigInt(number),
    hash,
    ...(commitHash === undefined ? {} : { commitHash }),
    ...(checkpoint === undefined ? {} : { checkpoint }),
  };
}

/**
 * Where the blocks topic stands. To be called when nobody else can write: what is committed then
 * stays so.
 *
 * @throws ShuttleError TOPIC_MISSING, TOPIC_UNFIT, KAFKA_UNREACHABLE, KAFKA_REFUSED
 */
export async function readBlockTail(reader: PartitionReader, topic: string): Promise<BlockTail> {
  const ends = await reader.ends([topic]);
  const only = ends[0];
  if (only === undefined || ends.length !== 1) {
    throw new ShuttleError('TOPIC_UNFIT', `Topic ${topic} has ${ends.length} partitions, not one.`);
  }
  const { logStart, logEnd } = only;
  if (logStart > 0n) {
    return { kind: 'truncated', logStart };
  }
  const [last] = await lastRecords(reader, only, logStart, logEnd, 1);
  const first = last && (await firstRecord(reader, only, logStart, logEnd));
  if (!(last && first)) {
    return { kind: 'new' };
  }
  return { kind: 'resume', first: positionOf(topic, first), last: positionOf(topic, last) };
}
