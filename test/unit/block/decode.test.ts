import { common } from '@hyperledger/fabric-protos';
import { describe, expect, it } from '@jest/globals';
import { checkDataHash } from '../../../bridge/src/block/check.ts';
import { decodeBlock } from '../../../bridge/src/block/decode.ts';
import {
  decodeAction,
  decodeTransactionHeader,
  decodeWrites,
  readWriteSets,
} from '../../../bridge/src/block/transaction.ts';
import {
  buildBlock,
  buildChain,
  buildEntry,
  CHAINCODE,
  CHANNEL,
  MSP_ID,
} from '../../support/blocks.ts';

const at = <T>(list: readonly T[], index: number): T => {
  const item = list[index];
  if (item === undefined) {
    throw new RangeError(`no item ${index}`);
  }
  return item;
};

describe('decodeBlock', () => {
  it('reads what the encoders of Fabric wrote', () => {
    const genesis = at(buildChain([]), 0);
    const transactions = [{ txId: 'a' }, { txId: 'b', code: 11 }];
    const first = buildBlock({ number: 1, previous: genesis, transactions, lastConfig: 7 });
    const block = decodeBlock(first.bytes);
    expect(block.header.number).toBe(1n);
    expect(Buffer.from(block.header.previousHash).toString('hex')).toBe(genesis.hash);
    expect(block.hash).toBe(first.hash);
    expect(block.entries).toHaveLength(2);
    expect([...block.validationCodes]).toEqual([0, 11]);
    expect(block.commitHash).toBe('05'.repeat(32));
    expect(block.lastConfig).toBe(7n);
  });

  it('hashes headers whose number needs a sign byte or several bytes', () => {
    for (const number of [127, 128, 255, 256, 32_768, 2 ** 40]) {
      const [previous] = buildChain([]);
      const built = buildBlock({ number, previous: previous ?? null, transactions: [] });
      expect(decodeBlock(built.bytes).hash).toBe(built.hash);
    }
  });

  it('reads a genesis block, which has neither a previous hash nor a commit hash', () => {
    const block = decodeBlock(at(buildChain([]), 0).bytes);
    expect(block.header.previousHash).toHaveLength(0);
    expect(block.commitHash).toBeNull();
  });

  it('takes the last config from the slot that orderers sign', () => {
    const built = buildBlock({
      number: 0,
      previous: null,
      transactions: [],
      spoil: (block) => {
        const lastConfig = new common.LastConfig();
        lastConfig.setIndex(300);
        const signed = new common.OrdererBlockMetadata();
        signed.setLastConfig(lastConfig);
        const wrapped = new common.Metadata();
        wrapped.setValue(signed.serializeBinary());
        block.getMetadata()?.setMetadataList([wrapped.serializeBinary()]);
      },
    });
    expect(decodeBlock(built.bytes).lastConfig).toBe(300n);
  });

  it('refuses a block with fewer validation codes than transactions', () => {
    const built = buildBlock({
      number: 0,
      previous: null,
      transactions: [{ txId: 'a' }],
      spoil: (block) => block.getMetadata()?.setMetadataList([]),
    });
    expect(() => decodeBlock(built.bytes)).toThrow(
      expect.objectContaining({ code: 'BLOCK_INVALID' }),
    );
  });

  it('refuses a block that is cut short at any byte', () => {
    const { bytes } = at(buildChain([[{ txId: 'a' }]]), 1);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => checkDataHash(decodeBlock(bytes.subarray(0, length)))).toThrow(
        expect.objectContaining({ code: 'BLOCK_INVALID' }),
      );
    }
  });
});

describe('a transaction', () => {
  const entry = buildEntry({
    txId: 'tx-1',
    args: ['setData', 'key', '{"a":1}'],
    timestamp: [1_700_000_000, 5],
    event: { name: 'written', payload: 'bytes' },
    writes: {
      _lifecycle: [],
      [CHAINCODE]: [
        { key: 'kä', value: 'one' },
        { key: 'gone', value: null },
      ],
      other: [{ key: 'x', value: 'two' }],
    },
  });

  it('tells channel, id, time and creator', () => {
    const header = decodeTransactionHeader(entry);
    expect(header).toMatchObject({
      type: 3,
      channel: CHANNEL,
      txId: 'tx-1',
      timestamp: { seconds: 1_700_000_000n, nanos: 5 },
      creatorMspId: MSP_ID,
    });
  });

  it('tells chaincode, function, arguments, answer and event', () => {
    const action = decodeAction(decodeTransactionHeader(entry).data);
    expect(action).toMatchObject({ chaincode: CHAINCODE, function: 'setData' });
    expect(action?.args.map((arg) => Buffer.from(arg).toString())).toEqual(['key', '{"a":1}']);
    expect(action?.response).toEqual({ status: 200, payload: Buffer.from('answer') });
    expect(action?.event).toEqual({
      chaincode: CHAINCODE,
      txId: 'tx-1',
      name: 'written',
      payload: Buffer.from('bytes'),
    });
  });

  it('tells the writes of each namespace in their order', () => {
    const action = decodeAction(decodeTransactionHeader(entry).data);
    const sets = readWriteSets(action?.results ?? new Uint8Array());
    expect(sets.map((set) => set.namespace)).toEqual(['_lifecycle', CHAINCODE, 'other']);
    expect(decodeWrites(at(sets, 1).rwset)).toEqual([
      { key: Buffer.from('kä'), isDelete: false, value: Buffer.from('one') },
      { key: Buffer.from('gone'), isDelete: true, value: Buffer.alloc(0) },
    ]);
  });

  it('is refused when a field reaches beyond the message that holds it', () => {
    // KVRWSet.writes of 3 bytes, in which KVWrite.key claims 5.
    const bytes = Buffer.from('1a030a0561626364651a00', 'hex');
    expect(() => decodeWrites(bytes)).toThrow(expect.objectContaining({ code: 'BLOCK_INVALID' }));
  });

  it('copies no byte of a document', () => {
    const action = decodeAction(decodeTransactionHeader(entry).data);
    const [write] = decodeWrites(at(readWriteSets(action?.results ?? new Uint8Array()), 1).rwset);
    expect(write?.value.buffer).toBe(entry.buffer);
  });

  it('merges a header that is given twice, as the peer does', () => {
    // Header {channel_header} then header {signature_header}: protobuf merges both into one.
    const envelope = common.Envelope.deserializeBinary(entry);
    const payload = common.Payload.deserializeBinary(envelope.getPayload_asU8());
    const whole = payload.getHeader();
    const channelOnly = new common.Payload();
    const one = new common.Header();
    one.setChannelHeader(whole?.getChannelHeader_asU8() ?? '');
    channelOnly.setHeader(one);
    const signatureOnly = new common.Payload();
    const two = new common.Header();
    two.setSignatureHeader(whole?.getSignatureHeader_asU8() ?? '');
    signatureOnly.setHeader(two);
    const parts = [channelOnly.serializeBinary(), signatureOnly.serializeBinary()];
    envelope.setPayload(Buffer.concat(parts));
    const header = decodeTransactionHeader(envelope.serializeBinary());
    expect(header).toMatchObject({ txId: 'tx-1', creatorMspId: MSP_ID });
  });
});
