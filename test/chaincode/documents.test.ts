import '../support/stub-quiet.ts';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { ShuttleContract } from '../../chaincode/src/contract.ts';
import { PAGE_BYTES_MAX } from '../../chaincode/src/queries.ts';
import { batchCall, openCall, record } from '../support/stub-batches.ts';
import { type Answer, StubNetwork } from '../support/stub-network.ts';

const VERBATIM = '{"big":123456789012345678901234567890,"e":1e400, "a":1,"a":2,"é":"\\u00e9😀"}';

let network: StubNetwork;

beforeEach(() => {
  network = new StubNetwork([ShuttleContract]);
});

const set = (key: string | Uint8Array, json: string | Uint8Array) =>
  network.submit({ fn: 'setData', args: [key, json] });
const remove = (key: string) => network.submit({ fn: 'deleteData', args: [key] });
const get = (key: string) => network.evaluate({ fn: 'getData', args: [key] });
const history = (key: string, pageSize = '1000', bookmark = '') =>
  network.evaluate({ fn: 'getHistory', args: [key, pageSize, bookmark] });
const list = (prefix: string, pageSize = '1000', bookmark = '') =>
  network.evaluate({ fn: 'listData', args: [prefix, pageSize, bookmark] });

function keysOf(answer: Answer): string[] {
  const { documents } = JSON.parse(answer.text);
  return documents.map((each: { key: string }) => each.key);
}

describe('a document', () => {
  test('comes back byte for byte', async () => {
    await set('k', VERBATIM);
    expect((await get('k')).endorsement.payload).toEqual(Buffer.from(VERBATIM));
    expect((await history('k')).text).toContain(`"document":${VERBATIM}}`);
    expect((await list('')).text).toContain(`"document":${VERBATIM}}`);
  });

  test('is set without reading it, so that two writers of a key never conflict', async () => {
    const { endorsement } = await set('k', '1');
    expect([...endorsement.reads.keys()]).toEqual(['\0claims\0all\0']);
  });

  test('that was deleted is absent, and its history stays', async () => {
    await set('k', '1');
    await remove('k');
    expect((await get('k')).text).toMatch(/^NOT_FOUND: /);
    expect(JSON.parse((await history('k')).text).versions).toMatchObject([
      { deleted: true, document: null },
      { deleted: false, document: 1 },
    ]);
    await set('k', '2');
    expect((await get('k')).text).toBe('2');
  });

  test('that is not there cannot be deleted', async () => {
    expect((await remove('nothing')).text).toMatch(/^NOT_FOUND: /);
    await set('k', '1');
    await remove('k');
    expect((await remove('k')).text).toMatch(/^NOT_FOUND: /);
  });

  test('null is a document, not a deletion', async () => {
    await set('k', 'null');
    expect((await get('k')).text).toBe('null');
    expect(JSON.parse((await history('k')).text).versions[0].deleted).toBe(false);
  });

  test('tells in one event what happened to it', async () => {
    expect((await set('ключ', '1')).endorsement.event).toEqual({
      name: 'document',
      payload: '{"key":"ключ","deleted":false}',
    });
    expect((await remove('ключ')).endorsement.event?.payload).toBe('{"key":"ключ","deleted":true}');
  });

  test.each([
    ['an empty key', '', '1', 'KEY_EMPTY'],
    ['a long key', 'é'.repeat(257), '1', 'KEY_TOO_LONG'],
    ['a key that is not UTF-8', Buffer.from([0x6b, 0x80]), '1', 'KEY_NOT_UTF8'],
    ['a key of Fabric’s', '\0k', '1', 'KEY_RESERVED'],
    ['a key of CouchDB’s', '_k', '1', 'KEY_RESERVED'],
    ['no JSON', 'k', '{a:1}', 'VALUE_NOT_JSON'],
    ['an empty value', 'k', '', 'VALUE_NOT_JSON'],
    ['a byte order mark', 'k', '\ufeff1', 'VALUE_NOT_JSON'],
    ['a value that is not UTF-8', 'k', Buffer.from([0x22, 0xc3, 0x22]), 'VALUE_NOT_UTF8'],
    ['a large value', 'k', `"${'x'.repeat(1024 * 1024)}"`, 'VALUE_TOO_LARGE'],
    ['deep nesting', 'k', '['.repeat(1024 * 1024), 'VALUE_NOT_JSON'],
  ])('with %s is refused', async (_name, key, json, code) => {
    const answer = await set(key, json);
    expect(answer.text).toMatch(new RegExp(`^${code}: [A-Z].*\\.$`));
    expect(answer.endorsement.writes).toEqual([]);
  });

  test('may have the longest key', async () => {
    const key = 'é'.repeat(256);
    await set(key, '1');
    expect((await get(key)).text).toBe('1');
  });

  test('may hold U+FFFD, and may be nested as deep as it is long', async () => {
    await set('\ufffd', '"\ufffd"');
    expect((await get('\ufffd')).text).toBe('"\ufffd"');
    const deep = '['.repeat(500_000) + ']'.repeat(500_000);
    await set('deep', deep);
    expect((await get('deep')).text).toBe(deep);
  });
});

