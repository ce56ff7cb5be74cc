/**
 * Bytes from elsewhere never do more harm than an error with a name: whatever a broker, a peer or
 * a client sends, its decoder answers with a result or refuses, soon and without growing.
 */
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decompress } from '../../bridge/src/kafka/codecs.ts';
import { crc32c } from '../../bridge/src/kafka/crc32c.ts';
import { createBatchWriter } from '../../bridge/src/kafka/encode-records.ts';
import { decodeFetch } from '../../bridge/src/kafka/fetch-response.ts';
import { encodeProduce } from '../../bridge/src/kafka/produce-request.ts';
import { decodeRecords } from '../../bridge/src/kafka/record-batch.ts';
import { decodeBatch } from '../../chaincode/src/batch.ts';
import { decodeEnvelope, encodeEnvelope } from '../../chaincode/src/envelope.ts';
import {
  decodeLayout,
  decodePartitionState,
  decodeWatermark,
  encodeLayout,
  encodePartitionState,
  encodeWatermark,
} from '../../chaincode/src/ledger.ts';
import * as wire from '../../chaincode/src/wire.ts';
import { fuzzRuns, stopwatch } from '../support/fuzz.ts';

const require = createRequire(import.meta.url);
const lz4 = require('lz4js') as { compress(bytes: Uint8Array): Uint8Array };
const snappy = require('snappyjs') as { compress(bytes: Buffer): Buffer };

const RUNS = fuzzRuns(1_000);

/** What zstd itself makes of the text below. */
const ZSTD_FRAME = [
  'KLUv/QRojQgA9po0EMClcEBnGv9+0xLZssKqf7oxAC0AMQAxX8hZtk+pzZe+Tmc4Bw8W2oOc0ulaqXOU8aGFQvq712',
  '6ctE39OoTeO4AAggIhMCgEvno/2olxCMmxadQRL8OxECq88xpWAydTEk5lFbxIbxSKju+d1cM2kjfK2u4OG460GT+0',
  'w3DL4Mcg5GDR8BmXg2exVK90Rz4vHgYRWjxUzpDOZJVI7zy0dD+tJSpkA4B5XfmPQxoTMub/Hlohg5PGbab22wU3oT',
  'ZvLlelJm2aV/7Ve7xQd8y8nroTd6gQECN1c+CVxhBG7OAYIWqe6f1VT5sOYsvEiyERCIFACARCAGrHrJnH1YpKJaXS',
  'zIu7c+ftAGAWINgpGuarTA==',
].join('');

/** A frame of blocks that each say: 128 KiB of this one byte. */
function zstdOfZeros(size: number): Buffer {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
  const blockBytes = 128 * 1024;
  const blocks = Array.from({ length: size / blockBytes }, (_, n) => {
    const block = Buffer.alloc(4);
    const last = (n + 1) * blockBytes === size ? 1 : 0;
    block.writeUIntLE(last | (1 << 1) | (blockBytes << 3), 0, 3);
    return block;
  });
  return Buffer.concat([head, ...blocks]);
}

/** Some bytes changed, and now and then the end cut off or more put behind it. */
const spoiled = (valid: Uint8Array): fc.Arbitrary<Buffer> =>
  fc
    .tuple(
      fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 4 }),
      fc.option(fc.nat(valid.length), { freq: 4 }),
      fc.option(fc.uint8Array({ maxLength: 20 }), { freq: 9 }),
    )
    .map(([changes, cut, more]) => {
      const bytes = Buffer.from(valid);
      for (const [at, value] of changes) {
        bytes[at] = value;
      }
      return Buffer.concat([bytes.subarray(0, cut ?? bytes.length), more ?? Buffer.alloc(0)]);
    });

const bytesLike = (valid: Uint8Array): fc.Arbitrary<Buffer> =>
  fc.oneof(
    { weight: 4, arbitrary: spoiled(valid) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  );

type Decode = (bytes: Buffer) => unknown;

/** Anything but a result or an error that `isNamed` knows is a failure, and so is taking long. */
async function expectTame(
  valid: Uint8Array,
  decode: Decode,
  isNamed: (error: unknown) => boolean,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(bytesLike(valid), async (bytes) => {
      const isSoon = stopwatch();
      try {
        await decode(bytes);
      } catch (error) {
        if (!isNamed(error)) {
          throw error;
        }
      }
      expect(isSoon()).toBe(true);
    }),
    { numRuns: RUNS },
  );
}

