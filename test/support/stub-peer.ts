/**
 * A peer for tests, at the level of messages: it speaks with the real fabric-shim over a stream in
 * memory, so that tests run through the same code as on a network - registration, READY, arguments,
 * contexts, marshalling, iterators - and see every message that the chaincode sends.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { common as Common, msp as Msp, peer as Peer } from '@hyperledger/fabric-protos';
import { serializers } from '../../chaincode/src/serializer.ts';
import { CLIENT_CERTIFICATE } from './stub-certificate.ts';
import type { Simulation, StubLedger, StubWrite } from './stub-ledger.ts';

const requireFrom = createRequire(join(process.cwd(), 'chaincode', 'package.json'));
const { ChaincodeMessageHandler } = requireFrom('fabric-shim/lib/handler.js');
const ChaincodeFromContract = requireFrom('fabric-shim/lib/contract-spi/chaincodefromcontract.js');
// The shim's own messages: another version of fabric-protos would not pass its instanceof.
const shimRequire = createRequire(requireFrom.resolve('fabric-shim'));
const protos = shimRequire('@hyperledger/fabric-protos') as {
  readonly common: typeof Common;
  readonly msp: typeof Msp;
  readonly peer: typeof Peer;
  readonly ledger: typeof import('@hyperledger/fabric-protos').ledger;
};
const { Timestamp } = shimRequire('google-protobuf/google/protobuf/timestamp_pb.js');

const TYPE = {
  register: 1,
  registered: 2,
  ready: 4,
  transaction: 5,
  completed: 6,
  error: 7,
  getState: 8,
  putState: 9,
  delState: 10,
  response: 13,
  getStateByRange: 14,
  queryStateNext: 16,
  queryStateClose: 17,
  keepalive: 18,
  getHistoryForKey: 19,
  writeBatchState: 24,
} as const;

/** Results that a peer puts in one answer of an iterator. */
const RESULTS_MAX = 3;

type Message = Peer.ChaincodeMessage;

export interface Proposal {
  readonly channelId: string;
  readonly txId: string;
  readonly fn: string;
  readonly args: readonly (string | Uint8Array)[];
  readonly transient: Readonly<Record<string, Uint8Array>>;
  readonly mspId: string;
  readonly seconds: number;
  readonly nanos: number;
}

/** A peer's answer to a proposal: what an endorsement holds, and how the chaincode got there. */
export interface Endorsement extends Simulation {
  readonly status: number;
  readonly message: string;
  readonly payload: Buffer;
  readonly event: { readonly name: string; readonly payload: string } | null;
  /** Types of the messages that the chaincode sent, in order. */
  readonly messageTypes: readonly number[];
  /** Counts of writes in each write batch. */
  readonly batchSizes: readonly number[];
}

interface Running {
  readonly proposal: Proposal;
  readonly reads: Map<string, string | null>;
  readonly writes: StubWrite[];
  readonly messageTypes: number[];
  readonly batchSizes: number[];
  readonly iterators: Map<string, Uint8Array[]>;
  readonly finish: (endorsement: Endorsement) => void;
}

/** What fabric-shim makes of contracts. */
export interface StubChaincode {
  readonly metadata: { readonly contracts: Record<string, unknown> };
}

/** Builds the chaincode of contract classes, as fabric-chaincode-node does. */
export function chaincodeOf(contracts: readonly (new () => object)[]): StubChaincode {
  return new ChaincodeFromContract([...contracts], serializers, {}, 'test', '0.0.0');
}

export class StubPeer {
  private readonly ledger: StubLedger;
  private readonly running = new Map<string, Running>();
  private readonly listeners: ((message: Message) => void)[] = [];
  private readonly offersBatches: boolean;
  /** Messages outside of transactions that came back from the chaincode. */
  readonly echoes: number[] = [];

