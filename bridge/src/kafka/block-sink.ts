/** `ports.BlockSink` on kafkajs: one transactional producer whose id is the blocks topic's name. */
import { ShuttleError } from '../errors.ts';
import { PUBLISH_DEADLINE_MS, PUBLISH_TRANSACTION_TIMEOUT_MS } from '../limits.ts';
import type { BlockSink, Clock } from '../ports.ts';
import { readBlockTail } from './block-tail.ts';
import type { KafkaClient } from './client.ts';
import { createTransactions } from './transactions.ts';

export interface BlockSinkOptions {
  readonly blocksTopic: string;
  /** All topics that are published to, the blocks topic among them. */
  readonly topics: readonly string[];
  /** How long a transaction may take; below Kafka's own time-out for it. */
  readonly deadlineMs?: number;
  readonly transactionTimeoutMs?: number;
}

/** A sink is open once: `open` fences all older ones, `publish` follows. */
export function createBlockSink(
  client: KafkaClient,
  options: BlockSinkOptions,
  clock: Clock,
): BlockSink {
  const { blocksTopic, topics } = options;
  const at = { topic: blocksTopic };
  const transactions = createTransactions(
    client,
    {
      transactionalId: blocksTopic,
      topics,
      deadlineMs: options.deadlineMs ?? PUBLISH_DEADLINE_MS,
      transactionTimeoutMs: options.transactionTimeoutMs ?? PUBLISH_TRANSACTION_TIMEOUT_MS,
      at,
      fenced: (cause) => {
        const message = `Another publisher writes to ${blocksTopic}, or Kafka timed out.`;
        return new ShuttleError('PUBLISHER_FENCED', message, { cause, at });
      },
    },
    clock,
  );
  return {
    open: () => transactions.open((reader) => readBlockTail(reader, blocksTopic)),
    publish: (records) => transactions.run(records),
    close: () => transactions.close(),
  };
}
