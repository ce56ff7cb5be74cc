/** What the Kafka adapters need to know; config/ resolves files and environment into it. */

export interface KafkaTls {
  /** PEM; without it the system's own roots are trusted. */
  readonly ca?: string | Buffer;
  /** PEM of the client certificate and its key, for mutual TLS. */
  readonly certificate?: string | Buffer;
  readonly key?: string | Buffer;
  /** The name that the broker's certificate is checked for, when it is not the host's. */
  readonly serverName?: string;
}

export interface KafkaSasl {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

export type KafkaCompression = 'none' | 'gzip';

export interface KafkaOptions {
  /** host:port of one or more brokers. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls?: KafkaTls;
  readonly sasl?: KafkaSasl;
  /** How produced batches are compressed; every codec is read. Default none. */
  readonly compression?: KafkaCompression;
  /** Whether missing topics are created; otherwise their settings are told. Default true. */
  readonly createTopics?: boolean;
  /** Of created topics; -1 (the default) takes the broker's own default. */
  readonly replicationFactor?: number;
  /** A member of the group that is silent for longer loses its partitions. Default 45 s. */
  readonly sessionTimeoutMs?: number;
  readonly connectTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
}
