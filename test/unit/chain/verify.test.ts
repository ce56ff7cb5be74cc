import { beforeAll, describe, expect, test } from '@jest/globals';
import { archivePrefix } from '../../../bridge/src/block/blocks-file.ts';
import type { PeerBlocks } from '../../../bridge/src/chain/peers.ts';
import type { BlockSource } from '../../../bridge/src/chain/source.ts';
import { type ChainOptions, verifyChain } from '../../../bridge/src/chain/verify.ts';
import { createFileSource } from '../../../bridge/src/cli/blocks-files.ts';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import { memorySource } from '../../support/chain-sources.ts';
import { flipped, recoded, SMALL_GENESIS, smallChain } from '../../support/chain-vectors.ts';
import { createTemporaryFolder } from '../../support/temporary-folder.ts';

let chain: readonly Uint8Array[];
beforeAll(async () => {
  chain = await smallChain();
});

const run = (
  source: BlockSource,
  options: Partial<ChainOptions> = {},
  stop = new AbortController().signal,
) =>
  verifyChain(
    source,
    {
      genesisHash: SMALL_GENESIS,
      channel: null,
      height: null,
      peers: [],
      toldMax: 100,
      onProgress: () => {},
      ...options,
    },
    stop,
  );

const codes = ({ findings }: { findings: readonly { code: string; block: bigint }[] }) =>
  findings.map(({ code, block }) => `${code} ${block}`);

function peer(blocks: readonly Uint8Array[], height = blocks.length): PeerBlocks {
  const ledger: PeerBlocks['ledger'] = {
    height: async () => BigInt(height),
    async *blocks(from) {
      yield* blocks.slice(Number(from), height);
    },
  };
  return { endpoint: 'peer.test:7051', ledger };
}

describe('a chain', () => {
  test('is proven up to its last block, and says on what that rests', async () => {
    const summary = await run(memorySource(chain));
    expect(summary).toMatchObject({
      first: 0n,
      last: { number: 4n },
      genesisHash: SMALL_GENESIS,
      blocks: { verified: 5, unverifiable: 0, failed: 0 },
      findingCount: 0,
      doubts: {},
      isComplete: true,
    });
    expect(summary.proven).toEqual(summary.last);
  });

  test.each([
    ['nothing but commit hashes', {}, 'commit-hashes'],
    ['the state that was followed', { replay: true }, 'state'],
    ['attestations', { attestedBy: new Map() }, 'attestations'],
    ['nothing where only headers were read', { headersOnly: true }, 'none'],
  ] as const)('has codes that rest on %s', async (_, options, codesBy) => {
    expect(await run(memorySource(chain), options)).toMatchObject({ codesBy });
  });

  test('that begins late has codes that no state was followed to', async () => {
    const late = await run(memorySource(chain.slice(1)), { replay: true });
    expect(late).toMatchObject({ codesBy: 'commit-hashes' });
  });

  test('without a pin is doubted, with one of another chain is wrong', async () => {
    const unpinned = await run(memorySource(chain), { genesisHash: null });
    expect(unpinned).toMatchObject({ doubts: { GENESIS_NOT_PINNED: { count: 1 } } });
    const other = await run(memorySource(chain), { genesisHash: 'ab'.repeat(32) });
    expect(codes(other)).toEqual(['GENESIS_WRONG 0']);
    expect(other.proven).toBeNull();
  });

  test('that is cut at its tail is found by the height that it has to reach', async () => {
    expect(codes(await run(memorySource(chain), { height: 4n }))).toEqual([]);
    const cut = memorySource(chain.slice(0, 4));
    expect(codes(await run(cut, { height: 4n }))).toEqual(['TAIL_MISSING 4']);
    expect(await run(cut)).toMatchObject({ proven: { number: 3n }, findingCount: 0 });
    expect(codes(await run(memorySource([]), { height: 0n }))).toEqual(['TAIL_MISSING 0']);
  });

  test('that is cut at its head is found, unless it is a piece that nobody has pinned', async () => {
    expect(codes(await run(memorySource(chain.slice(2)), { genesisHash: null }))).toEqual([
      'HEAD_MISSING 0',
    ]);
    const piece = memorySource(chain.slice(2), { isWhole: false });
    expect(codes(await run(piece))).toEqual(['HEAD_MISSING 0']);
    expect(await run(piece, { genesisHash: null })).toMatchObject({
      findingCount: 0,
      doubts: { START_NOT_PROVEN: { count: 3 } },
    });
  });

  test('is proven only up to the block before the one that is wrong', async () => {
    const [a, b, c, d, e] = chain as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const wrong = await run(memorySource([a, b, c, flipped(d, 500), e]));
    expect(wrong).toMatchObject({ proven: { number: 2n }, last: { number: 4n } });
    expect(wrong.findings.every(({ block }) => block === 3n)).toBe(true);
    const missing = await run(memorySource([a, b, d, e]));
    expect(missing).toMatchObject({ findingCounts: { NUMBER_WRONG: 1 }, proven: { number: 1n } });
  });

  test('tells so many findings in full, and counts all of them', async () => {
    const wrong = memorySource(chain.map((block) => flipped(block, 500)));
    const all = await run(wrong);
    const some = await run(wrong, { toldMax: 2 });
    expect(all.findingCount).toBeGreaterThan(3);
    expect(some).toMatchObject({ findingCount: all.findingCount });
    expect(some.findings).toEqual(all.findings.slice(0, 2));
    expect(some.findingCounts).toEqual(all.findingCounts);
  });

  test('in a file that stops being an archive is wrong there', async () => {
    const folder = createTemporaryFolder();
    const bytes = Buffer.concat(chain.flatMap((block) => [archivePrefix(block), block]));
    const path = folder.write('cut.blocks', bytes.subarray(0, -7));
    const cut = await run(createFileSource(path));
    folder.remove();
    expect(codes(cut)).toEqual(['BLOCK_UNREADABLE 4']);
    expect(cut.findings[0]?.sentence).toContain('7 bytes short');
  });

  test('with a record that cannot be decrypted is wrong there, and is not read on', async () => {
    const message = 'The record is not the one that was encrypted here.';
    const broken = (code: 'DECRYPTION_FAILED' | 'KEY_UNKNOWN'): BlockSource => ({
      ...memorySource(chain),
      async *blocks(from, signal) {
        yield* memorySource(chain.slice(0, 2)).blocks(from, signal);
        throw new ShuttleError(code, message);
      },
    });
    const moved = await run(broken('DECRYPTION_FAILED'));
    expect(codes(moved)).toEqual(['BLOCK_UNREADABLE 2']);
    expect(moved).toMatchObject({ proven: { number: 1n }, findings: [{ sentence: message }] });
    await expect(run(broken('KEY_UNKNOWN'))).rejects.toMatchObject({ code: 'KEY_UNKNOWN' });
  });

  test('that is stopped says so, and not that its tail is missing', async () => {
    const stopped = await run(memorySource(chain), { height: 4n }, AbortSignal.abort());
    expect(stopped).toMatchObject({ isComplete: false, findingCount: 0 });
  });
});

