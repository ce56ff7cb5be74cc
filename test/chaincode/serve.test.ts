import '../support/stub-quiet.ts';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ShuttleContract } from '../../chaincode/src/contract.ts';
import { type Service, serve } from '../../chaincode/src/serve.ts';
import { batchCall, record } from '../support/stub-batches.ts';
import { StubLedger } from '../support/stub-ledger.ts';
import { type MessageStream, StubPeer } from '../support/stub-peer.ts';

const requireFrom = createRequire(join(process.cwd(), 'chaincode', 'package.json'));
const shimRequire = createRequire(requireFrom.resolve('fabric-shim'));
const grpc = shimRequire('@grpc/grpc-js');
const { peer: protos } = shimRequire('@hyperledger/fabric-protos');

let service: Service;
let client: { connect(): MessageStream; close(): void };
let stream: MessageStream;
let target: StubPeer;

/** A port that was free a moment ago; fabric-shim does not tell which one it bound. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

beforeEach(async () => {
  const address = `127.0.0.1:${await freePort()}`;
  service = await serve([ShuttleContract], { address, chaincodeId: 'shuttle:1' });
  client = new protos.ChaincodeClient(address, grpc.credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
    'grpc.max_receive_message_length': -1,
  });
  stream = client.connect();
  target = new StubPeer(new StubLedger(), stream, new Uint8Array());
  await target.registered;
});

afterEach(async () => {
  await service.close();
  client.close();
});

const proposal = (call: ReturnType<typeof batchCall>) => ({
  channelId: 'mychannel',
  txId: 'tx',
  fn: call.fn,
  args: call.args ?? [],
  transient: call.transient ?? {},
  mspId: 'Org1MSP',
  seconds: 1,
  nanos: 0,
});

test('a batch larger than gRPC’s 4 MiB gets through', async () => {
  const value = `"${'x'.repeat(1024 * 1024 - 2)}"`;
  const records = Array.from({ length: 7 }, (_, n) => record(n, `k${n}`, value));
  const { message } = await target.endorse(proposal(batchCall(-1, records)));
  expect(message).toMatch(/^LAYOUT_MISSING: /);
});

test('stopping lets the running transaction answer, then ends the stream', async () => {
  const ended = new Promise((resolve) => stream.on('end', resolve));
  const running = target.endorse(proposal(batchCall(-1, [record(0, 'k', '1')])));
  await target.asked;
  await service.close();
  expect((await running).message).toMatch(/^LAYOUT_MISSING: /);
  await ended;
});
