import { describe, expect, test } from '@jest/globals';
import { readArchive } from '../../../bridge/src/block/blocks-file.ts';
import { type ExportOptions, exportBlocks } from '../../../bridge/src/chain/export.ts';
import { buildBlock, buildChain } from '../../support/blocks.ts';
import { memorySource } from '../../support/chain-sources.ts';

const chain = buildChain([[{ txId: 'a' }], [{ txId: 'b' }], [{ txId: 'c' }]]);
const blocks = chain.map(({ bytes }) => bytes);
const position = (n: number) => ({ number: BigInt(n), hash: chain[n]?.hash });

async function run(
  source: readonly Uint8Array[],
  range: Pick<ExportOptions, 'first' | 'last'>,
  stop = new AbortController().signal,
) {
  const written: Uint8Array[] = [];
  const steps: (readonly [number, number, number])[] = [];
  const summary = await exportBlocks(
    memorySource(source),
    {
      ...range,
      write: async (bytes) => void written.push(bytes),
      onProgress: (...step) => void steps.push(step),
    },
    stop,
  );
  const found: Uint8Array[] = [];
  const chunks = async function* () {
    yield* written;
  };
  for await (const block of readArchive(chunks())) {
    found.push(block);
  }
  return { summary, found, steps, length: Buffer.concat(written).length };
}

describe('an export', () => {
  test('holds the exact blocks of its range, and tells where they begin and end', async () => {
    const { summary, found, length } = await run(blocks, { first: 1n, last: 2n });
    expect(found).toEqual(blocks.slice(1, 3));
    expect(summary).toEqual({
      blocks: 2,
      bytes: length,
      first: position(1),
      last: position(2),
      isComplete: true,
    });
  });

  test('goes to the end as it is now where no last block is named', async () => {
    const { found, steps } = await run(blocks, { first: 0n, last: null });
    expect(found).toEqual(blocks);
    expect(steps.at(-1)).toEqual([4, 4, 4]);
  });

  test.each([
    ['behind the end', blocks, 1n, 9n, 'There is no block 9: the topic test.blocks ends with'],
    ['of nothing', blocks, 4n, null, 'There is no block 4: the topic test.blocks holds none'],
    ['before the start', blocks.slice(2), 1n, 3n, 'the first one from it on is 2'],
  ])('of a range %s is refused', async (_, source, first, last, sentence) => {
    const refused = run(source, { first, last });
    await expect(refused).rejects.toThrow(sentence);
    await expect(refused).rejects.toMatchObject({ code: 'BLOCK_MISSING' });
  });

  test('is refused where blocks do not hold together', async () => {
    const [a, b, , d] = blocks as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const foreign = buildBlock({ number: 2, previous: chain[0] ?? null, transactions: [] });
    for (const wrong of [
      [a, b, d],
      [a, b, foreign.bytes],
    ]) {
      await expect(run(wrong, { first: 0n, last: null })).rejects.toMatchObject({
        code: 'BLOCK_INVALID',
      });
    }
  });

  test('that is stopped says that it is not complete', async () => {
    const { summary } = await run(blocks, { first: 0n, last: null }, AbortSignal.abort());
    expect(summary).toMatchObject({ blocks: 1, isComplete: false });
  });
});
