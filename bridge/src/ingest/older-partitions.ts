/**
 * When partitions are added to a topic, keys move from older partitions to the new ones. A new one
 * begins when the older ones are drained to the ends that they have now, because until then they
 * may hold earlier records of its keys - those of open transactions included.
 */
import { partitionName, type TopicPartition } from '../values.ts';
import { ackMetadata, type Context } from './context.ts';
import { persist } from './persist.ts';

/**
 * Waits until no older partition holds anything unfinished below its end of now.
 *
 * @param older - how many partitions are older: those below that number
 * @returns how many partitions the topic has; null when this one was taken away meanwhile
 */
export async function awaitOlder(
  context: Context,
  at: TopicPartition,
  older: number,
  live: () => boolean,
): Promise<number | null> {
  const ends = await persist(context, 'kafka', live, () => context.source.ends());
  const all = (ends ?? []).filter(({ topic }) => topic === at.topic);
  await drained(
    context,
    at,
    all.filter(({ partition }) => partition < older),
    live,
  );
  // A broker that has not heard of this partition yet counts too few.
  return live() ? Math.max(at.partition, ...all.map(({ partition }) => partition)) + 1 : null;
}

async function drained(
  context: Context,
  at: TopicPartition,
  older: readonly { readonly partition: number; readonly writtenEnd: bigint }[],
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
    left = left.filter(({ partition: p, writtenEnd }) => {
      return (done.get(partitionName({ topic, partition: p })) ?? 0n) < writtenEnd;
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
