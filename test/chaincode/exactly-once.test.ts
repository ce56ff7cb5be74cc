import '../support/stub-quiet.ts';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { ShuttleContract } from '../../chaincode/src/contract.ts';
import { decodeEnvelope } from '../../chaincode/src/envelope.ts';
import { decodePartitionState, encodeLayout } from '../../chaincode/src/ledger.ts';
import {
  BATCH_BYTES_MAX,
  BATCH_RECORDS_MAX,
  decodeReceipt,
  encodeRecords,
  laneOf,
  sha256Hex,
  shortId,
} from '../../chaincode/src/wire.ts';
import { batchCall, LAYOUT, openCall, record } from '../support/stub-batches.ts';
import { StubNetwork } from '../support/stub-network.ts';

let network: StubNetwork;

beforeEach(async () => {
  network = new StubNetwork([ShuttleContract]);
  await network.submit(openCall());
});

const three = [record(0, 'a', '{"n":1}'), record(2, 'b', '{"n":2}'), record(5, 'c', '{"n":3}')];

async function history(key: string): Promise<{ offset: string | null; document: unknown }[]> {
  const answer = await network.evaluate({ fn: 'getHistory', args: [key, '1000', ''] });
  const { versions } = JSON.parse(answer.text);
  return versions.map((version: { source: { offset: string } | null; document: unknown }) => ({
    offset: version.source?.offset ?? null,
    document: version.document,
  }));
}

async function watermark(lane = 0) {
  const { text } = await network.evaluate({ fn: 'getWatermarks', args: ['s', 't', '0'] });
  return decodePartitionState(text).watermarks[lane];
}

