/**
 * A channel under Fabric's rules: an ordering service that cuts blocks by count and by time, MVCC
 * at commit, and peers that are at different heights of the same chain.
 */
import '../../support/stub-quiet.ts';
import { common } from '@hyperledger/fabric-protos';
import { ShuttleContract } from '@shuttle/chaincode';
import {
  type BuiltBlock,
  buildBlock,
  CHAINCODE,
  type TransactionSpec,
} from '../../support/blocks.ts';
import type { Random } from '../random.ts';
import type { Scheduler, Timer } from '../scheduler.ts';
import type { Story } from '../story.ts';
import { WorldState } from './state.ts';
import { type Proposal, SimulatedStub, type Simulation } from './stub.ts';

/** peer.TxValidationCode */
export const CODES = { valid: 0, duplicate: 9, policy: 10, mvcc: 11 } as const;

export interface Envelope extends Proposal, Simulation {
  readonly fn: string;
  readonly args: readonly string[];
}

export interface Committed {
  readonly envelope: Envelope;
  readonly code: number;
}

export interface CutRules {
  readonly transactionsMax: number;
  readonly timeoutMs: number;
}

type Transactions = Readonly<
  Record<string, (ctx: unknown, ...args: readonly string[]) => Promise<string | undefined>>
>;

/** One peer: how many blocks of the chain it has. */
export class Peer {
  readonly name: string;
  height = 1;
  /** Blocks reach it so much later, while it lags. */
  lagMs = 0;
  private dueMs = 0;
  private readonly watchers = new Set<() => void>();

  constructor(name: string) {
    this.name = name;
  }

  /** Takes the next block, in order, however long it is under way. */
  send(height: number, latencyMs: number, scheduler: Scheduler): void {
    this.dueMs = Math.max(this.dueMs, scheduler.nowMs + latencyMs + this.lagMs);
    scheduler.after(this.dueMs - scheduler.nowMs, () => {
      this.height = Math.max(this.height, height);
      for (const look of this.watchers) {
        look();
      }
    });
  }

  /** Resolves when the peer has block number `block`. */
  has(block: number): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.height > block) {
          this.watchers.delete(look);
          resolve();
        }
      };
      this.watchers.add(look);
      look();
    });
  }
}

export class Channel {
  readonly state = new WorldState();
  readonly chain: BuiltBlock[];
  /** By number of its block. */
  readonly committed: (readonly Committed[])[] = [[]];
  readonly peers: readonly Peer[];
  /** The ordering service takes so much longer for each block. */
  slowMs = 0;
  onBlock: (number: number, transactions: readonly Committed[]) => void = () => undefined;
  private readonly contract = new ShuttleContract() as unknown as Transactions;
  private readonly scheduler: Scheduler;
  private readonly random: Random;
  private readonly story: Story;
  private readonly rules: CutRules;
  private readonly placed = new Map<string, { block: number; code: number }>();
  private pending: Envelope[] = [];
  private cutting: Timer | null = null;
  private busyUntilMs = 0;
  private transactions = 0;

  constructor(scheduler: Scheduler, random: Random, story: Story, rules: CutRules) {
    this.scheduler = scheduler;
    this.random = random;
    this.story = story;
    this.rules = rules;
    const genesis = { type: common.HeaderType.CONFIG, txId: 'genesis' };
    this.chain = [buildBlock({ number: 0, previous: null, transactions: [genesis] })];
    this.peers = ['org1-peer0', 'org1-peer1', 'org2-peer0'].map((name) => new Peer(name));
  }

  nextTxId(): string {
    this.transactions += 1;
    return `tx${this.transactions}`;
  }

