/**
 * A client that has its envelopes in hand: it can hold them back, send them twice or break them,
 * and finds them in the blocks again.
 */
import { createHash, createPrivateKey } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { connect, type Gateway, hash, type Signer, signers } from '@hyperledger/fabric-gateway';
import { common, gateway as messages } from '@hyperledger/fabric-protos';
import type { NetworkDescription } from '@shuttle/network';

/** How one organisation's peer is reached, as one identity of that organisation. */
export interface Access {
  readonly peer: NetworkDescription['peers'][number];
  /** An MSP folder with signcerts and keystore. */
  readonly mspDir: string;
  readonly channel: string;
}

export interface Call {
  readonly chaincode: string;
  readonly transaction: string;
  readonly arguments?: readonly (string | Uint8Array)[];
  readonly transient?: Readonly<Record<string, Uint8Array>>;
  /** MSP ids; left out, the peer finds whom the policy needs. */
  readonly endorsers?: readonly string[];
}

export interface RawLedger {
  /** A signed envelope that nobody has been sent yet. */
  endorse(call: Call): Promise<common.Envelope>;
  /** Signs another payload as this identity. */
  sign(payload: Uint8Array): Promise<common.Envelope>;
  /** Resolves when the ordering service has taken it; what becomes of it the blocks tell. */
  submit(envelope: common.Envelope): Promise<void>;
  height(): Promise<number>;
  /** The block's bytes as the peer gives them. */
  block(number: number): Promise<Uint8Array>;
  close(): void;
}

const SUBMIT = '/gateway.Gateway/Submit';
const CALL_DEADLINE_MS = 30_000;
const BLOCK_BYTES_MAX = 100 * 1024 * 1024;

export async function openRawLedger({ peer, mspDir, channel }: Access): Promise<RawLedger> {
  const ca = await readFile(peer.tlsCaFile);
  const client = new Client(peer.endpoint, credentials.createSsl(ca), {
    'grpc.max_receive_message_length': BLOCK_BYTES_MAX,
  });
  const signer = signers.newPrivateKeySigner(createPrivateKey(await onlyFile(mspDir, 'keystore')));
  const identity = { mspId: peer.mspId, credentials: await onlyFile(mspDir, 'signcerts') };
  const gateway = connect({ client, identity, signer, hash: hash.sha256 });
  const network = gateway.getNetwork(channel);
  const query = (name: string, ...args: string[]): Promise<Uint8Array> =>
    network.getContract('qscc').evaluate(name, {
      arguments: [channel, ...args],
      endorsingOrganizations: [peer.mspId],
    });
  const sign = (payload: Uint8Array): Promise<common.Envelope> => signed(payload, signer);
  return {
    endorse: (call) => endorse(gateway, channel, call, sign),
    sign,
    submit: (envelope) => submit(client, channel, envelope),
    height: async () =>
      common.BlockchainInfo.deserializeBinary(await query('GetChainInfo')).getHeight(),
    block: (number) => query('GetBlockByNumber', String(number)),
    close: () => {
      gateway.close();
      client.close();
    },
  };
}

async function onlyFile(mspDir: string, folder: string): Promise<Buffer> {
  const [name = ''] = await readdir(join(mspDir, folder));
  return await readFile(join(mspDir, folder, name));
}

async function signed(payload: Uint8Array, signer: Signer): Promise<common.Envelope> {
  const envelope = new common.Envelope();
  envelope.setPayload(payload);
  envelope.setSignature(await signer(createHash('sha256').update(payload).digest()));
  return envelope;
}

async function endorse(
  gateway: Gateway,
  channel: string,
  call: Call,
  sign: RawLedger['sign'],
): Promise<common.Envelope> {
  const contract = gateway.getNetwork(channel).getContract(call.chaincode);
  const proposal = contract.newProposal(call.transaction, {
    arguments: [...(call.arguments ?? [])],
    ...(call.transient === undefined ? {} : { transientData: call.transient }),
    ...(call.endorsers === undefined ? {} : { endorsingOrganizations: [...call.endorsers] }),
  });
  const transaction = await proposal.endorse({ deadline: Date.now() + CALL_DEADLINE_MS });
  const prepared = messages.PreparedTransaction.deserializeBinary(transaction.getBytes());
  return await sign(prepared.getEnvelope()?.getPayload_asU8() ?? new Uint8Array());
}

/** The gateway's own call, because its library takes only what it made itself. */
function submit(client: Client, channel: string, envelope: common.Envelope): Promise<void> {
  const request = new messages.SubmitRequest();
  request.setChannelId(channel);
  request.setPreparedTransaction(envelope);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      SUBMIT,
      (message: messages.SubmitRequest) => Buffer.from(message.serializeBinary()),
      (bytes) => bytes,
      request,
      { deadline: Date.now() + CALL_DEADLINE_MS },
      (error) => (error === null ? resolve() : reject(error)),
    );
  });
}