describe('a batch', () => {
  test('is applied, moves the watermark and answers with exceptions only', async () => {
    const answer = await network.submit(batchCall(-1, three));
    expect(decodeReceipt(answer.text)).toEqual({
      offset: 5n,
      applied: 3,
      rejections: [],
    });
    expect(await watermark()).toEqual({
      offset: 5n,
      txId: answer.txId,
      timestamp: 1_600_000_000_005,
      sha256: sha256Hex(encodeRecords(three.slice(2))),
      rejections: [],
    });
    const { text } = await network.evaluate({ fn: 'getData', args: ['b'] });
    expect(text).toBe('{"n":2}');
  });

  test('reads the layout, its lane’s watermark and the claims, and nothing else', async () => {
    const { endorsement } = await network.submit(batchCall(-1, three));
    expect(endorsement.reads.size).toBe(3);
  });

  test('says in one event which records it finished', async () => {
    await network.submit(batchCall(-1, three.slice(0, 1)));
    const { endorsement } = await network.submit(
      batchCall(0, [...three.slice(1, 2), record(7, 'd', 'no JSON')]),
    );
    expect(endorsement.event?.name).toBe('batch');
    expect(endorsement.event?.payload).toBe(
      '{"stream":"s","topic":"t","partition":0,"lane":0,"first":"2","last":"7",' +
        '"applied":1,"rejected":1}',
    );
  });

  test('that is sent again is refused as repeated: no empty transaction is ordered', async () => {
    await network.submit(batchCall(-1, three));
    const again = await network.submit(batchCall(-1, three));
    expect(again.text).toMatch(/^REPEATED: .* offset 5/);
    expect(await history('a')).toHaveLength(1);
  });

  test('of which a part is finished is refused too, until it is cut behind that', async () => {
    await network.submit(batchCall(-1, three.slice(0, 2)));
    const answer = await network.submit(batchCall(-1, three));
    expect(answer.text).toMatch(/^REPEATED: .* offset 2; .* from -1/);
    expect(await history('c')).toHaveLength(0);
    const anew = await network.submit(batchCall(2, three.slice(2)));
    expect(decodeReceipt(anew.text)).toMatchObject({ offset: 5n, applied: 1 });
    expect(await history('a')).toHaveLength(1);
    expect(await history('c')).toHaveLength(1);
  });

  test('never passes a watermark that its submitter has not seen', async () => {
    // A record that somebody else has made up, behind the first of the lane's own.
    await network.submit(batchCall(-1, [record(4, 'a', '"made up"')]));
    const answer = await network.submit(batchCall(-1, three));
    expect(answer.text).toMatch(/^REPEATED: /);
    expect((await watermark())?.offset).toBe(4n);
  });

  test('that leaves records out is refused as a gap', async () => {
    await network.submit(batchCall(-1, three.slice(0, 1)));
    const answer = await network.submit(batchCall(2, three.slice(2)));
    expect(answer.text).toBe('GAP: Lane 0 is finished up to offset 0; the batch continues from 2.');
  });

  test('of a zombie loses against what was ordered first, and changes nothing', async () => {
    const mine = await network.evaluate(batchCall(-1, three));
    const zombie = await network.evaluate(batchCall(-1, three.slice(0, 2)));
    expect(network.commit([zombie, mine])).toEqual(['VALID', 'MVCC_READ_CONFLICT']);
    expect((await watermark())?.offset).toBe(2n);
    await network.submit(batchCall(2, three.slice(2)));
    for (const key of ['a', 'b', 'c']) {
      expect(await history(key)).toHaveLength(1);
    }
  });

  test('of another lane in the same block does not conflict', async () => {
    const layout = { ...LAYOUT, lanes: 4 };
    network = new StubNetwork([ShuttleContract]);
    await network.submit(openCall(layout));
    const other = ['b', 'c', 'd', 'e', 'f'].find(
      (key) => laneOf(Buffer.from(key), 4) !== laneOf(Buffer.from('a'), 4),
    ) as string;
    const one = await network.evaluate(batchCall(-1, [record(0, 'a', '1')], {}, layout));
    const two = await network.evaluate(batchCall(-1, [record(1, other, '2')], {}, layout));
    expect(network.commit([one, two])).toEqual(['VALID', 'VALID']);
  });

  test('of another organisation neither sees nor moves this one’s watermark', async () => {
    await network.submit(batchCall(-1, three));
    const foreign = { ...batchCall(5, [record(6, 'a', '{}')]), mspId: 'Org2MSP' };
    expect((await network.submit(foreign)).text).toMatch(/^LAYOUT_MISSING: /);
    await network.submit(openCall(LAYOUT, 'Org2MSP'));
    expect((await network.submit(foreign)).text).toMatch(/^GAP: .* offset -1;/);
  });
});

describe('several records of one key in one batch', () => {
  test('stay readable one by one, in order, deletes among them', async () => {
    await network.submit(
      batchCall(-1, [
        record(0, 'k', '1'),
        record(1, 'k', null),
        record(2, 'other', '{}'),
        record(3, 'k', '{"a":1,"a":2}'),
        record(4, 'k', null),
      ]),
    );
    expect(await history('k')).toEqual([
      { offset: '4', document: null },
      { offset: '3', document: { a: 2 } },
      { offset: '1', document: null },
      { offset: '0', document: 1 },
    ]);
    expect((await network.evaluate({ fn: 'getData', args: ['k'] })).text).toMatch(/^NOT_FOUND: /);
  });

  test('are one write, in the place where the key first appeared', async () => {
    const { endorsement } = await network.submit(
      batchCall(-1, [record(0, 'x', '1'), record(1, 'y', '2'), record(2, 'x', '3')]),
    );
    expect(endorsement.writes.map(({ key }) => key).slice(0, 2)).toEqual(['x', 'y']);
    expect(endorsement.writes).toHaveLength(3);
  });
});

