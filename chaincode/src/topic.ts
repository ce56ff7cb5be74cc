/**
 * How many partitions a topic had, each time that partitions were opened which it did not have
 * before. By it a partition that was added is told from those that were there: keys move to it.
 */
import type { PartitionIdentity } from './layout.ts';
import { decodeTopic, encodeTopic, TOPIC_TYPE } from './ledger.ts';
import { Refusal } from './refusal.ts';
import type { State } from './state.ts';
import { sha256Hex } from './wire.ts';

/** The counts in ascending order; empty when no partition of the topic was ever opened. */
export async function readCounts(state: State, of: PartitionIdentity): Promise<readonly number[]> {
  const stored = await state.get(topicKey(state, of));
  return stored === null ? [] : decodeTopic(Buffer.from(stored).toString('utf8'));
}

/**
 * How many partitions are older than this one: those that the topic had when it did not have this
 * one. They are the ones below that number.
 */
export function olderThan(partition: number, counts: readonly number[]): number {
  return counts.findLast((count) => count <= partition) ?? 0;
}

/**
 * Puts a count down, if it is new. Every opening reads the counts, so of two that see the topic at
 * different sizes Fabric's MVCC check lets one through.
 *
 * @throws Refusal OLDER_PARTITIONS when others are older than the submitter has waited for
 */
export async function noteCount(
  state: State,
  of: PartitionIdentity,
  count: number,
  waitedFor: number,
): Promise<void> {
  const counts = await readCounts(state, of);
  const older = olderThan(of.partition, counts);
  if (older !== waitedFor) {
    throw new Refusal(
      'OLDER_PARTITIONS',
      `${older} partitions are older than partition ${of.partition}, not ${waitedFor}.`,
    );
  }
  if (!counts.includes(count)) {
    const next = [...counts, count].sort((a, b) => a - b);
    state.put(topicKey(state, of), Buffer.from(encodeTopic(next)));
  }
}

function topicKey(state: State, { stream, topic, mspId }: PartitionIdentity): string {
  return state.compositeKey(TOPIC_TYPE, [sha256Hex(JSON.stringify([stream, topic, mspId]))]);
}
