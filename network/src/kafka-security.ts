import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { chmod, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { generateCrypto } from './crypto-material.ts';
import { exists, writeAtomically } from './files.ts';
import type { KafkaSecurity } from './kafka-config.ts';
import type { Layout } from './layout.ts';
import type { Tools } from './tools.ts';
import type { Broker, Topology } from './topology.ts';

const DOMAIN = 'kafka.example.com';
const USER = 'shuttle';
const SCRAM_ITERATIONS = 8192;

/** Files with which a client reaches the secure listeners. */
export interface KafkaClientFiles {
  /** Certificate authority of the brokers' certificates. */
  readonly ca: string;
  /** Client certificate and key for the SSL listener. */
  readonly certificate: string;
  readonly key: string;
  /** User of the SASL_SSL listener (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512). */
  readonly user: string;
  /** File that holds the user's password, readable by its owner only. */
  readonly passwordFile: string;
}

const organization = (layout: Layout): string => join(layout.kafkaTls, 'peerOrganizations', DOMAIN);

/** Names the client's files; they exist when the network has the secure listeners. */
export function kafkaClientFiles(layout: Layout): KafkaClientFiles {
  const client = join(organization(layout), 'users', `User1@${DOMAIN}`, 'tls');
  return {
    ca: join(client, 'ca.crt'),
    certificate: join(client, 'client.crt'),
    key: join(client, 'client.key'),
    user: USER,
    passwordFile: join(layout.kafkaTls, 'password'),
  };
}

/** Makes certificates for brokers and one client, and the password, unless they are there. */
export async function ensureKafkaSecurity(
  topology: Topology,
  layout: Layout,
  tools: Tools,
): Promise<void> {
  const { passwordFile } = kafkaClientFiles(layout);
  if (await exists(passwordFile)) return;
  const config = join(layout.config, 'kafka-crypto-config.yaml');
  await writeAtomically(config, kafkaCryptoConfig(topology));
  await rm(layout.kafkaTls, { recursive: true, force: true });
  await generateCrypto(tools, config, layout.kafkaTls);
  for (const broker of topology.brokers) await writeKeyStore(layout, broker);
  // Written last: with it the set is complete.
  await writeAtomically(passwordFile, randomBytes(18).toString('base64url'), 0o600);
}

function kafkaCryptoConfig(topology: Topology): string {
  const SANS = ['localhost', '127.0.0.1'];
  const Specs = topology.brokers.map((broker) => ({ Hostname: broker.name, SANS }));
  return stringify({ PeerOrgs: [{ Name: 'Kafka', Domain: DOMAIN, Specs, Users: { Count: 1 } }] });
}

const brokerTls = (layout: Layout, broker: Broker): string =>
  join(organization(layout), 'peers', `${broker.name}.${DOMAIN}`, 'tls');

/** Kafka reads key and certificates of a PEM key store from one file. */
async function writeKeyStore(layout: Layout, broker: Broker): Promise<void> {
  const folder = brokerTls(layout, broker);
  const [key, certificate] = await Promise.all(
    ['server.key', 'server.crt'].map((name) => readFile(join(folder, name), 'utf8')),
  );
  const file = join(folder, 'keystore.pem');
  await writeAtomically(file, `${key}${certificate}`, 0o600);
  await chmod(file, 0o600);
}

/** What the brokers' configuration needs; undefined without secure listeners. */
export async function readKafkaSecurity(
  topology: Topology,
  layout: Layout,
): Promise<KafkaSecurity | undefined> {
  if (!topology.options.kafkaSecure) return undefined;
  const { ca, passwordFile } = kafkaClientFiles(layout);
  return {
    keyStore: (broker) => join(brokerTls(layout, broker), 'keystore.pem'),
    trustStore: ca,
    user: USER,
    password: await readFile(passwordFile, 'utf8'),
  };
}

/**
 * Arguments of the storage tool that let the SCRAM user in; the password itself stays out of `ps`.
 */
export async function scramArguments(topology: Topology, layout: Layout): Promise<string[]> {
  const security = await readKafkaSecurity(topology, layout);
  if (security === undefined) return [];
  return (['sha256', 'sha512'] as const).flatMap((hash) => {
    const salt = randomBytes(16);
    const length = hash === 'sha256' ? 32 : 64;
    const salted = pbkdf2Sync(security.password, salt, SCRAM_ITERATIONS, length, hash);
    const mechanism = hash === 'sha256' ? 'SCRAM-SHA-256' : 'SCRAM-SHA-512';
    const fields = [
      `name=${security.user}`,
      `salt="${salt.toString('base64')}"`,
      `saltedpassword="${salted.toString('base64')}"`,
      `iterations=${SCRAM_ITERATIONS}`,
    ];
    return ['--add-scram', `${mechanism}=[${fields.join(',')}]`];
  });
}