describe('rejected records', () => {
  const mixed = [
    record(0, 'good', '{"ok":true}'),
    record(1, '', '{}'),
    record(2, 'x'.repeat(513), '{}'),
    record(3, Buffer.from([0x6b, 0xff]), '{}'),
    record(4, '_reserved', '{}'),
    record(5, '\0reserved', '{}'),
    record(6, 'bom', '\ufeff{}'),
    record(7, 'latin1', Buffer.from([0x22, 0xe9, 0x22])),
    record(8, 'large', `"${'x'.repeat(1024 * 1024 - 1)}"`),
    record(9, 'deep', '['.repeat(1024 * 1024)),
    record(10, 'empty', ''),
    record(11, 'good', '{"ok":false}'),
    record(12, 'cut', '{"a":'),
  ];
  const codes = [
    [1n, 'KEY_EMPTY'],
    [2n, 'KEY_TOO_LONG'],
    [3n, 'KEY_NOT_UTF8'],
    [4n, 'KEY_RESERVED'],
    [5n, 'KEY_RESERVED'],
    [6n, 'VALUE_NOT_JSON'],
    [7n, 'VALUE_NOT_UTF8'],
    [8n, 'VALUE_TOO_LARGE'],
    [9n, 'VALUE_NOT_JSON'],
    [10n, 'VALUE_NOT_JSON'],
    [12n, 'VALUE_NOT_JSON'],
  ].map(([offset, code]) => ({ offset, code }));

  test('are passed, listed in receipt and watermark, and the batch goes on', async () => {
    const answer = await network.submit(batchCall(-1, mixed));
    expect(decodeReceipt(answer.text)).toMatchObject({
      offset: 12n,
      applied: 2,
      rejections: codes,
    });
    expect((await watermark())?.rejections).toEqual(codes);
    expect(await history('good')).toHaveLength(2);
  });

  test('are those of the last transaction only', async () => {
    await network.submit(batchCall(-1, mixed));
    await network.submit(batchCall(12, [record(13, 'good', null)]));
    expect(await watermark()).toMatchObject({ offset: 13n, rejections: [] });
  });

  test('stay until someone comes who has seen them', async () => {
    await network.submit(batchCall(-1, [record(1, 'k', '1'), record(2, 'k', 'x')]));
    const late = await network.submit(batchCall(-1, [record(2, 'k', 'x'), record(3, 'k', 'y')]));
    expect(late.text).toMatch(/^REPEATED: /);
    const [two] = [{ offset: 2n, code: 'VALUE_NOT_JSON' }];
    expect((await watermark())?.rejections).toEqual([two]);
    await network.submit(batchCall(2, [record(3, 'k', '3')]));
    expect((await watermark())?.rejections).toEqual([]);
  });

  test('alone still move the watermark', async () => {
    const answer = await network.submit(batchCall(-1, [record(3, 'k', 'x')]));
    expect(decodeReceipt(answer.text)).toMatchObject({ offset: 3n, applied: 0 });
    expect((await watermark())?.offset).toBe(3n);
  });
});

