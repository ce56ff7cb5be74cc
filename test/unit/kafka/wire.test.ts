import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  Cursor,
  varintBytes,
  varlongBytes,
  writeVarint,
  writeVarlong,
} from '../../../bridge/src/kafka/bytes.ts';
import { crc32c } from '../../../bridge/src/kafka/crc32c.ts';
import { createBatchWriter } from '../../../bridge/src/kafka/encode-records.ts';
import { decodeFetch } from '../../../bridge/src/kafka/fetch-response.ts';
import { murmur2, partitionOf } from '../../../bridge/src/kafka/murmur2.ts';
import { encodeProduce } from '../../../bridge/src/kafka/produce-request.ts';
import { type AbortedTransaction, decodeRecords } from '../../../bridge/src/kafka/record-batch.ts';
import type { OutputRecord } from '../../../bridge/src/values.ts';

const require = createRequire(import.meta.url);
// What the wire is compared with: kafkajs' own code, which shares nothing with the bridge's.
const theirs = (path: string) => require(`kafkajs/src/${path}`);

const record = (value: string, extra: Partial<OutputRecord> = {}): OutputRecord => ({
  topic: 't',
  key: null,
  value,
  headers: [],
  ...extra,
});

interface BatchOptions {
  readonly transactionalId?: string;
  readonly producerId?: bigint;
  readonly compression?: number;
}

/** A record batch as a Produce request carries it. */
async function encode(records: readonly OutputRecord[], options: BatchOptions = {}) {
  const writer = createBatchWriter(1_000_000);
  for (const each of records) {
    expect(writer.add(each, 1_700_000_000_000)).toBe(true);
  }
  const messages = writer.end();
  const parts = await encodeProduce({
    acks: -1,
    producerEpoch: 3,
    ...options,
    topicData: [{ topic: 't', partitions: [{ partition: 0, messages, firstSequence: 5 }] }],
  });
  const request = Buffer.concat(parts);
  const head = 2 + (options.transactionalId?.length ?? 0) + 2 + 4 + 4 + 2 + 1 + 4 + 4 + 4;
  return Buffer.from(request.subarray(head));
}

/** The batch as a log holds it from `offset` on; `attributes` are added to its own. */
function stored(batch: Buffer, offset: bigint, attributes = 0, lastDelta?: number): Buffer {
  const copy = Buffer.from(batch);
  copy.writeBigInt64BE(offset, 0);
  copy.writeInt16BE(copy.readInt16BE(21) | attributes, 21);
  copy.writeInt32BE(lastDelta ?? copy.readInt32BE(23), 23);
  copy.writeUInt32BE(crc32c(copy.subarray(21)), 17);
  return copy;
}

const CONTROL = 0x30;

/** The marker that ends a producer's transaction. */
async function marker(producerId: bigint, offset: bigint, type: 0 | 1): Promise<Buffer> {
  const key = Buffer.from([0, 0, 0, type]);
  return stored(await encode([record('', { key })], { producerId }), offset, CONTROL);
}

const valuesOf = async (set: Buffer, aborted: readonly AbortedTransaction[] = []) =>
  (await decodeRecords(set, aborted)).records.map(({ value }) => String(value));

describe('numbers of variable length', () => {
  it('are read as they were written, in as many bytes as were counted', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (value) => {
        const buffer = Buffer.alloc(5);
        const end = writeVarint(buffer, 0, value);
        expect([end, new Cursor(buffer).varint()]).toEqual([varintBytes(value), value]);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), (value) => {
        const buffer = Buffer.alloc(10);
        const end = writeVarlong(buffer, 0, value);
        expect([end, new Cursor(buffer).varlong()]).toEqual([varlongBytes(value), value]);
      }),
    );
  });
});

describe('checksum and partitioner', () => {
  it('agree with the published values and with kafkajs', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    const { DefaultPartitioner } = theirs('producer/partitioners');
    const choose = DefaultPartitioner();
    const theirMurmur2 = theirs('producer/partitioners/default/murmur2');
    const theirCrc = theirs('protocol/recordBatch/crc32C');
    const partitionMetadata = Array.from({ length: 7 }, (_, partitionId) => ({ partitionId }));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const key = Buffer.from(bytes);
        expect(murmur2(key)).toBe(theirMurmur2(key));
        expect(crc32c(key)).toBe(theirCrc(key));
        const partition = choose({ topic: 't', partitionMetadata, message: { key } });
        expect(partitionOf(key, 7)).toBe(partition);
      }),
    );
  });
});

