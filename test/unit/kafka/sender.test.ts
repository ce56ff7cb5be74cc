import { describe, expect, test } from '@jest/globals';
import type { ProducerBatch, RecordMetadata } from 'kafkajs';
import { type Leaders, sendRecords } from '../../../bridge/src/kafka/sender.ts';
import type { OutputRecord } from '../../../bridge/src/values.ts';

const OPTIONS = {
  compression: 'none' as const,
  batchBytesMax: () => 1_000_000,
  partitions: () => 4,
  now: () => 1,
};

/** Partition n of every topic is led by broker `brokers[n]`. */
function ledBy(brokers: readonly string[]): Leaders {
  return {
    addMultipleTargetTopics: async () => {},
    refreshMetadataIfNecessary: async () => {},
    findLeaderForPartitions: (_topic, partitions) => {
      const found: Record<string, number[]> = {};
      for (const partition of partitions) {
        const broker = brokers[partition] ?? 'none';
        found[broker] = [...(found[broker] ?? []), partition];
      }
      return found;
    },
  };
}

const records: OutputRecord[] = ['a', 'b'].flatMap((topic) =>
  [0, 1, 2, 3].map((partition) => ({ topic, partition, key: null, value: topic, headers: [] })),
);

/** Takes the groups of a send as kafkajs does at each of its tries. */
function tried({ topicMessages = [] }: ProducerBatch): RecordMetadata[] {
  return topicMessages.flatMap(({ topic, messages }) =>
    Object.keys(messages.reduce((groups) => groups, {})).map((partition) => ({
      topicName: topic,
      partition: Number(partition),
      errorCode: 0,
    })),
  );
}

describe('a send that kafkajs may try again', () => {
  test('goes to one broker only, and all batches are sent once', async () => {
    const sends: RecordMetadata[][] = [];
    const sender = {
      sendBatch: async (batch: ProducerBatch) => {
        const answers = tried(batch);
        sends.push(answers);
        return answers;
      },
    };
    const brokers = ['1', '2', '1', '3'];
    const answers = await sendRecords(sender, ledBy(brokers), records, OPTIONS);
    for (const send of sends) {
      expect(new Set(send.map(({ partition }) => brokers[partition])).size).toBe(1);
    }
    expect(sends).toHaveLength(3);
    expect(answers.map(({ topicName, partition }) => `${topicName}${partition}`).sort()).toEqual(
      records.map(({ topic, partition }) => `${topic}${partition}`).sort(),
    );
  });

  test('is given up when its partitions have come to several brokers in between', async () => {
    const brokers = ['1', '1', '1', '1'];
    const sender = {
      sendBatch: async (batch: ProducerBatch) => {
        tried(batch);
        brokers[2] = '2';
        return tried(batch);
      },
    };
    await expect(sendRecords(sender, ledBy(brokers), records, OPTIONS)).rejects.toMatchObject({
      code: 'PRODUCE_FAILED',
    });
  });
});
