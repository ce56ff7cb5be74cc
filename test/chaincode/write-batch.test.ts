import '../support/stub-quiet.ts';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { peer } from '@hyperledger/fabric-protos';
import { describe, expect, test } from '@jest/globals';
import { ShuttleContract } from '../../chaincode/src/contract.ts';
import { encodeWriteBatches, type Write, writesMaxOf } from '../../chaincode/src/write-batch.ts';
import { batchCall, openCall, record } from '../support/stub-batches.ts';
import { StubLedger } from '../support/stub-ledger.ts';
import { StubNetwork } from '../support/stub-network.ts';
import { chaincodeOf, connectInMemory, StubPeer } from '../support/stub-peer.ts';

const GET_STATE = 8;
const PUT_STATE = 9;
const WRITE_BATCH_STATE = 24;
const COMPLETED = 6;
const KEEPALIVE = 18;

const writes: readonly Write[] = [
  { key: 'a', value: Buffer.from('{"n":1}') },
  { key: 'ключ😀', value: Buffer.alloc(300, 0x20) },
  { key: '\0watermark\0x\0', value: Buffer.alloc(20_000, 0x30) },
  { key: 'gone', value: null },
];

function additionalParams(use: boolean, max: number): Uint8Array {
  const params = new peer.ChaincodeAdditionalParams();
  params.setUseWriteBatch(use);
  params.setMaxSizeWriteBatch(max);
  params.setUseGetMultipleKeys(true);
  params.setMaxSizeGetMultipleKeys(1000);
  return params.serializeBinary();
}

describe('the encoding of write batches', () => {
  test('is that of Fabric’s own classes, byte for byte', () => {
    const batch = new peer.WriteBatchState();
    for (const { key, value } of writes) {
      const written = new peer.WriteRecord();
      written.setKey(key);
      written.setValue(value ?? new Uint8Array());
      written.setType(value === null ? 10 : 9);
      batch.addRec(written);
    }
    const [encoded, ...others] = encodeWriteBatches(writes, 1000);
    expect(others).toEqual([]);
    expect(encoded).toEqual(Buffer.from(batch.serializeBinary()));
  });

  test('is split by count and by bytes, and holds every write once, in order', () => {
    const many = Array.from({ length: 25 }, (_, n) => ({
      key: `key-${n}`,
      value: Buffer.alloc(n * 100, 0x20),
    }));
    for (const [writesMax, bytesMax] of [
      [1, 1e9],
      [7, 1e9],
      [25, 1e9],
      [1000, 5000],
      [1000, 1],
      [3, 5000],
    ] as const) {
      const batches = [...encodeWriteBatches(many, writesMax, bytesMax)];
      const records = batches.map((each) =>
        peer.WriteBatchState.deserializeBinary(each).getRecList(),
      );
      expect(records.flat().map((each) => each.getKey())).toEqual(many.map(({ key }) => key));
      for (const [index, batch] of batches.entries()) {
        expect(records[index]?.length).toBeLessThanOrEqual(writesMax);
        expect(batch.length <= bytesMax || records[index]?.length === 1).toBe(true);
      }
    }
  });

  test('of nothing is nothing', () => {
    expect([...encodeWriteBatches([], 10)]).toEqual([]);
  });
});

describe('the offer in READY', () => {
  test.each([
    ['use and size', additionalParams(true, 1000), 1000],
    ['no use', additionalParams(false, 1000), 0],
    ['no size', additionalParams(true, 0), 0],
    ['nothing, as Fabric 2.5', new Uint8Array(), 0],
    ['a cut varint', Uint8Array.of(0x08, 0x81), 0],
    ['a cut tag', Uint8Array.of(0x08, 0x01, 0x90), 0],
    ['another message', Uint8Array.of(0x0a, 0x01, 0x41), 0],
  ])('with %s is read as %#', (_name, payload, writesMax) => {
    expect(writesMaxOf(payload)).toBe(writesMax);
  });
});

