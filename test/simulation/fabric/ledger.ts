/** The Ledger port over a simulated channel: the gateway's steps, and what can go wrong in each. */
import { status } from '@grpc/grpc-js';
import { GatewayError } from '@hyperledger/fabric-gateway';
import { ShuttleError } from '@shuttle/bridge/dist/errors.js';
import { explain, type Step } from '@shuttle/bridge/dist/fabric/answers.js';
import type { Ledger, Opening, Receipt, Submitted } from '@shuttle/bridge/dist/ports.js';
import type { LedgerIdentity, TopicPartition } from '@shuttle/bridge/dist/values.js';
import { decodeLayout, decodePartitionState, type Layout } from '@shuttle/chaincode/ledger';
import {
  type BatchHeader,
  decodeReceipt,
  encodeHeader,
  LANE_HASH_VERSION,
  RECORDS_TRANSIENT_KEY,
} from '@shuttle/chaincode/wire';
import { CHAINCODE, CHANNEL, MSP_ID } from '../../support/blocks.ts';
import type { Host } from '../host.ts';
import type { Random } from '../random.ts';
import { batchOf, type Channel, CODES, type Envelope, type Peer } from './channel.ts';
import type { Simulation } from './stub.ts';

const TIMEOUT_MS: Readonly<Record<Step, number>> = {
  evaluate: 2_000,
  endorse: 3_000,
  submit: 2_000,
  'commit status': 6_000,
};
const BLOCK_SILENCE_MS = 4_000;
const LATE_MS = 8_000;

/** How often the ledger itself misbehaves, in [0, 1]. */
export interface LedgerFaults {
  readonly busy: number;
  readonly late: number;
  readonly dropped: number;
  readonly twice: number;
  readonly invalid: number;
  readonly cut: number;
  readonly silent: number;
}

export interface LedgerDeps {
  readonly host: Host;
  readonly channel: Channel;
  readonly random: Random;
  readonly faults: LedgerFaults;
  /** Told of every batch that reaches a peer, before it is endorsed. */
  readonly arrived: (header: BatchHeader) => void;
  /** Told when a batch's submission begins (1) and ends (-1), as the bridge sees it. */
  readonly submitting: (header: BatchHeader, change: 1 | -1) => void;
  /** Told of each block that the process took from a stream; null when a stream is opened. */
  readonly streamed: (bytes: number | null) => void;
}

export class SimulatedLedger implements Ledger {
  private readonly deps: LedgerDeps;
  /** The peer that this process is configured with; the other one is of the same organisation. */
  private readonly gateway: Peer;

  constructor(deps: LedgerDeps) {
    this.deps = deps;
    this.gateway = deps.random.pick(deps.channel.peers.slice(0, 2));
  }

  async identity(): Promise<LedgerIdentity> {
    const { chain } = this.deps.channel;
    return await this.ask('evaluate', () => ({
      channel: CHANNEL,
      genesisHash: chain[0]?.hash ?? '',
      chaincode: CHAINCODE,
      mspId: MSP_ID,
    }));
  }

  async getPartition(stream: string, at: TopicPartition): ReturnType<Ledger['getPartition']> {
    const args = [stream, at.topic, String(at.partition)];
    return decodePartitionState(
      Buffer.from(await this.evaluate('getWatermarks', args)).toString('utf8'),
    );
  }

  async openPartition(
    stream: string,
    { topic, partition }: TopicPartition,
    { partitions, older, lanes, keyExpressionDigest }: Opening,
  ): Promise<Layout> {
    const numbers = [partition, partitions, older, lanes, LANE_HASH_VERSION].map(String);
    const args = [stream, topic, ...numbers, keyExpressionDigest];
    const { result } = await this.submit('openPartition', args);
    return decodeLayout(Buffer.from(result).toString('utf8'));
  }

  async submitBatch(header: BatchHeader, records: Uint8Array): Promise<Receipt> {
    const transient = new Map([[RECORDS_TRANSIENT_KEY, Uint8Array.from(records)]]);
    const args = [encodeHeader(header)];
    this.deps.submitting(header, 1);
    try {
      const { txId, blockNumber, result } = await this.transact(
        'submitBatch',
        args,
        transient,
        () => this.deps.arrived(header),
      );
      return { ...decodeReceipt(Buffer.from(result).toString('utf8')), txId, blockNumber };
    } finally {
      this.deps.submitting(header, -1);
    }
  }

  async evaluate(transaction: string, args: readonly string[]): Promise<Uint8Array> {
    const { channel, random } = this.deps;
    return await this.ask('evaluate', async () => {
      const peer = random.pick(channel.peers.slice(0, 2));
      const { result } = await this.simulate(peer, this.proposal('evaluate'), transaction, args);
      return Buffer.from(result);
    });
  }

  async submit(transaction: string, args: readonly string[]): Promise<Submitted> {
    return await this.transact(transaction, args, new Map(), () => undefined);
  }

  private proposal(txId: string, transient: ReadonlyMap<string, Uint8Array> = new Map()) {
    const seconds = Math.floor(this.deps.host.clock.now() / 1_000);
    return { txId, mspId: MSP_ID, seconds, transient };
  }

  private async transact(
    fn: string,
    args: readonly string[],
    transient: ReadonlyMap<string, Uint8Array>,
    arrived: () => void,
  ): Promise<Submitted> {
    const { channel } = this.deps;
    const txId = channel.nextTxId();
    const envelope = await this.ask('endorse', () => {
      arrived();
      return this.endorse(txId, fn, args, transient);
    });
    await this.ask('submit', () => this.orderAsTold(envelope));
    const place = await this.ask('commit status', async () => {
      for (let block = this.gateway.height; ; block += 1) {
        const found = channel.placeOf(txId);
        if (found !== null) {
          await this.gateway.has(found.block);
          return found;
        }
        await this.gateway.has(block);
      }
    });
    if (place.code !== CODES.valid) {
      throw new ShuttleError('COMMIT_INVALID', `Transaction ${txId} is invalid: ${place.code}.`);
    }
    return { txId, blockNumber: BigInt(place.block), result: Buffer.from(envelope.result) };
  }

