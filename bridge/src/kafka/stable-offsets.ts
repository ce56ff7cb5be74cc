/** The offsets that a consumer group has committed, by transactions too. */
import type { KafkaClient } from './client.ts';

/** By partition; those without one are left out. */
export async function groupOffsets(
  client: KafkaClient,
  groupId: string,
  topic: string,
  partitions: readonly number[],
): Promise<ReadonlyMap<number, bigint>> {
  const found = await client.admin((admin) => admin.fetchOffsets({ groupId, topics: [topic] }));
  const wanted = new Set(partitions);
  return new Map(
    found.flatMap(({ partitions: answered }) =>
      answered
        .filter(({ partition, offset }) => wanted.has(partition) && BigInt(offset) >= 0n)
        .map(({ partition, offset }) => [partition, BigInt(offset)] as const),
    ),
  );
}
