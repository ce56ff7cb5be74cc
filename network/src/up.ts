import { fileURLToPath } from 'node:url';
import { requireFreePorts } from './busy-ports.ts';
import { type ChaincodeOptions, inspectChaincode } from './chaincode-package.ts';
import { type DeployResult, deployChaincode, serveKnown } from './deploy.ts';
import { createLayout, genesisFile, type Layout, networkDir } from './layout.ts';
import { joinOrderer, joinPeer } from './lifecycle.ts';
import { withLock } from './lock.ts';
import { ensureFabricMaterial, ensureKafkaMaterial } from './material.ts';
import { fetchMetrics, ordererStanding, peerHeight } from './metrics.ts';
import { adoptLost, createContext, type NetworkContext } from './network-context.ts';
import { resolveTopology, type TopologyOptions } from './options.ts';
import { isRunning } from './process-identity.ts';
import type { ProcessSpec } from './processes.ts';
import { type Progress, SILENT } from './progress.ts';
import { produceRecord, queryChannel } from './readiness.ts';
import { brokerSpec, chaincodeSpec, ordererSpec, peerSpec } from './specs.ts';
import { createStateStore, type NetworkState, readState, STATE_SCHEMA } from './state.ts';
import { ensureTools, type Tools } from './tools.ts';
import { createTopology, type Orderer, type Peer } from './topology.ts';
import { waitFor } from './wait.ts';

/**
 * What `up` is told. Topology options that are left out come from the folder's network, else the
 * defaults.
 */
export interface UpOptions extends Partial<TopologyOptions> {
  /** Default: SHUTTLE_NETWORK_DIR, else ./.shuttle-network. */
  readonly dir?: string;
  /**
   * The chaincode to deploy; default: those that the network has, else Shuttle's own; false: none.
   */
  readonly chaincode?: ChaincodeOptions | false;
  /** False brings up Kafka alone, for tests that need no ledger. Default true. */
  readonly fabric?: boolean;
  readonly progress?: Progress;
}

/** What `up` did. */
export interface UpResult {
  readonly dir: string;
  /** Sentences about what was found broken and mended. */
  readonly mended: readonly string[];
  readonly deployed: readonly DeployResult[];
  /** From built tools to the end. */
  readonly elapsedMs: number;
}

/** The folder of Shuttle's own chaincode, beside this package. */
export const OWN_CHAINCODE = fileURLToPath(new URL('../../chaincode', import.meta.url));
/** Longer than any `up` takes, so that a second one waits for the first. */
export const NETWORK_LOCK_MS = 300_000;
/** Generous, because a process that dies is told at once. */
const NODE_DEADLINE_MS = 120_000;

/**
 * Brings a network up, or completes one that is partly up; one that is up stays as it is.
 *
 * @throws NetworkError with the code of what stands in the way.
 */
export async function up(options: UpOptions): Promise<UpResult> {
  const { dir, chaincode, fabric = true, progress = SILENT, ...given } = options;
  const layout = createLayout(networkDir(dir));
  const existing = await readState(layout);
  resolveTopology(given, existing?.options);
  // A chaincode that is not built is told now, not after the network has come up.
  for (const each of chaincodesFor(existing, chaincode)) await inspectChaincode(each);
  const tools = await ensureTools(progress);
  const startedAt = performance.now();
  const lock = {
    what: `The network in ${layout.dir}`,
    deadlineMs: NETWORK_LOCK_MS,
    onWait: (pid: number) => progress.step(`Waiting for process ${pid}, which works on it.`),
  };
  const done = await withLock(layout.lock, lock, async () => {
    const context = await openNetwork(layout, given, tools, progress);
    const mended = await mend(context);
    await requireFreePorts(portsToTake(context, fabric));
    const deployed = await bothHalves(
      upKafka(context),
      fabric ? upFabric(context, chaincode) : Promise.resolve([]),
    );
    return { mended, deployed };
  });
  return { dir: layout.dir, ...done, elapsedMs: performance.now() - startedAt };
}

