import { join, resolve } from 'node:path';
import type { Orderer, Organization, Peer } from './topology.ts';

/**
 * Where everything of one network lies; the folders below organizations/ are those of fabric-
 * samples.
 */
export interface Layout {
  readonly dir: string;
  readonly state: string;
  readonly lock: string;
  readonly config: string;
  readonly organizations: string;
  readonly artifacts: string;
  readonly packages: string;
  readonly data: string;
  readonly logs: string;
  /** Certificates and password of Kafka's secure listeners, when there are some. */
  readonly kafkaTls: string;
}

/** The folder of a network: the flag, else SHUTTLE_NETWORK_DIR, else ./.shuttle-network. */
export function networkDir(flag?: string): string {
  return resolve(flag ?? process.env.SHUTTLE_NETWORK_DIR ?? '.shuttle-network');
}

/** Names the places inside a network's folder; touches nothing. */
export function createLayout(dir: string): Layout {
  const root = resolve(dir);
  return {
    dir: root,
    state: join(root, 'state.json'),
    lock: join(root, 'lock'),
    config: join(root, 'config'),
    organizations: join(root, 'organizations'),
    artifacts: join(root, 'channel-artifacts'),
    packages: join(root, 'packages'),
    data: join(root, 'data'),
    logs: join(root, 'logs'),
    kafkaTls: join(root, 'kafka-tls'),
  };
}

/** The channel's genesis block. */
export function genesisFile(layout: Layout, channel: string): string {
  return join(layout.artifacts, `${channel}.block`);
}

/** Folder of an organisation with peers: ca, msp, peers, tlsca, users, connection profiles. */
export function organizationDir(layout: Layout, org: Organization): string {
  return join(layout.organizations, 'peerOrganizations', org.domain);
}

/** Folder of a peer: msp and tls. */
export function peerDir(layout: Layout, peer: Peer): string {
  return join(organizationDir(layout, peer.org), 'peers', peer.host);
}

/** Folder of a user, for example `Admin` or `User1`: msp and tls. */
export function userDir(layout: Layout, org: Organization, user: string): string {
  return join(organizationDir(layout, org), 'users', `${user}@${org.domain}`);
}

/** Folder of the organisation that runs the ordering nodes. */
export function ordererOrganizationDir(layout: Layout): string {
  return join(layout.organizations, 'ordererOrganizations', 'example.com');
}

/** Folder of the ordering organisation's admin: msp and tls. */
export function ordererAdminDir(layout: Layout): string {
  return join(ordererOrganizationDir(layout), 'users', 'Admin@example.com');
}

/** Folder of an ordering node: msp and tls. */
export function ordererDir(layout: Layout, orderer: Orderer): string {
  return join(ordererOrganizationDir(layout), 'orderers', orderer.host);
}

/** The log of a process. */
export function logFile(layout: Layout, processName: string): string {
  return join(layout.logs, `${processName}.log`);
}