const codeOf = (error: unknown): string => String((error as { code?: unknown }).code);
const hasCode =
  (...codes: readonly string[]) =>
  (error: unknown): boolean =>
    codes.includes(codeOf(error));
/** Of one's own making: the engine's sentences differ between versions of Node. */
const isOwn =
  (type: typeof TypeError | typeof RangeError, sentence: RegExp) =>
  (error: unknown): boolean =>
    error instanceof type && sentence.test(error.message);

const SETTLED = /^[a-z][\w. ]* (?:is not|end at) |^a rejection (?:is not|does not end) /;

describe('what a broker answers', () => {
  async function recordSet(): Promise<Buffer> {
    const writer = createBatchWriter(1_000_000);
    for (let n = 0; n < 5; n++) {
      const headers = [{ name: `h${n}`, value: Buffer.from('v') }];
      writer.add({ topic: 't', key: `k${n}`, value: `{"n":${n}}`, headers }, 1_700_000_000_000);
    }
    const partitions = [{ partition: 0, messages: writer.end(), firstSequence: 0 }];
    const parts = await encodeProduce({ acks: -1, topicData: [{ topic: 't', partitions }] });
    // Behind transactional id, acks, time-out, topic and partition stands the batch as logs hold it.
    return Buffer.concat(parts).subarray(2 + 2 + 4 + 4 + 2 + 1 + 4 + 4 + 4);
  }

  /** As if the producer itself had written it so: the checksum is right. */
  const signed = (set: Buffer): Buffer => {
    if (set.length > 61) {
      set.writeUInt32BE(crc32c(set.subarray(21)), 17);
      set.writeInt32BE(set.length - 12, 8);
    }
    return set;
  };

  it('is records, or an error that names what is wrong with the batch', async () => {
    const valid = await recordSet();
    expect((await decodeRecords(valid, [])).records).toHaveLength(5);
    const named = hasCode('TOPIC_UNFIT', 'CODEC_MISSING', 'KAFKA_UNREACHABLE');
    await expectTame(valid, (bytes) => decodeRecords(bytes, []), named);
    await expectTame(valid, (bytes) => decodeRecords(signed(bytes), []), named);
    const aborted = [{ producerId: -1n, firstOffset: 0n }];
    await expectTame(valid, (bytes) => decodeRecords(signed(bytes), aborted), named);
  });

  it('tells of no more records than there are bytes for', async () => {
    const set = Buffer.from(await recordSet());
    set.writeInt32BE(2 ** 31 - 1, 57);
    await expect(decodeRecords(signed(set), [])).rejects.toMatchObject({
      code: 'TOPIC_UNFIT',
      message: expect.stringContaining('2147483647 records'),
    });
    set.writeInt32BE(3_000_000, 57);
    await expect(decodeRecords(signed(set), [])).rejects.toMatchObject({ code: 'TOPIC_UNFIT' });
  });

  it('is a fetch with its partitions, or refused as a whole', async () => {
    const set = await recordSet();
    const head = Buffer.alloc(4 + 2 + 4 + 4 + 2 + 1 + 4 + 4 + 2 + 8 + 8 + 8 + 4 + 4 + 4);
    head.writeInt32BE(1, 10);
    head.writeInt16BE(1, 14);
    head.write('t', 16);
    head.writeInt32BE(1, 17);
    head.writeInt32BE(set.length, head.length - 4);
    const valid = Buffer.concat([head, set]);
    const { responses } = await decodeFetch(valid, 11);
    expect(responses[0]?.partitions[0]?.messages[0]?.fetched).toMatchObject({ kind: 'records' });
    const decode: Decode = (bytes) => decodeFetch(bytes, 11);
    await expectTame(valid, decode, hasCode('KAFKA_UNREACHABLE'));
  });
});

