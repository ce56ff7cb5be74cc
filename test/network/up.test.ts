import { appendFile, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { describeNetwork, killProcess, type NetworkDescription } from '../../network/src/index.ts';
import { identify, isRunning } from '../../network/src/process-identity.ts';
import {
  cli,
  fixtureCopy,
  markedNames,
  pids,
  temporaryDir,
  wipe,
  withContract,
} from './support.ts';

jest.setTimeout(180_000);

const OFFSET = 20_007;
const ALL = [
  'chaincode-fixture-org1',
  'chaincode-fixture-org2',
  'kafka1',
  'orderer',
  'peer0.org1',
  'peer0.org2',
];

let dir: string;
let chaincode: string;
const at = (...args: string[]): string[] => [...args, '--dir', dir];
const get = (network: NetworkDescription, key: string): Promise<string> =>
  withContract(network, 'fixture', async (contract) =>
    Buffer.from(await contract.evaluateTransaction('get', key)).toString(),
  );

beforeAll(async () => {
  dir = await temporaryDir();
  chaincode = await fixtureCopy(await temporaryDir());
});
afterAll(async () => {
  await wipe(dir);
  await wipe(join(chaincode, '..'));
});

describe('up, from nothing to a deployed chaincode', () => {
  test('a busy port stops it before anything is started, named with its use and its process', async () => {
    const server = createServer().listen(7051 + OFFSET, '127.0.0.1');
    const result = await cli(at('up', '--port-offset', String(OFFSET), '--no-deploy'));
    server.close();
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain(
      `PORT_BUSY: Port ${7051 + OFFSET}, wanted by peer0.org1, is taken by process ${process.pid}`,
    );
    expect(markedNames(dir)).toEqual([]);
  });

  test('takes less than 20 s once the tools are built, and prints the endpoints', async () => {
    const options = ['--chaincode', chaincode, '--chaincode-name', 'fixture'];
    const result = await cli(at('up', '--port-offset', String(OFFSET), ...options));
    expect(result.exitCode === 0 ? '' : result.stderr).toBe('');
    // On cores that are shared with other work it takes its share longer.
    const share = Math.max(1, loadavg()[0] ?? 0, availableParallelism()) / availableParallelism();
    const seconds = Number(/Ready in ([\d.]+) s/.exec(result.stdout)?.[1]);
    expect(seconds).toBeLessThan(20 * share);
    expect(result.stdout).toContain('Chaincode fixture 1.0.0, sequence 1: deployed.');
    for (const name of ALL) expect(result.stdout).toMatch(new RegExp(`^${name} +running`, 'm'));
    expect(result.stdout).toContain(`localhost:${9092 + OFFSET}`);
    expect(markedNames(dir)).toEqual(ALL);
  });

  test('an application of fabric-samples finds its certificates and writes to the ledger', async () => {
    const network = await describeNetwork(dir);
    await withContract(network, 'fixture', (contract) =>
      contract.submitTransaction('put', 'kept', 'before down'),
    );
    expect(await get(network, 'kept')).toBe('before down');
    const org2 = join(network.organizationsDir, 'peerOrganizations', 'org2.example.com');
    const profile = JSON.parse(await readFile(join(org2, 'connection-org2.json'), 'utf8'));
    expect(profile.peers['peer0.org2.example.com'].url).toBe(`grpcs://localhost:${9051 + OFFSET}`);
    expect(profile.peers['peer0.org2.example.com'].tlsCACerts.pem).toContain('BEGIN CERTIFICATE');
    await stat(join(org2, 'connection-org2.yaml'));
    await stat(join(org2, 'users', 'Admin@org2.example.com', 'msp', 'keystore', 'priv_sk'));
  });

  test('is idempotent: a second one changes no process and says that nothing changed', async () => {
    const before = pids(await describeNetwork(dir));
    const result = await cli(at('up'));
    expect(result.exitCode).toBe(0);
    expect(result.stdout).toContain('Chaincode fixture 1.0.0, sequence 1: unchanged.');
    expect(pids(await describeNetwork(dir))).toEqual(before);
  });

  test('with other options says what the network has, and leaves it alone', async () => {
    const before = pids(await describeNetwork(dir));
    const result = await cli(at('up', '--orderers', '3'));
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain(
      'OPTIONS_DIFFER: The network in this folder has orderers 1, not 3.',
    );
    expect(pids(await describeNetwork(dir))).toEqual(before);
  });
});

describe('what breaks is told in a sentence and mended by up', () => {
  test('a dead peer', async () => {
    const { peers: _, ...before } = await describeNetwork(dir);
    await killProcess(dir, 'peer0.org2');
    const status = await cli(at('status'));
    expect(status.exitCode).toBe(3);
    expect(status.stderr).toContain('NOT_READY: Not running: peer0.org2 (dead).');
    const result = await cli(at('up'));
    expect(result.exitCode).toBe(0);
    const dead = before.processes.find(({ name }) => name === 'peer0.org2')?.pid;
    expect(result.stderr).toContain(
      `peer0.org2 (process ${dead}) no longer runs; it is started again.`,
    );
    expect((await cli(at('status'))).exitCode).toBe(0);
  });

  test('a stale pid that another process has now: that process is left alone', async () => {
    await killProcess(dir, 'orderer');
    const file = join(dir, 'state.json');
    const state = JSON.parse(await readFile(file, 'utf8'));
    state.processes.orderer.pid = process.pid;
    await writeFile(file, JSON.stringify(state));
    expect((await cli(at('down'))).exitCode).toBe(0);
    expect(isRunning(identify(process.pid))).toBe(true);
    expect(markedNames(dir)).toEqual([]);
  });

  test('up --no-deploy serves the chaincodes that the network has', async () => {
    expect((await cli(at('up', '--no-deploy'))).exitCode).toBe(0);
    expect(markedNames(dir)).toEqual(ALL);
    expect((await cli(at('status'))).exitCode).toBe(0);
  });
});

describe('down keeps the data', () => {
  test('and up resumes it: same identities, channel, chaincode and values', async () => {
    const genesis = await readFile((await describeNetwork(dir)).genesisBlockFile);
    const down = await cli(at('down'));
    expect(down.stdout).toContain('Stopped 6 processes');
    expect(markedNames(dir)).toEqual([]);
    const stopped = await cli(at('status'));
    expect([stopped.exitCode, stopped.stdout.match(/stopped/g)?.length]).toEqual([3, 6]);
    const result = await cli(at('up', '--json'));
    const { network, deployed } = JSON.parse(result.stdout);
    expect(deployed).toEqual([
      { name: 'fixture', version: '1.0.0', sequence: 1, outcome: 'unchanged' },
    ]);
    expect(await get(network, 'kept')).toBe('before down');
    expect(await readFile(network.genesisBlockFile)).toEqual(genesis);
  });
});

describe('deploy', () => {
  const deploy = () => cli(at('deploy', '--chaincode', chaincode, '--chaincode-name', 'fixture'));

  test('of a changed chaincode upgrades it, keeps the data, and ends the old processes', async () => {
    await appendFile(
      join(chaincode, 'index.js'),
      '\nFixture.prototype.get = async () => "upgraded";\n',
    );
    const result = await deploy();
    expect([result.stdout, result.stderr]).toEqual([
      'Chaincode fixture 1.0.0, sequence 2: upgraded.\n',
      expect.anything(),
    ]);
    expect(await get(await describeNetwork(dir), 'kept')).toBe('upgraded');
    expect(markedNames(dir)).toEqual(ALL);
  });

  test('of the same again says that nothing changed', async () => {
    const before = pids(await describeNetwork(dir));
    expect((await deploy()).stdout).toContain('Chaincode fixture 1.0.0, sequence 2: unchanged.');
    expect(pids(await describeNetwork(dir))).toEqual(before);
  });

  test('of a folder that is not built says so', async () => {
    const result = await cli(at('deploy', '--chaincode', dir));
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain('CHAINCODE_INVALID:');
  });
});

test('logs prints the last lines of one process', async () => {
  const result = await cli(at('logs', 'kafka1', '-n', '3'));
  expect([result.exitCode, result.stdout.trim().split('\n').length]).toEqual([0, 3]);
  const unknown = await cli(at('logs', 'kafka9'));
  expect([unknown.exitCode, unknown.stderr.split(':')[0]]).toEqual([2, 'UNKNOWN_PROCESS']);
});

test('down --delete wipes everything', async () => {
  expect((await cli(at('down', '--delete'))).exitCode).toBe(0);
  expect(markedNames(dir)).toEqual([]);
  await expect(stat(join(dir, 'state.json'))).rejects.toThrow('ENOENT');
  const status = await cli(at('status'));
  expect([status.exitCode, status.stderr.split(':')[0]]).toEqual([2, 'NO_NETWORK']);
});