describe('getHistory', () => {
  beforeEach(async () => {
    await network.submit(openCall());
    await set('k', '"client"');
    await network.submit(
      batchCall(
        -1,
        [0, 1, 2].map((n) => record(n, 'k', `${n}`)),
      ),
    );
    await network.submit(batchCall(2, [record(4, 'k', null)]));
  });

  test('names who wrote each version, and from where', async () => {
    const { versions, bookmark } = JSON.parse((await history('k')).text);
    expect(bookmark).toBe('');
    expect(versions).toHaveLength(5);
    const source = { stream: 's', topic: 't', partition: 0 };
    expect(versions[0]).toEqual({
      txId: expect.any(String),
      timestamp: expect.any(Number),
      mspId: 'Org1MSP',
      source: { ...source, offset: '4', timestamp: 1_600_000_000_004 },
      deleted: true,
      document: null,
    });
    expect(versions[3]).toMatchObject({ source: { ...source, offset: '0' }, document: 0 });
    expect(versions[4]).toMatchObject({ mspId: 'Org1MSP', source: null, document: 'client' });
    expect(versions[0].timestamp % 1000).toBe(123);
  });

  test('in pages of any size gives each version once, while new ones are written', async () => {
    for (const pageSize of ['1', '2', '3', '5', '6']) {
      const seen: unknown[] = [];
      let bookmark = '';
      do {
        const page = JSON.parse((await history('k', pageSize, bookmark)).text);
        expect(page.versions.length).toBeLessThanOrEqual(Number(pageSize));
        seen.push(...page.versions.map((each: { document: unknown }) => each.document));
        bookmark = page.bookmark;
        await set('k', '"later"');
      } while (bookmark !== '');
      const before = seen.filter((document) => document !== 'later');
      expect(before).toEqual([null, 2, 1, 0, 'client']);
    }
  });

  test('of a key without versions is empty', async () => {
    expect((await history('nothing')).text).toBe('{"versions":[],"bookmark":""}');
  });

  test.each([
    ['0', ''],
    ['1001', ''],
    ['', ''],
    ['1.5', ''],
    ['10', 'tx-1:7'],
    ['10', 'nonsense'],
  ])('refuses page size %j with bookmark %j', async (pageSize, bookmark) => {
    expect((await history('k', pageSize, bookmark)).text).toMatch(/^ARGUMENT_INVALID: /);
  });

  test('does not reach into layouts', async () => {
    expect((await history('\0layout\0')).text).toMatch(/^KEY_RESERVED: /);
    expect((await get('\0layout\0')).text).toMatch(/^KEY_RESERVED: /);
  });
});

