/**
 * A peer for tests, at the level of messages: it speaks with the real fabric-shim over a stream in
 * memory, so that tests run through the same code as on a network - registration, READY, arguments,
 * contexts, marshalling, iterators - and see every message that the chaincode sends.
 */
import { serializers } from '../../chaincode/src/serializer.ts';
import type { Simulation, StubLedger, StubWrite } from './stub-ledger.ts';
import {
  decodeWriteBatch,
  type Message,
  message,
  type Proposal,
  protos,
  requireFrom,
  signedProposal,
  timestamp,
} from './stub-messages.ts';

const { ChaincodeMessageHandler } = requireFrom('fabric-shim/lib/handler.js');
const ChaincodeFromContract = requireFrom('fabric-shim/lib/contract-spi/chaincodefromcontract.js');

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

/** One end of the stream between peer and chaincode. */
export interface MessageStream {
  on(event: string, listener: (message: Message) => void): unknown;
  write(message: Message): unknown;
}

/** Connects a chaincode through fabric-shim's own handler; answers the peer's end of the stream. */
export function connectInMemory(chaincode: StubChaincode): MessageStream {
  const [peerEnd, chaincodeEnd] = [new MemoryStream(), new MemoryStream()];
  peerEnd.other = chaincodeEnd;
  chaincodeEnd.other = peerEnd;
  const register = message(TYPE.register, new Uint8Array());
  new ChaincodeMessageHandler(chaincodeEnd, chaincode).chat(register);
  return peerEnd;
}

class MemoryStream implements MessageStream {
  other: MemoryStream | null = null;
  private readonly listeners: ((message: Message) => void)[] = [];
  private readonly waiting: Message[] = [];

  on(event: string, listener: (message: Message) => void): this {
    if (event === 'data') {
      this.listeners.push(listener);
      for (const each of this.waiting.splice(0)) {
        listener(each);
      }
    }
    return this;
  }

  write(sent: Message): boolean {
    const bytes = sent.serializeBinary();
    this.other?.receive(protos.peer.ChaincodeMessage.deserializeBinary(bytes));
    return true;
  }

  private receive(received: Message): void {
    if (this.listeners.length === 0) {
      this.waiting.push(received);
    }
    for (const listener of this.listeners) {
      listener(received);
    }
  }
}

export class StubPeer {
  private readonly ledger: StubLedger;
  private readonly stream: MessageStream;
  private readonly ready: Uint8Array;
  private readonly running = new Map<string, Running>();
  private readonly settled: Record<'registered' | 'asked', () => void> = {
    registered: () => undefined,
    asked: () => undefined,
  };
  /** Messages outside of transactions that came back from the chaincode. */
  readonly echoes: number[] = [];
  /** Settles when the chaincode may be called. */
  readonly registered = new Promise<void>((resolve) => {
    this.settled.registered = resolve;
  });
  /** Settles when a transaction has asked for something. */
  readonly asked = new Promise<void>((resolve) => {
    this.settled.asked = resolve;
  });

  /** @param ready - payload of READY; empty from a peer that offers nothing */
  constructor(ledger: StubLedger, stream: MessageStream, ready: Uint8Array) {
    this.ledger = ledger;
    this.stream = stream;
    this.ready = ready;
    stream.on('data', (received) => this.receive(received));
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

  private send(sent: Message): void {
    this.stream.write(sent);
  }

  private receive(received: Message): void {
    if (received.getType() === TYPE.register) {
      this.send(message(TYPE.registered, new Uint8Array()));
      this.send(message(TYPE.ready, this.ready));
      this.settled.registered();
      return;
    }
    const running = this.running.get(received.getTxid());
    if (running === undefined) {
      this.echoes.push(received.getType());
      return;
    }
    running.messageTypes.push(received.getType());
    this.settled.asked();
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
        if (this.ready.length === 0) {
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
