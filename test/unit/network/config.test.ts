import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { configtx, cryptoConfig } from '../../../network/src/channel-config.ts';
import { connectionProfile } from '../../../network/src/connection-profile.ts';
import { brokerProperties, type KafkaSecurity } from '../../../network/src/kafka-config.ts';
import { createLayout } from '../../../network/src/layout.ts';
import { ordererEnvironment, peerEnvironment } from '../../../network/src/node-environment.ts';
import { DEFAULT_TOPOLOGY } from '../../../network/src/options.ts';
import { createTopology } from '../../../network/src/topology.ts';

const layout = createLayout('/net');
const one = createTopology(DEFAULT_TOPOLOGY);
const three = createTopology({ ...DEFAULT_TOPOLOGY, orderers: 3, brokers: 3, portOffset: 100 });
const [peer] = one.peers;
const properties = (text: string): Record<string, string> =>
  Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => {
        const split = line.indexOf('=');
        return [line.slice(0, split), line.slice(split + 1)];
      }),
  );

describe('the channel', () => {
  const profile = parse(configtx(one, layout)).Profiles.Shuttle;

  test('cuts blocks at 200 ms, 500 transactions, 2 MB, and never above 10 MB', () => {
    expect(profile.Orderer.BatchTimeout).toBe('200ms');
    expect(profile.Orderer.BatchSize).toEqual({
      MaxMessageCount: 500,
      PreferredMaxBytes: '2 MB',
      AbsoluteMaxBytes: '10 MB',
    });
  });

  test('has the V3_0 capability and asks for a majority of endorsements', () => {
    expect(profile.Capabilities).toEqual({ V3_0: true });
    expect(profile.Application.Policies.Endorsement.Rule).toBe('MAJORITY Endorsement');
    expect(profile.Application.Policies.LifecycleEndorsement.Rule).toBe('MAJORITY Endorsement');
  });

  test('names anchor peers, so that discovery finds the other organisation', () => {
    const anchors = profile.Application.Organizations.map(
      (org: { AnchorPeers: unknown }) => org.AnchorPeers,
    );
    expect(anchors).toEqual([
      [{ Host: 'localhost', Port: 7051 }],
      [{ Host: 'localhost', Port: 9051 }],
    ]);
  });

  test('lists every ordering node as consenter and as endpoint', () => {
    const { Orderer } = parse(configtx(three, layout)).Profiles.Shuttle;
    const ports = Orderer.EtcdRaft.Consenters.map((each: { Port: number }) => each.Port);
    expect(ports).toEqual([7150, 7152, 7156]);
    expect(Orderer.Organizations[0].OrdererEndpoints).toEqual([
      'localhost:7150',
      'localhost:7152',
      'localhost:7156',
    ]);
  });
});

describe('the channel of the bft profile', () => {
  const bft = createTopology({ ...DEFAULT_TOPOLOGY, profile: 'bft', orderers: 4 });
  const { Orderer } = parse(configtx(bft, layout)).Profiles.Shuttle;

  test('names each node with number, endpoint, identity and TLS certificates', () => {
    expect(Orderer.OrdererType).toBe('BFT');
    const folder = '/net/organizations/ordererOrganizations/example.com/orderers';
    const nodes = [7050, 7052, 7056, 7058].map((Port, index) => {
      const host = `orderer${index === 0 ? '' : index + 1}.example.com`;
      const certificate = `${folder}/${host}/tls/server.crt`;
      return {
        ID: index + 1,
        Host: 'localhost',
        Port,
        MSPID: 'OrdererMSP',
        Identity: `${folder}/${host}/msp/signcerts/${host}-cert.pem`,
        ClientTLSCert: certificate,
        ServerTLSCert: certificate,
      };
    });
    expect(Orderer.ConsenterMapping).toEqual(nodes);
    expect(Orderer.EtcdRaft).toBeUndefined();
    expect(Orderer.Organizations[0].OrdererEndpoints).toHaveLength(4);
  });

  test('cuts blocks when raft would, and takes a request as large as a block', () => {
    expect(Orderer.SmartBFT).toMatchObject({
      RequestBatchMaxInterval: Orderer.BatchTimeout,
      RequestMaxBytes: 10 * 1024 * 1024,
    });
  });
});

test('certificates hold for the host alias by template and for localhost by name', () => {
  const config = parse(cryptoConfig(one));
  expect(config.PeerOrgs[0].Template).toEqual({ Count: 1, SANS: ['localhost', '127.0.0.1'] });
  expect(config.PeerOrgs[0].Users).toEqual({ Count: 1 });
  expect(config.OrdererOrgs[0].Specs).toEqual([
    { Hostname: 'orderer', SANS: ['localhost', '127.0.0.1'] },
  ]);
});

