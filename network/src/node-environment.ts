import { join } from 'node:path';
import { type Layout, ordererAdminDir, ordererDir, peerDir, userDir } from './layout.ts';
import type { Orderer, Peer, Topology } from './topology.ts';

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string>>;

const LOOPBACK = '127.0.0.1';
/** One info line per gRPC call or connection would cost more than it tells. */
const LOGGING: Environment = {
  FABRIC_LOGGING_SPEC: 'info:grpc,comm.grpc.server=warning',
  // The default paints with escape codes, which have no place in a file.
  FABRIC_LOGGING_FORMAT: '%{time:2006-01-02 15:04:05.000} %{level:.4s} [%{module}] %{message}',
};

/** What a peer is told beside core.yaml. Only paths differ between this and docker-compose.yml. */
export function peerEnvironment(topology: Topology, peer: Peer, layout: Layout): Environment {
  const own = peerDir(layout, peer);
  const data = join(layout.data, peer.host);
  const address = `localhost:${peer.port}`;
  return {
    FABRIC_CFG_PATH: layout.config,
    ...LOGGING,
    CORE_PEER_ID: peer.host,
    CORE_PEER_ADDRESS: address,
    CORE_PEER_LISTENADDRESS: `${LOOPBACK}:${peer.port}`,
    CORE_PEER_CHAINCODELISTENADDRESS: `${LOOPBACK}:${peer.chaincodePort}`,
    CORE_PEER_LOCALMSPID: peer.org.mspId,
    CORE_PEER_MSPCONFIGPATH: join(own, 'msp'),
    CORE_PEER_FILESYSTEMPATH: data,
    CORE_LEDGER_SNAPSHOTS_ROOTDIR: join(data, 'snapshots'),
    CORE_PEER_TLS_ENABLED: 'true',
    CORE_PEER_TLS_CERT_FILE: join(own, 'tls', 'server.crt'),
    CORE_PEER_TLS_KEY_FILE: join(own, 'tls', 'server.key'),
    CORE_PEER_TLS_ROOTCERT_FILE: join(own, 'tls', 'ca.crt'),
    ...gossipEnvironment(address),
    // The default backs off for up to an hour; an orderer that comes back is wanted at once.
    CORE_PEER_DELIVERYCLIENT_RECONNECTBACKOFFTHRESHOLD: '1s',
    CORE_PEER_PROFILE_ENABLED: String(topology.options.pprof),
    CORE_PEER_PROFILE_LISTENADDRESS: `${LOOPBACK}:${peer.pprofPort}`,
    CORE_OPERATIONS_LISTENADDRESS: `${LOOPBACK}:${peer.operationsPort}`,
    CORE_METRICS_PROVIDER: 'prometheus',
    // Empty keeps the peer off Docker: chaincode is a service here.
    CORE_VM_ENDPOINT: '',
    // Above 0, fabric-shim 2.5.8 ends at the first keepalive message.
    CORE_CHAINCODE_KEEPALIVE: '0',
    CORE_CHAINCODE_RUNTIMEPARAMS_USEWRITEBATCH: 'true',
    CORE_CHAINCODE_RUNTIMEPARAMS_USEGETMULTIPLEKEYS: 'true',
  };
}

/**
 * Shorter intervals than the defaults: the other organisation is known within a second, not ten.
 */
function gossipEnvironment(address: string): Environment {
  return {
    CORE_PEER_GOSSIP_BOOTSTRAP: address,
    CORE_PEER_GOSSIP_EXTERNALENDPOINT: address,
    CORE_PEER_GOSSIP_ALIVETIMEINTERVAL: '1s',
    CORE_PEER_GOSSIP_ALIVEEXPIRATIONTIMEOUT: '10s',
    CORE_PEER_GOSSIP_RECONNECTINTERVAL: '1s',
    CORE_PEER_GOSSIP_PUBLISHCERTPERIOD: '1s',
    CORE_PEER_GOSSIP_PUBLISHSTATEINFOINTERVAL: '500ms',
    CORE_PEER_GOSSIP_REQUESTSTATEINFOINTERVAL: '500ms',
    CORE_PEER_GOSSIP_MEMBERSHIPTRACKERINTERVAL: '1s',
  };
}

