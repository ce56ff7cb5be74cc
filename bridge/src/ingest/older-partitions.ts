/**
 * When partitions are added to a topic, keys move from older partitions to the new ones. A new one
 * begins when the older ones are drained to the ends that they have now, because until then they
 * may hold earlier records of its keys.
 */
import { partitionName, type TopicPartition } from '../values.ts';
import { ackMetadata, type Context, type PartitionCounts } from './context.ts';
import { persist } from './persist.ts';

/**
 * Waits until no older partition holds anything unfinished below its end of now. Partitions that
 * were never opened are not older: nothing of them has been carried yet.
 *
 * @returns how many partitions the topic has; null when this one was taken away meanwhile
 */
export async function awaitOlder(
  context: Context,
  at: TopicPartition,
  live: () => boolean,
): Promise<number | null> {
  const ends = await persist(context, 'kafka', live, () => context.source.ends());
  const all = (ends ?? []).filter(({ topic }) => topic === at.topic);
  // A broker that has not heard of this partition yet counts too few.
  const numbers = all.map(({ partition }) => partition);
  const count = Math.max(at.partition, ...numbers) + 1;
  const read = () => readCounts(context, at.topic, numbers);
  const counts = await persist(context, 'fabric', live, read);
  const older = all.filter(({ partition }) => (counts?.get(partition) ?? count) <= at.partition);
  await drained(context, at, older, live);
  return live() ? count : null;
}

function readCounts(
  context: Context,
  topic: string,
  partitions: readonly number[],
): Promise<PartitionCounts> {
  const { layoutReads, ledger, options } = context;
  const read = async (): Promise<PartitionCounts> => {
    const counts = new Map<number, number>();
    for (const partition of partitions) {
      const { layout } = await ledger.getPartition(options.stream, { topic, partition });
      if (layout !== null) {
        counts.set(partition, layout.partitions);
      }
    }
    return counts;
  };
  const reading = layoutReads.get(topic) ?? read().finally(() => layoutReads.delete(topic));
  layoutReads.set(topic, reading);
  return reading;
}

async function drained(
  context: Context,
  at: TopicPartition,
  older: readonly { readonly partition: number; readonly logEnd: bigint }[],
  live: () => boolean,
): Promise<void> {
  const { clock, log, options, signal } = context;
  const { topic, partition } = at;
  let told = false;
  for (let left = older; left.length > 0 && live(); ) {
    const acks = await persist(context, 'kafka', live, () => context.source.acks());
    const done = new Map(
      (acks ?? [])
        .filter((ack) => ack.metadata === ackMetadata(context))
        .map((ack) => [partitionName(ack), ack.offset]),
    );
    left = left.filter(({ partition: p, logEnd }) => {
      return (done.get(partitionName({ topic, partition: p })) ?? 0n) < logEnd;
    });
    if (left.length > 0) {
      if (!told) {
        told = true;
        const partitions = left.map((each) => each.partition);
        log.info({ topic, partition, older: partitions }, 'began to wait for older partitions');
      }
      await clock.sleep(options.ackIntervalMs, signal);
    }
  }
}
