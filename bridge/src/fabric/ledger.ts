/** The Ledger port on @hyperledger/fabric-gateway: one gRPC client for the life of the process. */
import type { KeyObject } from 'node:crypto';
import { Client, credentials } from '@grpc/grpc-js';
import {
  type Commit,
  type Contract,
  connect,
  type Gateway,
  hash,
  type Network,
  type ProposalOptions,
  type Signer,
  signers,
  type Transaction,
} from '@hyperledger/fabric-gateway';
import { common, peer as protos } from '@hyperledger/fabric-protos';
import { decodeLayout, decodePartitionState, type Layout } from '@shuttle/chaincode/ledger';
import {
  type BatchHeader,
  decodeReceipt,
  encodeHeader,
  LANE_HASH_VERSION,
  RECORDS_TRANSIENT_KEY,
} from '@shuttle/chaincode/wire';
import { decodeBlock } from '../block/decode.ts';
import { ShuttleError } from '../errors.ts';
import { backOffMs, GRPC_KEEPALIVE_MS, GRPC_MESSAGE_BYTES_MAX } from '../limits.ts';
import { Pending } from '../pending.ts';
import type { Clock, Ledger, Opening, Receipt, Submitted } from '../ports.ts';
import type { LedgerIdentity, TopicPartition } from '../values.ts';
import { decodeAnswer, explain, mayLackChaincode, type Step } from './answers.ts';
import { blockOf, openBlockStream } from './deliver.ts';

export interface FabricOptions {
  /** host:port of a peer of one's own organisation. */
  readonly endpoint: string;
  /** Default true. */
  readonly tls?: boolean;
  /** PEM of the CA that signed the peer's TLS certificate; undefined trusts the system's. */
  readonly tlsCa: Buffer | undefined;
  /** The name in the peer's TLS certificate, when it is not the endpoint's host. */
  readonly serverName?: string;
  readonly mspId: string;
  /** PEM. */
  readonly certificate: Buffer;
  readonly privateKey: KeyObject;
  readonly channel: string;
  readonly chaincode: string;
  /** Empty: the peer's discovery chooses. Named: all of them endorse, side by side. */
  readonly endorsingOrganizations: readonly string[];
  readonly timeouts: {
    readonly evaluateMs: number;
    readonly endorseMs: number;
    readonly submitMs: number;
    readonly commitStatusMs: number;
    /** A block stream that is silent for so long is compared with the height. */
    readonly blockSilenceMs: number;
  };
}

interface Ordered {
  readonly commit: Commit;
  readonly txId: string;
  readonly result: Uint8Array;
}

/** The ledger, and which of its calls wait for the peer. */
export interface ConnectedLedger extends Ledger {
  readonly pending: Pending;
  /** The block that holds a transaction. @throws ShuttleError NOT_FOUND when none does */
  blockOf(txId: string): Promise<Uint8Array>;
}

/** @returns a ledger that connects at its first call; nothing is contacted before */
export function createGatewayLedger(options: FabricOptions, clock: Clock): ConnectedLedger {
  return new GatewayLedger(options, clock);
}

class GatewayLedger implements ConnectedLedger {
  readonly pending = new Pending();
  private readonly options: FabricOptions;
  private readonly clock: Clock;
  private readonly client: Client;
  private readonly gateway: Gateway;
  private readonly network: Network;
  private readonly contract: Contract;
  private readonly signer: Signer;
  private known: LedgerIdentity | null = null;

  constructor(options: FabricOptions, clock: Clock) {
    this.options = options;
    this.clock = clock;
    this.client = createClient(options);
    this.signer = signers.newPrivateKeySigner(options.privateKey);
    const { timeouts } = options;
    const within = (ms: number) => () => ({ deadline: Date.now() + ms });
    this.gateway = connect({
      client: this.client,
      identity: { mspId: options.mspId, credentials: options.certificate },
      signer: this.signer,
      hash: hash.sha256,
      evaluateOptions: within(timeouts.evaluateMs),
      endorseOptions: within(timeouts.endorseMs),
      submitOptions: within(timeouts.submitMs),
      commitStatusOptions: within(timeouts.commitStatusMs),
    });
    this.network = this.gateway.getNetwork(options.channel);
    this.contract = this.network.getContract(options.chaincode);
  }

  async identity(): Promise<LedgerIdentity> {
    if (this.known === null) {
      const { channel, chaincode, mspId } = this.options;
      const bytes = await this.system('GetBlockByNumber', [channel, '0']);
      const genesisHash = decodeBlock(bytes).hash;
      this.known = { channel, genesisHash, chaincode, mspId };
    }
    return this.known;
  }

