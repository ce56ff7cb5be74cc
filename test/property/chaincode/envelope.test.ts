import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkDocument, checkKey, VersionsByKey } from '../../../chaincode/src/documents.ts';
import {
  decodeEnvelope,
  encodeEnvelope,
  type Version,
  type Writer,
} from '../../../chaincode/src/envelope.ts';

/** JSON texts, among them what JSON.parse and JSON.stringify would not give back. */
const document = fc
  .oneof(
    fc.json(),
    fc.jsonValue().map((value) => JSON.stringify(value, null, 2)),
    fc.bigInt().map(String),
    fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
    fc.constantFrom('1e400', '-0', '{"a":1,"a":2}', '"\\ud800"', '"}"', '{"d":1}', ' [ ] ', '0.10'),
  )
  .map((text) => Uint8Array.from(Buffer.from(text)));

const offset = fc.bigInt(0n, 2n ** 63n - 1n);
const timestamp = fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER });
const version = (of: fc.Arbitrary<bigint | null>): fc.Arbitrary<Version> =>
  fc.record({ offset: of, timestamp, document: fc.option(document) });

const envelope = fc.oneof(
  fc.record({
    writer: fc.stringMatching(/^[A-Za-z0-9_-]{8}$/).map(
      (shortId): Writer => ({
        kind: 'source',
        shortId,
      }),
    ),
    versions: fc.array(version(offset), { minLength: 1, maxLength: 5 }),
  }),
  fc.record({
    writer: fc.string({ unit: 'grapheme' }).map((mspId): Writer => ({ kind: 'client', mspId })),
    versions: fc.array(version(fc.constant(null)), { minLength: 1, maxLength: 5 }),
  }),
);

function plain(versions: readonly Version[]) {
  return versions.map((each) => ({
    ...each,
    document: each.document && Uint8Array.from(each.document),
  }));
}

describe('an envelope', () => {
  test('gives every version back, documents byte for byte', () => {
    fc.assert(
      fc.property(envelope, ({ writer, versions }) => {
        const decoded = decodeEnvelope(encodeEnvelope(writer, versions));
        expect(decoded.writer).toEqual(writer);
        expect(plain(decoded.versions)).toEqual(versions);
      }),
    );
  });

  test('is JSON itself, so that other tools can read it', () => {
    fc.assert(
      fc.property(envelope, ({ writer, versions }) => {
        expect(() => JSON.parse(encodeEnvelope(writer, versions).toString())).not.toThrow();
      }),
    );
  });

  test('costs at most 64 bytes a record', () => {
    fc.assert(
      fc.property(
        fc.array(version(offset), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 0, max: 9_999_999_999_999 }),
        (versions, ms) => {
          const timed = versions.map((each) => ({ ...each, timestamp: ms }));
          const size = encodeEnvelope({ kind: 'source', shortId: '12345678' }, timed).length;
          const documents = timed.reduce((sum, each) => sum + (each.document?.length ?? 0), 0);
          expect(size - documents).toBeLessThanOrEqual(64 * versions.length);
        },
      ),
    );
  });

  test('that is damaged is read or refused with a TypeError, and never hangs', () => {
    fc.assert(
      fc.property(
        envelope,
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
        fc.nat(),
        ({ writer, versions }, changes, length) => {
          const bytes = encodeEnvelope(writer, versions);
          for (const [at, byte] of changes) {
            bytes[at % bytes.length] = byte;
          }
          expectTypeErrorOnly(() => decodeEnvelope(bytes));
          expectTypeErrorOnly(() => decodeEnvelope(bytes.subarray(0, length % bytes.length)));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('is not made of any other bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (raw) => expectTypeErrorOnly(() => decodeEnvelope(raw))),
    );
    for (const text of [
      '',
      '{}',
      '{"s":"12345678:1","t":1,"d":}',
      '{"s":"12345678:x","t":1}',
      '{"s":"12345678:1","t":1,"b":[{"o":"0","t":1,"n":-9,"d":1}]}',
      // This length leads back to the end of the entry before, for ever.
      '{"s":"12345678:1","t":1,"b":[{"o":"0","t":1},{"o":"0","t":1,"n":-29,"d":1}]}',
      '{"m":"\\x","t":1}',
      '{"s":"12345678:1","t":9999999999999999}',
    ]) {
      expect(() => decodeEnvelope(Buffer.from(text))).toThrow(TypeError);
    }
  });
});

describe('a batch’s versions of its keys', () => {
  test('are one envelope for each key, in order of first appearance, each in batch order', () => {
    const entries = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), version(offset)));
    fc.assert(
      fc.property(entries, (batch) => {
        const versions = new VersionsByKey();
        for (const [key, each] of batch) {
          versions.add(key, each);
          expect(versions.latest(key)).toBe(each);
        }
        const written = [...versions.envelopes({ kind: 'source', shortId: '12345678' })];
        expect(written.map(([key]) => key)).toEqual([...new Set(batch.map(([key]) => key))]);
        for (const [key, bytes] of written) {
          const expected = batch.filter(([other]) => other === key).map(([, each]) => each);
          expect(plain(decodeEnvelope(bytes).versions)).toEqual(expected);
        }
      }),
    );
  });
});

describe('the checks', () => {
  const isUtf8 = (bytes: Uint8Array) => Buffer.from(Buffer.from(bytes).toString()).equals(bytes);

  test('let every JSON document through, and nothing that is not JSON in UTF-8', () => {
    fc.assert(fc.property(document, (bytes) => expect(checkDocument(bytes)).toBeNull()));
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        let isJson = true;
        try {
          JSON.parse(Buffer.from(bytes).toString());
        } catch {
          isJson = false;
        }
        const expected = isJson ? null : 'VALUE_NOT_JSON';
        expect(checkDocument(bytes)).toBe(isUtf8(bytes) ? expected : 'VALUE_NOT_UTF8');
      }),
    );
  });

  test('let exactly those keys through that Fabric keeps as they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 520 }), (key) => {
        const isFine =
          key.length > 0 && key.length <= 512 && isUtf8(key) && key[0] !== 0 && key[0] !== 0x5f;
        expect(checkKey(key) === null).toBe(isFine);
      }),
    );
  });
});

function expectTypeErrorOnly(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
  }
}
