import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  decodeLayout,
  decodePartitionState,
  decodeWatermark,
  encodeLayout,
  encodePartitionState,
  encodeWatermark,
} from '../../../chaincode/src/ledger.ts';
import {
  boundedSentence,
  decodeHeader,
  decodeReceipt,
  decodeRecords,
  encodeHeader,
  encodeReceipt,
  encodeRecords,
  LANES_MAX,
  laneOf,
  layoutDigest,
  RECORD_REFUSALS,
  RULE_SENTENCE_BYTES_MAX,
  recordBytes,
  shortId,
} from '../../../chaincode/src/wire.ts';

const OFFSET_MAX = 2n ** 63n - 1n;
const bytes = fc.uint8Array({ maxLength: 64 });
const offset = fc.bigInt(0n, OFFSET_MAX);
const watermarkOffset = fc.bigInt(-1n, OFFSET_MAX);
const timestamp = fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER });
const name = fc.string({ unit: 'binary' });
const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
const natural = fc.nat();
const refusalCode = fc.stringMatching(/^[A-Z][A-Z0-9_]{0,63}$/);
const rule = fc.record({ name: refusalCode, sentence: fc.string({ unit: 'grapheme-ascii' }) });
const rejection = fc.record(
  { offset, code: fc.oneof(refusalCode, fc.constantFrom(...Object.keys(RECORD_REFUSALS))), rule },
  { requiredKeys: ['offset', 'code'] },
);
const rejections = fc.array(rejection, { maxLength: 5 });
const record = fc.record({ offset, timestamp, key: bytes, value: fc.option(bytes) });
const header = fc.record({
  stream: name,
  topic: name,
  partition: natural,
  lane: natural,
  layout: hex,
  after: watermarkOffset,
  first: offset,
  last: offset,
  count: natural,
  digest: hex,
});
const layout = fc.record({
  stream: name,
  topic: name,
  partition: natural,
  mspId: name,
  lanes: natural,
  hashVersion: natural,
  keyExpressionDigest: hex,
  base: watermarkOffset,
});
const watermark = fc.record({ offset, txId: name, timestamp, sha256: hex, rejections });

describe('what one end writes, the other reads', () => {
  test('records', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 20 }), (records) => {
        const encoded = encodeRecords(records);
        expect(encoded.length).toBe(records.reduce((sum, each) => sum + recordBytes(each), 0));
        const decoded = decodeRecords(encoded).map(({ key, value, ...rest }) => ({
          ...rest,
          key: Uint8Array.from(key),
          value: value && Uint8Array.from(value),
        }));
        expect(decoded).toEqual(records);
      }),
    );
  });

  test('headers, receipts, layouts, watermarks and partition states', () => {
    fc.assert(fc.property(header, (value) => isEqual(decodeHeader(encodeHeader(value)), value)));
    fc.assert(
      fc.property(fc.record({ offset, applied: natural, rejections }), (value) =>
        isEqual(decodeReceipt(encodeReceipt(value)), value),
      ),
    );
    fc.assert(fc.property(layout, (value) => isEqual(decodeLayout(encodeLayout(value)), value)));
    fc.assert(
      fc.property(watermark, (value) => isEqual(decodeWatermark(encodeWatermark(value)), value)),
    );
    fc.assert(
      fc.property(
        fc.option(layout),
        fc.array(fc.option(watermark), { maxLength: 4 }),
        fc.nat(),
        (theLayout, watermarks, older) => {
          const text = encodePartitionState(
            theLayout && encodeLayout(theLayout),
            watermarks.map((each) => each && encodeWatermark(each)),
            older,
          );
          isEqual(decodePartitionState(text), { layout: theLayout, watermarks, older });
        },
      ),
    );
  });
});

