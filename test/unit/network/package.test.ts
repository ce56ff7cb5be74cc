import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { list } from 'tar';
import { inspectChaincode, writePackage } from '../../../network/src/chaincode-package.ts';
import { NetworkError } from '../../../network/src/errors.ts';

const FIXTURE = resolve('test/network/fixture');
let dir: string;
let folder: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'shuttle-network-package-'));
  folder = join(dir, 'chaincode');
  await cp(FIXTURE, folder, { recursive: true });
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const idOf = async (options: object = {}, address = '127.0.0.1:9999'): Promise<string> => {
  const source = await inspectChaincode({ folder, name: 'fixture', ...options });
  return writePackage(source, address, join(dir, 'package.tar.gz'));
};

test('equal content gives equal package ids, whenever and wherever it is packaged', async () => {
  const first = await idOf();
  const copy = await mkdtemp(join(dir, 'copy-'));
  await cp(folder, copy, { recursive: true, verbatimSymlinks: true });
  expect(await idOf({ folder: copy })).toBe(first);
  expect(first).toMatch(/^fixture_1\.0\.0:[0-9a-f]{64}$/);
});

test('another program, policy, version or address gives another package id', async () => {
  const ids = [
    await idOf(),
    await idOf({ policy: "OR('Org1MSP.peer')" }),
    await idOf({ version: '2.0', label: 'fixture_1.0.0' }),
    await idOf({}, '127.0.0.1:9998'),
  ];
  const program = join(folder, 'index.js');
  const before = await readFile(program, 'utf8');
  await writeFile(program, `${before}// changed\n`);
  ids.push(await idOf());
  await writeFile(program, before);
  expect(new Set(ids.map((id) => id.split(':')[1])).size).toBe(5);
  expect(await idOf()).toBe(ids[0]);
});

test('the package holds metadata and code in the form that the peer wants', async () => {
  await idOf();
  const names: string[] = [];
  await list({ file: join(dir, 'package.tar.gz'), onReadEntry: ({ path }) => names.push(path) });
  expect(names).toEqual(['metadata.json', 'code.tar.gz']);
});

test.each([
  ['a missing folder', { folder: '/nowhere' }, 'There is no chaincode with a package.json.'],
  ['a bad name', { name: 'my chaincode' }, '"my chaincode" cannot be the name of a chaincode.'],
  ['a bad label', { label: 'a/b' }, '"a/b" cannot be the label of a package.'],
])('%s is refused', async (_, options, sentence) => {
  const error = await idOf(options).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(NetworkError);
  expect([(error as NetworkError).code, (error as NetworkError).message]).toEqual([
    'CHAINCODE_INVALID',
    sentence,
  ]);
});
