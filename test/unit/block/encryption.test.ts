/** The values on a channel's topics, for those who have the key and for those who do not. */
import { createHmac, hkdfSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { decodeBlock } from '../../../bridge/src/block/decode.ts';
import { createDecryptor, createEncryptor } from '../../../bridge/src/block/encryption.ts';
import { blockRecords, OUTPUTS } from '../../../bridge/src/block/records.ts';
import { type TopicKind, topicNames } from '../../../bridge/src/block/topics.ts';
import type { ShuttleError } from '../../../bridge/src/errors.ts';
import type { OutputRecord, SourceRecord } from '../../../bridge/src/values.ts';
import {
  batchTransaction,
  buildBlock,
  buildChain,
  CHAINCODE,
  CHANNEL,
} from '../../support/blocks.ts';
import { asRead } from '../../support/published.ts';

const topics = topicNames('shuttle', CHANNEL);
const KINDS = Object.keys(topics) as TopicKind[];
const KEY = Buffer.alloc(32, 1);
const OTHER_KEY = Buffer.alloc(32, 2);
const encrypt = createEncryptor(CHANNEL, 'k1', KEY);
const decrypt = createDecryptor(new Map([['k1', KEY]]));

const transaction = {
  ...batchTransaction({
    txId: 'tx-batch',
    documents: { a: [[4n, '{"v":1}']], b: [[5n, null]], c: [[6n, '{"v":1}']] },
  }),
  event: { name: 'batch', payload: '{"applied":3}' },
};

function published(encryptor = encrypt, number = 1): readonly OutputRecord[] {
  const previous = buildChain([]).at(-1) ?? null;
  const { bytes } = buildBlock({ number, previous, transactions: [transaction] });
  const options = { channel: CHANNEL, chaincode: CHAINCODE, topics, outputs: OUTPUTS };
  return blockRecords(decodeBlock(bytes), { ...options, encrypt: encryptor }).records;
}

const plain = published((_, __, record) => record);
const kindOf = ({ topic }: OutputRecord) =>
  KINDS.find((kind) => topics[kind] === topic) ?? 'blocks';
const hexOf = ({ value }: OutputRecord | SourceRecord) =>
  value === null ? null : Buffer.from(value).toString('hex');
const codeOf = (call: () => unknown): string => {
  try {
    call();
    return 'none';
  } catch (error) {
    return (error as ShuttleError).code;
  }
};

/** The records that have a value, each with its topic. */
const sealed = published()
  .filter(({ value }) => value !== null)
  .map((record) => ({ kind: kindOf(record), record: asRead(record) }));
const change = sealed.find(({ kind }) => kind === 'changes')?.record as SourceRecord;

const at = (kind: TopicKind, channel = CHANNEL) => ({ kind, channel });
const flipped = (bytes: Uint8Array, index: number): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  copy[index] = (copy[index] ?? 0) ^ 1;
  return copy;
};

describe('an encrypted record', () => {
  it('of each topic is for those who have the key what it was before', () => {
    const found = published().map((record) => decrypt(asRead(record), at(kindOf(record))));
    expect(found.map(hexOf)).toEqual(plain.map(hexOf));
    expect(new Set(sealed.map(({ kind }) => kind))).toEqual(new Set(KINDS));
  });

  it('shows nothing of its value, and keeps its key, its headers and the time', () => {
    for (const [index, record] of published().entries()) {
      const before = plain[index] as OutputRecord;
      const { value, headers, ...rest } = record;
      expect(rest).toEqual({ ...rest, key: before.key, timestamp: before.timestamp });
      expect(headers.slice(0, before.headers.length)).toEqual(before.headers);
      if (before.value === null) {
        continue;
      }
      expect(headers.at(-1)).toEqual({ name: 'shuttle_encryption', value: '1:k1' });
      expect(value?.length).toBe(Buffer.from(before.value).length + 28);
      expect(hexOf(record)).not.toContain(hexOf(before));
    }
  });

  it('is a null value still where it deletes a key, and says nothing of a key', () => {
    const deletion = published().find(({ value }) => value === null);
    expect(deletion).toEqual(plain.find(({ value }) => value === null));
    expect(decrypt(asRead(deletion as OutputRecord), at('changes')).value).toBeNull();
  });

  it('is the same, byte for byte, when the block is published again', () => {
    expect(published(createEncryptor(CHANNEL, 'k1', KEY))).toEqual(published());
  });

  it('never has the nonce of another value: not for one place, not for one value', () => {
    const again = { ...(published()[0] as OutputRecord), headers: [], value: 'another' };
    const nonces = [
      ...published(),
      ...published(encrypt, 2),
      encrypt('blocks', '1', again),
      encrypt('blocks', '1', { ...again, value: 'another one' }),
      encrypt('events', '1', again),
    ].flatMap((record) => hexOf(record)?.slice(0, 24) ?? []);
    expect(new Set(nonces).size).toBe(nonces.length);
    // Two keys with the same document do not look alike.
    const [, ...changes] = sealed.filter(({ kind }) => kind === 'changes');
    expect(changes.map(({ record }) => hexOf(record))).not.toContain(hexOf(change));
  });

  it('is made as the documentation says, so that others can read it', () => {
    const info = 'shuttle.encryption.1\nchanges\nmychannel\n1';
    const derived = Buffer.from(hkdfSync('sha512', KEY, Buffer.alloc(0), info, 64));
    const parts = ['shuttle.record.1', 'changes', 'mychannel', change.key].concat(
      change.headers.flatMap(({ name, value }) => [name, value as Buffer]),
    ) as (string | Buffer)[];
    const u32 = (n: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(n);
      return bytes;
    };
    const about = [
      u32(parts.length),
      ...parts.map((p) => Buffer.concat([u32(Buffer.from(p).length), Buffer.from(p)])),
    ];
    const hmac = createHmac('sha256', derived.subarray(32));
    const digest = hmac.update(Buffer.concat(about)).update('{"v":1}').digest();
    expect(hexOf(change)?.slice(0, 24)).toBe(digest.subarray(0, 12).toString('hex'));
  });
});

