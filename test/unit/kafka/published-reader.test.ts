/** What readers of encrypted topics are given. */
import { expect, test } from '@jest/globals';
import { createDecryptor, createEncryptor } from '../../../bridge/src/block/encryption.ts';
import { decryptingReader } from '../../../bridge/src/kafka/published-reader.ts';
import type { FetchedOrNothing, PartitionReader } from '../../../bridge/src/kafka/reader.ts';
import type { SourceRecord } from '../../../bridge/src/values.ts';
import { asRead } from '../../support/published.ts';

const TOPIC = 'shuttle.mychannel.changes';
const KEYS = new Map([['k1', Buffer.alloc(32, 1)]]);
const encrypt = createEncryptor('mychannel', 'k1', Buffer.alloc(32, 1));
const foreign = createEncryptor('mychannel', 'k2', Buffer.alloc(32, 2));

const written = (n: number, encryptor = encrypt): SourceRecord => {
  const headers = [{ name: 'ce_id', value: `mychannel:1:0:${n}` }];
  const record = { topic: TOPIC, key: `key-${n}`, value: `value-${n}`, headers };
  return asRead(encryptor('changes', '1', record), BigInt(n));
};

function readerOf(records: readonly SourceRecord[]): PartitionReader {
  const unused = () => Promise.reject(new TypeError('not asked for'));
  const log: PartitionReader = {
    ends: unused,
    offsetsAt: unused,
    groupOffsets: unused,
    close: async () => {},
    fetch: async (_, offset): Promise<FetchedOrNothing> => {
      const found = records.filter((record) => record.offset >= offset);
      const end = BigInt(records.length);
      const facts = { next: end, logStart: 0n, lastStable: end, bytes: 0 };
      return { kind: 'records', records: found, ...facts };
    },
  };
  const topics = new Map([[TOPIC, { kind: 'changes', channel: 'mychannel' } as const]]);
  return decryptingReader(log, { topics, decrypt: createDecryptor(KEYS) });
}

async function read(reader: PartitionReader, topic: string, offset: bigint) {
  const fetched = await reader.fetch({ topic, partition: 3 }, offset);
  if (fetched.kind !== 'records') {
    throw new Error('No records.');
  }
  const values = fetched.records.map(({ value }) => Buffer.from(value ?? []).toString());
  return { values, next: fetched.next };
}

test('values on the topics of the channel are decrypted, and others are not touched', async () => {
  const reader = readerOf([written(0), written(1)]);
  expect(await read(reader, TOPIC, 0n)).toEqual({ values: ['value-0', 'value-1'], next: 2n });
  const { values } = await read(reader, 'elsewhere', 0n);
  expect(values).not.toContain('value-0');
});

test('what stands before a record that does not decrypt is given first, then it is told', async () => {
  const spoiled = { ...written(2), key: Buffer.from('another') };
  const reader = readerOf([written(0), written(1), spoiled, written(3)]);
  expect(await read(reader, TOPIC, 0n)).toEqual({ values: ['value-0', 'value-1'], next: 2n });
  await expect(read(reader, TOPIC, 2n)).rejects.toMatchObject({
    code: 'DECRYPTION_FAILED',
    at: { topic: TOPIC, partition: 3, offset: 2n, key_id: 'k1' },
  });
  expect(await read(reader, TOPIC, 3n)).toEqual({ values: ['value-3'], next: 4n });
});

test('a key that is not there is told with the position of the record that needs it', async () => {
  const reader = readerOf([written(0, foreign)]);
  await expect(read(reader, TOPIC, 0n)).rejects.toMatchObject({
    code: 'KEY_UNKNOWN',
    message: 'The record is encrypted with the key k2, and there are k1.',
    at: { topic: TOPIC, partition: 3, offset: 0n, key_id: 'k2' },
  });
});