describe('a peer of another organisation', () => {
  test('that has committed the same is told with the height up to which it has', async () => {
    const peers = [peer(chain), peer(chain, 3)];
    const summary = await run(memorySource(chain), { peers });
    expect(summary.peers).toMatchObject([{ comparedTo: 4n }, { comparedTo: 2n }]);
    expect(summary.findingCount).toBe(0);
  });

  test.each([1, 2, 3, 4])('that has other codes from block %d on is found there', async (from) => {
    const others = chain.map((block, number) =>
      number < from ? block : recoded(block, 0, number === from ? 11 : 0, Buffer.alloc(32, number)),
    );
    const summary = await run(memorySource(chain), { peers: [peer(others)] });
    expect(summary.findings).toMatchObject([
      { code: 'PEER_DIFFERS', block: BigInt(from), transaction: 0 },
    ]);
    expect(summary.findings[0]?.sentence).toContain('VALID here and MVCC_READ_CONFLICT there');
  });

  test('is compared with what is proven, not with what is wrong already', async () => {
    const [a, b, c, d] = chain as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const summary = await run(memorySource([a, b, c, flipped(d, 500)]), { peers: [peer(chain)] });
    expect(summary.peers).toMatchObject([{ comparedTo: 2n, finding: null }]);
  });

  test('that does not answer is told, and leaves the rest as it is', async () => {
    const error = new ShuttleError('FABRIC_UNREACHABLE', 'It does not answer.');
    const silent = {
      ...peer(chain),
      ledger: { ...peer(chain).ledger, height: () => Promise.reject(error) },
    };
    const summary = await run(memorySource(chain), { peers: [silent] });
    expect(summary).toMatchObject({ findingCount: 0, peers: [{ error, comparedTo: null }] });
  });
});
