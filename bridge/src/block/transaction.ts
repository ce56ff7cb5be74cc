/** One data entry of a block, as far as somebody asks: header first, then action, then writes. */
import type { BinaryReader } from '@bufbuild/protobuf/wire';
import {
  asBuffer,
  decoding,
  EMPTY,
  lengthDelimited,
  readBytes,
  readFields,
  readMessage,
  varint,
} from './proto.ts';

/** google.protobuf.Timestamp as the submitting client set it. */
export interface Timestamp {
  readonly seconds: bigint;
  readonly nanos: number;
}

export interface TransactionHeader {
  /** common.HeaderType. */
  readonly type: number;
  readonly channel: string;
  /** Empty for config transactions made by an orderer. */
  readonly txId: string;
  readonly timestamp: Timestamp | null;
  readonly creatorMspId: string;
  /** common.Payload.data: a peer.Transaction when the type is ENDORSER_TRANSACTION. */
  readonly data: Uint8Array;
}

export interface ChaincodeEvent {
  readonly chaincode: string;
  readonly txId: string;
  readonly name: string;
  readonly payload: Uint8Array;
}

/** What one endorsed chaincode call asked for and what came of it. */
export interface ChaincodeAction {
  /** The chaincode that the endorsers ran. */
  readonly chaincode: string;
  /** First argument as text; empty when there is none. */
  readonly function: string;
  /** The arguments behind the function's name. */
  readonly args: readonly Uint8Array[];
  readonly response: { readonly status: number; readonly payload: Uint8Array };
  readonly event: ChaincodeEvent | null;
  /** rwset.TxReadWriteSet, for readWriteSets(). */
  readonly results: Uint8Array;
}

/** kvrwset.KVWrite. */
export interface Write {
  readonly key: Uint8Array;
  readonly isDelete: boolean;
  readonly value: Uint8Array;
}

// common.Envelope
const ENVELOPE_PAYLOAD = lengthDelimited(1); // payload
// common.Payload
const PAYLOAD_HEADER = lengthDelimited(1); // header
const PAYLOAD_DATA = lengthDelimited(2); // data
// common.Header
const HEADER_CHANNEL = lengthDelimited(1); // channel_header
const HEADER_SIGNATURE = lengthDelimited(2); // signature_header
// common.ChannelHeader
const CHANNEL_TYPE = varint(1); // type
const CHANNEL_TIMESTAMP = lengthDelimited(3); // timestamp
const CHANNEL_ID = lengthDelimited(4); // channel_id
const CHANNEL_TX_ID = lengthDelimited(5); // tx_id
// google.protobuf.Timestamp
const TIMESTAMP_SECONDS = varint(1); // seconds
const TIMESTAMP_NANOS = varint(2); // nanos
// common.SignatureHeader
const SIGNATURE_CREATOR = lengthDelimited(1); // creator
// msp.SerializedIdentity
const IDENTITY_MSP_ID = lengthDelimited(1); // mspid
// peer.Transaction
const TRANSACTION_ACTION = lengthDelimited(1); // actions
// peer.TransactionAction
const ACTION_PAYLOAD = lengthDelimited(2); // payload
// peer.ChaincodeActionPayload
const CAP_PROPOSAL_PAYLOAD = lengthDelimited(1); // chaincode_proposal_payload
const CAP_ENDORSED_ACTION = lengthDelimited(2); // action
// peer.ChaincodeEndorsedAction
const ENDORSED_RESPONSE_PAYLOAD = lengthDelimited(1); // proposal_response_payload
// peer.ProposalResponsePayload
const RESPONSE_EXTENSION = lengthDelimited(2); // extension
// peer.ChaincodeAction
const CA_RESULTS = lengthDelimited(1); // results
const CA_EVENTS = lengthDelimited(2); // events
const CA_RESPONSE = lengthDelimited(3); // response
const CA_CHAINCODE_ID = lengthDelimited(4); // chaincode_id
// peer.Response
const RESPONSE_STATUS = varint(1); // status
const RESPONSE_PAYLOAD = lengthDelimited(3); // payload
// peer.ChaincodeID
const CHAINCODE_NAME = lengthDelimited(2); // name
// peer.ChaincodeProposalPayload
const PROPOSAL_INPUT = lengthDelimited(1); // input
// peer.ChaincodeInvocationSpec
const INVOCATION_SPEC = lengthDelimited(1); // chaincode_spec
// peer.ChaincodeSpec
const SPEC_INPUT = lengthDelimited(3); // input
// peer.ChaincodeInput
const INPUT_ARG = lengthDelimited(1); // args
// peer.ChaincodeEvent
const EVENT_CHAINCODE = lengthDelimited(1); // chaincode_id
const EVENT_TX_ID = lengthDelimited(2); // tx_id
const EVENT_NAME = lengthDelimited(3); // event_name
const EVENT_PAYLOAD = lengthDelimited(4); // payload
// rwset.TxReadWriteSet
const RESULTS_NAMESPACE = lengthDelimited(2); // ns_rwset
// rwset.NsReadWriteSet
const NAMESPACE_NAME = lengthDelimited(1); // namespace
const NAMESPACE_RWSET = lengthDelimited(2); // rwset
// kvrwset.KVRWSet
const RWSET_WRITE = lengthDelimited(3); // writes
// kvrwset.KVWrite
const WRITE_KEY = lengthDelimited(1); // key
const WRITE_IS_DELETE = varint(2); // is_delete
const WRITE_VALUE = lengthDelimited(3); // value