/** What an ordering node is told beside orderer.yaml. */
export function ordererEnvironment(
  topology: Topology,
  orderer: Orderer,
  layout: Layout,
): Environment {
  const own = ordererDir(layout, orderer);
  const data = join(layout.data, orderer.host);
  const [certificate, key, ca] = ['server.crt', 'server.key', 'ca.crt'].map((file) =>
    join(own, 'tls', file),
  ) as [string, string, string];
  return {
    FABRIC_CFG_PATH: layout.config,
    ...LOGGING,
    ORDERER_GENERAL_LISTENADDRESS: LOOPBACK,
    ORDERER_GENERAL_LISTENPORT: String(orderer.port),
    ORDERER_GENERAL_LOCALMSPID: 'OrdererMSP',
    ORDERER_GENERAL_LOCALMSPDIR: join(own, 'msp'),
    ORDERER_GENERAL_TLS_ENABLED: 'true',
    ORDERER_GENERAL_TLS_CERTIFICATE: certificate,
    ORDERER_GENERAL_TLS_PRIVATEKEY: key,
    ORDERER_GENERAL_TLS_ROOTCAS: ca,
    ORDERER_GENERAL_CLUSTER_CLIENTCERTIFICATE: certificate,
    ORDERER_GENERAL_CLUSTER_CLIENTPRIVATEKEY: key,
    ORDERER_GENERAL_CLUSTER_ROOTCAS: ca,
    ORDERER_GENERAL_BOOTSTRAPMETHOD: 'none',
    ORDERER_GENERAL_PROFILE_ENABLED: String(topology.options.pprof),
    ORDERER_GENERAL_PROFILE_ADDRESS: `${LOOPBACK}:${orderer.pprofPort}`,
    ORDERER_CHANNELPARTICIPATION_ENABLED: 'true',
    ORDERER_ADMIN_LISTENADDRESS: `${LOOPBACK}:${orderer.adminPort}`,
    ORDERER_ADMIN_TLS_ENABLED: 'true',
    ORDERER_ADMIN_TLS_CERTIFICATE: certificate,
    ORDERER_ADMIN_TLS_PRIVATEKEY: key,
    ORDERER_ADMIN_TLS_ROOTCAS: ca,
    ORDERER_ADMIN_TLS_CLIENTROOTCAS: ca,
    ORDERER_OPERATIONS_LISTENADDRESS: `${LOOPBACK}:${orderer.operationsPort}`,
    ORDERER_METRICS_PROVIDER: 'prometheus',
    ORDERER_FILELEDGER_LOCATION: data,
    ORDERER_CONSENSUS_WALDIR: join(data, 'etcdraft', 'wal'),
    ORDERER_CONSENSUS_SNAPDIR: join(data, 'etcdraft', 'snapshot'),
  };
}

/** What the `peer` command is told to sign as the admin of the ordering organisation. */
export function ordererAdminEnvironment(layout: Layout): Environment {
  return {
    FABRIC_CFG_PATH: layout.config,
    FABRIC_LOGGING_SPEC: 'error',
    CORE_PEER_LOCALMSPID: 'OrdererMSP',
    CORE_PEER_MSPCONFIGPATH: join(ordererAdminDir(layout), 'msp'),
  };
}

/** What the `peer` command is told to act as an organisation's admin at its peer. */
export function adminEnvironment(peer: Peer, layout: Layout): Environment {
  return {
    FABRIC_CFG_PATH: layout.config,
    FABRIC_LOGGING_SPEC: 'error',
    CORE_PEER_TLS_ENABLED: 'true',
    CORE_PEER_LOCALMSPID: peer.org.mspId,
    CORE_PEER_MSPCONFIGPATH: join(userDir(layout, peer.org, 'Admin'), 'msp'),
    CORE_PEER_TLS_ROOTCERT_FILE: join(peerDir(layout, peer), 'tls', 'ca.crt'),
    CORE_PEER_ADDRESS: `localhost:${peer.port}`,
  };
}
