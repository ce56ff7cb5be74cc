import { common, peer } from '@hyperledger/fabric-protos';
import { describe, expect, it } from '@jest/globals';
import { HEADER_TYPES, VALIDATION_CODES } from '../../../bridge/src/block/codes.ts';
import { decodeBlock } from '../../../bridge/src/block/decode.ts';
import {
  type BlockRecords,
  blockRecords,
  OUTPUTS,
  type Output,
} from '../../../bridge/src/block/records.ts';
import { topicNames } from '../../../bridge/src/block/topics.ts';
import type { OutputRecord } from '../../../bridge/src/values.ts';
import { encodeHeader } from '../../../chaincode/src/wire.ts';
import {
  batchTransaction,
  buildBlock,
  buildChain,
  CHAINCODE,
  CHANNEL,
  type TransactionSpec,
} from '../../support/blocks.ts';

const topics = topicNames('shuttle', CHANNEL);

function recordsOf(
  transactions: readonly TransactionSpec[],
  outputs: readonly Output[] = OUTPUTS,
): BlockRecords {
  const previous = buildChain([]).at(-1) ?? null;
  const { bytes } = buildBlock({ number: 1, previous, transactions });
  return blockRecords(decodeBlock(bytes), {
    channel: CHANNEL,
    chaincode: CHAINCODE,
    topics,
    outputs,
  });
}

const on = ({ records }: BlockRecords, topic: string): OutputRecord[] =>
  records.filter((record) => record.topic === topic);
const text = (value: Uint8Array | string | null | undefined): string | null =>
  value === null || value === undefined ? null : Buffer.from(value).toString();
const headers = (record: OutputRecord | undefined): Record<string, string | null> =>
  Object.fromEntries((record?.headers ?? []).map(({ name, value }) => [name, text(value)]));
const json = (record: OutputRecord | undefined): Record<string, unknown> =>
  JSON.parse(text(record?.value) ?? 'null') as Record<string, unknown>;

const batch = batchTransaction({
  txId: 'tx-batch',
  documents: {
    a: [
      [4n, '{"v":1}'],
      [5n, null],
      [7n, '{"v":12345678901234567890}'],
    ],
    b: [[6n, null]],
  },
});

describe('the record on blocks', () => {
  it('holds the exact bytes, its place in the chain, and what to expect elsewhere', () => {
    const previous = buildChain([]).at(-1) ?? null;
    const { bytes, hash } = buildBlock({ number: 1, previous, transactions: [batch] });
    const { records } = blockRecords(decodeBlock(bytes), {
      channel: CHANNEL,
      chaincode: CHAINCODE,
      topics,
      outputs: OUTPUTS,
    });
    const [record] = records;
    expect(record).toMatchObject({ topic: topics.blocks, partition: 0, key: '1' });
    expect(Buffer.compare(Buffer.from(record?.value ?? ''), bytes)).toBe(0);
    expect(record?.timestamp).toBe(1_700_000_000_123);
    expect(headers(record)).toEqual({
      shuttle_block_number: '1',
      shuttle_block_hash: hash,
      shuttle_previous_hash: previous?.hash,
      shuttle_data_hash: Buffer.from(decodeBlock(bytes).header.dataHash).toString('hex'),
      shuttle_commit_hash: '05'.repeat(32),
      shuttle_transaction_count: '1',
      shuttle_change_count: '4',
      shuttle_event_count: '1',
      ce_specversion: '1.0',
      ce_type: 'shuttle.block',
      ce_source: '/mychannel',
      ce_id: 'mychannel:1',
      ce_time: '2023-11-14T22:13:20.123456789Z',
      'content-type': 'application/protobuf',
    });
  });

  it('counts exactly what the other topics get', () => {
    const all = recordsOf([batch, { txId: 'plain' }, { ...batch, code: 11 }]);
    const blocks = headers(on(all, topics.blocks)[0]);
    expect(blocks.shuttle_transaction_count).toBe(`${on(all, topics.transactions).length}`);
    expect(blocks.shuttle_change_count).toBe(`${on(all, topics.changes).length}`);
    expect(blocks.shuttle_event_count).toBe(`${on(all, topics.events).length}`);
  });

  it('stands alone when the other topics are left out, and promises nothing of them', () => {
    const alone = recordsOf([batch], []);
    expect(alone.records).toHaveLength(1);
    expect(headers(alone.records[0])).not.toHaveProperty('shuttle_change_count');
  });
});