describe('a sentence of a rule', () => {
  test('is text of a bounded size without control characters, and stays what it is', () => {
    const long = fc
      .tuple(fc.string({ unit: 'binary' }), fc.nat(300))
      .map(([unit, times]) => `${'x'.repeat(times)}${unit.repeat(9)}`);
    fc.assert(
      fc.property(long, (text) => {
        const bounded = boundedSentence(text);
        expect(Buffer.byteLength(bounded)).toBeLessThanOrEqual(RULE_SENTENCE_BYTES_MAX);
        expect(bounded).not.toMatch(/\p{Cc}/u);
        expect(boundedSentence(bounded)).toBe(bounded);
        const same = Buffer.from(text.replace(/\p{Cc}/gu, ' ')).toString();
        expect(same.startsWith(bounded)).toBe(true);
        const cut = Buffer.byteLength(same) > RULE_SENTENCE_BYTES_MAX;
        // A character of UTF-8 has four bytes at most, so that no more than three stay free.
        expect(Buffer.byteLength(bounded) > RULE_SENTENCE_BYTES_MAX - 4 || !cut).toBe(true);
        expect(bounded === same || cut).toBe(true);
      }),
    );
  });
});

describe('whatever arrives', () => {
  test('as records is decoded or refused with a RangeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (raw) => {
        expectOnly([RangeError], () => decodeRecords(raw));
      }),
    );
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 4 }), fc.nat(), (records, at) => {
        const encoded = encodeRecords(records);
        expectOnly([RangeError], () => decodeRecords(encoded.subarray(0, at % encoded.length)));
      }),
    );
  });

  test('as JSON is decoded or refused with a TypeError', () => {
    const decoders = [
      decodeHeader,
      decodeReceipt,
      decodeLayout,
      decodeWatermark,
      decodePartitionState,
    ];
    const valid = fc.oneof(
      header.map(encodeHeader),
      layout.map(encodeLayout),
      watermark.map(encodeWatermark),
      fc.json(),
      fc.string(),
    );
    fc.assert(
      fc.property(valid, fc.nat(), fc.string({ maxLength: 3 }), (text, at, noise) => {
        const place = at % (text.length + 1);
        const mutated = text.slice(0, place) + noise + text.slice(place + noise.length);
        for (const decode of decoders) {
          expectOnly([TypeError], () => decode(text));
          expectOnly([TypeError], () => decode(mutated));
        }
      }),
    );
  });

  test('as offsets beyond 64 bits, signs or exponents is refused', () => {
    const text = encodeWatermark({
      offset: 7n,
      txId: '',
      timestamp: 0,
      sha256: '',
      rejections: [],
    });
    for (const wrong of ['9223372036854775808', '-2', '+1', '01', '1e3', '', ' 1', '0x1']) {
      expect(() => decodeWatermark(text.replace('"7"', JSON.stringify(wrong)))).toThrow(TypeError);
    }
  });
});

describe('lanes', () => {
  test('are the first 8 bytes of the SHA-256 modulo the number of lanes', async () => {
    const { createHash } = await import('node:crypto');
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: LANES_MAX }),
        (key, lanes) => {
          const first = createHash('sha256').update(key).digest().readBigUInt64BE(0);
          expect(laneOf(key, lanes)).toBe(Number(first % BigInt(lanes)));
        },
      ),
    );
  });

  test('of records without a key are lane 0', () => {
    expect(laneOf(new Uint8Array(), 16)).toBe(0);
  });
});

test('digests and short ids tell apart what differs', () => {
  fc.assert(
    fc.property(layout, layout, (one, two) => {
      const spec = ({ lanes, hashVersion, keyExpressionDigest, base }: typeof one) =>
        `${lanes} ${hashVersion} ${keyExpressionDigest} ${base}`;
      expect(layoutDigest(one) === layoutDigest(two)).toBe(spec(one) === spec(two));
      const id = shortId(one.stream, one.topic, one.partition, one.mspId);
      expect(id).toMatch(/^[A-Za-z0-9_-]{8}$/);
      expect(shortId(one.topic, one.stream, one.partition, one.mspId) === id).toBe(
        one.stream === one.topic,
      );
    }),
  );
});

function isEqual(actual: unknown, expected: unknown): void {
  expect(actual).toEqual(expected);
}

function expectOnly(errors: readonly (new () => Error)[], run: () => unknown): void {
  try {
    run();
  } catch (error) {
    expect(errors.some((each) => error instanceof each)).toBe(true);
  }
}