/** @throws ShuttleError BLOCK_INVALID when the entry is not an envelope with a readable header */
export function decodeTransactionHeader(entry: Uint8Array): TransactionHeader {
  return decoding('a transaction header', () => {
    let payload = EMPTY;
    readBytes(entry, (tag, reader) => {
      if (tag === ENVELOPE_PAYLOAD) {
        payload = asBuffer(reader.bytes());
      }
      return tag === ENVELOPE_PAYLOAD;
    });
    return readPayload(payload);
  });
}

function readPayload(payload: Buffer): TransactionHeader {
  let channelHeader = EMPTY;
  let signatureHeader = EMPTY;
  let data = EMPTY;
  readBytes(payload, (tag, reader) => {
    if (tag === PAYLOAD_HEADER) {
      readMessage(reader, (field) => {
        if (field === HEADER_CHANNEL) {
          channelHeader = asBuffer(reader.bytes());
        } else if (field === HEADER_SIGNATURE) {
          signatureHeader = asBuffer(reader.bytes());
        } else {
          return false;
        }
        return true;
      });
    } else if (tag === PAYLOAD_DATA) {
      data = asBuffer(reader.bytes());
    } else {
      return false;
    }
    return true;
  });
  const identity = readField(signatureHeader, SIGNATURE_CREATOR);
  const creatorMspId = readField(identity, IDENTITY_MSP_ID).toString('utf8');
  return { ...readChannelHeader(channelHeader), creatorMspId, data };
}

function readChannelHeader(bytes: Buffer): Omit<TransactionHeader, 'creatorMspId' | 'data'> {
  const header = { type: 0, channel: '', txId: '', timestamp: null as Timestamp | null };
  readBytes(bytes, (tag, reader) => {
    if (tag === CHANNEL_TYPE) {
      header.type = reader.int32();
    } else if (tag === CHANNEL_TIMESTAMP) {
      header.timestamp = readTimestamp(reader, header.timestamp);
    } else if (tag === CHANNEL_ID) {
      header.channel = reader.string();
    } else if (tag === CHANNEL_TX_ID) {
      header.txId = reader.string();
    } else {
      return false;
    }
    return true;
  });
  return header;
}

function readTimestamp(reader: BinaryReader, before: Timestamp | null): Timestamp {
  let { seconds, nanos } = before ?? { seconds: 0n, nanos: 0 };
  readMessage(reader, (tag) => {
    if (tag === TIMESTAMP_SECONDS) {
      seconds = BigInt(reader.int64());
    } else if (tag === TIMESTAMP_NANOS) {
      nanos = reader.int32();
    } else {
      return false;
    }
    return true;
  });
  return { seconds, nanos };
}

/** A bytes field of a message; empty when absent. */
function readField(bytes: Buffer, wanted: number): Buffer {
  let value = EMPTY;
  readBytes(bytes, (tag, reader) => {
    if (tag === wanted) {
      value = asBuffer(reader.bytes());
    }
    return tag === wanted;
  });
  return value;
}

/**
 * Decodes the action of an ENDORSER_TRANSACTION; null when it has none. Fabric lets a transaction
 * with exactly one action through, so the first one is all there is.
 *
 * @throws ShuttleError BLOCK_INVALID when the bytes are not a transaction
 */
export function decodeAction(data: Uint8Array): ChaincodeAction | null {
  return decoding('a transaction', () => {
    const actions: Buffer[] = [];
    readBytes(data, (tag, reader) => {
      if (tag === TRANSACTION_ACTION) {
        actions.push(asBuffer(reader.bytes()));
      }
      return tag === TRANSACTION_ACTION;
    });
    const action = actions[0];
    return action === undefined ? null : readAction(readField(action, ACTION_PAYLOAD));
  });
}

