import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { buildChain } from '../../support/blocks.ts';
import { memorySource } from '../../support/chain-sources.ts';
import { runCommand } from '../../support/fake-shuttle.ts';
import { createTemporaryFolder } from '../../support/temporary-folder.ts';

const folder = createTemporaryFolder();
afterAll(() => folder.remove());

const blocks = buildChain([[{ txId: 'a' }], [{ txId: 'b' }]]).map(({ bytes }) => bytes);
const asked: string[] = [];

const shuttle = (...args: readonly string[]) =>
  runCommand(['export', ...args], {
    cwd: folder.path,
    shuttle: {
      blockSource: async (from) => {
        asked.push(from);
        return memorySource(blocks);
      },
    },
  });

describe('export', () => {
  test('writes the file as a whole, and says what is in it', async () => {
    const { code, stdout } = await shuttle('all.blocks', '--json');
    const bytes = readFileSync(join(folder.path, 'all.blocks')).length;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ blocks: 3, bytes, first: { number: '0' } });
    expect(existsSync(join(folder.path, 'all.blocks.partial'))).toBe(false);
    expect(asked.at(-1)).toBe('topic');
    const text = await shuttle('some.blocks', '--blocks', '1..', '--source', 'peer');
    expect(text.stdout).toMatch(/^Exported: 2 blocks .* to some\.blocks in .* s\.\nfirst {2}1 /);
    expect(asked.at(-1)).toBe('peer');
  });

  test('replaces a file only when it is told to', async () => {
    const path = folder.write('there.blocks', 'mine');
    const refused = await shuttle('there.blocks');
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--force') });
    expect(readFileSync(path, 'utf8')).toBe('mine');
    expect(await shuttle('there.blocks', '--force')).toMatchObject({ code: 0 });
    expect(readFileSync(path, 'utf8')).not.toBe('mine');
  });

  test('leaves no file behind when it fails', async () => {
    const { code, stderr } = await shuttle('none.blocks', '--blocks', '0..7');
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('block 7') });
    expect(existsSync(join(folder.path, 'none.blocks'))).toBe(false);
    expect(existsSync(join(folder.path, 'none.blocks.partial'))).toBe(false);
  });

  test('to standard output writes nothing else there', async () => {
    const file = readFileSync(join(folder.path, 'all.blocks'));
    const { stdout, stderr } = await shuttle('-');
    expect(stdout).toBe(file.toString());
    expect(stderr).toContain('Exported: 3 blocks');
  });

  test.each(['x', '3..2', '..', '1.2', '-1'])('refuses %j as a range', async (range) => {
    const { code, stderr } = await shuttle('x.blocks', `--blocks=${range}`);
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--blocks'),
    });
  });
});