/**
 * Makes identities, configuration and the channel's genesis block, and starts nothing: what
 * docker-compose.yml needs.
 */
export async function prepare(options: Omit<UpOptions, 'chaincode'>): Promise<string> {
  const { dir, progress = SILENT, ...given } = options;
  const layout = createLayout(networkDir(dir));
  resolveTopology(given, (await readState(layout))?.options);
  const tools = await ensureTools(progress);
  const lock = { what: `The network in ${layout.dir}`, deadlineMs: NETWORK_LOCK_MS };
  await withLock(layout.lock, lock, async () => {
    await ensureFabricMaterial(await openNetwork(layout, given, tools, progress));
  });
  return layout.dir;
}

/** Waits for both even if one fails, so that nothing is started after the lock is given back. */
async function bothHalves<T>(kafka: Promise<void>, fabric: Promise<T>): Promise<T> {
  await Promise.allSettled([kafka, fabric]);
  await kafka;
  return fabric;
}

/** Opens the folder's state, or makes a new one. */
async function openNetwork(
  layout: Layout,
  given: Partial<TopologyOptions>,
  tools: Tools,
  progress: Progress,
): Promise<NetworkContext> {
  const existing = await readState(layout);
  const topologyOptions = resolveTopology(given, existing?.options);
  const fresh: NetworkState = {
    schema: STATE_SCHEMA,
    options: topologyOptions,
    tools,
    processes: {},
    retiring: [],
    chaincodes: [],
  };
  const store = createStateStore(layout, existing ?? fresh);
  await store.update((state) => ({ ...state, tools }));
  const topology = createTopology(topologyOptions);
  return createContext({ topology, layout, tools, store, progress });
}

/** Finds what is dead or lost, says so in sentences, and clears it away. */
async function mend(context: NetworkContext): Promise<string[]> {
  const { store, progress } = context;
  const dead = Object.entries(store.current().processes).filter(
    ([, identity]) => !isRunning(identity),
  );
  const lost = await adoptLost(context);
  const sentences = [
    ...dead
      .filter(([name]) => !lost.includes(name))
      .map(([name, { pid }]) => `${name} (process ${pid}) no longer runs; it is started again.`),
    ...lost.map((name) => `${name} was running without being noted; it is taken back.`),
  ];
  for (const sentence of sentences) progress.step(sentence);
  await store.update((state) => {
    const alive = Object.entries(state.processes).filter(([, identity]) => isRunning(identity));
    return { ...state, processes: Object.fromEntries(alive) };
  });
  await context.stopRetiring();
  return sentences;
}

/** All processes of the network, chaincodes included. */
export function allSpecs(
  context: Pick<NetworkContext, 'topology' | 'layout' | 'tools' | 'store'>,
): ProcessSpec[] {
  const { topology, layout, tools, store } = context;
  return [
    ...topology.brokers.map((each) => brokerSpec(topology, each, layout, tools)),
    ...topology.orderers.map((each) => ordererSpec(topology, each, layout, tools)),
    ...topology.peers.map((each) => peerSpec(topology, each, layout, tools)),
    ...store
      .current()
      .chaincodes.flatMap((chaincode) =>
        topology.peers.map((peer) => chaincodeSpec(topology, chaincode, peer, layout)),
      ),
  ];
}

function portsToTake(context: NetworkContext, fabric: boolean) {
  return allSpecs(context)
    .filter(({ kind }) => fabric || kind === 'kafka')
    .flatMap((spec) => (context.isUp(spec.name) ? [] : spec.ports));
}

async function upKafka(context: NetworkContext): Promise<void> {
  const { topology, layout, tools, progress } = context;
  await ensureKafkaMaterial(context);
  for (const broker of topology.brokers) {
    await context.start(brokerSpec(topology, broker, layout, tools));
  }
  await waitFor(() => produceRecord(topology).then(() => true as const), {
    what: 'Kafka',
    deadlineMs: NODE_DEADLINE_MS,
    intervalMs: 100,
    ...watch(
      context,
      topology.brokers.map(({ name }) => name),
    ),
  });
  progress.step('Kafka took a record');
}