function readAction(payload: Buffer): ChaincodeAction {
  let proposalPayload = EMPTY;
  let responsePayload = EMPTY;
  readBytes(payload, (tag, reader) => {
    if (tag === CAP_PROPOSAL_PAYLOAD) {
      proposalPayload = asBuffer(reader.bytes());
    } else if (tag === CAP_ENDORSED_ACTION) {
      readMessage(reader, (field) => {
        if (field === ENDORSED_RESPONSE_PAYLOAD) {
          responsePayload = asBuffer(reader.bytes());
        }
        return field === ENDORSED_RESPONSE_PAYLOAD;
      });
    } else {
      return false;
    }
    return true;
  });
  const [name = EMPTY, ...args] = readArguments(readField(proposalPayload, PROPOSAL_INPUT));
  const outcome = readOutcome(readField(responsePayload, RESPONSE_EXTENSION));
  return { function: name.toString('utf8'), args, ...outcome };
}

function readArguments(invocation: Buffer): Buffer[] {
  const args: Buffer[] = [];
  readBytes(invocation, (tag, reader) => {
    if (tag !== INVOCATION_SPEC) {
      return false;
    }
    readMessage(reader, (inSpec) => {
      if (inSpec !== SPEC_INPUT) {
        return false;
      }
      readMessage(reader, (inInput) => {
        if (inInput === INPUT_ARG) {
          args.push(asBuffer(reader.bytes()));
        }
        return inInput === INPUT_ARG;
      });
      return true;
    });
    return true;
  });
  return args;
}

function readOutcome(bytes: Buffer): Omit<ChaincodeAction, 'function' | 'args'> {
  const response = { status: 0, payload: EMPTY };
  let chaincode = '';
  let results = EMPTY;
  let events = EMPTY;
  readBytes(bytes, (tag, reader) => {
    if (tag === CA_RESULTS) {
      results = asBuffer(reader.bytes());
    } else if (tag === CA_EVENTS) {
      events = asBuffer(reader.bytes());
    } else if (tag === CA_RESPONSE) {
      readMessage(reader, (field) => {
        if (field === RESPONSE_STATUS) {
          response.status = reader.int32();
        } else if (field === RESPONSE_PAYLOAD) {
          response.payload = asBuffer(reader.bytes());
        } else {
          return false;
        }
        return true;
      });
    } else if (tag === CA_CHAINCODE_ID) {
      readMessage(reader, (field) => {
        if (field === CHAINCODE_NAME) {
          chaincode = reader.string();
        }
        return field === CHAINCODE_NAME;
      });
    } else {
      return false;
    }
    return true;
  });
  return { chaincode, response, results, event: events.length === 0 ? null : readEvent(events) };
}

function readEvent(bytes: Buffer): ChaincodeEvent {
  const event = { chaincode: '', txId: '', name: '', payload: EMPTY };
  readBytes(bytes, (tag, reader) => {
    if (tag === EVENT_CHAINCODE) {
      event.chaincode = reader.string();
    } else if (tag === EVENT_TX_ID) {
      event.txId = reader.string();
    } else if (tag === EVENT_NAME) {
      event.name = reader.string();
    } else if (tag === EVENT_PAYLOAD) {
      event.payload = asBuffer(reader.bytes());
    } else {
      return false;
    }
    return true;
  });
  return event;
}

/** The kvrwset.KVRWSet bytes of each namespace that the transaction touched, in its order. */
export function readWriteSets(results: Uint8Array): readonly NamespaceSet[] {
  return decoding('a read-write set', () => {
    const sets: NamespaceSet[] = [];
    readBytes(results, (tag, reader) => {
      if (tag !== RESULTS_NAMESPACE) {
        return false;
      }
      const set = { namespace: '', rwset: EMPTY };
      readMessage(reader, (field) => {
        if (field === NAMESPACE_NAME) {
          set.namespace = reader.string();
        } else if (field === NAMESPACE_RWSET) {
          set.rwset = asBuffer(reader.bytes());
        } else {
          return false;
        }
        return true;
      });
      sets.push(set);
      return true;
    });
    return sets;
  });
}

export interface NamespaceSet {
  readonly namespace: string;
  readonly rwset: Uint8Array;
}

/** The public writes of a namespace, in the order of the write set. */
export function decodeWrites(rwset: Uint8Array): Write[] {
  return decoding('a write set', () => {
    const writes: Write[] = [];
    readBytes(rwset, (tag, reader) => {
      if (tag !== RWSET_WRITE) {
        return false;
      }
      const length = reader.uint32();
      writes.push(readWrite(reader, reader.pos + length));
      return true;
    });
    return writes;
  });
}

function readWrite(reader: BinaryReader, end: number): Write {
  const write = { key: EMPTY, isDelete: false, value: EMPTY };
  readFields(reader, end, (tag) => {
    if (tag === WRITE_KEY) {
      write.key = asBuffer(reader.bytes());
    } else if (tag === WRITE_IS_DELETE) {
      write.isDelete = reader.bool();
    } else if (tag === WRITE_VALUE) {
      write.value = asBuffer(reader.bytes());
    } else {
      return false;
    }
    return true;
  });
  return write;
}
