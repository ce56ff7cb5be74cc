/** Encryption of any records, and decryption of any bytes. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createDecryptor, createEncryptor } from '../../bridge/src/block/encryption.ts';
import type { TopicKind } from '../../bridge/src/block/topics.ts';
import { ShuttleError } from '../../bridge/src/errors.ts';
import type { OutputHeader, OutputRecord, SourceRecord } from '../../bridge/src/values.ts';
import { asRead } from '../support/published.ts';

const CHANNEL = 'mychannel';
const encrypt = createEncryptor(CHANNEL, 'k1', Buffer.alloc(32, 7));
const decrypt = createDecryptor(new Map([['k1', Buffer.alloc(32, 7)]]));

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const bytesOrText = fc.oneof(bytes(40), fc.string({ maxLength: 40, unit: 'grapheme' }));
const kinds = fc.constantFrom<TopicKind>('blocks', 'transactions', 'changes', 'events');
const blocks = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
const header: fc.Arbitrary<OutputHeader> = fc.record({
  name: fc.constantFrom('shuttle_position', 'shuttle_raw', 'ce_type', ''),
  value: fc.option(bytesOrText),
});

interface Place {
  readonly kind: TopicKind;
  readonly block: string;
  readonly record: OutputRecord;
}

const places: fc.Arbitrary<Place> = fc
  .tuple(kinds, blocks, fc.option(bytesOrText), bytes(200), fc.array(header, { maxLength: 4 }))
  .map(([kind, block, key, value, headers]) => {
    const id = { name: 'ce_id', value: `${CHANNEL}:${block}:0` };
    return { kind, block, record: { topic: 't', key, value, headers: [id, ...headers] } };
  });

const sealed = ({ kind, block, record }: Place): SourceRecord =>
  asRead(encrypt(kind, block, record));
const opened = (record: SourceRecord, kind: TopicKind): string => {
  try {
    return Buffer.from(decrypt(record, { kind, channel: CHANNEL }).value ?? '').toString('hex');
  } catch (error) {
    if (error instanceof ShuttleError) {
      return error.code;
    }
    throw error;
  }
};
const hex = (value: Uint8Array | string | null) => Buffer.from(value ?? '').toString('hex');

describe('any record', () => {
  test('decrypts to what it was, and only at its place', () => {
    fc.assert(
      fc.property(places, kinds, (place, other) => {
        const record = sealed(place);
        expect(opened(record, place.kind)).toBe(hex(place.record.value));
        if (other !== place.kind) {
          expect(opened(record, other)).toBe('DECRYPTION_FAILED');
        }
      }),
    );
  });

  test('that differs in anything is another one: no part stands in for the next', () => {
    fc.assert(
      fc.property(places, places, (one, two) => {
        const [a, b] = [sealed(one), sealed(two)];
        const about = ({ key, headers }: SourceRecord) =>
          JSON.stringify([
            key === null ? null : hex(key),
            headers.map(({ name, value }) => [name, value === null ? null : hex(value)]),
          ]);
        fc.pre(one.kind !== two.kind || about(a) !== about(b));
        // The value of one, under the key and the headers of the other.
        expect(opened({ ...b, value: a.value }, two.kind)).toBe('DECRYPTION_FAILED');
      }),
    );
  });

  test('has a nonce that no other value has at its place', () => {
    fc.assert(
      fc.property(places, bytes(200), (place, value) => {
        fc.pre(hex(value) !== hex(place.record.value));
        const other = sealed({ ...place, record: { ...place.record, value } });
        expect(hex(other.value).slice(0, 24)).not.toBe(hex(sealed(place).value).slice(0, 24));
      }),
    );
  });
});

test('any bytes give a value or an error with a name', () => {
  const marks = fc.oneof(
    fc.constantFrom('1:k1', '1:k2', '2:k1', '1:', ':'),
    fc.string({ maxLength: 10 }),
  );
  fc.assert(
    fc.property(places, marks, bytes(100), ({ kind, record }, mark, value) => {
      const headers = [...record.headers, { name: 'shuttle_encryption', value: mark }];
      const found = opened(asRead({ ...record, headers, value }), kind);
      expect(['DECRYPTION_FAILED', 'KEY_UNKNOWN']).toContain(found);
    }),
  );
});