describe('the record on transactions', () => {
  it('tells a valid batch with its source', () => {
    const record = on(recordsOf([batch]), topics.transactions)[0];
    expect(record).toMatchObject({ key: 'tx-batch', timestamp: 1_700_000_000_123 });
    expect(json(record)).toEqual({
      transactionId: 'tx-batch',
      channel: 'mychannel',
      blockNumber: '1',
      index: 0,
      type: 'ENDORSER_TRANSACTION',
      timestamp: '2023-11-14T22:13:20.123456789Z',
      valid: true,
      validationCode: 0,
      validationCodeName: 'VALID',
      creatorMspId: 'Org1MSP',
      chaincode: 'shuttle',
      function: 'submitBatch',
      responseStatus: 200,
      changes: 4,
      event: 'batch',
      source: {
        stream: 'cluster',
        topic: 'shuttle.cleaned',
        partition: 3,
        lane: 1,
        layout: 'ab'.repeat(32),
        after: '-1',
        first: '0',
        last: '9',
        count: 10,
        digest: 'cd'.repeat(32),
      },
    });
    expect(headers(record)).toEqual({
      ce_specversion: '1.0',
      ce_type: 'shuttle.transaction',
      ce_source: '/mychannel',
      ce_id: 'mychannel:1:0',
      ce_time: '2023-11-14T22:13:20.123456789Z',
      ce_subject: 'tx-batch',
      'content-type': 'application/json',
      shuttle_block_number: '1',
    });
  });

  it('is written for each of many transactions, not for the first alone', () => {
    const ids = Array.from({ length: 50 }, (_, index) => `tx-${index}`);
    const records = on(recordsOf(ids.map((txId) => ({ txId }))), topics.transactions);
    expect(records.map((record) => record.key)).toEqual(ids);
  });

  it('tells an invalid transaction by its code, without changes or event', () => {
    const all = recordsOf([{ ...batch, code: 11 }]);
    expect(json(on(all, topics.transactions)[0])).toMatchObject({
      valid: false,
      validationCode: 11,
      validationCodeName: 'MVCC_READ_CONFLICT',
      changes: 0,
      event: null,
    });
    expect(on(all, topics.changes)).toEqual([]);
    expect(on(all, topics.events)).toEqual([]);
  });

  it('has the position as its key where an orderer gave no id', () => {
    const [record] = on(recordsOf([{ type: common.HeaderType.CONFIG }]), topics.transactions);
    expect(record?.key).toBe('mychannel:1:0');
    expect(json(record)).toMatchObject({ type: 'CONFIG', transactionId: '', chaincode: null });
  });

  it('is written for invalid bytes that nobody can read', () => {
    const entry = Buffer.from('ffffffff', 'hex');
    const [record] = on(recordsOf([{ entry, code: 2 }]), topics.transactions);
    expect(record?.key).toBe('mychannel:1:0');
    expect(json(record)).toMatchObject({ type: null, validationCodeName: 'BAD_PAYLOAD' });
  });

  it('refuses the block when a valid transaction cannot be read', () => {
    const entry = Buffer.from('ffffffff', 'hex');
    expect(() => recordsOf([{ entry }])).toThrow(
      expect.objectContaining({ code: 'BLOCK_INVALID' }),
    );
  });

  it('stays smaller than its block, whatever an invalid transaction calls itself', () => {
    const huge = '\u0000'.repeat(100_000);
    const header = { stream: huge, topic: huge, layout: huge, digest: huge };
    const args = [
      'submitBatch',
      encodeHeader({
        ...header,
        partition: 0,
        lane: 0,
        after: -1n,
        first: 0n,
        last: 0n,
        count: 1,
      }),
    ];
    for (const spec of [
      { txId: huge, args: [huge], chaincode: huge, mspId: huge },
      { txId: 'tx', args },
    ]) {
      const [record] = on(recordsOf([{ ...spec, code: 8 }]), topics.transactions);
      expect(JSON.stringify(record).length).toBeLessThan(20_000);
    }
  });

  it('takes no time from a transaction that nobody has endorsed', () => {
    const invalid = { txId: 'a', code: 10, timestamp: [250_000_000_000, 0] as const };
    const [alone] = on(recordsOf([invalid]), topics.transactions);
    expect(alone).not.toHaveProperty('timestamp');
    expect(headers(alone).ce_time).toBe('9892-03-08T12:26:40.000000000Z');
    const beside = recordsOf([invalid, { txId: 'b' }]);
    expect(beside.records.map((record) => record.timestamp)).toEqual(
      Array(3).fill(1_700_000_000_123),
    );
  });

  it('leaves out a timestamp that no clock could show', () => {
    for (const timestamp of [[-1, 0], [253_402_300_800, 0], [1, -1], [1, 1_000_000_000], null]) {
      const spec = { txId: 'tx', timestamp: timestamp as [number, number] | null };
      const [record] = on(recordsOf([spec]), topics.transactions);
      expect(record).not.toHaveProperty('timestamp');
      expect(json(record).timestamp).toBeNull();
      expect(headers(record)).not.toHaveProperty('ce_time');
    }
  });
});