  /** @param ready - payload of READY; empty from a peer that offers nothing */
  constructor(ledger: StubLedger, chaincode: StubChaincode, ready: Uint8Array) {
    this.ledger = ledger;
    this.offersBatches = ready.length > 0;
    const stream = {
      on: (event: string, listener: (message: Message) => void) => {
        if (event === 'data') {
          this.listeners.push(listener);
        }
        return stream;
      },
      write: (message: Message) => {
        const bytes = message.serializeBinary();
        this.receive(protos.peer.ChaincodeMessage.deserializeBinary(bytes));
        return true;
      },
      end: () => stream,
    };
    const register = message(TYPE.register, new Uint8Array());
    new ChaincodeMessageHandler(stream, chaincode).chat(register);
    this.send(message(TYPE.ready, ready));
  }

  /** Simulates a proposal on the ledger as it is. */
  endorse(proposal: Proposal): Promise<Endorsement> {
    return new Promise((finish) => {
      this.running.set(proposal.txId, {
        proposal,
        reads: new Map(),
        writes: [],
        messageTypes: [],
        batchSizes: [],
        iterators: new Map(),
        finish,
      });
      const input = new protos.peer.ChaincodeInput();
      input.setArgsList([proposal.fn, ...proposal.args].map((arg) => Buffer.from(arg as string)));
      const start = message(TYPE.transaction, input.serializeBinary(), proposal);
      start.setProposal(signedProposal(proposal, input));
      this.send(start);
    });
  }

  keepAlive(): void {
    this.send(message(TYPE.keepalive, new Uint8Array()));
  }

  private send(message: Message): void {
    for (const listener of this.listeners) {
      listener(protos.peer.ChaincodeMessage.deserializeBinary(message.serializeBinary()));
    }
  }

  private receive(received: Message): void {
    if (received.getType() === TYPE.register) {
      this.send(message(TYPE.registered, new Uint8Array()));
      return;
    }
    const running = this.running.get(received.getTxid());
    if (running === undefined) {
      this.echoes.push(received.getType());
      return;
    }
    running.messageTypes.push(received.getType());
    if (received.getType() === TYPE.completed) {
      this.running.delete(received.getTxid());
      running.finish(endorsement(running, received));
      return;
    }
    const answer = this.answer(running, received);
    queueMicrotask(() => this.send(answer));
  }

  private answer(running: Running, received: Message): Message {
    const payload = received.getPayload_asU8();
    const respond = (bytes: Uint8Array) => message(TYPE.response, bytes, running.proposal);
    switch (received.getType() as number) {
      case TYPE.getState:
        return respond(this.getState(running, payload));
      case TYPE.putState: {
        const put = protos.peer.PutState.deserializeBinary(payload);
        running.writes.push({ key: put.getKey(), value: Buffer.from(put.getValue_asU8()) });
        return respond(new Uint8Array());
      }
      case TYPE.delState: {
        const del = protos.peer.DelState.deserializeBinary(payload);
        running.writes.push({ key: del.getKey(), value: null });
        return respond(new Uint8Array());
      }
      case TYPE.writeBatchState: {
        if (!this.offersBatches) {
          throw new Error('an older peer closes the stream on a message type it does not know');
        }
        const writes = decodeWriteBatch(payload);
        running.batchSizes.push(writes.length);
        running.writes.push(...writes);
        return respond(new Uint8Array());
      }
      case TYPE.getStateByRange:
        return respond(this.getStateByRange(running, payload));
      case TYPE.getHistoryForKey:
        return respond(this.getHistory(running, payload));
      case TYPE.queryStateNext: {
        const id = protos.peer.QueryStateNext.deserializeBinary(payload).getId();
        return respond(nextResults(running, id));
      }
      case TYPE.queryStateClose:
        return respond(new protos.peer.QueryResponse().serializeBinary());
      default:
        throw new Error(`the stub peer does not know message type ${received.getType()}`);
    }
  }

  private getState(running: Running, payload: Uint8Array): Uint8Array {
    const key = protos.peer.GetState.deserializeBinary(payload).getKey();
    const entry = this.ledger.get(key);
    running.reads.set(key, entry?.version ?? null);
    return entry?.value ?? new Uint8Array();
  }

