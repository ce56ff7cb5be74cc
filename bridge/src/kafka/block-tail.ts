/** Finds the first and the last committed record of the blocks topic. */
import { BLOCK_HASH_HEADER, BLOCK_NUMBER_HEADER } from '../block/topics.ts';
import { ShuttleError } from '../errors.ts';
import type { BlockPosition, BlockTail } from '../ports.ts';
import type { SourceRecord } from '../values.ts';
import type { PartitionReader } from './reader.ts';

/** Offsets from the end on that are looked at first, and how much farther each next look goes. */
const FIRST_WINDOW = 4n;
const WINDOW_GROWTH = 8n;
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
  return { number: BigInt(number), hash };
}

/** Committed records of [from, to): the first one found, or all of them to keep the last. */
async function scan(
  reader: PartitionReader,
  topic: string,
  from: bigint,
  to: bigint,
  which: 'first' | 'last',
): Promise<SourceRecord | null> {
  let found: SourceRecord | null = null;
  for (let at = from; at < to; ) {
    const fetched = await reader.fetch({ topic, partition: 0 }, at);
    if (fetched.kind === 'failed') {
      throw fetched.error;
    }
    if (fetched.kind !== 'records') {
      throw new ShuttleError(
        'KAFKA_UNREACHABLE',
        `Topic ${topic} could not be read up to offset ${to - 1n}.`,
        { at: { topic, partition: 0, offset: at } },
      );
    }
    const inside = fetched.records.filter((record) => record.offset < to);
    found = (which === 'first' ? inside.at(0) : inside.at(-1)) ?? found;
    if (found !== null && which === 'first') {
      return found;
    }
    at = fetched.next;
  }
  return found;
}

/** Markers and aborted records hold offsets too, so nothing is concluded from counting them. */
async function findLast(
  reader: PartitionReader,
  topic: string,
  start: bigint,
  end: bigint,
): Promise<SourceRecord | null> {
  let to = end;
  for (let window = FIRST_WINDOW; to > start; window *= WINDOW_GROWTH) {
    const from = to - window > start ? to - window : start;
    const found = await scan(reader, topic, from, to, 'last');
    if (found !== null) {
      return found;
    }
    to = from;
  }
  return null;
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
  const last = await findLast(reader, topic, logStart, logEnd);
  const first = last && (await scan(reader, topic, logStart, logEnd, 'first'));
  if (last === null || first === null) {
    return { kind: 'new' };
  }
  return { kind: 'resume', first: positionOf(topic, first), last: positionOf(topic, last) };
}
