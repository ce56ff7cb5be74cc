import type { Broker, Topology } from './topology.ts';

/** 16 MiB: a block of 10 MB with its headers fits into one record. */
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

/** How clients with certificates or passwords are let in. */
export interface KafkaSecurity {
  /** PEM file with the broker's key and certificate chain. */
  readonly keyStore: (broker: Broker) => string;
  /** PEM file with the certificate authority. */
  readonly trustStore: string;
  readonly user: string;
  readonly password: string;
}

type Properties = Record<string, string | number | boolean>;

/** The broker's server.properties. Everything listens on loopback only. */
export function brokerProperties(
  topology: Topology,
  broker: Broker,
  logDir: string,
  security?: KafkaSecurity,
): string {
  const nodes = topology.brokers.length;
  const replicas = Math.min(3, nodes);
  const inSync = nodes >= 3 ? 2 : 1;
  const properties: Properties = {
    'process.roles': 'broker,controller',
    'node.id': broker.nodeId,
    'controller.quorum.voters': topology.brokers
      .map((each) => `${each.nodeId}@127.0.0.1:${each.controllerPort}`)
      .join(','),
    ...listeners(topology, broker, security),
    'log.dirs': logDir,
    'auto.create.topics.enable': false,
    'num.partitions': 1,
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'message.max.bytes': MESSAGE_BYTES_MAX,
    'replica.fetch.max.bytes': MESSAGE_BYTES_MAX,
    'replica.fetch.response.max.bytes': 2 * MESSAGE_BYTES_MAX,
    'group.initial.rebalance.delay.ms': 0,
    // The default of 2 s decides how long a broker stays fenced at start.
    'broker.heartbeat.interval.ms': 500,
    // A killed broker that comes back waits until its former self counts as gone (default 9 s).
    'broker.session.timeout.ms': 6000,
    // The default of 128 MiB is a quarter of this broker's heap.
    'log.cleaner.dedupe.buffer.size': 16 * 1024 * 1024,
    ...internalTopics(replicas, inSync),
    ...(security === undefined ? {} : secureListeners(broker, security)),
  };
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

function listeners(topology: Topology, broker: Broker, security?: KafkaSecurity): Properties {
  const { kafkaProxied } = topology.options;
  const open: [name: string, protocol: string, port: number, advertised: number | undefined][] = [
    ['PLAINTEXT', 'PLAINTEXT', broker.port, broker.port],
    ['CONTROLLER', 'PLAINTEXT', broker.controllerPort, undefined],
  ];
  if (kafkaProxied) open.push(['PROXIED', 'PLAINTEXT', broker.proxiedPort, broker.proxyPort]);
  if (security !== undefined) {
    open.push(['SSL', 'SSL', broker.sslPort, broker.sslPort]);
    open.push(['SASL_SSL', 'SASL_SSL', broker.saslPort, broker.saslPort]);
  }
  return {
    listeners: open.map(([name, , port]) => `${name}://127.0.0.1:${port}`).join(','),
    'advertised.listeners': open
      .filter(([, , , advertised]) => advertised !== undefined)
      .map(([name, , , advertised]) => `${name}://localhost:${advertised}`)
      .join(','),
    'listener.security.protocol.map': open.map(([name, kind]) => `${name}:${kind}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
  };
}

function internalTopics(replicas: number, inSync: number): Properties {
  return {
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 8,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': 8,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'share.coordinator.state.topic.num.partitions': 8,
  };
}

function secureListeners(broker: Broker, security: KafkaSecurity): Properties {
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule';
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule';
  const { user, password } = security;
  const prefix = 'listener.name.sasl_ssl';
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': security.keyStore(broker),
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': security.trustStore,
    // A client certificate is asked for on SSL; SASL_SSL has the password instead.
    'listener.name.ssl.ssl.client.auth': 'required',
    [`${prefix}.ssl.client.auth`]: 'none',
    [`${prefix}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    [`${prefix}.plain.sasl.jaas.config`]: `${plain} required user_${user}="${password}";`,
    [`${prefix}.scram-sha-256.sasl.jaas.config`]: `${scram} required;`,
    [`${prefix}.scram-sha-512.sasl.jaas.config`]: `${scram} required;`,
  };
}

/** Logging of the broker to standard output, which is its log file. */
export const KAFKA_LOG4J = `status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{yyyy-MM-dd HH:mm:ss.SSS} %p [%c{1}] %m%n
rootLogger.level=info
rootLogger.appenderRef.out.ref=out
`;