describe('nodes', () => {
  test('listen on loopback only', () => {
    const environments = [
      ...three.peers.map((each) => peerEnvironment(three, each, layout)),
      ...three.orderers.map((each) => ordererEnvironment(three, each, layout)),
    ];
    const listens = environments.flatMap((each) =>
      Object.entries(each).filter(([name]) => /LISTENADDRESS$|PROFILE_ADDRESS$/.test(name)),
    );
    expect(listens.length).toBeGreaterThan(15);
    for (const [name, value] of listens) {
      expect([name, value.split(':')[0]]).toEqual([name, '127.0.0.1']);
    }
  });

  test('peers write in batches, stay off Docker, and never send keepalive to chaincode', () => {
    expect(peerEnvironment(one, peer, layout)).toMatchObject({
      CORE_CHAINCODE_RUNTIMEPARAMS_USEWRITEBATCH: 'true',
      CORE_VM_ENDPOINT: '',
      CORE_CHAINCODE_KEEPALIVE: '0',
      CORE_METRICS_PROVIDER: 'prometheus',
      CORE_PEER_PROFILE_ENABLED: 'false',
    });
  });

  test('serve the profiler only when asked', () => {
    const profiled = createTopology({ ...DEFAULT_TOPOLOGY, pprof: true });
    expect(peerEnvironment(profiled, profiled.peers[0], layout)).toMatchObject({
      CORE_PEER_PROFILE_ENABLED: 'true',
      CORE_PEER_PROFILE_LISTENADDRESS: '127.0.0.1:6061',
    });
  });
});

test('the connection profile is the one of fabric-samples', () => {
  expect(connectionProfile(peer, 'PEM')).toMatchObject({
    name: 'test-network-org1',
    client: { organization: 'Org1' },
    organizations: { Org1: { mspid: 'Org1MSP', peers: ['peer0.org1.example.com'] } },
    peers: {
      'peer0.org1.example.com': {
        url: 'grpcs://localhost:7051',
        tlsCACerts: { pem: 'PEM' },
        grpcOptions: { 'ssl-target-name-override': 'peer0.org1.example.com' },
      },
    },
  });
});

describe('a broker', () => {
  test('alone keeps one replica, creates no topics by itself, and takes a block of 10 MB', () => {
    const [broker] = one.brokers;
    if (broker === undefined) throw new Error('no broker');
    expect(properties(brokerProperties(one, broker, '/data'))).toMatchObject({
      listeners: 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9192',
      'advertised.listeners': 'PLAINTEXT://localhost:9092',
      'controller.quorum.voters': '1@127.0.0.1:9192',
      'auto.create.topics.enable': 'false',
      'message.max.bytes': '16777216',
      'replica.fetch.max.bytes': '16777216',
      'offsets.topic.replication.factor': '1',
      'transaction.state.log.min.isr': '1',
      'group.initial.rebalance.delay.ms': '0',
    });
  });

  test('of three keeps three replicas, two in sync', () => {
    const [, broker] = three.brokers;
    if (broker === undefined) throw new Error('no broker');
    expect(properties(brokerProperties(three, broker, '/data'))).toMatchObject({
      'node.id': '2',
      'controller.quorum.voters': '1@127.0.0.1:9292,2@127.0.0.1:9293,3@127.0.0.1:9294',
      'default.replication.factor': '3',
      'min.insync.replicas': '2',
      'offsets.topic.replication.factor': '3',
      'transaction.state.log.min.isr': '2',
    });
  });

  test('has listeners with certificates and passwords, and one for a proxy, only when asked', () => {
    const topology = createTopology({ ...DEFAULT_TOPOLOGY, kafkaProxied: true });
    const [broker] = topology.brokers;
    if (broker === undefined) throw new Error('no broker');
    const security: KafkaSecurity = {
      keyStore: () => '/keys',
      trustStore: '/trust',
      user: 'shuttle',
      password: 'secret',
    };
    const found = properties(brokerProperties(topology, broker, '/data', security));
    expect(found.listeners).toBe(
      'PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9192,PROXIED://127.0.0.1:9492,' +
        'SSL://127.0.0.1:9292,SASL_SSL://127.0.0.1:9392',
    );
    expect(found['advertised.listeners']).toBe(
      'PLAINTEXT://localhost:9092,PROXIED://localhost:9592,' +
        'SSL://localhost:9292,SASL_SSL://localhost:9392',
    );
    expect(found['listener.name.ssl.ssl.client.auth']).toBe('required');
  });
});