describe('listData', () => {
  const keys = [
    'a',
    'a/1',
    'a/10',
    'a/2',
    'a/\u{ffff}',
    'a/\u{10ffff}',
    'a/\u{10ffff}x',
    'a0',
    'é',
  ];

  beforeEach(async () => {
    await network.submit(openCall());
    for (const key of keys.toReversed()) {
      await set(key, '1');
    }
  });

  test('lists documents in the order of their keys, and no layouts or watermarks', async () => {
    await network.submit(batchCall(-1, [record(0, 'a', '2')]));
    expect(keysOf(await list(''))).toEqual(keys);
  });

  test('lists every key with the prefix and no other', async () => {
    expect(keysOf(await list('a/'))).toEqual(keys.slice(1, 7));
    expect(keysOf(await list('a/\u{10ffff}'))).toEqual(keys.slice(5, 7));
    expect(keysOf(await list('\u{10ffff}'))).toEqual([]);
    expect(keysOf(await list('nothing'))).toEqual([]);
  });

  test('leaves deleted documents out, also where pages meet', async () => {
    await remove('a/10');
    await remove('a');
    const left = keys.filter((key) => key !== 'a' && key !== 'a/10');
    for (const pageSize of ['1', '2', '3', '7', '8']) {
      const seen: string[] = [];
      let bookmark = '';
      do {
        const page = await list('', pageSize, bookmark);
        seen.push(...keysOf(page));
        ({ bookmark } = JSON.parse(page.text));
      } while (bookmark !== '');
      expect(seen).toEqual(left);
    }
  });

  test('tells where each document came from', async () => {
    await network.submit(batchCall(-1, [record(7, 'a', '2')]));
    expect(JSON.parse((await list('a', '2')).text).documents).toEqual([
      {
        key: 'a',
        timestamp: 1_600_000_000_007,
        mspId: 'Org1MSP',
        source: {
          stream: 's',
          topic: 't',
          partition: 0,
          offset: '7',
          timestamp: 1_600_000_000_007,
        },
        document: 2,
      },
      { key: 'a/1', timestamp: expect.any(Number), mspId: 'Org1MSP', source: null, document: 1 },
    ]);
  });

  test('ends a page early before it grows too large to receive', async () => {
    const large = `"${'x'.repeat(1024 * 1024 - 2)}"`;
    for (const n of [1, 2, 3, 4]) {
      await set(`large/${n}`, large);
    }
    const first = await list('large/');
    expect(Buffer.byteLength(first.text)).toBeLessThan(PAGE_BYTES_MAX + 1024);
    expect(keysOf(first)).toHaveLength(2);
    const second = await list('large/', '1000', JSON.parse(first.text).bookmark);
    expect(keysOf(second)).toEqual(['large/3', 'large/4']);
  });

  test.each([
    ['\0', ''],
    ['a', '\0layout\0'],
    ['', '\0layout\0'],
    ['a', 'b'],
  ])('refuses prefix %j with bookmark %j', async (prefix, bookmark) => {
    expect((await list(prefix, '10', bookmark)).text).toMatch(/^ARGUMENT_INVALID: /);
  });
});

test('info tells the protocol and the limits', async () => {
  const { text } = await network.evaluate({ fn: 'info' });
  expect(JSON.parse(text)).toMatchObject({
    name: '@shuttle/chaincode',
    wireVersion: 1,
    limits: { keyBytesMax: 512, documentBytesMax: 1_048_576, batchBytesMax: 8_388_608 },
  });
});

test('documents that CouchDB wrote anew can be read, equal as JSON', async () => {
  const rewrite = (value: Record<string, unknown>) => Buffer.from(JSON.stringify(value));
  const tombstone = { o: '3', t: 3 };
  const values: [string, Buffer][] = [
    ['a', rewrite({ d: { x: 1 }, s: 'abcdefgh:7', t: 9 })],
    [
      'b',
      rewrite({ b: [{ d: 2, n: 1, o: '2', t: 2 }, tombstone], d: null, s: 'abcdefgh:4', t: 4 }),
    ],
    ['c', rewrite({ s: 'abcdefgh:5', t: 5 })],
    ['d', rewrite({ d: 'client', m: 'Org2MSP', t: 6 })],
  ];
  network.ledger.commit([
    {
      txId: 'tx',
      seconds: 1,
      nanos: 0,
      reads: new Map(),
      writes: values.map(([key, value]) => ({ key, value })),
    },
  ]);
  expect((await get('a')).text).toBe('{"x":1}');
  expect((await get('b')).text).toBe('null');
  expect((await get('c')).text).toMatch(/^NOT_FOUND: /);
  const { documents } = JSON.parse((await list('')).text);
  expect(documents).toMatchObject([
    { key: 'a', timestamp: 9, source: { offset: '7' }, document: { x: 1 } },
    { key: 'b', source: { offset: '4' }, document: null },
    { key: 'd', mspId: 'Org2MSP', source: null, document: 'client' },
  ]);
});
