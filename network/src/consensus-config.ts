import { join } from 'node:path';
import { type Layout, ordererDir } from './layout.ts';
import type { TopologyOptions } from './options.ts';
import type { Orderer, Topology } from './topology.ts';

/** configtxgen reads "10 MB" of AbsoluteMaxBytes as this; no request may be larger than a block. */
const BLOCK_BYTES_MAX = 10 * 1024 * 1024;

/** The part of configtx.yaml's Orderer section that differs between the profiles. */
export function consensus(topology: Topology, layout: Layout) {
  const { orderers, options } = topology;
  if (options.profile === 'bft') {
    return {
      OrdererType: 'BFT',
      SmartBFT: smartBftOptions(options),
      ConsenterMapping: orderers.map((orderer, index) => ({
        ID: index + 1,
        MSPID: 'OrdererMSP',
        Identity: join(ordererDir(layout, orderer), 'msp', 'signcerts', `${orderer.host}-cert.pem`),
        ...consenter(orderer, layout),
      })),
    };
  }
  return {
    OrdererType: 'etcdraft',
    EtcdRaft: {
      Consenters: orderers.map((orderer) => consenter(orderer, layout)),
      Options: {
        // A leader after one or two seconds; three nodes on a busy machine need more patience.
        TickInterval: orderers.length === 1 ? '100ms' : '250ms',
        ElectionTick: 10,
        HeartbeatTick: 1,
        MaxInflightBlocks: 5,
        SnapshotIntervalSize: '16 MB',
      },
    },
  };
}

function consenter(orderer: Orderer, layout: Layout) {
  const certificate = join(ordererDir(layout, orderer), 'tls', 'server.crt');
  return {
    Host: 'localhost',
    Port: orderer.port,
    ClientTLSCert: certificate,
    ServerTLSCert: certificate,
  };
}

/**
 * SmartBFT's own defaults, but for what would not fit a development network: a block is cut when
 * the other profile would cut it, a dead leader is replaced after seconds, and the pool takes what
 * the gateways of both peers let through.
 */
function smartBftOptions({ blockTimeoutMs }: TopologyOptions) {
  return {
    RequestBatchMaxInterval: `${blockTimeoutMs}ms`,
    RequestMaxBytes: BLOCK_BYTES_MAX,
    RequestPoolSize: 10_000,
    RequestForwardTimeout: '1s',
    // A waiting request is no sign of a dead leader on a busy machine; a missing heartbeat is.
    RequestComplainTimeout: '20s',
    RequestAutoRemoveTimeout: '3m',
    LeaderHeartbeatTimeout: '5s',
    LeaderHeartbeatCount: 10,
    ViewChangeResendInterval: '2s',
    ViewChangeTimeout: '10s',
    CollectTimeout: '1s',
    IncomingMessageBufferSize: 200,
  };
}
