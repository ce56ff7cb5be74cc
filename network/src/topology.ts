import type { TopologyOptions } from './options.ts';

/** An ordering node: names as in the fabric-samples test network. */
export interface Orderer {
  /** Name of the process, the first one plainly `orderer`. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly adminPort: number;
  readonly operationsPort: number;
  readonly pprofPort: number;
}

/** A peer; each organisation has one. */
export interface Peer {
  readonly name: string;
  readonly host: string;
  readonly org: Organization;
  readonly port: number;
  /**
   * Where chaincodes would connect to the peer; as a service they never do, but the peer listens.
   */
  readonly chaincodePort: number;
  readonly operationsPort: number;
  readonly pprofPort: number;
}

/** An organisation with peers. */
export interface Organization {
  readonly number: 1 | 2;
  /** Short name, used in names of processes. */
  readonly name: 'org1' | 'org2';
  readonly domain: string;
  readonly mspId: string;
}

/** A Kafka node: broker and controller in one process. */
export interface Broker {
  readonly name: string;
  readonly nodeId: number;
  readonly port: number;
  readonly controllerPort: number;
  readonly sslPort: number;
  readonly saslPort: number;
  readonly proxiedPort: number;
  /** Where clients of the proxied listener are told to connect. */
  readonly proxyPort: number;
}

/** All nodes of a network with their ports. */
export interface Topology {
  readonly options: TopologyOptions;
  readonly orderers: readonly Orderer[];
  readonly peers: readonly [Peer, Peer];
  readonly brokers: readonly Broker[];
}

/**
 * The first ports of chaincode services; each chaincode takes four (two peers, two generations).
 */
const CHAINCODE_PORT_BASE = 9900;
/** How many chaincodes a network can run: 9900 to 9979. */
export const CHAINCODE_SLOTS_MAX = 20;

const ORDERER_PORTS = [
  { port: 7050, adminPort: 7053, operationsPort: 9443, pprofPort: 6060 },
  { port: 7052, adminPort: 7055, operationsPort: 9446, pprofPort: 6063 },
  { port: 7056, adminPort: 7057, operationsPort: 9447, pprofPort: 6064 },
  { port: 7058, adminPort: 7059, operationsPort: 9448, pprofPort: 6065 },
];

const ORGANIZATIONS: readonly [Organization, Organization] = [
  { number: 1, name: 'org1', domain: 'org1.example.com', mspId: 'Org1MSP' },
  { number: 2, name: 'org2', domain: 'org2.example.com', mspId: 'Org2MSP' },
];

/** Lays out a network: every port is its base plus the offset. */
export function createTopology(options: TopologyOptions): Topology {
  const at = (base: number): number => base + options.portOffset;
  return {
    options,
    orderers: ORDERER_PORTS.slice(0, options.orderers).map((ports, index) => {
      const name = index === 0 ? 'orderer' : `orderer${index + 1}`;
      return {
        name,
        host: `${name}.example.com`,
        port: at(ports.port),
        adminPort: at(ports.adminPort),
        operationsPort: at(ports.operationsPort),
        pprofPort: at(ports.pprofPort),
      };
    }),
    peers: [createPeer(ORGANIZATIONS[0], at), createPeer(ORGANIZATIONS[1], at)],
    brokers: Array.from({ length: options.brokers }, (_, index) => ({
      name: `kafka${index + 1}`,
      nodeId: index + 1,
      port: at(9092 + index),
      controllerPort: at(9192 + index),
      sslPort: at(9292 + index),
      saslPort: at(9392 + index),
      proxiedPort: at(9492 + index),
      proxyPort: at(9592 + index),
    })),
  };
}

function createPeer(org: Organization, at: (base: number) => number): Peer {
  const first = org.number === 1;
  return {
    name: `peer0.${org.name}`,
    host: `peer0.${org.domain}`,
    org,
    port: at(first ? 7051 : 9051),
    chaincodePort: at(first ? 7071 : 9071),
    operationsPort: at(first ? 9444 : 9445),
    pprofPort: at(first ? 6061 : 6062),
  };
}

/**
 * The port of a chaincode's process. Two generations alternate, so that an upgrade starts the new
 * process beside the old one.
 */
export function chaincodePort(
  options: TopologyOptions,
  slot: number,
  sequence: number,
  org: Organization,
): number {
  return CHAINCODE_PORT_BASE + options.portOffset + 4 * slot + 2 * (sequence % 2) + org.number - 1;
}

/** Name of the process that serves a chaincode to one organisation's peer. */
export function chaincodeProcessName(chaincode: string, org: Organization): string {
  return `chaincode-${chaincode}-${org.name}`;
}
