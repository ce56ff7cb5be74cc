/** `ports.DeadLetters` on kafkajs: an idempotent producer that has one send in flight. */
import { ShuttleError } from '../errors.ts';
import { attemptOf } from '../letters/letter.ts';
import { CONNECT, deadLetterTopic, ERRORS_HEADER } from '../letters/names.ts';
import { backOffMs } from '../limits.ts';
import type { Waiter } from '../outage.ts';
import type { Clock, DeadLetter, DeadLetters } from '../ports.ts';
import type { OutputHeader, OutputRecord } from '../values.ts';
import type { KafkaClient } from './client.ts';
import { toKafkaError } from './errors.ts';
import { createProducer, type DisposableProducer, sendRecords } from './sender.ts';
import { readTopicFacts, type TopicFacts } from './topic-facts.ts';

/** A send that takes longer is given up, and made again by a new producer. */
const SEND_DEADLINE_MS = 20_000;

/** Kafka Connect's words for the stages at which a record is refused. */
const STAGES = { clean: 'TRANSFORMATION', carry: 'VALUE_CONVERTER', ledger: 'TASK_PUT' } as const;

export interface DeadLettersOptions {
  /** Tells apart two clusters or two uses of a topic; begins the letter's id. */
  readonly stream: string;
  /** What Kafka Connect would call the connector. Default shuttle. */
  readonly connectorName?: string;
}

/** The record as it was, and behind its own headers why it is here. */
export function letterRecord(letter: DeadLetter, options: DeadLettersOptions): OutputRecord {
  const { record, topic, partition } = letter;
  const text: [string, string][] = [
    [`${CONNECT}topic`, topic],
    [`${CONNECT}partition`, String(partition)],
    [`${CONNECT}offset`, String(record.offset)],
    [`${CONNECT}connector.name`, options.connectorName ?? 'shuttle'],
    [`${CONNECT}task.id`, '0'],
    [`${CONNECT}stage`, STAGES[letter.stage]],
    [`${CONNECT}class.name`, `shuttle.${letter.stage}`],
    [`${CONNECT}exception.class.name`, `shuttle.${letter.code}`],
    [`${CONNECT}exception.message`, letter.reason],
    [`${ERRORS_HEADER}id`, [options.stream, topic, partition, record.offset].join(':')],
    [`${ERRORS_HEADER}code`, letter.code],
    [`${ERRORS_HEADER}stage`, letter.stage],
    [`${ERRORS_HEADER}attempts`, String(attemptOf(record.headers))],
  ];
  if (letter.rule !== undefined) {
    text.push([`${ERRORS_HEADER}rule`, letter.rule]);
  }
  if (letter.txId !== null) {
    text.push([`${ERRORS_HEADER}transaction.id`, letter.txId]);
  }
  const why: OutputHeader[] = text.map(([name, value]) => ({ name, value }));
  return {
    topic: deadLetterTopic(topic),
    key: record.key,
    value: record.value,
    headers: [...record.headers, ...why],
    timestamp: record.timestamp,
  };
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ShuttleError('PRODUCE_FAILED', `Kafka did not ack within ${ms} ms.`)),
      ms,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Connects when the first letter is sent. Tells `waiter` how its sends go. */
export function createDeadLetters(
  client: KafkaClient,
  options: DeadLettersOptions,
  clock: Clock,
  waiter?: Pick<Waiter, 'answered' | 'failed'>,
): DeadLetters {
  let producer: DisposableProducer | null = null;
  const facts = new Map<string, TopicFacts>();
  let last: Promise<void> = Promise.resolve();

  const connected = async (): Promise<DisposableProducer> => {
    if (producer === null) {
      producer = createProducer(client, SEND_DEADLINE_MS, {});
      await producer.made.connect();
    }
    return producer;
  };

  const discard = (): void => {
    producer?.abandon();
    producer = null;
    facts.clear();
  };

  const factsOf = (topic: string): TopicFacts => {
    const known = facts.get(topic);
    if (known === undefined) {
      throw new ShuttleError('TOPIC_MISSING', `Topic ${topic} does not exist.`, { at: { topic } });
    }
    return known;
  };

  const sendOnce = async (records: readonly OutputRecord[]): Promise<void> => {
    const topics = [...new Set(records.map(({ topic }) => topic))];
    const unknown = topics.filter((topic) => !facts.has(topic));
    for (const [topic, known] of await readTopicFacts(client, unknown)) {
      facts.set(topic, known);
    }
    const { made, cluster } = await connected();
    await sendRecords(made, cluster, records, {
      compression: client.options.compression ?? 'none',
      batchBytesMax: (topic) => factsOf(topic).batchBytesMax,
      partitions: (topic) => factsOf(topic).partitions,
      now: () => clock.now(),
    });
  };

  const sendUntilAcked = async (
    records: readonly OutputRecord[],
    signal: AbortSignal,
  ): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      if (signal.aborted) {
        throw new ShuttleError('PRODUCE_FAILED', 'Dead letters were not sent before the stop.');
      }
      try {
        await within(sendOnce(records), SEND_DEADLINE_MS);
        waiter?.answered('kafka');
        return;
      } catch (error) {
        discard();
        const named = toKafkaError(error, client.options.brokers);
        if (named.kind.retry === 'never') {
          throw named;
        }
        client.log.debug(
          { code: named.code, cause: named.message, attempt },
          'Dead letters failed',
        );
        waiter?.failed('kafka', named);
        await clock.sleep(backOffMs(attempt, clock.random()), signal);
      }
    }
  };

  return {
    send: (letters, signal) => {
      const records = letters.map((letter) => letterRecord(letter, options));
      const mine = last.then(() => sendUntilAcked(records, signal));
      last = mine.catch(() => undefined);
      return mine;
    },
    close: async () => {
      await last;
      const open = producer;
      producer = null;
      await open?.made.disconnect();
    },
  };
}