describe('the records on changes', () => {
  it('are one for each version, superseded ones first, with the position of each', () => {
    const changes = on(recordsOf([{ txId: 'before' }, batch]), topics.changes);
    expect(
      changes.map((record) => [
        text(record.key),
        text(record.value),
        headers(record).shuttle_position,
        headers(record).ce_id,
      ]),
    ).toEqual([
      ['a', '{"v":1}', 'cluster/shuttle.cleaned/3/4', 'mychannel:1:1:0'],
      ['a', null, 'cluster/shuttle.cleaned/3/5', 'mychannel:1:1:1'],
      ['a', '{"v":12345678901234567890}', 'cluster/shuttle.cleaned/3/7', 'mychannel:1:1:2'],
      ['b', null, 'cluster/shuttle.cleaned/3/6', 'mychannel:1:1:3'],
    ]);
  });

  it('carry what CloudEvents requires and no more', () => {
    const [change] = on(recordsOf([batch]), topics.changes);
    expect(headers(change)).toEqual({
      ce_specversion: '1.0',
      ce_type: 'shuttle.change',
      ce_source: '/mychannel/shuttle',
      ce_id: 'mychannel:1:0:0',
      shuttle_position: 'cluster/shuttle.cleaned/3/4',
    });
    expect(change?.timestamp).toBe(1_700_000_000_123);
  });

  it('have no position when the batch was submitted by another organisation', () => {
    const foreign = { ...batch, mspId: 'Org2MSP' };
    const [change] = on(recordsOf([foreign]), topics.changes);
    expect(text(change?.value)).toBe('{"v":1}');
    expect(headers(change)).not.toHaveProperty('shuttle_position');
  });

  it('have no position when a client wrote them', () => {
    const value = '{"m":"Org1MSP","t":5,"d":{"a":1}}';
    const writes = { [CHAINCODE]: [{ key: 'k', value }] };
    const [change] = on(recordsOf([{ txId: 't', args: ['setData'], writes }]), topics.changes);
    expect(text(change?.value)).toBe('{"a":1}');
    expect(headers(change)).not.toHaveProperty('shuttle_position');
    expect(headers(change)).not.toHaveProperty('shuttle_raw');
  });

  it("pass a foreign chaincode's values on as they are, and say so", () => {
    const values = ['plain', '{"s":"not an envelope"}', '', '{"m":"x"'];
    const writes = { [CHAINCODE]: values.map((value, index) => ({ key: `k${index}`, value })) };
    const changes = on(recordsOf([{ txId: 't', writes }]), topics.changes);
    expect(changes.map((change) => text(change.value))).toEqual(values);
    expect(changes.map((change) => headers(change).shuttle_raw)).toEqual(Array(4).fill('true'));
  });

  it('have a null value where the key was deleted', () => {
    const writes = { [CHAINCODE]: [{ key: 'k', value: null }] };
    const [change] = on(recordsOf([{ txId: 't', writes }]), topics.changes);
    expect(change?.value).toBeNull();
  });

  it('leave out composite keys and other namespaces', () => {
    const writes = {
      [CHAINCODE]: [{ key: '\u0000index\u0000a\u0000', value: 'x' }],
      other: [{ key: 'k', value: 'y' }],
    };
    expect(on(recordsOf([{ txId: 't', writes }]), topics.changes)).toEqual([]);
  });
});

describe('the record on events', () => {
  it('carries the payload of a valid transaction, under its id', () => {
    const [event] = on(recordsOf([batch]), topics.events);
    expect(event?.key).toBe('tx-batch');
    expect(text(event?.value)).toBe('{"applied":10}');
    expect(headers(event)).toEqual({
      ce_specversion: '1.0',
      ce_type: 'shuttle.event.batch',
      ce_source: '/mychannel/shuttle',
      ce_id: 'mychannel:1:0:event',
      ce_time: '2023-11-14T22:13:20.123456789Z',
      ce_subject: 'tx-batch',
      shuttle_block_number: '1',
    });
  });
});

describe('the names of numbers', () => {
  const byNumber = (map: object): Record<string, string> =>
    Object.fromEntries(Object.entries(map).map(([name, number]) => [`${number}`, name]));

  it("are those of Fabric's own enums", () => {
    expect({ ...VALIDATION_CODES }).toEqual(byNumber(peer.TxValidationCode));
    expect({ ...HEADER_TYPES }).toEqual(byNumber(common.HeaderType));
  });
});
