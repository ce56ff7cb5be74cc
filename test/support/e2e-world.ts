/** A network of a test's own, readers on it, and the settings by which `shuttle` reaches it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from '@jest/globals';
import {
  asNetworkError,
  type Network,
  prepare,
  renderError,
  startNetwork,
  stopNetwork,
  type TopologyOptions,
  type UpOptions,
} from '@shuttle/network';
import type { Admin, Kafka, Message } from 'kafkajs';
import { type Ended, killLeftovers, runShuttle, type Settings } from './cli.ts';
import { type PlainLedger, plainKafka, plainLedger } from './independent.ts';

export interface World {
  /** A temporary folder; commands run in it, so that no file of a user's is found. */
  readonly dir: string;
  readonly network: Network;
  readonly kafka: Kafka;
  readonly ledger: PlainLedger;
  readonly settings: Settings;
  close(): Promise<void>;
}

export const MINUTE_MS = 60_000;

export async function createWorld(
  portOffset: number,
  topology: Partial<TopologyOptions> = {},
  /** Works on the identities before the channel is made of them. */
  before?: (organizations: string) => Promise<void>,
): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'shuttle-e2e-'));
  const options = { ...topology, dir: join(dir, 'network'), portOffset };
  if (before !== undefined) {
    const prepared = await prepare(options);
    await before(join(prepared, 'organizations'));
    await rm(join(prepared, 'channel-artifacts'), { recursive: true });
  }
  const network = await start(options);
  const { peers, kafka, channel } = network.description;
  const ledger = await plainLedger(peers[0], channel);
  return {
    dir,
    network,
    kafka: plainKafka(kafka.brokers),
    ledger,
    settings: {
      SHUTTLE_NETWORK_DIR: network.description.dir,
      SHUTTLE_KAFKA__BROKERS: kafka.brokers.join(','),
      // A member that was killed keeps its partitions for this long.
      SHUTTLE_KAFKA__SESSION_TIMEOUT_MS: '6000',
      SHUTTLE_LOG__FORMAT: 'json',
    },
    close: async () => {
      killLeftovers();
      ledger.close();
      await network.stop({ delete: true });
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Errors of the network are told in full. One that came up only in part is taken away again. */
async function start(options: UpOptions & { readonly dir: string }): Promise<Network> {
  const network = await startNetwork(options).catch(async (error: unknown) => {
    await stopNetwork({ dir: options.dir, delete: true }).catch(() => undefined);
    return inFull(error);
  });
  return { ...network, start: (name) => network.start(name).catch(inFull) };
}

/** With the last lines of the log that tells why: it goes with the network. */
function inFull(error: unknown): never {
  throw new Error(renderError(asNetworkError(error)), { cause: error });
}

/** Runs a command in the world's folder, told of nothing but errors. */
export function quietShuttle(
  { settings: own, dir }: World,
  args: readonly string[],
  settings: Settings = {},
): Promise<Ended> {
  return runShuttle(args, { ...own, SHUTTLE_LOG__LEVEL: 'error', ...settings }, dir);
}

/** The same with --json, for a command that has nothing to say on stderr. */
export async function jsonShuttle(world: World, args: readonly string[], settings: Settings = {}) {
  const { code, stdout, stderr } = await quietShuttle(world, [...args, '--json'], settings);
  expect(stderr).toBe('');
  return { code, ...JSON.parse(stdout) };
}

type Peer = World['network']['description']['peers'][number];

/** Settings with which `shuttle` speaks to this peer, as that identity of its organisation. */
export function settingsAs({ endpoint, tlsCaFile, mspId }: Peer, mspDir: string): Settings {
  return {
    SHUTTLE_FABRIC__PEER__ENDPOINT: endpoint,
    SHUTTLE_FABRIC__PEER__TLS_CA: tlsCaFile,
    SHUTTLE_FABRIC__IDENTITY__MSP_ID: mspId,
    SHUTTLE_FABRIC__IDENTITY__MSP: mspDir,
  };
}

export async function createTopic(
  kafka: Kafka,
  topic: string,
  numPartitions: number,
  settings: Readonly<Record<string, string>> = {},
  replicationFactor = 1,
): Promise<void> {
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    waitForLeaders: false,
    topics: [{ topic, numPartitions, replicationFactor, configEntries }],
  });
  await untilLed(admin, topic, numPartitions);
  await admin.disconnect();
}

/** kafkajs' own waiting fails at a broker that has not yet heard of the topic. */
async function untilLed(admin: Admin, topic: string, partitions: number): Promise<void> {
  const deadline = Date.now() + MINUTE_MS;
  for (;;) {
    const found = await admin.fetchTopicMetadata({ topics: [topic] }).catch((error: unknown) => {
      if (Date.now() > deadline) throw error;
      return undefined;
    });
    const led = found?.topics[0]?.partitions.filter(({ leader }) => leader >= 0).length ?? 0;
    if (led === partitions) return;
    if (Date.now() > deadline) throw new Error(`${led} of ${partitions} partitions have a leader`);
    await delay(50);
  }
}

/** Produces in portions, so that no request is larger than a broker takes. */
export async function produceAll(
  kafka: Kafka,
  topic: string,
  messages: readonly Message[],
): Promise<void> {
  // To partitions that are so new that their broker does not lead them yet kafkajs sends a request
  // again as a whole; without idempotence that doubles records.
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  for (let n = 0; n < messages.length; n += 1_000) {
    await producer.send({ topic, messages: messages.slice(n, n + 1_000) });
  }
  await producer.disconnect();
}
