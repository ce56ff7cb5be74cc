/** Connections to one Kafka cluster: kafkajs with its wire corrected, its logs and errors ours. */
import {
  type Admin,
  Kafka,
  type KafkaConfig,
  type logCreator,
  logLevel,
  type SASLOptions,
} from 'kafkajs';
import { KAFKA_REQUEST_TIMEOUT_MS_DEFAULT } from '../limits.ts';
import { Pending } from '../pending.ts';
import type { Log } from '../ports.ts';
import { type Bulk, createBulk } from './bulk.ts';
import { toKafkaError } from './errors.ts';
import { FETCH_API_KEY, rewriteFetch } from './fetch-response.ts';
import { hook } from './hooks.ts';
import { OFFSET_FETCH_API_KEY, rewriteOffsetFetch } from './offset-fetch.ts';
import type { KafkaOptions } from './options.ts';
import { PRODUCE_API_KEY, rewriteProduce } from './produce-request.ts';

export const CONNECT_TIMEOUT_MS_DEFAULT = 5_000;

/** Of calls that are not a producer's: about five seconds in all. */
const ADMIN_RETRY = { initialRetryTime: 50, multiplier: 2, maxRetryTime: 1_000, retries: 8 };

/** A cluster to speak with; each adapter opens its own connections from it. */
export interface KafkaClient {
  readonly options: KafkaOptions;
  readonly log: Log;
  readonly kafka: Kafka;
  /** Calls that wait for a broker; those of members and producers have ways of their own. */
  readonly pending: Pending;
  /**
   * Runs `call` with an admin client that is shared and connected when first needed.
   *
   * @throws ShuttleError KAFKA_UNREACHABLE, KAFKA_REFUSED, TOPIC_MISSING
   */
  admin<T>(call: (admin: Admin) => Promise<T>): Promise<T>;
  /** The cluster's own id, by which its streams are told from another cluster's. */
  clusterId(): Promise<string>;
  close(): Promise<void>;
}

/** What kafkajs calls errors or warnings although it is how groups and transactions work. */
const EVERYDAY = new RegExp(
  [
    'coordinator is (loading|not available)',
    'not the correct coordinator',
    'rebalanc',
    're-joining',
    'resync group',
    'requires? .*member.?id',
    'member id',
    'concurrent operation on the same transaction',
    'topic with this name already exists',
    'idempotent producer may invalidate',
    // Said once by whoever waits, or by the error of a command.
    'connection error',
    'connection timeout',
    'failed to connect to',
    'does not host this topic-partition',
  ].join('|'),
  'i',
);

/** Passes kafkajs' log on: what it retries by itself is a warning at most. */
function createLogCreator(log: Log): logCreator {
  return () =>
    ({ namespace, level, log: { message, ...rest } }) => {
      const cause = typeof rest.error === 'string' ? rest.error : undefined;
      const fields = { component: namespace, detail: message, cause, broker: rest.broker };
      const everyday = level >= logLevel.INFO || EVERYDAY.test(`${message} ${cause ?? ''}`);
      if (everyday) {
        log.debug(fields, 'Kafka client noted');
      } else {
        log.warn(fields, 'Kafka client warned');
      }
    };
}

function configOf(options: KafkaOptions, log: Log, bulk: Bulk): KafkaConfig {
  const { tls, sasl } = options;
  return {
    brokers: [...options.brokers],
    clientId: options.clientId,
    connectionTimeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS_DEFAULT,
    requestTimeout: options.requestTimeoutMs ?? KAFKA_REQUEST_TIMEOUT_MS_DEFAULT,
    retry: ADMIN_RETRY,
    logLevel: logLevel.INFO,
    logCreator: createLogCreator(log),
    socketFactory: bulk.socketFactory,
    ...(sasl === undefined ? {} : { sasl: sasl as SASLOptions }),
    ...(tls === undefined
      ? {}
      : {
          ssl: {
            ...(tls.ca === undefined ? {} : { ca: [tls.ca] }),
            ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
            ...(tls.key === undefined ? {} : { key: tls.key }),
            ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
          },
        }),
  };
}

/** Connects nothing yet: each call does. */
export function createKafkaClient(options: KafkaOptions, log: Log): KafkaClient {
  const bulk = createBulk();
  const kafka = new Kafka(configOf(options, log, bulk));
  hook(kafka, (protocol, args) => {
    switch (protocol.request.apiKey) {
      case FETCH_API_KEY:
        return rewriteFetch(protocol);
      case PRODUCE_API_KEY:
        return rewriteProduce(protocol, args, bulk);
      case OFFSET_FETCH_API_KEY:
        return rewriteOffsetFetch(protocol, args);
      default:
        return protocol;
    }
  });

  const pending = new Pending();
  let connected: Promise<Admin> | null = null;
  const connect = async (): Promise<Admin> => {
    const admin = kafka.admin();
    await admin.connect();
    return admin;
  };
  const admin = async <T>(call: (admin: Admin) => Promise<T>): Promise<T> => {
    connected ??= connect();
    const current = connected;
    try {
      return await pending.during(async () => call(await current));
    } catch (error) {
      connected = connected === current ? null : connected;
      void current.then((broken) => broken.disconnect()).catch(() => undefined);
      throw toKafkaError(error, options.brokers);
    }
  };

  return {
    options,
    log,
    kafka,
    pending,
    admin,
    clusterId: async () => (await admin((a) => a.describeCluster())).clusterId,
    close: async () => {
      const current = connected;
      connected = null;
      await current?.then((open) => open.disconnect()).catch(() => undefined);
    },
  };
}
