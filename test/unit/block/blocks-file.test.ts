import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { archivePrefix, readArchive } from '../../../bridge/src/block/blocks-file.ts';

const archive = (blocks: readonly Uint8Array[]): Buffer =>
  Buffer.concat(blocks.flatMap((block) => [archivePrefix(block), block]));

/** The same bytes, cut at other places than between blocks. */
async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    yield bytes.subarray(at, at + size);
  }
}

async function read(bytes: Uint8Array, size = 7): Promise<string[]> {
  const blocks: string[] = [];
  for await (const block of readArchive(cut(bytes, size))) {
    blocks.push(Buffer.from(block).toString('hex'));
  }
  return blocks;
}

describe('an archive', () => {
  test('gives back the exact bytes of its blocks, however the file comes in', async () => {
    const block = fc.uint8Array({ minLength: 1, maxLength: 400 });
    await fc.assert(
      fc.asyncProperty(fc.array(block), fc.integer({ min: 1, max: 500 }), async (blocks, size) => {
        const hex = blocks.map((each) => Buffer.from(each).toString('hex'));
        expect(await read(archive(blocks), size)).toEqual(hex);
      }),
    );
  });

  test('may be put together from two', async () => {
    const [one, two] = [Buffer.from('one'), Buffer.from('two')];
    const both = Buffer.concat([archive([one]), archive([two])]);
    expect(await read(both)).toEqual(await read(archive([one, two])));
  });

  test('that ends within a block or a length is refused, naming the byte', async () => {
    const whole = archive([Buffer.from('block'), Buffer.alloc(300, 1)]);
    for (let length = 7; length < whole.length; length += 1) {
      await expect(read(whole.subarray(0, length))).rejects.toMatchObject({
        code: 'ARCHIVE_INVALID',
        at: { byte: length < 8 ? 6 : expect.any(Number) },
      });
    }
  });

  test.each([
    ['of nothing', '00'],
    ['in more bytes than it takes', '8100'],
    ['beyond what a peer sends', '8180808001'],
    ['beyond 35 bits', 'ffffffffff01'],
  ])('with a length %s is refused, before memory is taken for it', async (_, hex) => {
    await expect(read(Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(9)]))).rejects.toThrow(
      'There is no length of a block at byte 0 of the archive.',
    );
  });
});
