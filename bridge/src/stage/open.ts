/** Where the cleaning of a partition begins, and when it must not. */
import { ShuttleError } from '../errors.ts';
import type { CleanPosition, CleanSink, Log } from '../ports.ts';
import { partitionName, type TopicPartition } from '../values.ts';
import type { StageCleaner, StageOptions } from './context.ts';

/**
 * The offset to begin at.
 *
 * @throws ShuttleError POSITION_LOST, SOURCE_REWOUND, SOURCE_TRUNCATED
 */
export function beginningOf(
  position: CleanPosition,
  { acceptLostPosition, acceptTruncation }: StageOptions,
  log: Log,
): bigint {
  const { topic, partition, offset, isGroupKnown, isTargetWritten, logStart } = position;
  const { writtenEnd } = position;
  const name = partitionName(position);
  if (offset === null) {
    // Where the group knows other partitions of the topic, this one was added later.
    if (!isGroupKnown && isTargetWritten && !acceptLostPosition) {
      throw new ShuttleError(
        'POSITION_LOST',
        `The group has no position in ${topic}, although there are records in the cleaned topic.`,
        { at: { topic, partition } },
      );
    }
    return logStart;
  }
  if (offset > writtenEnd) {
    throw new ShuttleError(
      'SOURCE_REWOUND',
      `Partition ${name} ends at ${writtenEnd}, and was cleaned up to ${offset} already.`,
      { at: { topic, partition, offset } },
    );
  }
  if (offset < logStart) {
    truncated(position, offset, logStart, acceptTruncation, log);
    return logStart;
  }
  return offset;
}

/** @throws ShuttleError SOURCE_TRUNCATED unless the loss is accepted */
export function truncated(
  { topic, partition }: TopicPartition,
  next: bigint,
  logStart: bigint,
  isAccepted: boolean,
  log: Log,
): void {
  const at = { topic, partition, offset: next, log_start: logStart };
  if (!isAccepted) {
    throw new ShuttleError(
      'SOURCE_TRUNCATED',
      `Records ${next} to ${logStart - 1n} of ${partitionName({ topic, partition })} are gone, ` +
        'and were not cleaned.',
      { at },
    );
  }
  log.warn(at, 'passed records that are gone');
}

/**
 * Lets a cleaner that looks back see again what it had seen: the records before the position.
 * What it makes of them was committed long ago and is dropped.
 */
export async function rebuildWindow(
  cleaner: StageCleaner,
  sink: Pick<CleanSink, 'read'>,
  logStart: bigint,
  next: bigint,
  live: () => boolean,
): Promise<number> {
  const reach = next - BigInt(cleaner.windowRecords ?? 0);
  const from = reach > logStart ? reach : logStart;
  let read = 0;
  if (from >= next) {
    return read;
  }
  for await (const records of sink.read(from, next)) {
    for (const record of records) {
      await cleaner.clean(record);
      read += 1;
    }
    if (!live()) {
      return read;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return read;
}