describe('a batch that does not hold together', () => {
  const cases: [string, ReturnType<typeof batchCall>, RegExp][] = [
    ['a digest of other records', batchCall(-1, three, { digest: sha256Hex('') }), /^DIGEST_MISM/],
    ['another count', batchCall(-1, three, { count: 2 }), /^BATCH_INVALID/],
    ['another first offset', batchCall(-1, three, { first: 1n }), /^BATCH_INVALID/],
    ['another last offset', batchCall(-1, three, { last: 6n }), /^BATCH_INVALID/],
    ['no records', batchCall(-1, []), /^BATCH_INVALID/],
    ['offsets out of order', batchCall(-1, three.toReversed()), /^BATCH_INVALID/],
    ['an offset twice', batchCall(-1, [record(1, 'a', '1'), record(1, 'a', '2')]), /^BATCH_INV/],
    ['a watermark within itself', batchCall(2, three), /^BATCH_INVALID/],
    ['another layout', batchCall(-1, three, { layout: sha256Hex('') }), /^LAYOUT_MISMATCH/],
    [
      'a lane that the layout has not',
      batchCall(-1, three, { lane: 1 }),
      /^LANE_MISMATCH: .* no lane 1\./,
    ],
    ['an unopened partition', batchCall(-1, three, { partition: 1 }), /^LAYOUT_MISSING/],
    ['no header', { ...batchCall(-1, three), args: ['{}'] }, /^BATCH_INVALID/],
    ['no JSON as header', { ...batchCall(-1, three), args: ['{'] }, /^BATCH_INVALID/],
    ['no transient map', { ...batchCall(-1, three), transient: {} }, /^BATCH_INVALID/],
  ];

  test.each(cases)('with %s is refused whole', async (_name, call, message) => {
    const answer = await network.submit(call);
    expect(answer.text).toMatch(message);
    expect(answer.text).toMatch(/^[A-Z_]+: [A-Z].*\.$/);
    expect(answer.endorsement.writes).toEqual([]);
    expect(await watermark()).toBeNull();
  });

  test('with a record of another lane is refused whole', async () => {
    const layout = { ...LAYOUT, lanes: 16 };
    network = new StubNetwork([ShuttleContract]);
    await network.submit(openCall(layout));
    const answer = await network.submit(batchCall(-1, three, {}, layout));
    expect(answer.text).toMatch(/^LANE_MISMATCH: The record at offset [25] /);
  });

  test('with records cut off in the middle is refused whole', async () => {
    const bytes = encodeRecords(three).subarray(0, -1);
    const call = batchCall(-1, three, { digest: sha256Hex(bytes) });
    const answer = await network.submit({ ...call, transient: { records: bytes } });
    expect(answer.text).toMatch(/^BATCH_INVALID: /);
  });

  test('with too many records or bytes is refused whole', async () => {
    const many = Array.from({ length: BATCH_RECORDS_MAX + 1 }, (_, n) => record(n, 'k', '1'));
    expect((await network.submit(batchCall(-1, many))).text).toMatch(/^BATCH_INVALID: .* 5000 /);
    const fits = await network.submit(batchCall(-1, many.slice(1)));
    expect(decodeReceipt(fits.text).applied).toBe(BATCH_RECORDS_MAX);
    const large = record(9_999, 'k', Buffer.alloc(BATCH_BYTES_MAX - 24, 0x20));
    expect((await network.submit(batchCall(5000, [large]))).text).toMatch(
      /^BATCH_INVALID: .* byte/,
    );
  });

  test('with a timestamp that JSON cannot hold is refused whole', async () => {
    const bytes = encodeRecords(three);
    bytes.writeBigInt64BE(2n ** 60n, 8);
    const call = batchCall(-1, three, { digest: sha256Hex(bytes) });
    const answer = await network.submit({ ...call, transient: { records: bytes } });
    expect(answer.text).toMatch(/^BATCH_INVALID: The timestamp at offset 0 /);
  });
});