describe('a transaction', () => {
  const large = Array.from({ length: 7 }, (_, n) => record(n, `k${n}`, `${n}`));
  const endorse = async (target: StubPeer, call: ReturnType<typeof batchCall>) =>
    target.endorse({
      channelId: 'mychannel',
      txId: 'tx',
      fn: call.fn,
      args: call.args ?? [],
      transient: call.transient ?? {},
      mspId: 'Org1MSP',
      seconds: 1,
      nanos: 0,
    });

  test('sends its writes in batches of the offered size, to the peer that offered it', async () => {
    const network = new StubNetwork([ShuttleContract], 3);
    await network.submit(openCall());
    const batching = await endorse(network.batching, batchCall(-1, large));
    expect(batching.batchSizes).toEqual([3, 3, 2]);
    expect(batching.messageTypes).toEqual([
      ...Array(3).fill(GET_STATE),
      ...Array(3).fill(WRITE_BATCH_STATE),
      COMPLETED,
    ]);
    const plain = await endorse(network.plain, batchCall(-1, large));
    expect(plain.messageTypes).toEqual([
      ...Array(3).fill(GET_STATE),
      ...Array(8).fill(PUT_STATE),
      COMPLETED,
    ]);
    expect(plain.writes).toEqual(batching.writes);
  });

  test('of one process goes to each of its peers as that peer offered', async () => {
    const ledger = new StubLedger();
    const chaincode = chaincodeOf([ShuttleContract]);
    const offering = new StubPeer(ledger, connectInMemory(chaincode), additionalParams(true, 10));
    const older = new StubPeer(ledger, connectInMemory(chaincode), new Uint8Array());
    const larger = new StubPeer(ledger, connectInMemory(chaincode), additionalParams(true, 1000));
    ledger.commit([await endorse(offering, openCall())]);
    const call = batchCall(
      -1,
      Array.from({ length: 30 }, (_, n) => record(n, `k${n}`, '1')),
    );
    const answers = await Promise.all([offering, older, larger].map((each) => endorse(each, call)));
    expect(answers.map(({ batchSizes }) => batchSizes)).toEqual([[10, 10, 10, 1], [], [31]]);
    expect(answers[1]?.writes).toEqual(answers[0]?.writes);
    expect(answers[2]?.writes).toEqual(answers[0]?.writes);
  });

  test('takes no value of the state for an offer', async () => {
    const ledger = new StubLedger();
    const older = new StubPeer(
      ledger,
      connectInMemory(chaincodeOf([ShuttleContract])),
      new Uint8Array(),
    );
    const write = { key: 'k', value: Buffer.from(additionalParams(true, 10)) };
    ledger.commit([{ txId: 'x', seconds: 1, nanos: 0, reads: new Map(), writes: [write] }]);
    await endorse(older, { fn: 'getData', args: ['k'] });
    const { messageTypes } = await endorse(older, { fn: 'setData', args: ['k', '1'] });
    expect(messageTypes).toEqual([GET_STATE, PUT_STATE, COMPLETED]);
  });

  test('that is refused has sent no write', async () => {
    const network = new StubNetwork([ShuttleContract]);
    await network.submit(openCall());
    const answer = await network.submit(batchCall(5, [record(6, 'k', '1')]));
    expect(answer.endorsement.messageTypes).toEqual([GET_STATE, GET_STATE, COMPLETED]);
  });
});

test('a peer’s keepalive is echoed and does not end the process', () => {
  const target = new StubPeer(
    new StubLedger(),
    connectInMemory(chaincodeOf([ShuttleContract])),
    new Uint8Array(),
  );
  target.keepAlive();
  expect(target.echoes).toEqual([KEEPALIVE]);
});

describe('what the hook relies on in fabric-shim', () => {
  const requireFrom = createRequire(join(process.cwd(), 'chaincode', 'package.json'));

  test('is pinned to the version in which it was read', () => {
    const path = join(process.cwd(), 'chaincode', 'package.json');
    const { dependencies } = JSON.parse(readFileSync(path, 'utf8'));
    expect(dependencies).toMatchObject({
      'fabric-shim': '2.5.8',
      'fabric-contract-api': '2.5.8',
    });
    expect(requireFrom('fabric-shim/package.json').version).toBe('2.5.8');
    expect(requireFrom('fabric-contract-api/package.json').version).toBe('2.5.8');
  });

  test('is there: the members, by name', () => {
    const path = requireFrom.resolve('fabric-shim/lib/handler.js');
    const source = readFileSync(path, 'utf8');
    expect(source).toMatch(/class ChaincodeMessageHandler \{/);
    expect(source).toMatch(/ chat\(convStarterMsg\) \{/);
    expect(source).toMatch(/ _askPeerAndListen\(msg, method\) \{/);
    expect(source).toContain('this._stream = stream;');
    expect(source).toContain("stream.on('data'");
    const stub = readFileSync(requireFrom.resolve('fabric-shim/lib/stub.js'), 'utf8');
    expect(stub).toContain('this.handler = client;');
    expect(stub).toContain('getBufferArgs()');
    const server = readFileSync(requireFrom.resolve('fabric-shim/lib/server.js'), 'utf8');
    expect(server).toContain('this._server = new grpc.Server(');
    expect(server).toContain('connect(stream) {');
  });
});
