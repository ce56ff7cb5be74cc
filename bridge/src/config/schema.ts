/**
 * Every setting that there is: name, type, limits, default and what it means. The configuration
 * page, the JSON Schema, the environment names and the command line are all derived from here.
 */
import { BATCH_BYTES_MAX, BATCH_RECORDS_MAX, LANES_MAX } from '@shuttle/chaincode/wire';
import { z } from 'zod';
import { FORMATS } from '../clean/rules.ts';
import {
  ACK_INTERVAL_MS_DEFAULT,
  BATCH_AGE_MS_DEFAULT,
  BATCH_BYTES_DEFAULT,
  BATCH_RECORDS_DEFAULT,
  BUFFER_BYTES_MAX_DEFAULT,
  BUFFER_RECORDS_MAX_DEFAULT,
  COMMAND_DEADLINE_MS_DEFAULT,
  COMMIT_STATUS_TIMEOUT_MS_DEFAULT,
  ENDORSE_TIMEOUT_MS_DEFAULT,
  EVALUATE_TIMEOUT_MS_DEFAULT,
  IN_FLIGHT_MAX_DEFAULT,
  KAFKA_REQUEST_TIMEOUT_MS_DEFAULT,
  LANES_DEFAULT,
  REGISTRY_TIMEOUT_MS_DEFAULT,
  SESSION_TIMEOUT_MS_DEFAULT,
  SUBMIT_TIMEOUT_MS_DEFAULT,
} from '../limits.ts';
import {
  durationMs,
  file,
  HOUR_MS,
  host,
  settingFacts,
  TOPIC_WORDS,
  text,
  topicName,
} from './setting-kinds.ts';

const kafka = z.strictObject({
  brokers: z
    .array(host)
    .min(1)
    .default(['localhost:9092'])
    .describe('Brokers to find the cluster by.')
    .register(settingFacts, { allowed: 'a list of host:port' }),
  clientId: text('a name without blanks')
    .default('shuttle')
    .describe("The client's name in the brokers' logs, metrics and quotas."),
  tls: z
    .strictObject({
      enabled: z.boolean().default(false).describe('Speak TLS with the brokers.'),
      ca: file('a PEM file').describe("Authorities to trust instead of the system's."),
      certificate: file('a PEM file').describe('Client certificate, for brokers that ask for one.'),
      key: file('a PEM file').describe('Private key of the client certificate.'),
      serverName: text('a host name')
        .optional()
        .describe("Name to expect in the brokers' certificates instead of their host."),
    })
    .prefault({}),
  sasl: z
    .strictObject({
      mechanism: z
        .enum(['plain', 'scram-sha-256', 'scram-sha-512'])
        .optional()
        .describe('Log in to the brokers by this mechanism.'),
      username: z.string().min(1).optional().describe('User to log in as.'),
      passwordFile: file('a file').describe('File whose first line is the password.'),
    })
    .prefault({}),
  compression: z
    .enum(['none', 'gzip'])
    .default('none')
    .describe('Codec of what Shuttle produces. What it reads may use any codec.'),
  createTopics: z
    .boolean()
    .default(true)
    .describe('Create topics that are absent, with the settings they need.'),
  replicationFactor: z
    .int()
    .min(1)
    .max(32_767)
    .optional()
    .describe('Replicas of the topics that Shuttle creates.')
    .register(settingFacts, { otherwise: "the brokers' default" }),
  sessionTimeoutMs: z
    .int()
    .min(6_000)
    .max(HOUR_MS)
    .default(SESSION_TIMEOUT_MS_DEFAULT)
    .describe('An instance that is silent for so long loses its partitions to the others.'),
  requestTimeoutMs: z
    .int()
    .min(1_000)
    .max(HOUR_MS)
    .default(KAFKA_REQUEST_TIMEOUT_MS_DEFAULT)
    .describe('A request that a broker does not answer for so long is made again.'),
});

