import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { NetworkError } from './errors.ts';
import { type Layout, logFile } from './layout.ts';
import { type Environment, ordererEnvironment, peerEnvironment } from './node-environment.ts';
import type { ProcessSpec } from './processes.ts';
import type { DeployedChaincode } from './state.ts';
import { fabricCommand, type Tools } from './tools.ts';
import {
  type Broker,
  chaincodePort,
  chaincodeProcessName,
  type Orderer,
  type Peer,
  type Topology,
} from './topology.ts';

/** How to start an ordering node. */
export function ordererSpec(
  topology: Topology,
  orderer: Orderer,
  layout: Layout,
  tools: Tools,
): ProcessSpec {
  const { name } = orderer;
  const pprof = { port: orderer.pprofPort, use: `${name} (profiler)` };
  return {
    name,
    kind: 'orderer',
    command: fabricCommand(tools, 'orderer'),
    args: [],
    env: ordererEnvironment(topology, orderer, layout),
    cwd: layout.dir,
    logFile: logFile(layout, name),
    ports: [
      { port: orderer.port, use: name },
      { port: orderer.adminPort, use: `${name} (admin)` },
      { port: orderer.operationsPort, use: `${name} (operations)` },
      ...(topology.options.pprof ? [pprof] : []),
    ],
  };
}

/** How to start a peer. */
export function peerSpec(
  topology: Topology,
  peer: Peer,
  layout: Layout,
  tools: Tools,
): ProcessSpec {
  const { name } = peer;
  const pprof = { port: peer.pprofPort, use: `${name} (profiler)` };
  return {
    name,
    kind: 'peer',
    command: fabricCommand(tools, 'peer'),
    args: ['node', 'start'],
    env: peerEnvironment(topology, peer, layout),
    cwd: layout.dir,
    logFile: logFile(layout, name),
    ports: [
      { port: peer.port, use: name },
      { port: peer.chaincodePort, use: `${name} (chaincode)` },
      { port: peer.operationsPort, use: `${name} (operations)` },
      ...(topology.options.pprof ? [pprof] : []),
    ],
  };
}

/** How to start a Kafka node. */
export function brokerSpec(
  topology: Topology,
  broker: Broker,
  layout: Layout,
  tools: Tools,
): ProcessSpec {
  const { name } = broker;
  const { kafkaSecure, kafkaProxied } = topology.options;
  const secure = [
    { port: broker.sslPort, use: `${name} (SSL)` },
    { port: broker.saslPort, use: `${name} (SASL_SSL)` },
  ];
  return {
    name,
    kind: 'kafka',
    command: 'java',
    args: [...javaArguments(layout, tools), 'kafka.Kafka', brokerPropertiesFile(layout, broker)],
    env: {},
    cwd: layout.dir,
    logFile: logFile(layout, name),
    ports: [
      { port: broker.port, use: name },
      { port: broker.controllerPort, use: `${name} (controller)` },
      ...(kafkaProxied ? [{ port: broker.proxiedPort, use: `${name} (proxied)` }] : []),
      ...(kafkaSecure ? secure : []),
    ],
  };
}

/** Java's arguments up to the class: memory, collector, logging, class path. */
export function javaArguments(layout: Layout, tools: Tools): string[] {
  return [
    '-Xms128m',
    '-Xmx512m',
    '-XX:+UseG1GC',
    '-XX:MaxGCPauseMillis=20',
    '-XX:+ExitOnOutOfMemoryError',
    '-Djava.awt.headless=true',
    `-Dlog4j2.configurationFile=${join(layout.config, 'log4j2.properties')}`,
    '-cp',
    join(tools.kafka, '*'),
  ];
}

/** Where a broker's server.properties lies. */
export function brokerPropertiesFile(layout: Layout, broker: Broker): string {
  return join(layout.config, `${broker.name}.properties`);
}

/**
 * How to start a chaincode's process for one organisation's peer.
 *
 * @throws NetworkError CHAINCODE_INVALID when fabric-shim is not installed for the chaincode.
 */
export function chaincodeSpec(
  topology: Topology,
  chaincode: DeployedChaincode,
  peer: Peer,
  layout: Layout,
): ProcessSpec {
  const { org } = peer;
  const name = chaincodeProcessName(chaincode.name, org);
  const port = chaincodePort(topology.options, chaincode.slot, chaincode.sequence, org);
  const id = chaincode.packageIds[org.name];
  if (id === undefined) throw new Error(`no package of ${chaincode.name} for ${org.name}`);
  return {
    name,
    kind: 'chaincode',
    command: process.execPath,
    args: [
      shimCommand(chaincode.folder),
      'server',
      '--chaincode-address',
      `127.0.0.1:${port}`,
      '--chaincode-id',
      id,
    ],
    env: chaincodeEnvironment(),
    cwd: chaincode.folder,
    logFile: logFile(layout, name),
    ports: [{ port, use: name }],
  };
}

/** The shim's info line per call is costly. Node's options are for profilers and debuggers. */
function chaincodeEnvironment(): Environment {
  const options = process.env.SHUTTLE_CHAINCODE_NODE_OPTIONS;
  return {
    CORE_CHAINCODE_LOGGING_LEVEL: 'error',
    ...(options === undefined ? {} : { NODE_OPTIONS: options }),
  };
}

/** The `fabric-chaincode-node` command as the chaincode's own folder resolves it. */
export function shimCommand(folder: string): string {
  try {
    const manifest = createRequire(join(folder, 'package.json')).resolve(
      'fabric-shim/package.json',
    );
    return join(dirname(manifest), 'cli.js');
  } catch (cause) {
    const sentence = 'fabric-shim is not installed for this chaincode.';
    throw new NetworkError('CHAINCODE_INVALID', sentence, {
      at: folder,
      cause,
      help: 'Run `npm install` where the chaincode lies.',
    });
  }
}