  /** Runs the chaincode on a peer as it is. @throws Refusal, as the chaincode does */
  async simulate(
    peer: Peer,
    proposal: Proposal,
    fn: string,
    args: readonly string[],
  ): Promise<Simulation> {
    const stub = new SimulatedStub(proposal, this.state, peer.height - 1);
    const transaction = this.contract[fn];
    if (transaction === undefined) {
      throw new Error(`the chaincode has no transaction ${fn}`);
    }
    const result = (await transaction.call(this.contract, stub.context, ...args)) ?? '';
    const { reads, writes, event } = stub;
    return { reads, writes: [...writes.values()], event, result };
  }

  /** Takes an envelope into the next block. */
  order(envelope: Envelope): void {
    this.pending.push(envelope);
    if (this.pending.length >= this.rules.transactionsMax) {
      this.cut();
    } else {
      this.cutting ??= this.scheduler.after(this.rules.timeoutMs, () => this.cut());
    }
  }

  private cut(): void {
    this.cutting?.cancel();
    this.cutting = null;
    const block = this.pending.splice(0);
    if (block.length === 0) {
      return;
    }
    this.busyUntilMs = Math.max(this.busyUntilMs, this.scheduler.nowMs) + this.slowMs;
    this.scheduler.after(this.busyUntilMs - this.scheduler.nowMs, () => this.commit(block));
  }

  /** Every peer comes to the same verdicts, so they are found once. */
  private commit(envelopes: readonly Envelope[]): void {
    const number = this.chain.length;
    const transactions = envelopes.map((envelope, index) => {
      const code = this.validate(envelope);
      if (code === CODES.valid) {
        this.apply(envelope, number, index);
      }
      if (!this.placed.has(envelope.txId)) {
        this.placed.set(envelope.txId, { block: number, code });
      }
      return { envelope, code };
    });
    const previous = this.chain.at(-1) ?? null;
    this.chain.push(buildBlock({ number, previous, transactions: transactions.map(specOf) }));
    this.committed.push(transactions);
    this.story.tell('channel', () => `cuts block ${number}: ${transactions.map(tell).join(', ')}`);
    this.onBlock(number, transactions);
    for (const peer of this.peers) {
      peer.send(number + 1, this.random.next() * 60, this.scheduler);
    }
  }

  private validate(envelope: Envelope): number {
    if (this.placed.has(envelope.txId)) {
      return CODES.duplicate;
    }
    if (this.invalid.delete(envelope.txId)) {
      return CODES.policy;
    }
    for (const [key, version] of envelope.reads) {
      if ((this.state.get(key, Number.POSITIVE_INFINITY)?.version ?? null) !== version) {
        return CODES.mvcc;
      }
    }
    return CODES.valid;
  }

  private apply({ txId, seconds, writes }: Envelope, height: number, index: number): void {
    for (const { key, value } of writes) {
      this.state.put(key, { height, version: `${height}:${index}`, txId, seconds, value });
    }
  }

  /** Transactions that shall not pass, as after a change of the endorsement policy. */
  readonly invalid = new Set<string>();

  /** Where a transaction stands in the chain; null while it does not. */
  placeOf(txId: string): { readonly block: number; readonly code: number } | null {
    return this.placed.get(txId) ?? null;
  }
}

function specOf({ envelope, code }: Committed): TransactionSpec {
  const { txId, mspId, fn, args, writes, event, seconds } = envelope;
  return {
    txId,
    mspId,
    code,
    args: [fn, ...args],
    writes: { [CHAINCODE]: writes },
    timestamp: [seconds, 0],
    ...(event === null ? {} : { event }),
  };
}

function tell({ envelope: { txId, fn, args }, code }: Committed): string {
  const [header = ''] = args;
  const what = fn === 'submitBatch' ? batchOf(header) : fn;
  return `${txId} ${what}${code === CODES.valid ? '' : ` invalid ${code}`}`;
}

/** A batch in few characters: partition, lane, and the offsets that it claims. */
export function batchOf(headerJson: string): string {
  const { topic, partition, lane, after, first, last } = JSON.parse(headerJson);
  return `${topic}/${partition}#${lane} ${first}-${last} after ${after}`;
}