const fabric = z.strictObject({
  profile: file(
    'a connection profile, JSON or YAML',
    'of the local network, when there is one',
  ).describe('Connection profile; the peer is the first one of its client organisation.'),
  peer: z
    .strictObject({
      endpoint: host
        .optional()
        .describe("Gateway peer of one's own organisation; goes before the profile's."),
      tlsEnabled: z
        .boolean()
        .optional()
        .describe('Speak TLS with the peer.')
        .register(settingFacts, {
          otherwise: 'true, unless the profile has the peer at grpc://',
        }),
      tlsCa: file('a PEM file', "the profile's, or the system's").describe(
        "Authorities that sign the peer's TLS certificate.",
      ),
      serverName: text('a host name')
        .optional()
        .describe("Name to expect in the peer's TLS certificate instead of its host."),
    })
    .prefault({}),
  channel: text('lower-case letters, digits, "." and "-"', /^[a-z][a-z0-9.-]{0,248}$/)
    .default('mychannel')
    .describe('The channel to write to and to publish.'),
  chaincode: text('letters, digits, "_" and "-"', /^[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*$/)
    .default('shuttle')
    .describe("Name of Shuttle's chaincode on the channel."),
  identity: z
    .strictObject({
      mspId: text('an MSP id')
        .optional()
        .describe('MSP id of the identity.')
        .register(settingFacts, {
          allowed: 'an MSP id',
          otherwise: "the profile's client organisation",
        }),
      msp: file('an MSP folder', 'User1 of the local network, when there is one').describe(
        'MSP folder with the certificate (signcerts) and private key (keystore) to sign with.',
      ),
    })
    .prefault({}),
  endorsingOrganizations: z
    .array(text('an MSP id'))
    .default([])
    .describe('MSP ids that must endorse. An empty list leaves the choice to discovery.')
    .register(settingFacts, { allowed: 'a list of MSP ids' }),
  evaluateTimeoutMs: durationMs(EVALUATE_TIMEOUT_MS_DEFAULT).describe('Longest wait for a query.'),
  endorseTimeoutMs: durationMs(ENDORSE_TIMEOUT_MS_DEFAULT).describe(
    'Longest wait for the endorsement of a transaction.',
  ),
  submitTimeoutMs: durationMs(SUBMIT_TIMEOUT_MS_DEFAULT).describe(
    'Longest wait until the orderer has taken a transaction.',
  ),
  commitStatusTimeoutMs: durationMs(COMMIT_STATUS_TIMEOUT_MS_DEFAULT).describe(
    'Longest wait for the commit of a transaction.',
  ),
});

const ingest = z.strictObject({
  topics: z
    .array(text(TOPIC_WORDS, topicName))
    .min(1)
    .default(['shuttle.cleaned'])
    .describe('Topics whose records go to the ledger.')
    .register(settingFacts, { allowed: 'a list of topic names' }),
  stream: text(TOPIC_WORDS, topicName)
    .optional()
    .describe('Name of this use of the topics on the ledger; part of every watermark.')
    .register(settingFacts, { allowed: TOPIC_WORDS, otherwise: "the Kafka cluster's id" }),
  groupId: text('a name without blanks')
    .optional()
    .describe('Consumer group that shares the partitions and holds the acks.')
    .register(settingFacts, {
      allowed: 'a name without blanks',
      otherwise: '`<stream>.<channel>.<chaincode>`',
    }),
  lanes: z
    .int()
    .min(1)
    .max(LANES_MAX)
    .default(LANES_DEFAULT)
    .describe(
      'Key-hash slices of a partition, each with one transaction in flight. ' +
        "Part of the partition's layout on the ledger: fixed once written.",
    ),
  keyExpression: text('a JSON Pointer (RFC 6901)', /^(?:\/(?:[^~]|~[01])*)?$/)
    .default('')
    .describe(
      'JSON Pointer to the document key in values of records without a key; ' +
        "empty: the record's own key only. Part of the layout.",
    ),
  batchRecords: z
    .int()
    .min(1)
    .max(BATCH_RECORDS_MAX)
    .default(BATCH_RECORDS_DEFAULT)
    .describe('A batch is cut at so many records.'),
  batchBytes: z
    .int()
    .min(1_024)
    .max(BATCH_BYTES_MAX)
    .default(BATCH_BYTES_DEFAULT)
    .describe('A batch is cut at so many bytes.'),
  batchAgeMs: z
    .int()
    .min(0)
    .max(60_000)
    .default(BATCH_AGE_MS_DEFAULT)
    .describe('A batch is cut when its first record has waited for so long.'),
  inFlightMax: z
    .int()
    .min(1)
    .max(500)
    .default(IN_FLIGHT_MAX_DEFAULT)
    .describe("Transactions in flight over all partitions; the peer's gateway allows 500."),
  bufferRecordsMax: z
    .int()
    .min(1)
    .max(10_000_000)
    .default(BUFFER_RECORDS_MAX_DEFAULT)
    .describe('Partitions are paused when so many records wait in memory.'),
  bufferBytesMax: z
    .int()
    .min(1_024)
    .max(16 * 1024 ** 3)
    .default(BUFFER_BYTES_MAX_DEFAULT)
    .describe('Partitions are paused when so many bytes wait in memory.'),
  ackIntervalMs: durationMs(ACK_INTERVAL_MS_DEFAULT).describe(
    'Group offsets are committed this often, and at every orderly stop.',
  ),
  acceptTruncation: z
    .boolean()
    .default(false)
    .describe('Go on when records that are not on the ledger yet are gone from the topic.'),
});

const registry = z.strictObject({
  url: text('an http or https address', /^https?:\/\/[^\s/@?#]+(?:\/[^\s?#]*)?$/)
    .optional()
    .describe('Schema registry, for rules with the format `registry`.'),
  username: z.string().min(1).optional().describe('User to ask the registry as.'),
  passwordFile: file('a file').describe('File whose first line is the password.'),
  ca: file('a PEM file').describe("Authorities to trust instead of the system's."),
  timeoutMs: durationMs(REGISTRY_TIMEOUT_MS_DEFAULT).describe(
    'A request that the registry does not answer for so long is made again.',
  ),
});

const clean = z.strictObject({
  rules: text('a rule file, or preset:NAME', /^.+$/)
    .optional()
    .describe('Rules by which `shuttle clean` makes cleaned records of raw ones.')
    .register(settingFacts, {
      path: true,
      allowed: 'a rule file, or preset:NAME',
      otherwise: 'none: it has to be named',
    }),
  format: z
    .enum(FORMATS)
    .default('json')
    .describe('What a raw record holds, where the rules do not say it.'),
  from: text(TOPIC_WORDS, topicName).default('shuttle.raw').describe('Topic of the raw records.'),
  to: text(TOPIC_WORDS, topicName)
    .default('shuttle.cleaned')
    .describe('Topic that the cleaned records go to.'),
  groupId: text('a name without blanks')
    .optional()
    .describe('Consumer group that shares the partitions and holds the position in them.')
    .register(settingFacts, {
      allowed: 'a name without blanks',
      otherwise: '`<stream>.clean.<from>.<to>`',
    }),
  acceptTruncation: z
    .boolean()
    .default(false)
    .describe('Go on when records that are not cleaned yet are gone from the topic.'),
  acceptLostPosition: z
    .boolean()
    .default(false)
    .describe('Start over when the group has no position, although there are cleaned records.'),
  registry: registry.prefault({}).describe('Where schemas of records are found by their number.'),
});

const encryption = z.strictObject({
  keys: file('a folder').describe(
    'Folder of key files, `<key id>.key`: for encrypting, and for whoever reads what is published.',
  ),
  keyId: text('up to 64 letters, digits, ".", "_" and "-"', /^[A-Za-z0-9._-]{1,64}$/)
    .optional()
    .describe('Key that the values of new records are encrypted with.')
    .register(settingFacts, { otherwise: 'values are not encrypted' }),
});

const attestation = z.strictObject({
  key: file('a PEM file', 'blocks are not attested').describe(
    'Private key, Ed25519 or ECDSA P-256, by which the bridge signs each published block.',
  ),
});

const publish = z.strictObject({
  prefix: text(TOPIC_WORDS, topicName)
    .default('shuttle')
    .describe(
      'Blocks go to `<prefix>.<channel>.blocks`, and likewise transactions, changes, events.',
    ),
  verify: z
    .boolean()
    .default(true)
    .describe('Prove signatures, policies and codes of each block before it is published.'),
  encryption: encryption.prefault({}).describe('Encryption of the published values.'),
  attestation: attestation.prefault({}).describe("The bridge's own signature of blocks."),
});

const index = z.strictObject({
  file: file('a file that need not be there', 'shuttle-index.db in the working folder').describe(
    'The database of `shuttle index`, which other commands ask when it is there.',
  ),
});

const http = z.strictObject({
  host: text('a host name or address')
    .default('127.0.0.1')
    .describe('Address on which health and metrics are served.'),
  port: z
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe('Port of /healthz, /readyz and /metrics; 0 takes a free one.')
    .register(settingFacts, { otherwise: 'not served' }),
});

const log = z.strictObject({
  level: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least severe level to log. One-shot commands log from warn on unless it is set.'),
  format: z
    .enum(['json', 'pretty'])
    .optional()
    .describe('How log lines are written to standard error.')
    .register(settingFacts, { otherwise: 'pretty on a terminal, json elsewhere' }),
});

const command = z.strictObject({
  deadlineMs: durationMs(COMMAND_DEADLINE_MS_DEFAULT).describe(
    'One-shot commands, and runs with --until-end that reach nothing, give up after this.',
  ),
});

export const settingsSchema = z
  .strictObject({
    kafka: kafka.prefault({}).describe('The Kafka cluster.'),
    fabric: fabric.prefault({}).describe('The Fabric channel, and as whom to speak to it.'),
    ingest: ingest.prefault({}).describe('From the cleaned topics to the ledger.'),
    clean: clean.prefault({}).describe('From the raw topic to the cleaned one.'),
    publish: publish.prefault({}).describe('From the ledger to the blocks topics.'),
    index: index.prefault({}).describe('The read model beside the ledger.'),
    http: http.prefault({}).describe('Health and metrics.'),
    log: log.prefault({}).describe('The log.'),
    command: command.prefault({}).describe('Commands that run once.'),
  })
  .check((ctx) => {
    for (const [path, message] of contradictions(ctx.value)) {
      ctx.issues.push({ code: 'custom', path: path.split('.'), message, input: ctx.value });
    }
  });

/** All settings with their values, defaults filled in. */
export type Settings = z.output<typeof settingsSchema>;

/** Settings that are each valid but not together, with the sentence that says so. */
function contradictions({
  kafka,
  fabric: { peer },
  clean: cleaning,
  publish: { encryption: encrypting },
}: Settings): [string, string][] {
  const useless: [string, string][] =
    peer.tlsEnabled === false && peer.tlsCa !== undefined
      ? [['fabric.peer.tlsCa', 'it has no effect while fabric.peer.tlsEnabled is false']]
      : [];
  const circular: [string, string][] =
    cleaning.from === cleaning.to
      ? [['clean.to', 'it is clean.from too, and cleaned records are no raw ones']]
      : [];
  const keyless: [string, string][] =
    encrypting.keyId !== undefined && encrypting.keys === undefined
      ? [['publish.encryption.keyId', 'it needs publish.encryption.keys too']]
      : [];
  return [
    ...useless,
    ...circular,
    ...keyless,
    ...kafkaContradictions(kafka),
    ...registryContradictions(cleaning.registry),
  ];
}

function registryContradictions({
  url,
  username,
  passwordFile,
  ca,
}: Settings['clean']['registry']): [string, string][] {
  const found: [string, string][] = [];
  if ((username === undefined) !== (passwordFile === undefined)) {
    const given = username === undefined ? 'passwordFile' : 'username';
    const both = 'clean.registry.username and clean.registry.passwordFile go together';
    found.push([`clean.registry.${given}`, both]);
  }
  if (ca !== undefined && url?.startsWith('https:') !== true) {
    found.push(['clean.registry.ca', 'it has no effect unless clean.registry.url is https']);
  }
  return found;
}

function kafkaContradictions({ tls, sasl }: Settings['kafka']): [string, string][] {
  const found: [string, string][] = [];
  for (const name of ['ca', 'certificate', 'key', 'serverName'] as const) {
    if (!tls.enabled && tls[name] !== undefined) {
      found.push([`kafka.tls.${name}`, 'it has no effect while kafka.tls.enabled is false']);
    }
  }
  if ((tls.certificate === undefined) !== (tls.key === undefined)) {
    const given = tls.key === undefined ? 'certificate' : 'key';
    found.push([`kafka.tls.${given}`, 'kafka.tls.certificate and kafka.tls.key go together']);
  }
  for (const name of ['username', 'passwordFile'] as const) {
    if (sasl.mechanism !== undefined && sasl[name] === undefined) {
      found.push(['kafka.sasl.mechanism', `it needs kafka.sasl.${name} too`]);
    }
    if (sasl.mechanism === undefined && sasl[name] !== undefined) {
      found.push([`kafka.sasl.${name}`, 'it has no effect without kafka.sasl.mechanism']);
    }
  }
  return found;
}
