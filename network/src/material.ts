import { randomUUID } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';
import { CHANNEL_PROFILE, configtx, cryptoConfig } from './channel-config.ts';
import { writeConnectionProfiles } from './connection-profile.ts';
import { generateCrypto, runGenerator } from './crypto-material.ts';
import { NetworkError } from './errors.ts';
import { exists, writeAtomically } from './files.ts';
import { brokerProperties, KAFKA_LOG4J, type KafkaSecurity } from './kafka-config.ts';
import { ensureKafkaSecurity, readKafkaSecurity, scramArguments } from './kafka-security.ts';
import { genesisFile, type Layout } from './layout.ts';
import { lastLines, run } from './run.ts';
import { brokerPropertiesFile, javaArguments } from './specs.ts';
import type { Tools } from './tools.ts';
import type { Broker, Topology } from './topology.ts';

const CCAAS_SOURCE = fileURLToPath(new URL('../ccaas/bin', import.meta.url));

/** What the folder of a network is made with. */
export interface MaterialInput {
  readonly topology: Topology;
  readonly layout: Layout;
  readonly tools: Tools;
}

/** Makes identities, configuration and the genesis block, as far as they are not there yet. */
export async function ensureFabricMaterial(input: MaterialInput): Promise<void> {
  const { topology, layout, tools } = input;
  await writeBaseConfig(layout, tools);
  await writeAtomically(join(layout.config, 'crypto-config.yaml'), cryptoConfig(topology));
  await writeAtomically(join(layout.config, 'configtx.yaml'), configtx(topology, layout));
  if (!(await exists(layout.organizations))) await generateOrganizations(input);
  for (const peer of topology.peers) await writeConnectionProfiles(layout, peer);
  if (!(await exists(genesisFile(layout, topology.options.channel)))) await generateGenesis(input);
}

/**
 * Fabric's own core.yaml and orderer.yaml; only the external builder is not a scalar that the
 * environment sets.
 */
async function writeBaseConfig(layout: Layout, tools: Tools): Promise<void> {
  const bin = join(layout.config, 'ccaas', 'bin');
  await mkdir(bin, { recursive: true });
  for (const name of await readdir(CCAAS_SOURCE)) {
    await copyFile(join(CCAAS_SOURCE, name), join(bin, name));
    await chmod(join(bin, name), 0o755);
  }
  const samples = join(tools.fabric, 'sampleconfig');
  const core = parseDocument(await readFile(join(samples, 'core.yaml'), 'utf8'));
  const builder = { name: 'ccaas_builder', path: dirname(bin) };
  core.setIn(['chaincode', 'externalBuilders'], [builder]);
  await writeAtomically(join(layout.config, 'core.yaml'), core.toString());
  const orderer = await readFile(join(samples, 'orderer.yaml'), 'utf8');
  await writeAtomically(join(layout.config, 'orderer.yaml'), orderer);
}

/** Generated beside and renamed, so that a half-made set of identities is never used. */
async function generateOrganizations(input: MaterialInput): Promise<void> {
  const { topology, layout, tools } = input;
  const nodes = [...topology.orderers, ...topology.peers].map(({ host }) =>
    join(layout.data, host),
  );
  if ((await Promise.all(nodes.map(exists))).includes(true)) {
    const sentence = 'The identities of this network are gone, but its ledger is there.';
    throw new NetworkError('STATE_UNREADABLE', sentence, { at: layout.organizations });
  }
  await generateCrypto(tools, join(layout.config, 'crypto-config.yaml'), layout.organizations);
  // The channel is signed for by the identities before; with new ones it must be made anew.
  await rm(layout.artifacts, { recursive: true, force: true });
}

async function generateGenesis({ topology, layout, tools }: MaterialInput): Promise<void> {
  const { channel } = topology.options;
  const file = genesisFile(layout, channel);
  await mkdir(layout.artifacts, { recursive: true });
  const folder = await mkdtemp(join(layout.artifacts, 'tmp-'));
  const temporary = join(folder, 'genesis.block');
  const names = ['-profile', CHANNEL_PROFILE, '-channelID', channel, '-outputBlock', temporary];
  await runGenerator(tools, 'configtxgen', ['-configPath', layout.config, ...names]);
  await rename(temporary, file);
  await rm(folder, { recursive: true });
}

/** Writes the brokers' configuration and formats their storage, as far as that is not done. */
export async function ensureKafkaMaterial(input: MaterialInput): Promise<void> {
  const { topology, layout, tools } = input;
  await writeAtomically(join(layout.config, 'log4j2.properties'), KAFKA_LOG4J);
  if (topology.options.kafkaSecure) await ensureKafkaSecurity(topology, layout, tools);
  const security = await readKafkaSecurity(topology, layout);
  for (const broker of topology.brokers) {
    const text = brokerProperties(topology, broker, join(layout.data, broker.name), security);
    await writeAtomically(brokerPropertiesFile(layout, broker), text, 0o600);
  }
  const id = await clusterId(layout);
  await Promise.all(topology.brokers.map((broker) => formatStorage(input, broker, security, id)));
}

/**
 * Formats beside and renames: a killed `up` leaves a storage tool that goes on writing, and it must
 * not write into what the next one formats.
 */
async function formatStorage(
  { layout, tools, topology }: MaterialInput,
  broker: Broker,
  security: KafkaSecurity | undefined,
  id: string,
): Promise<void> {
  const folder = join(layout.data, broker.name);
  if (await exists(folder)) return;
  await mkdir(layout.data, { recursive: true });
  const temporary = await mkdtemp(`${folder}.tmp-`);
  try {
    const logs = join(temporary, 'storage');
    const properties = join(temporary, 'server.properties');
    const text = brokerProperties(topology, broker, logs, security);
    await writeAtomically(properties, text, 0o600);
    const tool = [...javaArguments(layout, tools), 'kafka.tools.StorageTool', 'format'];
    const scram = await scramArguments(topology, layout);
    const result = await run('java', [...tool, '-t', id, '-c', properties, ...scram]);
    if (result.exitCode !== 0) {
      const sentence = `The storage of ${broker.name} was not formatted.`;
      const lines = lastLines(`${result.stdout}${result.stderr}`, 8);
      throw new NetworkError('COMMAND_FAILED', sentence, { lines });
    }
    await rename(logs, folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** One cluster id per network folder; Kafka wants 16 bytes in base64url. */
async function clusterId(layout: Layout): Promise<string> {
  const file = join(layout.config, 'kafka-cluster-id');
  const known = await readFile(file, 'utf8').catch(() => undefined);
  if (known !== undefined) return known.trim();
  const id = newClusterId();
  await writeAtomically(file, `${id}\n`);
  return id;
}

/** A random id that no command line takes for an option: one in 64 would begin with a dash. */
export function newClusterId(random: () => string = randomUUID): string {
  for (;;) {
    const id = Buffer.from(random().replaceAll('-', ''), 'hex').toString('base64url');
    if (!id.startsWith('-')) {
      return id;
    }
  }
}
