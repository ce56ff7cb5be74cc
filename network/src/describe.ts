import { NetworkError } from './errors.ts';
import { type KafkaClientFiles, kafkaClientFiles } from './kafka-security.ts';
import {
  createLayout,
  genesisFile,
  type Layout,
  logFile,
  networkDir,
  organizationDir,
  peerDir,
  userDir,
} from './layout.ts';
import { peerHeight } from './metrics.ts';
import type { TopologyOptions } from './options.ts';
import { isRunning } from './process-identity.ts';
import type { ProcessKind } from './processes.ts';
import { type NetworkState, readState } from './state.ts';
import {
  chaincodePort,
  chaincodeProcessName,
  createTopology,
  type Peer,
  type Topology,
} from './topology.ts';

/** One process of a network. */
export interface ProcessDescription {
  readonly name: string;
  readonly kind: ProcessKind;
  /** `stopped` has no process noted; `dead` ended without `down`. */
  readonly status: 'running' | 'stopped' | 'dead';
  readonly pid: number | undefined;
  readonly endpoint: string;
  readonly operations: string | undefined;
  readonly pprof: string | undefined;
  readonly logFile: string;
}

/** How a client reaches one organisation's peer, and with which identity. */
export interface PeerDescription {
  readonly name: string;
  readonly mspId: string;
  /** host:port; certificates also hold for `hostAlias`. */
  readonly endpoint: string;
  readonly hostAlias: string;
  readonly tlsCaFile: string;
  readonly connectionProfile: string;
  /** MSP folders with signcerts and keystore. */
  readonly adminMspDir: string;
  readonly userMspDir: string;
}

/** A network as clients and tests need it. */
export interface NetworkDescription {
  readonly dir: string;
  readonly options: TopologyOptions;
  readonly channel: string;
  readonly organizationsDir: string;
  readonly genesisBlockFile: string;
  readonly peers: readonly [PeerDescription, PeerDescription];
  readonly orderers: readonly { readonly name: string; readonly endpoint: string }[];
  readonly kafka: KafkaDescription;
  readonly chaincodes: readonly {
    readonly name: string;
    readonly version: string;
    readonly sequence: number;
    readonly folder: string;
  }[];
  readonly processes: readonly ProcessDescription[];
}

/** How a client reaches the brokers. */
export interface KafkaDescription {
  /** Plain listeners, host:port each. */
  readonly brokers: readonly string[];
  /** Bootstrap of the listener that is advertised at the proxies' ports. */
  readonly proxied?: readonly { readonly listens: string; readonly advertised: string }[];
  /** Listeners with TLS: client certificates on ssl, passwords on saslSsl. */
  readonly secure?: KafkaClientFiles & {
    readonly ssl: readonly string[];
    readonly saslSsl: readonly string[];
  };
}

/**
 * Describes the network in a folder from its state and the processes that run.
 *
 * @throws NetworkError NO_NETWORK.
 */
export async function describeNetwork(dir?: string): Promise<NetworkDescription> {
  const layout = createLayout(networkDir(dir));
  const state = await readState(layout);
  if (state === undefined) {
    throw new NetworkError('NO_NETWORK', `There is no network in ${layout.dir}.`);
  }
  const topology = createTopology(state.options);
  const { channel } = state.options;
  const [first, second] = topology.peers;
  return {
    dir: layout.dir,
    options: state.options,
    channel,
    organizationsDir: layout.organizations,
    genesisBlockFile: genesisFile(layout, channel),
    peers: [describePeer(layout, first), describePeer(layout, second)],
    orderers: topology.orderers.map(({ name, port }) => ({ name, endpoint: `localhost:${port}` })),
    kafka: describeKafka(topology, layout),
    chaincodes: state.chaincodes.map(({ name, version, sequence, folder }) => ({
      name,
      version,
      sequence,
      folder,
    })),
    processes: describeProcesses(topology, layout, state),
  };
}

function describePeer(layout: Layout, peer: Peer): PeerDescription {
  return {
    name: peer.name,
    mspId: peer.org.mspId,
    endpoint: `localhost:${peer.port}`,
    hostAlias: peer.host,
    tlsCaFile: `${peerDir(layout, peer)}/tls/ca.crt`,
    connectionProfile: `${organizationDir(layout, peer.org)}/connection-${peer.org.name}.json`,
    adminMspDir: `${userDir(layout, peer.org, 'Admin')}/msp`,
    userMspDir: `${userDir(layout, peer.org, 'User1')}/msp`,
  };
}

function describeKafka(topology: Topology, layout: Layout): KafkaDescription {
  const { brokers, options } = topology;
  const at = (port: number): string => `localhost:${port}`;
  const proxied = brokers.map(({ proxiedPort, proxyPort }) => ({
    listens: at(proxiedPort),
    advertised: at(proxyPort),
  }));
  const secure = {
    ...kafkaClientFiles(layout),
    ssl: brokers.map(({ sslPort }) => at(sslPort)),
    saslSsl: brokers.map(({ saslPort }) => at(saslPort)),
  };
  return {
    brokers: brokers.map(({ port }) => at(port)),
    ...(options.kafkaProxied ? { proxied } : {}),
    ...(options.kafkaSecure ? { secure } : {}),
  };
}

function describeProcesses(
  topology: Topology,
  layout: Layout,
  state: NetworkState,
): ProcessDescription[] {
  const { pprof } = topology.options;
  const describe = (
    name: string,
    kind: ProcessKind,
    port: number,
    node?: { operationsPort: number; pprofPort: number },
  ): ProcessDescription => {
    const identity = state.processes[name];
    const running = isRunning(identity);
    return {
      name,
      kind,
      status: running ? 'running' : identity === undefined ? 'stopped' : 'dead',
      pid: running ? identity.pid : undefined,
      endpoint: `localhost:${port}`,
      operations: node && `http://127.0.0.1:${node.operationsPort}`,
      pprof: node && pprof ? `http://127.0.0.1:${node.pprofPort}/debug/pprof` : undefined,
      logFile: logFile(layout, name),
    };
  };
  return [
    ...topology.orderers.map((each) => describe(each.name, 'orderer', each.port, each)),
    ...topology.peers.map((each) => describe(each.name, 'peer', each.port, each)),
    ...topology.brokers.map((each) => describe(each.name, 'kafka', each.port)),
    ...state.chaincodes.flatMap(({ name, slot, sequence }) =>
      topology.peers.map(({ org }) => {
        const port = chaincodePort(topology.options, slot, sequence, org);
        return describe(chaincodeProcessName(name, org), 'chaincode', port);
      }),
    ),
  ];
}

/** The channel's height at each peer, by name; undefined where a peer does not answer. */
export async function channelHeights(
  description: NetworkDescription,
): Promise<Record<string, number | undefined>> {
  const peers = createTopology(description.options).peers;
  const heights = await Promise.all(
    peers.map(({ operationsPort }) =>
      peerHeight(operationsPort, description.channel).catch(() => undefined),
    ),
  );
  return Object.fromEntries(peers.map(({ name }, index) => [name, heights[index]]));
}