describe('a record that somebody has changed does not decrypt', () => {
  const failure = (record: SourceRecord, where = at('changes')) =>
    codeOf(() => decrypt(record, where));

  it('with any byte of nonce, text or tag another one, on any topic', () => {
    for (const { kind, record } of sealed) {
      const value = record.value as Uint8Array;
      const step = Math.max(1, Math.floor(value.length / 300));
      for (let index = 0; index < value.length; index += index < 12 ? 1 : step) {
        expect(failure({ ...record, value: flipped(value, index) }, at(kind))).toBe(
          'DECRYPTION_FAILED',
        );
      }
      for (let cut = 1; cut <= 28; cut++) {
        const shorter = { ...record, value: value.subarray(0, value.length - cut) };
        expect(failure(shorter, at(kind))).toBe('DECRYPTION_FAILED');
      }
    }
  });

  it('with any byte of its key or of a header another one, or a header less', () => {
    for (const { kind, record } of sealed) {
      const key = record.key as Uint8Array;
      key.forEach((_, index) => {
        expect(failure({ ...record, key: flipped(key, index) }, at(kind))).toBe(
          'DECRYPTION_FAILED',
        );
      });
      expect(failure({ ...record, key: null }, at(kind))).toBe('DECRYPTION_FAILED');
      record.headers.slice(0, -1).forEach((header, place) => {
        const others = record.headers.filter((_, other) => other !== place);
        expect(failure({ ...record, headers: others }, at(kind))).toBe('DECRYPTION_FAILED');
        Uint8Array.from(header.value ?? []).forEach((_, index) => {
          const value = flipped(header.value as Uint8Array, index);
          const headers = record.headers.with(place, { name: header.name, value });
          expect(failure({ ...record, headers }, at(kind))).toBe('DECRYPTION_FAILED');
        });
      });
    }
  });

  it('on another topic, on another channel, or with the headers of another record', () => {
    for (const { kind, record } of sealed) {
      for (const other of KINDS.filter((name) => name !== kind)) {
        expect(failure(record, at(other))).toBe('DECRYPTION_FAILED');
      }
      expect(failure(record, at(kind, 'other'))).toBe('DECRYPTION_FAILED');
      const renamed = record.headers.map(({ name, value }) => ({
        name,
        value: Buffer.from(
          Buffer.from(value ?? '')
            .toString()
            .replaceAll(CHANNEL, 'other'),
        ),
      }));
      const moved = { ...record, headers: renamed };
      expect(failure(moved, at(kind, 'other'))).toBe('DECRYPTION_FAILED');
    }
    const [first, second] = sealed.filter(({ kind }) => kind === 'changes');
    const swapped = { ...change, headers: second?.record.headers ?? [] };
    expect(first?.record).toBe(change);
    expect(failure(swapped)).toBe('DECRYPTION_FAILED');
  });

  it('in another block, with the same transaction, key and value', () => {
    const later = published(encrypt, 2).find((record) => kindOf(record) === 'changes');
    const moved = { ...change, value: asRead(later as OutputRecord).value };
    expect(failure(moved)).toBe('DECRYPTION_FAILED');
  });

  it('with its value taken away, or by another key of the same id', () => {
    expect(failure({ ...change, value: null })).toBe('DECRYPTION_FAILED');
    const wrong = createDecryptor(new Map([['k1', OTHER_KEY]]));
    expect(codeOf(() => wrong(change, at('changes')))).toBe('DECRYPTION_FAILED');
  });

  it('with a header of a version or a key id that nobody writes', () => {
    for (const value of ['', '1', '2:k1', '1:', '1:a/b', ':k1']) {
      const header = { name: 'shuttle_encryption', value: Buffer.from(value) };
      const headers = change.headers.with(-1, header);
      expect(failure({ ...change, headers })).toBe('DECRYPTION_FAILED');
    }
  });

  it('though headers that other tools put behind are their own matter', () => {
    const headers = [...change.headers, { name: 'mirrored', value: Buffer.from('yes') }];
    const { value } = decrypt({ ...change, headers }, at('changes'));
    expect(Buffer.from(value ?? []).toString()).toBe('{"v":1}');
  });
});

describe('keys', () => {
  const rotated = createEncryptor(CHANNEL, 'k2', OTHER_KEY);

  it('may change: old and new records decrypt as long as both are there', () => {
    const both = createDecryptor(
      new Map([
        ['k1', KEY],
        ['k2', OTHER_KEY],
      ]),
    );
    const records = [...published(), ...published(rotated)];
    const found = records.map((record) => both(asRead(record), at(kindOf(record))));
    expect(found.map(hexOf)).toEqual([...plain, ...plain].map(hexOf));
  });

  it('that are not there are told by name, with those that are', () => {
    const record = asRead(published(rotated)[0] as OutputRecord);
    expect(() => decrypt(record, at('blocks'))).toThrow(
      'The record is encrypted with the key k2, and there are k1.',
    );
    expect(codeOf(() => decrypt(record, at('blocks')))).toBe('KEY_UNKNOWN');
    const none = createDecryptor(new Map());
    expect(() => none(record, at('blocks'))).toThrow('and no keys are configured');
  });

  it('are not needed for what was never encrypted', () => {
    const none = createDecryptor(new Map());
    const record = asRead(plain[0] as OutputRecord);
    expect(none(record, at('blocks'))).toBe(record);
  });
});
