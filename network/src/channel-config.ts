import { join } from 'node:path';
import { stringify } from 'yaml';
import { consensus } from './consensus-config.ts';
import { type Layout, ordererOrganizationDir, organizationDir } from './layout.ts';
import type { Peer, Topology } from './topology.ts';

/** Name of the one profile in configtx.yaml. */
export const CHANNEL_PROFILE = 'Shuttle';

const LOOPBACK_NAMES = ['localhost', '127.0.0.1'];

/**
 * Input of `cryptogen generate`: the organisations, with certificates that also hold on loopback.
 */
export function cryptoConfig(topology: Topology): string {
  const host = (name: string) => ({ Hostname: name, SANS: LOOPBACK_NAMES });
  return stringify({
    OrdererOrgs: [
      {
        Name: 'Orderer',
        Domain: 'example.com',
        EnableNodeOUs: true,
        Specs: topology.orderers.map((orderer) => host(orderer.name)),
      },
    ],
    PeerOrgs: topology.peers.map(({ org }) => ({
      Name: `Org${org.number}`,
      Domain: org.domain,
      EnableNodeOUs: true,
      Template: { Count: 1, SANS: LOOPBACK_NAMES },
      Users: { Count: 1 },
    })),
  });
}

/** Input of `configtxgen`: the channel with its policies, limits and anchor peers. */
export function configtx(topology: Topology, layout: Layout): string {
  const peerOrgs = topology.peers.map((peer) => peerOrganization(peer, layout));
  const profile = {
    Policies: channelPolicies(),
    Capabilities: { V3_0: true },
    Orderer: ordererSection(topology, layout),
    Application: {
      Organizations: peerOrgs,
      Policies: {
        LifecycleEndorsement: implicit('MAJORITY Endorsement'),
        Endorsement: implicit('MAJORITY Endorsement'),
        ...channelPolicies(),
      },
      Capabilities: { V2_5: true },
    },
  };
  return stringify({ Profiles: { [CHANNEL_PROFILE]: profile } }, { aliasDuplicateObjects: false });
}

const implicit = (rule: string) => ({ Type: 'ImplicitMeta', Rule: rule });

const signature = (mspId: string, ...roles: string[]) => ({
  Type: 'Signature',
  Rule: `OR(${roles.map((role) => `'${mspId}.${role}'`).join(', ')})`,
});

const channelPolicies = () => ({
  Readers: implicit('ANY Readers'),
  Writers: implicit('ANY Writers'),
  Admins: implicit('MAJORITY Admins'),
});

function peerOrganization(peer: Peer, layout: Layout) {
  const { mspId } = peer.org;
  return {
    Name: mspId,
    ID: mspId,
    MSPDir: join(organizationDir(layout, peer.org), 'msp'),
    Policies: {
      Readers: signature(mspId, 'admin', 'peer', 'client'),
      Writers: signature(mspId, 'admin', 'client'),
      Admins: signature(mspId, 'admin'),
      Endorsement: signature(mspId, 'peer'),
    },
    // Without anchor peers in the genesis, discovery across organisations finds nobody.
    AnchorPeers: [{ Host: 'localhost', Port: peer.port }],
  };
}

function ordererSection(topology: Topology, layout: Layout) {
  const { blockTransactions, blockTimeoutMs } = topology.options;
  const organization = {
    Name: 'OrdererOrg',
    ID: 'OrdererMSP',
    MSPDir: join(ordererOrganizationDir(layout), 'msp'),
    Policies: {
      Readers: signature('OrdererMSP', 'member'),
      Writers: signature('OrdererMSP', 'member'),
      Admins: signature('OrdererMSP', 'admin'),
    },
    OrdererEndpoints: topology.orderers.map((orderer) => `localhost:${orderer.port}`),
  };
  return {
    ...consensus(topology, layout),
    BatchTimeout: `${blockTimeoutMs}ms`,
    BatchSize: {
      MaxMessageCount: blockTransactions,
      PreferredMaxBytes: '2 MB',
      AbsoluteMaxBytes: '10 MB',
    },
    Organizations: [organization],
    Policies: { ...channelPolicies(), BlockValidation: implicit('ANY Writers') },
    Capabilities: { V2_0: true },
  };
}
