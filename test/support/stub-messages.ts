/** The messages between peer and chaincode, in the classes of fabric-shim's own protos. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { common as Common, msp as Msp, peer as Peer } from '@hyperledger/fabric-protos';
import { CLIENT_CERTIFICATE } from './stub-certificate.ts';
import type { StubWrite } from './stub-ledger.ts';

/** require() as the chaincode's package would. */
export const requireFrom = createRequire(join(process.cwd(), 'chaincode', 'package.json'));
// The shim's own messages: another version of fabric-protos would not pass its instanceof.
const shimRequire = createRequire(requireFrom.resolve('fabric-shim'));
export const protos = shimRequire('@hyperledger/fabric-protos') as {
  readonly common: typeof Common;
  readonly msp: typeof Msp;
  readonly peer: typeof Peer;
  readonly ledger: typeof import('@hyperledger/fabric-protos').ledger;
};
const { Timestamp } = shimRequire('google-protobuf/google/protobuf/timestamp_pb.js');

export type Message = Peer.ChaincodeMessage;

export interface Proposal {
  readonly channelId: string;
  readonly txId: string;
  readonly fn: string;
  readonly args: readonly (string | Uint8Array)[];
  readonly transient: Readonly<Record<string, Uint8Array>>;
  readonly mspId: string;
  /** The submitter's; a client's unless told. */
  readonly certificate?: string;
  readonly seconds: number;
  readonly nanos: number;
}

export function message(type: number, payload: Uint8Array, of?: Proposal): Message {
  const result = new protos.peer.ChaincodeMessage();
  result.setType(type as ReturnType<Message['getType']>);
  result.setPayload(payload);
  result.setTxid(of?.txId ?? '');
  result.setChannelId(of?.channelId ?? '');
  return result;
}

export function signedProposal(of: Proposal, input: Peer.ChaincodeInput): Peer.SignedProposal {
  const creator = new protos.msp.SerializedIdentity();
  creator.setMspid(of.mspId);
  creator.setIdBytes(Buffer.from(of.certificate ?? CLIENT_CERTIFICATE));
  const signatureHeader = new protos.common.SignatureHeader();
  signatureHeader.setCreator(creator.serializeBinary());
  signatureHeader.setNonce(Buffer.from(of.txId));
  const channelHeader = new protos.common.ChannelHeader();
  channelHeader.setChannelId(of.channelId);
  channelHeader.setTxId(of.txId);
  channelHeader.setTimestamp(timestamp(of.seconds, of.nanos));
  const header = new protos.common.Header();
  header.setChannelHeader(channelHeader.serializeBinary());
  header.setSignatureHeader(signatureHeader.serializeBinary());
  const payload = new protos.peer.ChaincodeProposalPayload();
  payload.setInput(input.serializeBinary());
  for (const [name, bytes] of Object.entries(of.transient)) {
    payload.getTransientmapMap().set(name, bytes);
  }
  const proposal = new protos.peer.Proposal();
  proposal.setHeader(header.serializeBinary());
  proposal.setPayload(payload.serializeBinary());
  const signed = new protos.peer.SignedProposal();
  signed.setProposalBytes(proposal.serializeBinary());
  return signed;
}

export function timestamp(seconds: number, nanos: number) {
  const result = new Timestamp();
  result.setSeconds(seconds);
  result.setNanos(nanos);
  return result;
}

/** Reads peer.WriteBatchState, which the shim's own protos do not know, field by field. */
export function decodeWriteBatch(bytes: Uint8Array): StubWrite[] {
  const writes: StubWrite[] = [];
  for (const [field, record] of fields(bytes)) {
    const members = new Map(fields(record as Uint8Array));
    const type = members.get(5);
    if (field !== 1 || (type !== 9 && type !== 10)) {
      throw new Error(`unknown write: field ${field}, type ${String(type)}`);
    }
    const key = Buffer.from((members.get(1) ?? []) as Uint8Array).toString('utf8');
    const value = type === 10 ? null : Buffer.from((members.get(2) ?? []) as Uint8Array);
    writes.push({ key, value });
  }
  return writes;
}

function fields(bytes: Uint8Array): [number, number | Uint8Array][] {
  const result: [number, number | Uint8Array][] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte % 128) * factor;
      if (byte < 128) {
        return value;
      }
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const value = varint();
    if (tag % 8 === 2) {
      result.push([tag >> 3, bytes.subarray(at, at + value)]);
      at += value;
    } else {
      result.push([tag >> 3, value]);
    }
  }
  return result;
}
