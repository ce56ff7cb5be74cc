/** The topics of a comparison, from their starts to their ends as they are when they are opened. */
import { ShuttleError } from '../errors.ts';
import { letterOf } from '../letters/letter.ts';
import { deadLetterTopic } from '../letters/names.ts';
import type { PartitionEnds } from '../ports.ts';
import type { Letter } from '../reconcile/letters.ts';
import { digestOf, type SourcePartition } from '../reconcile/partition.ts';
import type { ReconcileTopics } from '../reconcile/reconcile.ts';
import type { KafkaClient } from './client.ts';
import type { PartitionReader } from './reader.ts';
import { scan } from './scan.ts';
import { readTopicFacts } from './topic-facts.ts';

/**
 * @throws ShuttleError TOPIC_MISSING (source or blocks), KAFKA_UNREACHABLE, KAFKA_REFUSED. A source
 * without dead letters may have no topic for them.
 */
export async function openReconcileTopics(
  client: KafkaClient,
  reader: PartitionReader,
  topics: { readonly source: string; readonly blocks: string },
): Promise<ReconcileTopics> {
  // Letters and blocks first: what they tell of is then within the source's ends.
  const letterEnds = await endsOrNone(reader, deadLetterTopic(topics.source));
  const blockEnds = await reader.ends([topics.blocks]);
  const sourceEnds = await reader.ends([topics.source]);
  const facts = await readTopicFacts(client, [topics.source]);
  const policy = facts.get(topics.source)?.settings.get('cleanup.policy') ?? '';
  return {
    partitions: sourceEnds.map(
      (at): SourcePartition => ({
        partition: at.partition,
        logStart: at.logStart,
        logEnd: at.logEnd,
        compacted: policy.includes('compact'),
        records: whole(reader, at),
      }),
    ),
    letters: lettersOf(reader, letterEnds),
    blocks: valuesOf(reader, blockEnds),
  };
}

const whole = (reader: PartitionReader, at: PartitionEnds) =>
  scan(reader, at, at.logStart, at.logEnd);

async function endsOrNone(
  reader: PartitionReader,
  topic: string,
): Promise<readonly PartitionEnds[]> {
  try {
    return await reader.ends([topic]);
  } catch (error) {
    if (error instanceof ShuttleError && error.code === 'TOPIC_MISSING') {
      return [];
    }
    throw error;
  }
}

async function* valuesOf(
  reader: PartitionReader,
  ends: readonly PartitionEnds[],
): AsyncGenerator<Uint8Array> {
  for (const at of ends) {
    for await (const records of whole(reader, at)) {
      yield* records.map(({ value }) => value ?? new Uint8Array());
    }
  }
}

async function* lettersOf(
  reader: PartitionReader,
  ends: readonly PartitionEnds[],
): AsyncGenerator<Letter> {
  for (const at of ends) {
    for await (const records of whole(reader, at)) {
      for (const record of records) {
        const letter = letterOf(at, record);
        if (letter !== null) {
          const { stream, source, code } = letter;
          yield { stream, ...source, code, digest: digestOf(record.key, record.value) };
        }
      }
    }
  }
}
