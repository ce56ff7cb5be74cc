import { spawn } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { type Contract, connect, hash, signers } from '@hyperledger/fabric-gateway';
import type { NetworkDescription } from '../../network/src/index.ts';
import { findMarked } from '../../network/src/process-identity.ts';

/** The smallest chaincode: `put` and `get`. */
export const FIXTURE = resolve('test/network/fixture');
const CLI = resolve('network/bin/shuttle-network.js');

/** What a command line left behind. */
export interface CliResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `shuttle-network` as users do; `onOutput` sees stderr as it comes and may kill it. */
export function cli(
  args: readonly string[],
  onOutput?: (stderr: string, kill: () => void) => void,
): Promise<CliResult> {
  return new Promise((done, failed) => {
    const { NODE_OPTIONS: _, ...env } = process.env;
    const child = spawn(process.execPath, [CLI, ...args], { env });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString('utf8');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString('utf8');
      onOutput?.(stderr, () => child.kill('SIGKILL'));
    });
    child.once('error', failed);
    child.once('close', (exitCode) => done({ exitCode, stdout, stderr }));
  });
}

/** A folder for a network of a test's own. */
export function temporaryDir(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'shuttle-network-'));
}

/** Stops whatever runs in a folder and removes it. */
export async function wipe(dir: string): Promise<void> {
  await cli(['down', '--delete', '--dir', dir]);
  await rm(dir, { recursive: true, force: true });
}

/** A copy of the fixture that a test may change. */
export async function fixtureCopy(into: string): Promise<string> {
  const folder = join(into, 'chaincode');
  await cp(FIXTURE, folder, { recursive: true });
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** Names of the processes that carry a network's mark, sorted, as the operating system sees them. */
export function markedNames(dir: string): string[] {
  return findMarked(dir)
    .map(({ name }) => name)
    .sort();
}

/** Process numbers by name. */
export function pids(description: NetworkDescription): Record<string, number | undefined> {
  return Object.fromEntries(description.processes.map(({ name, pid }) => [name, pid]));
}

/**
 * Connects as the gateway applications of fabric-samples do: certificates and keys are the first
 * files of the folders, and the peer is called by its host alias.
 */
export async function withContract<T>(
  network: Pick<NetworkDescription, 'organizationsDir' | 'peers' | 'channel'>,
  chaincode: string,
  action: (contract: Contract) => Promise<T>,
): Promise<T> {
  const org = join(network.organizationsDir, 'peerOrganizations', 'org1.example.com');
  const msp = join(org, 'users', 'User1@org1.example.com', 'msp');
  const tls = await readFile(join(org, 'peers', 'peer0.org1.example.com', 'tls', 'ca.crt'));
  const client = new Client(network.peers[0].endpoint, credentials.createSsl(tls), {
    'grpc.ssl_target_name_override': 'peer0.org1.example.com',
  });
  const gateway = connect({
    client,
    identity: { mspId: 'Org1MSP', credentials: await firstFile(join(msp, 'signcerts')) },
    signer: signers.newPrivateKeySigner(createPrivateKey(await firstFile(join(msp, 'keystore')))),
    hash: hash.sha256,
    evaluateOptions: () => ({ deadline: Date.now() + 5000 }),
    endorseOptions: () => ({ deadline: Date.now() + 15_000 }),
    submitOptions: () => ({ deadline: Date.now() + 5000 }),
    commitStatusOptions: () => ({ deadline: Date.now() + 60_000 }),
  });
  try {
    return await action(gateway.getNetwork(network.channel).getContract(chaincode));
  } finally {
    gateway.close();
    client.close();
  }
}

async function firstFile(folder: string): Promise<Buffer> {
  const [name] = await readdir(folder);
  if (name === undefined) throw new Error(`nothing in ${folder}`);
  return readFile(join(folder, name));
}
