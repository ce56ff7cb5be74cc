/** The blocks topic as a source of a chain: every committed record from the start to the end. */
import { BLOCK_NUMBER_HEADER } from '../block/topics.ts';
import type { BlockSource } from '../chain/source.ts';
import { ShuttleError } from '../errors.ts';
import type { PartitionEnds } from '../ports.ts';
import type { SourceRecord } from '../values.ts';
import type { PartitionReader } from './reader.ts';
import { firstRecord, scan } from './scan.ts';

/**
 * The bytes of the block that a record carries: the one place where they are taken from a record.
 * A record without a value is no block; its reader says so of the empty bytes.
 */
export function blockValue({ value }: SourceRecord): Uint8Array {
  return value ?? new Uint8Array();
}

/**
 * @param reader - decrypts what is encrypted; closed with the source
 * @throws ShuttleError TOPIC_MISSING, TOPIC_UNFIT, KAFKA_UNREACHABLE, KAFKA_REFUSED when read
 */
export function createBlocksTopic(reader: PartitionReader, topic: string): BlockSource {
  return {
    kind: 'topic',
    name: `topic ${topic}`,
    isWhole: true,
    async *blocks(from, signal) {
      const at = await onlyPartition(reader, topic);
      const start = from === null ? at.logStart : await offsetOf(reader, at, from);
      const total = Number(at.logEnd - start);
      for await (const records of scan(reader, at, start, at.logEnd)) {
        for (const record of records) {
          if (signal.aborted) {
            return;
          }
          const { headers } = record;
          const done = Number(record.offset + 1n - start);
          yield { bytes: blockValue(record), done, total, headers };
        }
      }
    },
    close: () => reader.close(),
  };
}

async function onlyPartition(reader: PartitionReader, topic: string): Promise<PartitionEnds> {
  const ends = await reader.ends([topic]);
  const [only] = ends;
  if (only === undefined || ends.length !== 1) {
    throw new ShuttleError('TOPIC_UNFIT', `Topic ${topic} has ${ends.length} partitions, not one.`);
  }
  return only;
}

/** Where the first block from `number` on stands, by halves: blocks are in order on the topic. */
async function offsetOf(
  reader: PartitionReader,
  at: PartitionEnds,
  number: bigint,
): Promise<bigint> {
  let [low, high] = [at.logStart, at.logEnd];
  while (low < high) {
    const middle = (low + high) / 2n;
    const record = await firstRecord(reader, at, middle, high);
    if (record === null || numberOf(record) >= number) {
      high = middle;
    } else {
      low = record.offset + 1n;
    }
  }
  return low;
}

/** Records without the header stand before every block: the scan then begins early, not late. */
function numberOf({ headers }: SourceRecord): bigint {
  const value = headers.find(({ name }) => name === BLOCK_NUMBER_HEADER)?.value;
  const text = value ? Buffer.from(value).toString('utf8') : '';
  return /^[0-9]{1,19}$/.test(text) ? BigInt(text) : -1n;
}