  private getStateByRange(running: Running, payload: Uint8Array): Uint8Array {
    const query = protos.peer.GetStateByRange.deserializeBinary(payload);
    const metadata = protos.peer.QueryMetadata.deserializeBinary(query.getMetadata_asU8());
    const start = metadata.getBookmark() || query.getStartkey();
    const entries = this.ledger.range(start, query.getEndkey());
    const pageSize = metadata.getPagesize();
    const page = pageSize === 0 ? entries : entries.slice(0, pageSize);
    const results = page.map(({ key, value }) => {
      const kv = new protos.ledger.queryresult.KV();
      kv.setKey(key);
      kv.setValue(value as Buffer);
      return kv.serializeBinary();
    });
    if (pageSize === 0) {
      return firstResults(running, results);
    }
    const response = queryResponse(results, false, 'page');
    const responseMetadata = new protos.peer.QueryResponseMetadata();
    responseMetadata.setFetchedRecordsCount(page.length);
    responseMetadata.setBookmark(entries[pageSize]?.key ?? '');
    response.setMetadata(responseMetadata.serializeBinary());
    return response.serializeBinary();
  }

  private getHistory(running: Running, payload: Uint8Array): Uint8Array {
    const key = protos.peer.GetHistoryForKey.deserializeBinary(payload).getKey();
    const results = this.ledger.history(key).map(({ txId, seconds, nanos, value }) => {
      const modification = new protos.ledger.queryresult.KeyModification();
      modification.setTxId(txId);
      modification.setTimestamp(timestamp(seconds, nanos));
      modification.setIsDelete(value === null);
      modification.setValue(value ?? new Uint8Array());
      return modification.serializeBinary();
    });
    return firstResults(running, results);
  }
}

function firstResults(running: Running, results: Uint8Array[]): Uint8Array {
  const id = `iterator-${running.iterators.size}`;
  running.iterators.set(id, results);
  return nextResults(running, id);
}

function nextResults(running: Running, id: string): Uint8Array {
  const left = running.iterators.get(id) ?? [];
  const results = left.splice(0, RESULTS_MAX);
  return queryResponse(results, left.length > 0, id).serializeBinary();
}

function queryResponse(results: readonly Uint8Array[], hasMore: boolean, id: string) {
  const response = new protos.peer.QueryResponse();
  response.setResultsList(
    results.map((bytes) => {
      const result = new protos.peer.QueryResultBytes();
      result.setResultbytes(bytes);
      return result;
    }),
  );
  response.setHasMore(hasMore);
  response.setId(id);
  return response;
}

function endorsement(running: Running, completed: Message): Endorsement {
  const response = protos.peer.Response.deserializeBinary(completed.getPayload_asU8());
  const event = completed.getChaincodeEvent();
  const { txId, seconds, nanos } = running.proposal;
  return {
    txId,
    seconds,
    nanos,
    reads: running.reads,
    writes: running.writes,
    messageTypes: running.messageTypes,
    batchSizes: running.batchSizes,
    status: response.getStatus(),
    message: response.getMessage(),
    payload: Buffer.from(response.getPayload_asU8()),
    event:
      event === undefined
        ? null
        : {
            name: event.getEventName(),
            payload: Buffer.from(event.getPayload_asU8()).toString('utf8'),
          },
  };
}

function message(type: number, payload: Uint8Array, of?: Proposal): Message {
  const result = new protos.peer.ChaincodeMessage();
  result.setType(type as ReturnType<Message['getType']>);
  result.setPayload(payload);
  result.setTxid(of?.txId ?? '');
  result.setChannelId(of?.channelId ?? '');
  return result;
}

function signedProposal(of: Proposal, input: Peer.ChaincodeInput): Peer.SignedProposal {
  const creator = new protos.msp.SerializedIdentity();
  creator.setMspid(of.mspId);
  creator.setIdBytes(Buffer.from(CLIENT_CERTIFICATE));
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

function timestamp(seconds: number, nanos: number) {
  const result = new Timestamp();
  result.setSeconds(seconds);
  result.setNanos(nanos);
  return result;
}

/** Reads peer.WriteBatchState, which the shim's own protos do not know, field by field. */
function decodeWriteBatch(bytes: Uint8Array): StubWrite[] {
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
