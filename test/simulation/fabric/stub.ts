/** The state as one transaction sees it on one peer, with the set of what it reads and writes. */
import type { Context } from 'fabric-contract-api';
import type { WorldState } from './state.ts';

export interface Write {
  readonly key: string;
  readonly value: Buffer | null;
}

export interface Proposal {
  readonly txId: string;
  readonly mspId: string;
  readonly seconds: number;
  readonly transient: ReadonlyMap<string, Uint8Array>;
}

/** What a transaction did on one peer. */
export interface Simulation {
  readonly reads: ReadonlyMap<string, string | null>;
  readonly writes: readonly Write[];
  readonly event: { readonly name: string; readonly payload: string } | null;
  readonly result: string;
}

interface KeyValue {
  readonly key: string;
  readonly value: Buffer;
}

/** What chaincode/src/state.ts asks of fabric-shim's stub; older peers offer no write batches. */
export class SimulatedStub {
  readonly reads = new Map<string, string | null>();
  readonly writes = new Map<string, Write>();
  event: { name: string; payload: string } | null = null;
  private readonly proposal: Proposal;
  private readonly state: WorldState;
  private readonly height: number;

  constructor(proposal: Proposal, state: WorldState, height: number) {
    this.proposal = proposal;
    this.state = state;
    this.height = height;
  }

  get context(): Context {
    return { stub: this } as unknown as Context;
  }

  getTxID(): string {
    return this.proposal.txId;
  }

  getCreator(): { mspid: string; idBytes: Uint8Array } {
    return { mspid: this.proposal.mspId, idBytes: new Uint8Array() };
  }

  getTxTimestamp(): { seconds: number; nanos: number } {
    return { seconds: this.proposal.seconds, nanos: 0 };
  }

  getTransient(): ReadonlyMap<string, Uint8Array> {
    return this.proposal.transient;
  }

  createCompositeKey(type: string, attributes: readonly string[]): string {
    return `\u0000${[type, ...attributes].join('\u0000')}\u0000`;
  }

  async getState(key: string): Promise<Buffer> {
    const found = this.state.get(key, this.height);
    this.reads.set(key, found?.version ?? null);
    return found?.value ?? Buffer.alloc(0);
  }

  async *getStateByPartialCompositeKey(
    type: string,
    attributes: readonly string[],
  ): AsyncGenerator<KeyValue> {
    yield* this.state.withPrefix(this.createCompositeKey(type, attributes), this.height);
  }

  async *getHistoryForKey(key: string) {
    for (const { txId, seconds, value } of this.state.history(key, this.height)) {
      const timestamp = { seconds, nanos: 0 };
      yield { txId, timestamp, isDelete: value === null, value: value ?? Buffer.alloc(0) };
    }
  }

  async putState(key: string, value: Uint8Array): Promise<void> {
    this.writes.set(key, { key, value: Buffer.from(value) });
  }

  async deleteState(key: string): Promise<void> {
    this.writes.set(key, { key, value: null });
  }

  setEvent(name: string, payload: Uint8Array): void {
    this.event = { name, payload: Buffer.from(payload).toString('utf8') };
  }
}