  /** The own peer and one of the other organisation, each at its own height and in its own time. */
  private async endorse(
    txId: string,
    fn: string,
    args: readonly string[],
    transient: ReadonlyMap<string, Uint8Array>,
  ): Promise<Envelope> {
    const { channel, host } = this.deps;
    const { network, scheduler } = host.deps;
    if (network.faulty && this.deps.random.chance(this.deps.faults.busy)) {
      network.happened('busy peer');
      throw gatewayError(status.UNKNOWN, 'too many requests for the gateway');
    }
    const proposal = this.proposal(txId, transient);
    const endorsers = [this.gateway, channel.peers[2] ?? this.gateway];
    const [own, other] = await Promise.all(
      endorsers.map(async (peer) => {
        await scheduler.wait(network.latencyMs());
        return await this.simulate(peer, proposal, fn, args);
      }),
    );
    if (own === undefined || other === undefined || fingerprint(own) !== fingerprint(other)) {
      throw gatewayError(status.ABORTED, 'ProposalResponsePayloads do not match');
    }
    return { ...proposal, ...own, fn, args };
  }

  private async simulate(
    peer: Peer,
    proposal: ReturnType<SimulatedLedger['proposal']>,
    fn: string,
    args: readonly string[],
  ): Promise<Simulation> {
    try {
      return await this.deps.channel.simulate(peer, proposal, fn, args);
    } catch (error) {
      const { story } = this.deps.host.deps;
      const what = fn === 'submitBatch' ? batchOf(args[0] ?? '{}') : fn;
      story.tell(peer.name, () => `refuses ${what}: ${(error as Error).message}`);
      throw gatewayError(status.ABORTED, `chaincode response 500, ${(error as Error).message}`);
    }
  }

  private orderAsTold(envelope: Envelope): void {
    const { channel, faults, host, random } = this.deps;
    const { network, scheduler, story } = host.deps;
    const does = (share: number): boolean => network.faulty && random.chance(share);
    const tell = (what: string): void =>
      story.tell('orderer', () => `${what} ${envelope.txId} of ${host.name}`);
    if (does(faults.dropped)) {
      network.happened('dropped submit');
      tell('forgets');
      return;
    }
    if (does(faults.invalid)) {
      network.happened('invalid transaction');
      channel.invalid.add(envelope.txId);
    }
    if (does(faults.twice)) {
      network.happened('submit ordered twice');
      scheduler.after(random.next() * LATE_MS, () => channel.order(envelope));
    }
    if (does(faults.late)) {
      network.happened('late submit');
      tell('holds back');
      scheduler.after(random.next() * LATE_MS, () => channel.order(envelope));
    } else {
      channel.order(envelope);
    }
  }

  async height(): Promise<bigint> {
    return await this.ask('evaluate', () => BigInt(this.gateway.height));
  }

  async *blocks(from: bigint, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { channel, host, random, faults } = this.deps;
    const { network, scheduler, story } = host.deps;
    this.deps.streamed(null);
    for (let number = Number(from); ; number += 1) {
      await this.orAborted(this.gateway.has(number), signal);
      const fault = network.faulty ? random.next() : 1;
      if (fault < faults.silent) {
        network.happened('stream silent');
        story.tell(host.name, () => `hears nothing of block ${number}`);
        await host.clock.sleep(BLOCK_SILENCE_MS, signal);
      } else if (fault < faults.silent + faults.cut || network.isDown('fabric')) {
        network.happened('stream cut');
        await this.orAborted(scheduler.wait(network.latencyMs()), signal);
      } else {
        await this.orAborted(scheduler.wait(network.latencyMs()), signal);
        const block = channel.chain[number];
        if (signal.aborted || block === undefined) {
          return;
        }
        this.deps.streamed(block.bytes.length);
        yield block.bytes;
        continue;
      }
      if (signal.aborted) {
        return;
      }
      throw new ShuttleError('FABRIC_UNREACHABLE', 'The block stream was cut.');
    }
  }

  /** What the peer sends reaches the process only while it lives and is not frozen. */
  private orAborted(arrival: Promise<void>, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        signal.removeEventListener('abort', end);
        resolve();
      };
      signal.addEventListener('abort', end);
      if (signal.aborted) {
        end();
      }
      void arrival.then(() => this.deps.host.deliver(end));
    });
  }

  async close(): Promise<void> {}

  private async ask<T>(step: Step, effect: () => T | Promise<T>): Promise<T> {
    const told = (code: number, message: string) => (): Error =>
      explain(step, this.gateway.name, gatewayError(code, message)) as Error;
    try {
      return await this.deps.host.call({
        side: 'fabric',
        name: step,
        effect,
        timeoutMs: TIMEOUT_MS[step],
        lost: told(status.DEADLINE_EXCEEDED, 'no answer in time'),
        away: told(status.UNAVAILABLE, 'connection refused'),
      });
    } catch (error) {
      throw explain(step, this.gateway.name, error);
    }
  }
}

function gatewayError(code: number, message: string): GatewayError {
  const cause = Object.assign(new Error(message), { code }) as never;
  return new GatewayError({ code, message, details: [], cause });
}

function fingerprint({ reads, writes, result }: Simulation): string {
  const values = writes.map(({ key, value }) => [key, value?.toString('base64') ?? null]);
  return JSON.stringify([[...reads], values, result]);
}