  async getPartition(stream: string, at: TopicPartition): ReturnType<Ledger['getPartition']> {
    const args = [stream, at.topic, String(at.partition)];
    const bytes = await this.evaluate('getWatermarks', args);
    return decodeAnswer('getWatermarks', bytes, decodePartitionState);
  }

  async openPartition(stream: string, at: TopicPartition, opening: Opening): Promise<Layout> {
    const { partitions, older, lanes, keyExpressionDigest } = opening;
    const numbers = [at.partition, partitions, older, lanes, LANE_HASH_VERSION];
    const args = [stream, at.topic, ...numbers.map(String), keyExpressionDigest];
    const { result } = await this.submit('openPartition', args);
    return decodeAnswer('openPartition', result, decodeLayout);
  }

  async submitBatch(header: BatchHeader, records: Uint8Array): Promise<Receipt> {
    const { txId, blockNumber, result } = await this.transact('submitBatch', {
      arguments: [encodeHeader(header)],
      transientData: { [RECORDS_TRANSIENT_KEY]: records },
    });
    const receipt = decodeAnswer('submitBatch', result, decodeReceipt);
    return { ...receipt, txId, blockNumber };
  }

  async evaluate(transaction: string, args: readonly string[]): Promise<Uint8Array> {
    // Without naming one's own organisation the gateway may ask a foreign peer.
    return await this.step('evaluate', () =>
      this.contract.evaluate(transaction, {
        arguments: [...args],
        endorsingOrganizations: [this.options.mspId],
      }),
    );
  }

  async submit(transaction: string, args: readonly string[]): Promise<Submitted> {
    return await this.transact(transaction, { arguments: [...args] });
  }

  private async transact(name: string, options: ProposalOptions): Promise<Submitted> {
    const { commit, txId, result } = await this.order(name, options);
    const status = await this.commitStatus(commit);
    if (!status.successful) {
      const code = validationCodeName(status.code);
      throw new ShuttleError('COMMIT_INVALID', `Transaction ${txId} is invalid: ${code}.`, {
        at: { txId, blockNumber: status.blockNumber, validationCode: code },
      });
    }
    return { txId, blockNumber: status.blockNumber, result };
  }

  /**
   * Endorses and submits. A function of its own, as each step is: what a suspended function holds
   * stays in memory, and proposal and transaction are each as large as the batch, several times.
   */
  private async order(name: string, options: ProposalOptions): Promise<Ordered> {
    const transaction = await this.endorse(name, options);
    const txId = transaction.getTransactionId();
    const result = Uint8Array.from(transaction.getResult());
    const commit = await this.step('submit', () => transaction.submit());
    return { commit, txId, result };
  }

  private endorse(name: string, options: ProposalOptions): Promise<Transaction> {
    const { endorsingOrganizations: orgs } = this.options;
    const organizations = orgs.length === 0 ? {} : { endorsingOrganizations: [...orgs] };
    return this.step('endorse', () =>
      this.contract.newProposal(name, { ...options, ...organizations }).endorse(),
    );
  }

