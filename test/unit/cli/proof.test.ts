import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { memorySource } from '../../support/chain-sources.ts';
import { flipped, SMALL_FILE, SMALL_GENESIS, smallChain } from '../../support/chain-vectors.ts';
import { runCommand } from '../../support/fake-shuttle.ts';
import { createTemporaryFolder } from '../../support/temporary-folder.ts';

const KEY = 'naive/46448aaf/2';
const TX_ID = 'ce50b1db7094da04fa43963ee9aeaeaa7c430389b6106cf6bad217629ec6c6db';
const folder = createTemporaryFolder();
afterAll(() => folder.remove());

let chain: readonly Uint8Array[];
beforeAll(async () => {
  chain = await smallChain();
});

const shuttle = (args: readonly string[], blocks = chain) =>
  runCommand(args, {
    cwd: folder.path,
    shuttle: { blockSource: async () => memorySource(blocks) },
  });

const evidenceFile = (): string => readFileSync(join(folder.path, 'key.proof'), 'utf8');

describe('proof', () => {
  test('writes evidence, and says what to pin when it is checked', async () => {
    const { code, stdout, stderr } = await shuttle(['proof', KEY, '--out', 'key.proof']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain(`transaction ${TX_ID}, block 3, to key.proof`);
    expect(stderr).toContain(`--genesis ${SMALL_GENESIS}`);
    expect(JSON.parse(evidenceFile())).toMatchObject({ format: 'shuttle-evidence', key: KEY });
  });

  test('reads an archive as well, and writes to standard output', async () => {
    const { code, stdout } = await shuttle(['proof', KEY, '--file', SMALL_FILE]);
    expect(code).toBe(0);
    expect(stdout).toBe(evidenceFile());
    const summary = await shuttle(['proof', TX_ID, '--out', 'tx.proof', '--json']);
    expect(JSON.parse(summary.stdout)).toMatchObject({ key: null, block: '3', txId: TX_ID });
  });

  test('takes a key that looks like a transaction id as one when it is told to', async () => {
    const { code, stderr } = await shuttle(['proof', TX_ID, '--as', 'key']);
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('NOT_FOUND'),
    });
  });

  test('writes nothing where something is wrong with the chain', async () => {
    const wrong = chain.map((block, number) => (number === 1 ? flipped(block, 900) : block));
    const { code, stderr } = await shuttle(['proof', KEY, '--out', 'wrong.proof'], wrong);
    expect(code).toBe(1);
    expect(stderr).toContain('CHAIN_BROKEN');
    expect(stderr).toContain('Block 1 cannot be proven');
    expect(existsSync(join(folder.path, 'wrong.proof'))).toBe(false);
    expect(existsSync(join(folder.path, 'wrong.proof.partial'))).toBe(false);
  });
});

describe('verify --proof', () => {
  test('tells the document, who endorsed it, where it is, and on what that rests', async () => {
    const { code, stdout } = await shuttle(['verify', '--proof', 'key.proof']);
    expect(code).toBe(0);
    expect(stdout).toMatchSnapshot();
  });

  test('with --json is one document', async () => {
    const args = ['verify', '--proof', 'key.proof', '--genesis', SMALL_GENESIS, '--json'];
    const { code, stdout } = await shuttle(args);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      verdict: 'verified',
      trust: { kind: 'pinned', genesisHash: SMALL_GENESIS },
      proven: { key: KEY, block: '3', document: expect.stringMatching(/^\{"n":2,/) },
      findings: [],
    });
  });

  test('with --out writes the exact document', async () => {
    const args = ['verify', '--proof', 'key.proof', '--out', 'document.json'];
    expect(await shuttle(args)).toMatchObject({ code: 0 });
    const document = JSON.parse(readFileSync(join(folder.path, 'document.json'), 'utf8'));
    expect(document).toMatchObject({ n: 2 });
  });

  test('ends with 1 and no document when anything in the file is wrong', async () => {
    folder.write('altered.proof', evidenceFile().replace(KEY, 'naive/46448aaf/3'));
    const args = ['verify', '--proof', 'altered.proof', '--out', 'altered.json'];
    const { code, stdout } = await shuttle(args);
    expect(code).toBe(1);
    expect(stdout).toContain('KEY_NOT_WRITTEN');
    expect(stdout).toContain('not proven: 1 finding');
    expect(existsSync(join(folder.path, 'altered.json'))).toBe(false);
    const pinned = await shuttle(['verify', '--proof', 'key.proof', '--genesis', 'ab'.repeat(32)]);
    expect(pinned).toMatchObject({ code: 1, stdout: expect.stringContaining('GENESIS_WRONG') });
  });

  test('with --strict asks for a pinned genesis', async () => {
    expect(await shuttle(['verify', '--proof', 'key.proof', '--strict'])).toMatchObject({
      code: 1,
    });
  });

  test('of a file that is not there is an error', async () => {
    expect(await shuttle(['verify', '--proof', 'none.proof'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('FILE_UNREADABLE'),
    });
  });
});
