import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import { memorySource } from '../../support/chain-sources.ts';
import { flipped, SMALL_FILE, SMALL_GENESIS, smallChain } from '../../support/chain-vectors.ts';
import { runCommand } from '../../support/fake-shuttle.ts';
import { createTemporaryFolder } from '../../support/temporary-folder.ts';

const folder = createTemporaryFolder();
afterAll(() => folder.remove());

let chain: readonly Uint8Array[];
beforeAll(async () => {
  chain = await smallChain();
});

const shuttle = (args: readonly string[], blocks = chain, peerError: ShuttleError | null = null) =>
  runCommand(['verify', ...args], {
    cwd: folder.path,
    shuttle: {
      blockSource: async () => memorySource(blocks),
      otherPeer: async () => ({
        endpoint: 'peer.test:9051',
        ledger: {
          height: () => Promise.reject(peerError),
          blocks: async function* () {},
        },
      }),
    },
  });

const wrongAt3 = () => chain.map((block, number) => (number === 3 ? flipped(block, 500) : block));

describe('verify', () => {
  test('tells how far the chain is proven, and that nobody has pinned it', async () => {
    const { code, stdout } = await shuttle([]);
    expect(code).toBe(0);
    expect(stdout).toMatchSnapshot();
  });

  test('tells what is wrong, where, and ends with 1', async () => {
    const { code, stdout } = await shuttle(['--genesis', SMALL_GENESIS], wrongAt3());
    expect(code).toBe(1);
    expect(stdout).toMatchSnapshot();
  });

  test('with --json is one document', async () => {
    const { code, stdout } = await shuttle(['--json', '--max-findings', '1'], wrongAt3());
    const answer = JSON.parse(stdout);
    expect(code).toBe(1);
    expect(answer).toMatchObject({
      source: 'topic test.blocks',
      trust: { kind: 'first-use' },
      proven: { number: '2' },
      blocks: { failed: 1 },
      findings: [{ block: '3', byte: expect.any(Number) }],
      doubts: { GENESIS_NOT_PINNED: { count: 1, example: { block: '0' } } },
    });
    expect(answer.findings).toHaveLength(1);
    expect(answer.findingCount).toBeGreaterThan(1);
  });

  test('with --strict counts a doubt as a failure', async () => {
    expect(await shuttle(['--strict'])).toMatchObject({ code: 1 });
    expect(await shuttle(['--strict', '--genesis', SMALL_GENESIS])).toMatchObject({ code: 0 });
  });

  test('takes the genesis block from an archive, or as a file of its own', async () => {
    const own = folder.write('genesis.block', chain[0] ?? '');
    for (const genesis of [SMALL_FILE, own, SMALL_GENESIS.toUpperCase()]) {
      const { stdout } = await shuttle(['--genesis', genesis, '--json']);
      const trust = { kind: 'pinned', genesisHash: SMALL_GENESIS };
      expect(JSON.parse(stdout)).toMatchObject({ trust, findingCount: 0 });
    }
    const second = folder.write('second.block', chain[1] ?? '');
    const refused = await shuttle(['--genesis', second]);
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('begins with block 1'),
    });
    expect(await shuttle(['--genesis', 'none'])).toMatchObject({ code: 2 });
  });

  test('with --trust rests on what it saw at the first use, from then on', async () => {
    const args = ['--trust', 'trust.json', '--json'];
    expect(JSON.parse((await shuttle(args)).stdout)).toMatchObject({
      trust: { kind: 'first-use' },
    });
    const stored = JSON.parse(readFileSync(join(folder.path, 'trust.json'), 'utf8'));
    expect(stored).toEqual({ version: 1, genesisHash: SMALL_GENESIS });
    expect(JSON.parse((await shuttle(args)).stdout)).toMatchObject({
      trust: { kind: 'stored' },
      doubts: {},
    });
    folder.write('trust.json', JSON.stringify({ version: 1, genesisHash: 'cd'.repeat(32) }));
    const mismatch = await shuttle(args);
    expect(mismatch.code).toBe(1);
    expect(JSON.parse(mismatch.stdout)).toMatchObject({ findingCounts: { GENESIS_WRONG: 1 } });
    const both = await shuttle([...args, '--genesis', SMALL_GENESIS]);
    expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining('--trust') });
  });

  test('does not begin to trust a chain with something wrong in it', async () => {
    await shuttle(['--trust', 'never.json'], wrongAt3());
    expect(() => readFileSync(join(folder.path, 'never.json'))).toThrow('ENOENT');
  });

  test.each(['', '{}', '{"version":2}', '{"version":1,"genesisHash":"x"}'])(
    'refuses %j as a trust file',
    async (content) => {
      folder.write('odd.json', content);
      expect(await shuttle(['--trust', 'odd.json'])).toMatchObject({ code: 2 });
    },
  );

  test('ends as a peer that cannot be asked says, when nothing else is wrong', async () => {
    const error = new ShuttleError('FABRIC_UNREACHABLE', 'The peer does not answer.');
    const quiet = await shuttle(['--peer', 'peer.test:9051'], chain, error);
    expect(quiet).toMatchObject({ code: 3, stdout: expect.stringContaining('FABRIC_UNREACHABLE') });
    expect(await shuttle(['--peer', 'peer.test:9051'], wrongAt3(), error)).toMatchObject({
      code: 1,
    });
  });

  test('of a file needs neither Kafka nor Fabric', async () => {
    const { code, stdout } = await runCommand(['verify', '--file', SMALL_FILE, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ blocks: { verified: 4, unverifiable: 1 } });
  });

  test('of nothing is an error, and of a wrong number of options too', async () => {
    expect(await shuttle([], [])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('BLOCK_MISSING'),
    });
    const wrong = await shuttle(['--max-findings', 'x']);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('--max-findings') });
  });
});