async function upFabric(
  context: NetworkContext,
  chaincode: ChaincodeOptions | false | undefined,
): Promise<DeployResult[]> {
  const { topology, layout, tools, progress } = context;
  await ensureFabricMaterial(context);
  for (const each of topology.orderers) {
    await context.start(ordererSpec(topology, each, layout, tools));
  }
  for (const each of topology.peers) await context.start(peerSpec(topology, each, layout, tools));
  await Promise.all([
    ...topology.orderers.map((orderer) => orderOnChannel(context, orderer)),
    ...topology.peers.map((peer) => peerOnChannel(context, peer)),
  ]);
  await awaitLeader(context);
  progress.step(`The orderers and both peers are on channel ${topology.options.channel}`);
  if (chaincode === false) await serveKnown(context);
  const deployed: DeployResult[] = [];
  for (const each of chaincodesFor(context.store.current(), chaincode)) {
    deployed.push(await deployChaincode(context, each));
  }
  if (chaincode !== undefined && chaincode !== false) await serveKnown(context);
  return deployed;
}

/** What is asked for, else what the network has, else Shuttle's own. */
function chaincodesFor(
  state: NetworkState | undefined,
  wanted: ChaincodeOptions | false | undefined,
): readonly ChaincodeOptions[] {
  if (wanted === false) return [];
  if (wanted !== undefined) return [wanted];
  const known = state?.chaincodes ?? [];
  if (known.length === 0) return [{ folder: OWN_CHAINCODE, name: 'shuttle' }];
  // The sequence is left out: what changed since then becomes the next one.
  return known.map(({ folder, name, given }) => ({ folder, name, ...given }));
}

async function orderOnChannel(context: NetworkContext, orderer: Orderer): Promise<void> {
  const { channel } = context.topology.options;
  const standing = await waitFor(() => ordererStanding(orderer.operationsPort, channel), {
    what: orderer.name,
    deadlineMs: NODE_DEADLINE_MS,
    ...watch(context, [orderer.name]),
  });
  if (standing.joined) return;
  const join = () =>
    joinOrderer(context, orderer, genesisFile(context.layout, channel)).then(() => true as const);
  await waitFor(join, {
    what: `${orderer.name} on the channel`,
    deadlineMs: NODE_DEADLINE_MS,
    ...watch(context, [orderer.name]),
  });
}

async function peerOnChannel(context: NetworkContext, peer: Peer): Promise<void> {
  const { layout } = context;
  const { channel } = context.topology.options;
  const watched = { deadlineMs: NODE_DEADLINE_MS, ...watch(context, [peer.name]) };
  await waitFor(() => fetchMetrics(peer.operationsPort), { what: peer.name, ...watched });
  const height = await peerHeight(peer.operationsPort, channel);
  const join = () =>
    joinPeer(context, peer, genesisFile(layout, channel)).then(() => true as const);
  if (height === undefined) {
    await waitFor(join, { what: `${peer.name} on the channel`, ...watched });
  }
  const asked = () => queryChannel(layout, peer, channel).then(() => true as const);
  await waitFor(asked, { what: `${peer.name} on the channel`, ...watched });
}

async function awaitLeader(context: NetworkContext): Promise<void> {
  const { orderers, options } = context.topology;
  const probe = async (): Promise<true | undefined> => {
    const standings = await Promise.all(
      orderers.map(({ operationsPort }) => ordererStanding(operationsPort, options.channel)),
    );
    return standings.some(({ leader }) => leader) ? true : undefined;
  };
  await waitFor(probe, {
    what: 'The ordering service (no leader)',
    deadlineMs: NODE_DEADLINE_MS,
    ...watch(
      context,
      orderers.map(({ name }) => name),
    ),
  });
}

/** Stops waiting when a process dies, and shows its log at the deadline. */
function watch(context: NetworkContext, names: readonly string[]) {
  const [first = ''] = names;
  return {
    giveUp: () => {
      for (const name of names) context.requireUp(name);
    },
    logLines: () => context.tail(first),
    at: context.logOf(first),
  };
}
