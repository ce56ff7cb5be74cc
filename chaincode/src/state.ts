/**
 * The ledger as one transaction sees it. The only file that touches the stub.
 *
 * Writes are collected and sent together at the end: with write batches that is one message instead
 * of one for each, and a transaction that is refused half way has sent nothing. Both ways send the
 * same writes in the same order, so endorsers with and without write batches agree.
 */
import { isUtf8 } from 'node:buffer';
import { X509Certificate } from 'node:crypto';
import type { Context } from 'fabric-contract-api';
import type { ChaincodeMessageHandler } from 'fabric-shim/lib/handler.js';
import { sendWriteBatches, type Write, writeBatchOffer } from './write-batch.ts';

/** One entry of a range. */
export interface StateEntry {
  readonly key: string;
  readonly value: Uint8Array;
}

/** One page of a range; `next` is the key that the next page starts from, '' at the end. */
export interface StatePage {
  readonly entries: readonly StateEntry[];
  readonly next: string;
}

/** One transaction that wrote a key; `value` null when it deleted the key from the state. */
export interface HistoryEntry {
  readonly txId: string;
  /** The transaction's timestamp, in ms since the epoch. */
  readonly timestamp: number;
  readonly value: Uint8Array | null;
}

export interface State {
  readonly txId: string;
  /** MSP id of the client that submitted the transaction. */
  readonly mspId: string;
  /**
   * Whether the client's certificate names it an admin of its organisation, by Fabric's NodeOUs:
   * one of its organisational units is "admin".
   */
  readonly isAdmin: boolean;
  /** The transaction's timestamp, set by its client, in ms since the epoch. */
  readonly timestamp: number;

  /** An entry of the proposal's transient map; null when absent. */
  transient(name: string): Uint8Array | null;
  /**
   * Whether an argument of the transaction (the first is 1) was valid UTF-8. fabric-shim hands
   * arguments out as strings, with U+FFFD for what was not.
   */
  isArgumentUtf8(index: number): boolean;
  compositeKey(objectType: string, attributes: readonly string[]): string;

  /** The committed value, never one that this transaction wrote; null when absent. */
  get(key: string): Promise<Uint8Array | null>;
  /** A page of the keys from `start` (included) to `end` (not included, '' for the last). */
  page(start: string, end: string, size: number): Promise<StatePage>;
  /** A page of these, from the key `start` on. For queries only: Fabric writes nothing after it. */
  partialPage(
    objectType: string,
    attributes: readonly string[],
    start: string,
    size: number,
  ): Promise<StatePage>;
  /** All entries whose composite key starts with these attributes. */
  byPartialKey(objectType: string, attributes: readonly string[]): AsyncIterable<StateEntry>;
  /** The transactions that wrote a key, newest first. */
  history(key: string): AsyncIterable<HistoryEntry>;

  /** Collects a write; the last one of a key counts. */
  put(key: string, value: Uint8Array): void;
  /** Collects a delete. */
  delete(key: string): void;
  /** Sets the transaction's chaincode event; Fabric keeps one, the last. */
  emit(name: string, payload: Uint8Array): void;
  /** Sends the collected writes. Call it once, as a transaction's last step. */
  flush(): Promise<void>;
}

type Stub = Context['stub'];

/** Members of fabric-shim's stub that its types do not show. */
interface StubInternals {
  readonly handler?: ChaincodeMessageHandler;
  getBufferArgs(): Uint8Array[];
}

/** The state behind a transaction's context. */
export function openState(ctx: Context): State {
  return new StubState(ctx.stub);
}

class StubState implements State {
  readonly txId: string;
  readonly mspId: string;
  private readonly stub: Stub & Partial<StubInternals>;
  private readonly writes = new Map<string, Write>();

  constructor(stub: Stub) {
    this.stub = stub;
    this.txId = stub.getTxID();
    this.mspId = stub.getCreator().mspid;
  }

  get isAdmin(): boolean {
    const { idBytes } = this.stub.getCreator();
    // The legacy object keeps the parts of the name apart; in its text they could be forged.
    const { subject } = new X509Certificate(idBytes).toLegacyObject();
    const units: string | readonly string[] | undefined = subject?.OU;
    return typeof units === 'string' ? units === 'admin' : (units ?? []).includes('admin');
  }

  get timestamp(): number {
    const { seconds, nanos } = this.stub.getTxTimestamp();
    return Number(seconds) * 1000 + Math.floor(nanos / 1e6);
  }

  transient(name: string): Uint8Array | null {
    return this.stub.getTransient().get(name) ?? null;
  }

  isArgumentUtf8(index: number): boolean {
    const argument = this.stub.getBufferArgs?.()[index];
    return argument === undefined || isUtf8(argument);
  }

  compositeKey(objectType: string, attributes: readonly string[]): string {
    return this.stub.createCompositeKey(objectType, [...attributes]);
  }

  async get(key: string): Promise<Uint8Array | null> {
    const value = await this.stub.getState(key);
    return value.length === 0 ? null : value;
  }

  async page(start: string, end: string, size: number): Promise<StatePage> {
    return await pageOf(await this.stub.getStateByRangeWithPagination(start, end, size));
  }

  async partialPage(
    objectType: string,
    attributes: readonly string[],
    start: string,
    size: number,
  ): Promise<StatePage> {
    // A peer takes the bookmark for the key to start from.
    const query = this.stub.getStateByPartialCompositeKeyWithPagination(
      objectType,
      [...attributes],
      size,
      start,
    );
    return await pageOf(await query);
  }

  byPartialKey(objectType: string, attributes: readonly string[]): AsyncIterable<StateEntry> {
    return this.stub.getStateByPartialCompositeKey(objectType, [...attributes]);
  }

  async *history(key: string): AsyncGenerator<HistoryEntry> {
    for await (const entry of this.stub.getHistoryForKey(key)) {
      const { seconds, nanos } = entry.timestamp;
      yield {
        txId: entry.txId,
        timestamp: Number(seconds) * 1000 + Math.floor(nanos / 1e6),
        value: entry.isDelete ? null : entry.value,
      };
    }
  }

  put(key: string, value: Uint8Array): void {
    this.writes.set(key, { key, value });
  }

  delete(key: string): void {
    this.writes.set(key, { key, value: null });
  }

  emit(name: string, payload: Uint8Array): void {
    this.stub.setEvent(name, payload);
  }

  async flush(): Promise<void> {
    const writes = [...this.writes.values()];
    this.writes.clear();
    const handler = this.stub.handler;
    const offer = handler === undefined ? undefined : writeBatchOffer(handler);
    if (handler !== undefined && offer !== undefined) {
      const transaction = { channelId: this.stub.getChannelID(), txId: this.txId };
      await sendWriteBatches(handler, offer, transaction, writes);
      return;
    }
    for (const { key, value } of writes) {
      await (value === null ? this.stub.deleteState(key) : this.stub.putState(key, value));
    }
  }
}

async function pageOf({
  iterator,
  metadata,
}: Awaited<ReturnType<Stub['getStateByRangeWithPagination']>>): Promise<StatePage> {
  // An empty page has empty metadata on the wire, which fabric-shim takes for none at all.
  const known: { readonly bookmark: string } | undefined = metadata;
  const entries: StateEntry[] = [];
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    entries.push(next.value);
  }
  return { entries, next: known?.bookmark ?? '' };
}
