/** What every measurement needs: a network of its own, a ledger on it, and made-up records. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readMspIdentity } from '@shuttle/bridge/dist/fabric/identity.js';
import { createGatewayLedger } from '@shuttle/bridge/dist/fabric/ledger.js';
import type { Ledger } from '@shuttle/bridge/dist/ports.js';
import { systemClock } from '@shuttle/bridge/dist/system/clock.js';
import { createProgress, type NetworkDescription, startNetwork } from '@shuttle/network';
import { Kafka, logLevel } from 'kafkajs';

/** Far from a user's network, and below the ports that Linux gives to clients. */
const PORT_OFFSET = 21_500;

export interface World {
  readonly description: NetworkDescription;
  readonly ledger: Ledger;
  readonly kafka: Kafka;
  readonly brokers: string;
  /** Settings by which `shuttle` reaches this network, and nothing of the caller's. */
  readonly environment: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
  close(): Promise<void>;
}

/** Two organisations endorse side by side in every measurement, as the ceiling had it. */
export const ORGANIZATIONS = ['Org1MSP', 'Org2MSP'];

/** Brings up a network that only this run knows. */
export async function createWorld(
  say: (line: string) => void,
  pprof: boolean,
  portOffset: number = PORT_OFFSET,
): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'shuttle-bench-'));
  say(`Starting a network of its own in ${dir}`);
  const progress = createProgress(process.stderr);
  const network = await startNetwork({ dir, portOffset, pprof, progress });
  const world = await openWorld(network.description);
  return {
    ...world,
    say,
    close: async () => {
      await world.close();
      await network.stop({ delete: true });
    },
  };
}

/** Opens a network that runs already; closing leaves it running. */
export async function openWorld(description: NetworkDescription): Promise<World> {
  const { peers, kafka, dir } = description;
  const [peer] = peers;
  const { certificate, privateKey } = await readMspIdentity(peer.userMspDir, Date.now());
  const options = {
    endpoint: peer.endpoint,
    tlsCa: await readFile(peer.tlsCaFile),
    mspId: peer.mspId,
    certificate,
    privateKey,
    channel: description.channel,
    chaincode: 'shuttle',
    endorsingOrganizations: ORGANIZATIONS,
    timeouts: {
      evaluateMs: 60_000,
      endorseMs: 60_000,
      submitMs: 60_000,
      commitStatusMs: 120_000,
      blockSilenceMs: 60_000,
    },
  };
  const ledger = createGatewayLedger(options, systemClock);
  const brokers = [...kafka.brokers];
  return {
    description,
    ledger,
    kafka: new Kafka({ clientId: 'bench', brokers, logLevel: logLevel.NOTHING }),
    brokers: brokers.join(','),
    environment: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      SHUTTLE_NETWORK_DIR: dir,
      SHUTTLE_KAFKA__BROKERS: brokers.join(','),
      SHUTTLE_FABRIC__ENDORSING_ORGANIZATIONS: ORGANIZATIONS.join(','),
    },
    say: () => {},
    close: () => ledger.close(),
  };
}

const VALUE_BYTES = 400;

/** A JSON value of exactly 400 bytes that does not compress to nothing. */
export function makeValue(n: number): Buffer {
  const head = `{"n":${n},"pay":"`;
  const noise = createHash('sha512').update(String(n)).digest('hex').repeat(4);
  return Buffer.from(`${head}${noise.slice(0, VALUE_BYTES - head.length - 2)}"}`);
}

export function makeRun(): string {
  return randomBytes(4).toString('hex');
}

/** Bytes of the channel's block files at one peer. */
export async function chainBytes(world: World): Promise<number> {
  const names = await readdir(world.description.dir, { recursive: true });
  const blockFiles = names.filter((n) => /peer0\.org1.*chains\/mychannel\/blockfile_/.test(n));
  if (blockFiles.length === 0) {
    throw new Error('the block files of peer0.org1 were not found');
  }
  const sizes = blockFiles.map(async (n) => {
    const { size } = await stat(join(world.description.dir, n));
    return size;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Runs `work` so often side by side until it answers false. */
export async function sideBySide(width: number, work: () => Promise<boolean>): Promise<void> {
  const one = async (): Promise<void> => {
    while (await work()) {
      // Goes on until there is no more.
    }
  };
  await Promise.all(Array.from({ length: width }, one));
}

export function seconds(fromMs: number, toMs: number = performance.now()): number {
  return Math.max(toMs - fromMs, 1) / 1_000;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