  /** Asks again while the deadline lasts: the question has no effect. */
  private async commitStatus(commit: Commit): ReturnType<Commit['getStatus']> {
    const untilMs = this.clock.now() + this.options.timeouts.commitStatusMs;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.step('commit status', () => commit.getStatus());
      } catch (error) {
        if (this.clock.now() >= untilMs) {
          throw error;
        }
      }
      await this.clock.sleep(backOffMs(attempt, this.clock.random()));
    }
  }

  async height(): Promise<bigint> {
    const bytes = await this.system('GetChainInfo', [this.options.channel]);
    return BigInt(common.BlockchainInfo.deserializeBinary(bytes).getHeight());
  }

  async blockOf(txId: string): Promise<Uint8Array> {
    const { channel, endpoint } = this.options;
    try {
      return await this.system('GetBlockByTxID', [channel, txId]);
    } catch (cause) {
      if (cause instanceof ShuttleError && /no such transaction/.test(cause.message)) {
        const message = `Channel ${channel} has no transaction ${txId}, as far as the peer knows.`;
        throw new ShuttleError('NOT_FOUND', message, { cause, at: { peer: endpoint } });
      }
      throw cause;
    }
  }

  private async system(transaction: string, args: readonly string[]): Promise<Uint8Array> {
    const contract = this.network.getContract('qscc');
    return await this.step('evaluate', () =>
      contract.evaluate(transaction, { arguments: [...args] }),
    );
  }

  async *blocks(from: bigint, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { client, network, signer } = this;
    const stream = await openBlockStream(client, network, signer, from);
    const cancel = (): void => stream.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    const watch = this.watchSilence(from, cancel);
    try {
      for await (const response of stream as AsyncIterable<Buffer>) {
        yield blockOf(response, this.options.endpoint);
        watch.heard();
      }
      this.cut(signal, 'it ended');
    } catch (error) {
      if (error instanceof ShuttleError) {
        throw error;
      }
      this.cut(signal, watch.silent() ? 'it fell silent' : String(error), error);
    } finally {
      watch.close();
      signal.removeEventListener('abort', cancel);
      stream.cancel();
    }
  }

  private cut(signal: AbortSignal, why: string, cause?: unknown): void {
    if (!signal.aborted) {
      const { endpoint } = this.options;
      throw new ShuttleError(
        'FABRIC_UNREACHABLE',
        `The block stream of ${endpoint} was cut: ${why}.`,
        { cause, at: { peer: endpoint } },
      );
    }
  }

  /** A half-open stream never ends by itself: when the channel grows without it, cut it. */
  private watchSilence(
    from: bigint,
    cut: () => void,
  ): { heard(): void; silent(): boolean; close(): void } {
    let next = from;
    let heardMs = this.clock.now();
    let silent = false;
    const end = new AbortController();
    const { blockSilenceMs } = this.options.timeouts;
    const watch = async (): Promise<void> => {
      while (!end.signal.aborted) {
        await this.clock.sleep(blockSilenceMs, end.signal);
        const quiet = this.clock.now() - heardMs >= blockSilenceMs;
        const height = quiet && !end.signal.aborted ? await this.height().catch(() => null) : null;
        if (height !== null && height > next && this.clock.now() - heardMs >= blockSilenceMs) {
          silent = true;
          cut();
        }
      }
    };
    void watch();
    return {
      heard: () => {
        next += 1n;
        heardMs = this.clock.now();
      },
      silent: () => silent,
      close: () => end.abort(),
    };
  }

  private async step<T>(step: Step, call: () => Promise<T>): Promise<T> {
    try {
      return await this.pending.during(call);
    } catch (error) {
      const explained = explain(step, this.options.endpoint, error);
      throw mayLackChaincode(explained) ? await this.findChaincode(explained) : explained;
    }
  }

  /**
   * Discovery says the same of a chaincode that is not committed and of peers that have only just
   * come up. The channel's lifecycle knows: an error for good, or the passing one.
   */
  private async findChaincode(passing: ShuttleError): Promise<ShuttleError> {
    const { chaincode, channel } = this.options;
    const args = new protos.lifecycle.QueryChaincodeDefinitionArgs();
    args.setName(chaincode);
    const contract = this.network.getContract('_lifecycle');
    try {
      const query = { arguments: [args.serializeBinary()] };
      await contract.evaluate('QueryChaincodeDefinition', query);
      return passing;
    } catch (error) {
      const explained = explain('evaluate', this.options.endpoint, error);
      if (!(explained instanceof ShuttleError)) {
        return passing;
      }
      return /is not defined/.test(explained.message)
        ? new ShuttleError(
            'CHAINCODE_MISSING',
            `The chaincode ${chaincode} is not committed on channel ${channel}.`,
            { cause: error, at: passing.at },
          )
        : explained.kind.retry === 'never'
          ? explained
          : passing;
    }
  }

  async close(): Promise<void> {
    this.gateway.close();
    this.client.close();
  }
}

function createClient(options: FabricOptions): Client {
  const { endpoint, tls = true, tlsCa, serverName } = options;
  const channel = tls ? credentials.createSsl(tlsCa) : credentials.createInsecure();
  return new Client(endpoint, channel, {
    'grpc.max_receive_message_length': GRPC_MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': GRPC_MESSAGE_BYTES_MAX,
    'grpc.keepalive_time_ms': GRPC_KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': 20_000,
    'grpc.initial_reconnect_backoff_ms': 200,
    'grpc.max_reconnect_backoff_ms': 5_000,
    ...(serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName }),
  });
}

const VALIDATION_CODES = new Map(
  Object.entries(protos.TxValidationCode).map(([name, code]) => [code as number, name]),
);

function validationCodeName(code: number): string {
  return VALIDATION_CODES.get(code) ?? String(code);
}
