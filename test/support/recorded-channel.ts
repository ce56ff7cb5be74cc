/** Brings up a network, plays a history on its channel, and keeps every block of it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { common } from '@hyperledger/fabric-protos';
import { type Network, OWN_CHAINCODE, startNetwork, type TopologyOptions } from '@shuttle/network';
import { type ChainReader, codesOf, createChainReader } from './chain-reader.ts';
import { runShuttle } from './cli.ts';
import { createTopic, produceAll } from './e2e-world.ts';
import { plainKafka } from './independent.ts';
import { issueIdentity } from './issued-identity.ts';
import { openRawLedger, type RawLedger } from './raw-ledger.ts';
import { type Actors, playHistory, type RecordedTransaction } from './recorded-history.ts';

export type { RecordedTransaction } from './recorded-history.ts';

export interface RecordOptions {
  readonly profile: TopologyOptions['profile'];
  readonly portOffset: number;
  /** A short history holds less of everything, in fewer bytes. Default: whole. */
  readonly length?: 'whole' | 'short';
}

/** An honest channel with all that may happen on one. */
export interface RecordedChannel {
  readonly profile: TopologyOptions['profile'];
  readonly channel: string;
  /** The exact bytes of every block from 0 on, as each organisation's peer gives them. */
  readonly blocks: {
    readonly Org1MSP: readonly Uint8Array[];
    readonly Org2MSP: readonly Uint8Array[];
  };
  /** Validation codes (peer.TxValidationCode) by block and transaction. */
  readonly codes: readonly (readonly number[])[];
  /** The transactions that the history is about, each with its place and code. */
  readonly transactions: readonly RecordedTransaction[];
  /** Numbers of the blocks that hold a configuration, the genesis block first. */
  readonly configBlocks: readonly number[];
  /** The ordering service; the consenter numbers of bft begin at 1. */
  readonly orderers: readonly string[];
}

const CHAINCODE = resolve('test/support/recorded-chaincode');
/** Long enough to be used at once on a busy machine, and over when the history is. */
const EXPIRES_AFTER_MS = 20_000;
const YEAR_MS = 365 * 86_400_000;
const DEADLINE_MS = 60_000;
const INTERVAL_MS = 50;

/** Takes about a minute. The network is gone afterwards, whatever happened. */
export async function recordChannel(options: RecordOptions): Promise<RecordedChannel> {
  const { length = 'whole', ...topology } = options;
  const dir = await mkdtemp(join(tmpdir(), 'shuttle-recorded-'));
  let network: Network | undefined;
  try {
    network = await startNetwork({
      ...topology,
      dir: join(dir, 'network'),
      chaincode: { folder: CHAINCODE, name: 'recorded', version: '1.0.0' },
    });
    return await record(network, dir, length);
  } finally {
    await network?.stop({ delete: true });
    await rm(dir, { recursive: true, force: true });
  }
}

async function record(
  network: Network,
  dir: string,
  length: 'whole' | 'short',
): Promise<RecordedChannel> {
  await network.deploy({ folder: OWN_CHAINCODE, name: 'shuttle' });
  await carryBatches(network, dir, length === 'whole' ? 60 : 10);
  const opened: RawLedger[] = [];
  try {
    const [actors, expires] = await openActors(network, opened);
    const chains = [createChainReader(actors.org1), createChainReader(actors.org2)] as const;
    const noted: RecordedTransaction[] = [];
    await playHistory({ network, actors, chain: chains[0], chaincode: CHAINCODE, noted }, length);
    await until(() => Date.now() > expires.getTime() + 1_000);
    return await keep(network, chains, noted);
  } finally {
    for (const each of opened) each.close();
  }
}

/** Batches with updates, deletes and a second run: what Shuttle itself writes. */
async function carryBatches(network: Network, dir: string, count: number): Promise<void> {
  const { kafka: described, dir: networkDir } = network.description;
  const kafka = plainKafka(described.brokers);
  await createTopic(kafka, 'recorded', 1);
  const messages = Array.from({ length: count }, (_, n) => ({
    key: `recorded/${n % 20}`,
    value: n % 11 === 5 ? null : JSON.stringify({ n, from: 'Zürich 東京' }),
  }));
  await produceAll(kafka, 'recorded', messages);
  const settings = {
    SHUTTLE_NETWORK_DIR: networkDir,
    SHUTTLE_KAFKA__BROKERS: described.brokers.join(','),
    SHUTTLE_INGEST__TOPICS: 'recorded',
    SHUTTLE_INGEST__LANES: '4',
    SHUTTLE_INGEST__BATCH_RECORDS: '5',
    SHUTTLE_LOG__LEVEL: 'error',
  };
  const { code, stderr } = await runShuttle(['ingest', '--until-end'], settings, dir);
  if (code !== 0) throw new Error(`ingest ended with ${code}:\n${stderr.slice(-2_000)}`);
}

/** The actors, and when the certificate of the expiring one ends. */
async function openActors(network: Network, opened: RawLedger[]): Promise<[Actors, Date]> {
  const { peers, channel } = network.description;
  const open = async (peer: (typeof peers)[number], mspDir: string): Promise<RawLedger> => {
    const ledger = await openRawLedger({ peer, mspDir, channel });
    opened.push(ledger);
    return ledger;
  };
  const [first, second] = peers;
  const expires = new Date(Date.now() + EXPIRES_AFTER_MS);
  const expiring = await issueIdentity(first.userMspDir, expires);
  const revoked = await issueIdentity(second.userMspDir, new Date(Date.now() + YEAR_MS));
  const actors = {
    org1: await open(first, first.userMspDir),
    org2: await open(second, second.userMspDir),
    expiring: await open(first, expiring.mspDir),
    revoked: await open(second, revoked.mspDir),
    revocation: revoked.revocation,
  };
  return [actors, expires];
}

async function keep(
  network: Network,
  [org1, org2]: readonly [ChainReader, ChainReader],
  transactions: readonly RecordedTransaction[],
): Promise<RecordedChannel> {
  await org1.catchUp();
  // Gossip may bring the other organisation's peer the last block a moment later.
  await until(async () => {
    await org2.catchUp();
    return org2.blocks.length >= org1.blocks.length;
  });
  const decoded = org1.blocks.map((bytes) => common.Block.deserializeBinary(bytes));
  const { options, channel, orderers } = network.description;
  return {
    profile: options.profile,
    channel,
    blocks: { Org1MSP: org1.blocks, Org2MSP: org2.blocks },
    codes: decoded.map(codesOf),
    transactions,
    configBlocks: decoded.flatMap((block, number) => (isConfig(block) ? [number] : [])),
    orderers: orderers.map(({ name }) => name),
  };
}

function isConfig(block: common.Block): boolean {
  const [entry = new Uint8Array()] = block.getData()?.getDataList_asU8() ?? [];
  const envelope = common.Envelope.deserializeBinary(entry);
  const payload = common.Payload.deserializeBinary(envelope.getPayload_asU8());
  const bytes = payload.getHeader()?.getChannelHeader_asU8() ?? new Uint8Array();
  return common.ChannelHeader.deserializeBinary(bytes).getType() === common.HeaderType.CONFIG;
}

/** Waits until something holds; asks again rather than waiting for a fixed time. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('what the recording waits for did not come');
    await delay(INTERVAL_MS);
  }
}