describe('a record batch', () => {
  const payload = fc.option(
    fc.oneof(
      fc.string(),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    ),
  );
  const anyRecord = fc.record({
    key: payload,
    value: payload,
    timestamp: fc.integer({ min: 0, max: 2 ** 50 }),
    headers: fc.array(fc.record({ name: fc.string(), value: payload }), { maxLength: 4 }),
  });
  const bytesOf = (value: Uint8Array | string | null) =>
    value === null ? null : Buffer.from(value as string).toString('hex');

  it.each([0, 1])('is read as it was written (codec %s)', async (compression) => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyRecord, { minLength: 1, maxLength: 20 }), async (some) => {
        const batch = await encode(
          some.map((each) => ({ topic: 't', ...each })),
          { compression },
        );
        const { records, next } = await decodeRecords(stored(batch, 100n), []);
        expect(next).toBe(100n + BigInt(some.length));
        expect(
          records.map(({ key, value, timestamp, headers, offset }) => [
            offset,
            bytesOf(key),
            bytesOf(value),
            timestamp,
            headers.map((header) => [header.name, bytesOf(header.value)]),
          ]),
        ).toEqual(
          some.map(({ key, value, timestamp, headers }, i) => [
            100n + BigInt(i),
            bytesOf(key),
            bytesOf(value),
            timestamp,
            headers.map((header) => [header.name, bytesOf(header.value)]),
          ]),
        );
      }),
      { numRuns: 50 },
    );
  });

  it('is read by kafkajs, and kafkajs` own is read here', async () => {
    const headers = [
      { name: 'a', value: 'x' },
      { name: 'a', value: Buffer.from('y') },
    ];
    const batch = await encode([
      record('one', { key: 'k', headers, timestamp: 5 }),
      record('two', { timestamp: 3 }),
    ]);
    const Decoder = theirs('protocol/decoder');
    const decoded = await theirs('protocol/recordBatch/v0/decoder')(new Decoder(batch));
    expect(decoded.producerEpoch).toBe(3);
    expect(decoded.firstSequence).toBe(5);
    expect(
      decoded.records.map((each: { offset: string; timestamp: string }) => [
        each.offset,
        each.timestamp,
      ]),
    ).toEqual([
      ['0', '5'],
      ['1', '3'],
    ]);
    expect(decoded.records[0].headers).toEqual({ a: [Buffer.from('x'), Buffer.from('y')] });

    const Record = theirs('protocol/recordBatch/record/v0');
    const { RecordBatch } = theirs('protocol/recordBatch/v0');
    const records = ['p', 'q'].map((value, offsetDelta) =>
      Record({ offsetDelta, timestampDelta: 1, key: null, value, headers: { h: 'v' } }),
    );
    const encoder = await RecordBatch({ records, lastOffsetDelta: 1, firstTimestamp: 7 });
    const { records: found } = await decodeRecords(encoder.buffer, []);
    expect(found).toEqual(
      ['p', 'q'].map((value, i) => ({
        offset: BigInt(i),
        timestamp: 8,
        key: null,
        value: Buffer.from(value),
        headers: [{ name: 'h', value: Buffer.from('v') }],
      })),
    );
  });

  it('whose last records were compacted away moves the position behind them', async () => {
    const batch = stored(await encode([record('a'), record('b')]), 10n, 0, 9);
    expect((await decodeRecords(batch, [])).next).toBe(20n);
  });

  it('that is cut off is left for the next fetch', async () => {
    const one = await encode([record('a')]);
    const set = Buffer.concat([stored(one, 0n), stored(one, 1n).subarray(0, -1)]);
    const { records, next } = await decodeRecords(set, []);
    expect([records.length, next]).toEqual([1, 1n]);
    expect(await decodeRecords(set.subarray(0, 30), [])).toEqual({ records: [], next: null });
  });

  it('that was damaged is not taken', async () => {
    const batch = stored(await encode([record('abc')]), 0n);
    batch[batch.length - 2] = (batch.at(-2) ?? 0) ^ 1;
    await expect(decodeRecords(batch, [])).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' });
  });

  it('of an unknown codec or an old format is named', async () => {
    const unknown = stored(await encode([record('a')]), 0n, 7);
    await expect(decodeRecords(unknown, [])).rejects.toMatchObject({ code: 'CODEC_MISSING' });
    const old = stored(await encode([record('a')]), 0n);
    old.writeInt8(1, 16);
    await expect(decodeRecords(old, [])).rejects.toMatchObject({ code: 'TOPIC_UNFIT' });
  });

  it('holds large values between small ones as they are, without a copy of them', async () => {
    const large = Buffer.alloc(200_000, 'L');
    const records = [record('a'), { ...record('b'), value: large }, record('c'.repeat(70_000))];
    const writer = createBatchWriter(1_000_000);
    for (const each of [...records, ...records]) {
      writer.add(each, 1);
    }
    const { parts, bytes } = writer.end();
    expect(parts.filter((part) => part === large)).toHaveLength(2);
    expect(parts.reduce((sum, part) => sum + part.length, 0)).toBe(bytes);
    const { records: read } = await decodeRecords(stored(await encode(records), 0n), []);
    expect(read.map(({ value }) => value?.length)).toEqual(
      records.map(({ value }) => Buffer.from(value ?? '').length),
    );
    expect(Buffer.from(read[1]?.value ?? []).equals(large)).toBe(true);
  });

  it('takes records up to its limit, and one that is larger than that alone', () => {
    const writer = createBatchWriter(200);
    expect(writer.add(record('x'.repeat(500)), 0)).toBe(true);
    expect(writer.add(record('y'), 0)).toBe(false);
    const other = createBatchWriter(200);
    let taken = 0;
    while (other.add(record('z'.repeat(10)), 0)) {
      taken++;
    }
    const { bytes, length } = other.end();
    expect(length).toBe(taken);
    expect(bytes + 61).toBeLessThanOrEqual(200);
    expect(bytes + 61).toBeGreaterThan(180);
  });
});

