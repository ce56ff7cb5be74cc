import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { describeNetwork } from '../../network/src/index.ts';
import { waitFor } from '../../network/src/wait.ts';
import { cli, FIXTURE, markedNames, pids, temporaryDir, wipe, withContract } from './support.ts';

jest.setTimeout(240_000);

const ALL = [
  'chaincode-fixture-org1',
  'chaincode-fixture-org2',
  'kafka1',
  'orderer',
  'peer0.org1',
  'peer0.org2',
];

let dir: string;
const at = (...args: string[]): string[] => [...args, '--dir', dir];
const up = (onOutput?: Parameters<typeof cli>[1]) =>
  cli(
    at('up', '--port-offset', '21204', '--chaincode', FIXTURE, '--chaincode-name', 'fixture'),
    onOutput,
  );

beforeAll(async () => {
  dir = await temporaryDir();
});
afterAll(() => wipe(dir));

/** Starts `up` and kills it with SIGKILL as soon as this file of the network is there. */
async function killedWhenThereIs(path: string): Promise<number | null> {
  let kill = (): void => undefined;
  const ended = up((_, killer) => {
    kill = killer;
  });
  const there = () =>
    stat(join(dir, path)).then(
      () => true as const,
      () => undefined,
    );
  await waitFor(there, { what: path, deadlineMs: 60_000, intervalMs: 2 });
  // `up` prints its first line only after the files appear, so kill through the lock's holder too.
  const holder = JSON.parse(await readFile(join(dir, 'lock'), 'utf8')) as { pid: number };
  process.kill(holder.pid, 'SIGKILL');
  kill();
  return (await ended).exitCode;
}

describe('up, killed in the middle and run again', () => {
  test.each([
    ['before the identities', 'config/crypto-config.yaml'],
    ['with identities, before the channel', 'organizations'],
    ['while the first node starts', 'logs/orderer.log'],
    ['while the peers start', 'logs/peer0.org2.log'],
    ['while the chaincode is packaged', 'packages/fixture-org1.tar.gz'],
    ['while the chaincode starts', 'logs/chaincode-fixture-org1.log'],
  ])('%s', async (_, path) => {
    expect(await killedWhenThereIs(path)).toBeNull();
  });

  test('while it deploys', async () => {
    const result = await up((stderr, kill) => {
      if (stderr.includes('Deploying')) kill();
    });
    expect(result.exitCode).toBeNull();
  });

  test('is complete in the end: every process once, and the chaincode endorses', async () => {
    const result = await up();
    expect(result.exitCode === 0 ? '' : result.stderr).toBe('');
    expect(markedNames(dir)).toEqual(ALL);
    const network = await describeNetwork(dir);
    await withContract(network, 'fixture', (contract) =>
      contract.submitTransaction('put', 'key', 'value'),
    );
  });
});

describe('what was started without being noted', () => {
  test('is taken back: nodes go on, chaincodes are started afresh, nothing runs twice', async () => {
    const before = pids(await describeNetwork(dir));
    const file = join(dir, 'state.json');
    const state = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...state, processes: {} }));
    const result = await up();
    expect(result.exitCode).toBe(0);
    expect(result.stderr).toContain(
      'peer0.org1 was running without being noted; it is taken back.',
    );
    expect(markedNames(dir)).toEqual(ALL);
    const after = pids(await describeNetwork(dir));
    for (const node of ['orderer', 'peer0.org1', 'peer0.org2', 'kafka1']) {
      expect([node, after[node]]).toEqual([node, before[node]]);
    }
  });

  test('is stopped by down as well', async () => {
    const file = join(dir, 'state.json');
    const state = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...state, processes: {} }));
    expect((await cli(at('down'))).stdout).toContain('Stopped 6 processes');
    expect(markedNames(dir)).toEqual([]);
  });

  test('and what killed commands left is removed by down --delete, the folder too', async () => {
    await mkdir(join(dir, 'organizations.tmp-killed'));
    await writeFile(join(dir, 'state.json'), 'half a fi');
    expect((await cli(at('down'))).stderr).toContain('STATE_UNREADABLE:');
    expect((await cli(at('down', '--delete'))).exitCode).toBe(0);
    await expect(stat(dir)).rejects.toThrow('ENOENT');
  });
});
