/** How far both directions are, asked of all who know. */
import type { PartitionStatus, Status } from './cli/shuttle.ts';
import { ShuttleError } from './errors.ts';
import { readBlockTail } from './kafka/block-tail.ts';
import type { KafkaClient } from './kafka/client.ts';
import { createReader } from './kafka/reader.ts';
import type { Ledger, Source } from './ports.ts';
import { partitionName } from './values.ts';

export interface StatusParts {
  readonly kafka: KafkaClient;
  readonly ledger: Ledger;
  readonly source: Source;
  readonly stream: string;
  readonly groupId: string;
  readonly blocksTopic: string;
}

export async function statusWith(parts: StatusParts): Promise<Status> {
  const { kafka, ledger, source, stream, groupId, blocksTopic } = parts;
  const [clusterId, identity, height, lastPublished, partitions] = await Promise.all([
    kafka.clusterId(),
    ledger.identity(),
    ledger.height(),
    lastBlockOn(kafka, blocksTopic),
    partitionStatus(source, ledger, stream).catch(noneIfMissing),
  ]);
  return {
    kafka: { clusterId, stream, groupId },
    ledger: { ...identity, lastBlock: height - 1n },
    blocks: { topic: blocksTopic, lastBlock: lastPublished },
    partitions,
  };
}

async function lastBlockOn(kafka: KafkaClient, blocksTopic: string): Promise<bigint | null> {
  const reader = createReader(kafka);
  try {
    const tail = await readBlockTail(reader, blocksTopic);
    return tail.kind === 'resume' ? tail.last.number : null;
  } catch (error) {
    if (error instanceof ShuttleError && error.code === 'TOPIC_MISSING') {
      return null;
    }
    throw error;
  } finally {
    await reader.close();
  }
}

/** Before the first record there may be no topic, which is a status like any other. */
function noneIfMissing(error: unknown): readonly PartitionStatus[] {
  if (error instanceof ShuttleError && error.code === 'TOPIC_MISSING') {
    return [];
  }
  throw error;
}

async function partitionStatus(
  source: Source,
  ledger: Ledger,
  stream: string,
): Promise<PartitionStatus[]> {
  const [ends, acks] = await Promise.all([source.ends(), source.acks()]);
  const acked = new Map(acks.map((ack) => [partitionName(ack), ack.offset]));
  return await Promise.all(
    ends.map(async ({ topic, partition, logStart, logEnd }) => {
      const { layout, watermarks } = await ledger.getPartition(stream, { topic, partition });
      const offsets = watermarks.flatMap((mark) => (mark === null ? [] : [mark.offset]));
      const ack = acked.get(partitionName({ topic, partition })) ?? null;
      const unfinished = ack === null || ack < logStart ? logStart : ack;
      return {
        topic,
        partition,
        logStart,
        logEnd,
        acked: ack,
        lag: logEnd > unfinished ? logEnd - unfinished : 0n,
        lanes: layout?.lanes ?? null,
        watermark: offsets.reduce<bigint | null>(
          (most, offset) => (most === null || offset > most ? offset : most),
          null,
        ),
      };
    }),
  );
}
