import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { brokerProperties } from '../../../network/src/kafka-config.ts';
import { createLayout } from '../../../network/src/layout.ts';
import {
  adminEnvironment,
  type Environment,
  ordererEnvironment,
  peerEnvironment,
} from '../../../network/src/node-environment.ts';
import { DEFAULT_TOPOLOGY } from '../../../network/src/options.ts';
import { FABRIC_VERSION, KAFKA_VERSION } from '../../../network/src/tools.ts';
import { createTopology } from '../../../network/src/topology.ts';

interface Service {
  readonly image: string;
  readonly container_name?: string;
  readonly network_mode?: string;
  readonly ports?: unknown;
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
}

const topology = createTopology(DEFAULT_TOPOLOGY);
// Inside the containers the network's folder is mounted here.
const layout = createLayout('/shuttle');

let services: Readonly<Record<string, Service>>;
beforeAll(async () => {
  services = parse(await readFile('docker-compose.yml', 'utf8'), { merge: true }).services;
});

/** The images bring their own base configuration, with the builder for chaincode as a service. */
function withoutConfigPath(env: Environment): Environment {
  const { FABRIC_CFG_PATH: _, ...rest } = env;
  return rest;
}

describe('docker-compose.yml runs what the native network runs', () => {
  test('orderers: name, version and environment', () => {
    for (const orderer of topology.orderers) {
      const service = services[orderer.name];
      expect(service?.container_name).toBe(orderer.host);
      expect(service?.image).toBe(`hyperledger/fabric-orderer:${FABRIC_VERSION}`);
      expect(service?.environment).toEqual(
        withoutConfigPath(ordererEnvironment(topology, orderer, layout)),
      );
      expect(service?.volumes[1]).toContain(`:/shuttle/data/${orderer.host}`);
    }
  });

  test('peers: name, version and environment', () => {
    for (const peer of topology.peers) {
      const service = services[peer.name];
      expect(service?.container_name).toBe(peer.host);
      expect(service?.image).toBe(`hyperledger/fabric-peer:${FABRIC_VERSION}`);
      expect(service?.environment).toEqual(
        withoutConfigPath(peerEnvironment(topology, peer, layout)),
      );
      expect(services[`join-${peer.name}`]?.environment).toEqual(
        withoutConfigPath(adminEnvironment(peer, layout)),
      );
    }
  });

  test('brokers: name, version and every property but the folder', () => {
    for (const broker of topology.brokers) {
      const service = services[broker.name];
      expect(service?.image).toBe(`apache/kafka:${KAFKA_VERSION}`);
      const native = brokerProperties(topology, broker, '/var/lib/kafka/data')
        .trim()
        .split('\n')
        .map((line) => {
          const split = line.indexOf('=');
          const name = line.slice(0, split).replaceAll('.', '_').toUpperCase();
          return [`KAFKA_${name}`, line.slice(split + 1)] as const;
        });
      const { CLUSTER_ID, KAFKA_HEAP_OPTS, ...properties } = service?.environment ?? {};
      expect(properties).toEqual(Object.fromEntries(native));
      expect(KAFKA_HEAP_OPTS).toBe('-Xms128m -Xmx512m');
      expect(Buffer.from(CLUSTER_ID ?? '', 'base64url')).toHaveLength(16);
    }
  });

  test('nothing but these nodes and their joining, all on the host network', () => {
    const nodes = [...topology.orderers, ...topology.peers];
    const names = [
      ...nodes.flatMap(({ name }) => [name, `join-${name}`]),
      ...topology.brokers.map(({ name }) => name),
    ];
    expect(Object.keys(services).sort()).toEqual(names.sort());
    for (const service of Object.values(services)) {
      expect([service.network_mode, service.ports]).toEqual(['host', undefined]);
    }
  });
});