describe('what is compressed', () => {
  const plain = Buffer.from(Array.from({ length: 120 }, (_, n) => `record ${n * n} `).join(''));
  const codecs: readonly (readonly [string, number, () => Uint8Array])[] = [
    ['gzip', 1, () => gzipSync(plain)],
    ['snappy', 2, () => snappy.compress(plain)],
    ['lz4', 3, () => lz4.compress(plain)],
    ['zstd', 4, () => Buffer.from(ZSTD_FRAME, 'base64')],
  ];
  const big = 64 * 1024 * 1024;
  // 64 MiB of zeros: snappy tells its length before, zstd's are repeated blocks of one byte.
  const bombs: readonly (readonly [string, number, () => Uint8Array])[] = [
    ['gzip', 1, () => gzipSync(Buffer.alloc(big))],
    ['snappy', 2, () => snappy.compress(Buffer.alloc(big))],
    ['lz4', 3, () => lz4.compress(new Uint8Array(big))],
    ['zstd', 4, () => zstdOfZeros(big)],
  ];

  it.each(codecs)('by %s becomes what it was, or an error', async (_, codec, compress) => {
    const valid = compress();
    const decoded = await decompress(codec, Buffer.from(valid));
    expect(decoded.equals(plain)).toBe(true);
    await expectTame(
      valid,
      (bytes) => decompress(codec, bytes),
      // Errors of Node's own libraries are of another realm than jest's.
      (error) => typeof (error as Error).message === 'string',
    );
  });

  it.each(bombs)('by %s may not become more than its limit', async (_, codec, compress) => {
    const bytes = Buffer.from(compress());
    const before = process.memoryUsage().arrayBuffers;
    await expect(decompress(codec, bytes, 1024 * 1024)).rejects.toThrow();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(big / 2);
    expect(await decompress(codec, bytes, big + 4 * 1024 * 1024)).toHaveLength(big);
  });
});

describe('what a client gives to the chaincode, or the ledger to the bridge', () => {
  const record = { offset: 7n, timestamp: 5, key: Buffer.from('k'), value: Buffer.from('{"a":1}') };
  const layout = { lanes: 16, hashVersion: 1, keyExpressionDigest: '', base: -1n };
  const records = wire.encodeRecords([record, { ...record, offset: 9n, value: null }]);
  const header: wire.BatchHeader = {
    stream: 's',
    topic: 't',
    partition: 0,
    lane: 3,
    layout: wire.layoutDigest(layout),
    after: 6n,
    first: 7n,
    last: 9n,
    count: 2,
    digest: wire.sha256Hex(records),
  };
  const rule = { name: 'TOO_SMALL', sentence: 'It is too small.' };
  const rejections = [
    { offset: 7n, code: 'VALUE_NOT_JSON' },
    { offset: 8n, code: 'RULE_REFUSED', rule },
  ] as const;
  const watermark = encodeWatermark({
    offset: 9n,
    txId: 'a',
    timestamp: 5,
    sha256: '',
    rejections,
  });
  const known = encodeLayout({
    ...layout,
    stream: 's',
    topic: 't',
    partition: 0,
    mspId: 'Org1MSP',
  });
  const text =
    (decode: (json: string) => unknown): Decode =>
    (bytes) =>
      decode(bytes.toString());

  it('as records is cut in whole records, or refused in words of our own', async () => {
    await expectTame(records, wire.decodeRecords, isOwn(RangeError, SETTLED));
  });

  it.each<[string, string, (json: string) => unknown]>([
    ['a header', wire.encodeHeader(header), wire.decodeHeader],
    ['a receipt', wire.encodeReceipt({ offset: 9n, applied: 1, rejections }), wire.decodeReceipt],
    ['a layout', known, decodeLayout],
    ['a watermark', watermark, decodeWatermark],
    ['a partition', encodePartitionState(known, [watermark, null], 3), decodePartitionState],
  ])('as %s is what it says, or refused in words of our own', async (_, valid, decode) => {
    decode(valid);
    await expectTame(Buffer.from(valid), text(decode), isOwn(TypeError, SETTLED));
  });

  it('as an envelope is one, or is not', async () => {
    const version = { offset: 7n, timestamp: 5, document: Buffer.from('{"a":1}') };
    const writer = { kind: 'source', shortId: 'abcdefgh' } as const;
    const valid = encodeEnvelope(writer, [version, { ...version, offset: 9n, document: null }]);
    await expectTame(valid, decodeEnvelope, isOwn(TypeError, /^not an envelope, at byte \d+$/));
  });

  it('as a whole batch is refused with a code, the same on every peer', async () => {
    const valid = Buffer.concat([Buffer.from(`${wire.encodeHeader(header)}\n`), records]);
    const split: Decode = (bytes) => {
      const at = bytes.indexOf('\n');
      const json = bytes.toString('utf8', 0, Math.max(0, at));
      // Only a batch whose digest is right is looked at any further.
      const body = bytes.subarray(at + 1);
      const named = json.replace(header.digest, wire.sha256Hex(body));
      return decodeBatch(named, { transient: () => body });
    };
    split(valid);
    await expectTame(valid, split, hasCode('BATCH_INVALID', 'DIGEST_MISMATCH'));
  });
});
