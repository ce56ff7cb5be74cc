/** An entry of a block as far as its validity depends on it; everything a view into the block. */
import { bytesField, bytesFields, readFields, repeatedField } from './wire.ts';

// common.Envelope: payload 1, signature 2. common.Payload: header 1, data 2.
// common.Header: channel_header 1, signature_header 2. common.SignatureHeader: creator 1, nonce 2.

/** common.HeaderType, as far as blocks hold it. */
export const HEADER_TYPES = { CONFIG: 1n, CONFIG_UPDATE: 2n, ENDORSER_TRANSACTION: 3n };

export interface Envelope {
  readonly payload: Buffer;
  readonly signature: Buffer;
}

export interface ChannelHeader {
  /** common.HeaderType. */
  readonly type: bigint;
  readonly channel: string;
  readonly txId: string;
  readonly epoch: bigint;
  /** peer.ChaincodeHeaderExtension. */
  readonly extension: Buffer;
}

export interface SignatureHeader {
  /** msp.SerializedIdentity. */
  readonly creator: Buffer;
  readonly nonce: Buffer;
}

export interface Payload {
  /** Null when the payload has no header. */
  readonly header: Buffer | null;
  readonly data: Buffer;
}

/** @throws Error when the bytes are none */
export function readEnvelope(entry: Uint8Array): Envelope {
  const [payload, signature] = bytesFields(entry, 2) as [Buffer, Buffer];
  return { payload, signature };
}

/** @throws Error when the bytes are none */
export function readPayload(bytes: Uint8Array): Payload {
  let header: Buffer | null = null;
  let data: Buffer = Buffer.alloc(0);
  readFields(bytes, {
    bytes: (field, value) => {
      header = field === 1 ? value : header;
      data = field === 2 ? value : data;
    },
  });
  return { header, data };
}

/** @throws Error when the bytes are none */
export function readChannelHeader(bytes: Uint8Array): ChannelHeader {
  let [type, epoch] = [0n, 0n];
  let [channel, txId] = ['', ''];
  let extension: Buffer = Buffer.alloc(0);
  readFields(bytes, {
    integer: (field, value) => {
      type = field === 1 ? value : type;
      epoch = field === 6 ? value : epoch;
    },
    bytes: (field, value) => {
      channel = field === 4 ? value.toString('utf8') : channel;
      txId = field === 5 ? value.toString('utf8') : txId;
      extension = field === 7 ? value : extension;
    },
  });
  return { type, channel, txId, epoch, extension };
}

/** @throws Error when the bytes are none */
export function readSignatureHeader(bytes: Uint8Array): SignatureHeader {
  const [creator, nonce] = bytesFields(bytes, 2) as [Buffer, Buffer];
  return { creator, nonce };
}

export interface Endorsement {
  /** msp.SerializedIdentity. */
  readonly endorser: Buffer;
  readonly signature: Buffer;
}

/** The one action of an endorser transaction. */
export interface EndorsedAction {
  /** common.SignatureHeader of the proposal. */
  readonly signatureHeader: Buffer;
  /** peer.ChaincodeProposalPayload, without what was transient. */
  readonly proposalPayload: Buffer;
  /** peer.ProposalResponsePayload: what endorsers sign, each with its own identity behind it. */
  readonly responsePayload: Buffer;
  readonly endorsements: readonly Endorsement[];
}

/** Of peer.Transaction; null unless there is exactly one action. @throws Error for other bytes */
export function readAction(data: Uint8Array): EndorsedAction | null {
  const [action, ...others] = repeatedField(data, 1);
  if (action === undefined || others.length > 0) {
    return null;
  }
  const [signatureHeader, payload] = bytesFields(action, 2) as [Buffer, Buffer];
  const [proposalPayload, endorsed] = bytesFields(payload, 2) as [Buffer, Buffer];
  const endorsements = repeatedField(endorsed, 2).map((bytes) => {
    const [endorser, signature] = bytesFields(bytes, 2) as [Buffer, Buffer];
    return { endorser, signature };
  });
  return {
    signatureHeader,
    proposalPayload,
    responsePayload: bytesField(endorsed, 1),
    endorsements,
  };
}

/** Of peer.ChaincodeID. */
export interface ChaincodeId {
  readonly name: string;
  readonly version: string;
}

/** What the endorsers have agreed on. */
export interface Simulation {
  readonly proposalHash: Buffer;
  /** rwset.TxReadWriteSet. */
  readonly results: Buffer;
  /** peer.ChaincodeEvent; empty when there is none. */
  readonly events: Buffer;
  readonly chaincode: ChaincodeId | null;
}

/** @throws Error when the bytes are no peer.ProposalResponsePayload with a peer.ChaincodeAction */
export function readSimulation(responsePayload: Uint8Array): Simulation {
  const [proposalHash, extension] = bytesFields(responsePayload, 2) as [Buffer, Buffer];
  const [results, events] = bytesFields(extension, 2) as [Buffer, Buffer];
  return { proposalHash, results, events, chaincode: readChaincodeId(extension, 4) };
}

/** A field of the type peer.ChaincodeID; null when it is absent. @throws Error for other bytes */
export function readChaincodeId(message: Uint8Array, wanted: number): ChaincodeId | null {
  let found: ChaincodeId | null = null;
  readFields(message, {
    bytes: (field, value) => {
      if (field === wanted) {
        const [, name, version] = bytesFields(value, 3) as [Buffer, Buffer, Buffer];
        found = { name: name.toString('utf8'), version: version.toString('utf8') };
      }
    },
  });
  return found;
}