describe('openPartition', () => {
  test('writes the layout once and answers it', async () => {
    const again = await network.submit(openCall());
    expect(again.endorsement.writes).toEqual([]);
    expect(JSON.parse(again.text)).toEqual({
      stream: 's',
      topic: 't',
      partition: 0,
      mspId: 'Org1MSP',
      lanes: 1,
      hashVersion: 1,
      keyExpressionDigest: '',
      base: '-1',
    });
  });

  test('refuses another layout and tells the one that stands', async () => {
    const answer = await network.submit(openCall({ ...LAYOUT, lanes: 2 }));
    expect(answer.text).toMatch(/^LAYOUT_MISMATCH: .*"lanes":1,/);
  });

  test('refuses a lane hash that it does not know', async () => {
    network = new StubNetwork([ShuttleContract]);
    const answer = await network.submit(openCall({ ...LAYOUT, hashVersion: 2 }));
    expect(answer.text).toMatch(/^LAYOUT_MISMATCH: The lane hash version is 2; /);
    expect(answer.endorsement.writes).toEqual([]);
  });

  test.each([
    [['', 't', '0', '1', '0', '1', '1', '']],
    [['s', 'x'.repeat(250), '0', '1', '0', '1', '1', '']],
    [['s', 't', '-1', '1', '0', '1', '1', '']],
    [['s', 't', '2147483648', '2147483649', '0', '1', '1', '']],
    [['s', 't', '01', '2', '0', '1', '1', '']],
    [['s', 't', '1', '1', '0', '1', '1', '']],
    [['s', 't', '1', '2', '2', '1', '1', '']],
    [['s', 't', '0', '1', '0', '0', '1', '']],
    [['s', 't', '0', '1', '0', '257', '1', '']],
    [['s', 't', '0', '1', '0', '1e1', '1', '']],
    [['s', 't', '0', '1', '0', '1', '1', 'abc']],
  ])('refuses %j as ARGUMENT_INVALID', async (args) => {
    const answer = await network.submit({ fn: 'openPartition', args });
    expect(answer.text).toMatch(/^ARGUMENT_INVALID: /);
  });

  test('of an unknown partition leaves getWatermarks without a layout', async () => {
    const { text } = await network.evaluate({ fn: 'getWatermarks', args: ['s', 't', '9'] });
    expect(decodePartitionState(text)).toEqual({ layout: null, watermarks: [], older: 1 });
  });

  test('gives every lane a place in getWatermarks, in order', async () => {
    const layout = { ...LAYOUT, lanes: 12 };
    network = new StubNetwork([ShuttleContract]);
    await network.submit(openCall(layout));
    const lanes = new Map<number, string>();
    for (let n = 0; lanes.size < 12; n++) {
      lanes.set(laneOf(Buffer.from(`k${n}`), 12), `k${n}`);
    }
    for (const lane of [11, 2, 10, 0]) {
      const key = lanes.get(lane) as string;
      await network.submit(batchCall(-1, [record(lane, key, '{}')], {}, layout));
    }
    const { text } = await network.evaluate({ fn: 'getWatermarks', args: ['s', 't', '0'] });
    const offsets = decodePartitionState(text).watermarks.map((each) => each?.offset ?? null);
    expect(offsets).toEqual([0n, null, 2n, ...Array(7).fill(null), 10n, 11n]);
  });
});

test('an envelope costs at most 64 bytes a record, superseded ones included', async () => {
  const offset = 10n ** 18n;
  const documents = ['{"a":1}', '{"b":2}', '{"c":3}'];
  const { endorsement } = await network.submit(
    batchCall(-1, [
      ...documents.map((document, index) => ({
        ...record(offset + BigInt(index), 'k', document),
        timestamp: 9_999_999_999_999,
      })),
      { ...record(offset + 3n, 'single', '"d"'), timestamp: 9_999_999_999_999 },
    ]),
  );
  const sizes = new Map(endorsement.writes.map(({ key, value }) => [key, value?.length ?? 0]));
  expect(sizes.get('single')).toBeLessThanOrEqual(64 + 3);
  expect(sizes.get('k')).toBeLessThanOrEqual(3 * (64 + 7));
  const value = endorsement.writes.find(({ key }) => key === 'k')?.value as Buffer;
  expect(decodeEnvelope(value).versions.map((each) => each.offset)).toEqual([
    offset,
    offset + 1n,
    offset + 2n,
  ]);
});

test('a partition that shares its short id with another one is refused everywhere', async () => {
  const id = shortId('s', 't', 0, 'Org1MSP');
  const names = { stream: 'other', topic: 't', partition: 0, mspId: 'Org1MSP' };
  const other = { ...LAYOUT, ...names };
  const value = Buffer.from(encodeLayout(other));
  const writes = [{ key: `\0layout\0${id}\0`, value }];
  network.ledger.commit([{ txId: 'x', seconds: 1, nanos: 0, reads: new Map(), writes }]);
  const watermarks = { fn: 'getWatermarks', args: ['s', 't', '0'] };
  for (const call of [openCall(), batchCall(-1, three), watermarks]) {
    expect((await network.evaluate(call)).text).toMatch(/^LAYOUT_MISMATCH: .*"stream":"other"/);
  }
});