describe('the filter of aborted records', () => {
  const transactional = { transactionalId: 'x' };

  it('takes the aborted transactions in order of their begin, not of their end', async () => {
    const set = Buffer.concat([
      stored(await encode([record('a0')], { ...transactional, producerId: 1n }), 0n),
      stored(await encode([record('a1')], { ...transactional, producerId: 2n }), 1n),
      await marker(2n, 2n, 0),
      stored(await encode([record('a3')], { ...transactional, producerId: 1n }), 3n),
      await marker(1n, 4n, 0),
      stored(await encode([record('kept')], { ...transactional, producerId: 1n }), 5n),
      await marker(1n, 6n, 1),
    ]);
    const aborted = [
      { producerId: 2n, firstOffset: 1n },
      { producerId: 1n, firstOffset: 0n },
    ];
    expect(await valuesOf(set, aborted)).toEqual(['kept']);
    expect((await decodeRecords(set, aborted)).next).toBe(7n);
  });

  it('takes only a control batch for a marker', async () => {
    const key = Buffer.alloc(4);
    const own = { ...transactional, producerId: 1n };
    const set = Buffer.concat([
      stored(await encode([record('a', { key }), record('b')], own), 0n),
      stored(await encode([record('c')], own), 2n),
      stored(await encode([record('other')], { producerId: -1n }), 3n),
      await marker(1n, 4n, 0),
    ]);
    expect(await valuesOf(set, [{ producerId: 1n, firstOffset: 0n }])).toEqual(['other']);
    expect(await valuesOf(set)).toEqual(['a', 'b', 'c', 'other']);
  });

  it('lets a transaction of the same producer that committed pass', async () => {
    const own = { ...transactional, producerId: 1n };
    const set = Buffer.concat([
      stored(await encode([record('committed')], own), 0n),
      await marker(1n, 1n, 1),
      stored(await encode([record('aborted')], own), 2n),
      await marker(1n, 3n, 0),
    ]);
    expect(await valuesOf(set, [{ producerId: 1n, firstOffset: 2n }])).toEqual(['committed']);
  });
});

describe('an answer to a fetch', () => {
  const int = (bytes: number, value: number | bigint): Buffer => {
    const buffer = Buffer.alloc(bytes);
    if (bytes === 8) {
      buffer.writeBigInt64BE(BigInt(value));
    } else {
      buffer.writeIntBE(Number(value), 0, bytes);
    }
    return buffer;
  };
  const answer = (errorCode: number, logStart: bigint, set: Buffer): Buffer =>
    Buffer.concat([
      // Throttle time, error, session; one topic with one partition.
      Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0x74, 0, 0, 0, 1]),
      int(4, 6),
      int(2, errorCode),
      int(8, 50),
      int(8, 40),
      int(8, logStart),
      // No aborted transactions, no preferred replica.
      int(8, -1),
      int(4, set.length),
      set,
    ]);

  it('keeps the log start and the committed end, which kafkajs drops', async () => {
    const set = stored(await encode([record('a')]), 30n);
    const { responses } = await decodeFetch(answer(0, 12n, set), 11);
    const partition = responses[0]?.partitions[0];
    expect(partition).toMatchObject({ partition: 6, errorCode: 0, abortedTransactions: [] });
    expect(partition?.messages).toHaveLength(1);
    expect(partition?.messages[0]).toMatchObject({
      offset: '30',
      isControlRecord: false,
      fetched: { kind: 'records', next: 31n, logStart: 12n, lastStable: 40n },
    });
  });

  it('that the offset is out of range does not reach kafkajs, which would reset it', async () => {
    const { responses } = await decodeFetch(answer(1, -1n, Buffer.alloc(0)), 11);
    expect(responses[0]?.partitions[0]).toMatchObject({
      errorCode: 0,
      messages: [{ fetched: { kind: 'out-of-range' } }],
    });
  });

  it('with another error leaves it to kafkajs', async () => {
    const { responses } = await decodeFetch(answer(6, -1n, Buffer.alloc(0)), 11);
    expect(responses[0]?.partitions[0]).toMatchObject({ errorCode: 6, messages: [] });
  });

  it('that cannot be decoded is an error of its partition', async () => {
    const { responses } = await decodeFetch(
      answer(0, 0n, stored(await encode([record('a')]), 0n, 7)),
      11,
    );
    expect(responses[0]?.partitions[0]?.messages[0]).toMatchObject({
      fetched: { kind: 'failed', error: { code: 'CODEC_MISSING' } },
    });
  });
});
