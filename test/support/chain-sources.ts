/** Chains of blocks in memory, as sources for the commands on a chain. */
import { decodeBlock } from '../../bridge/src/block/decode.ts';
import type { BlockSource } from '../../bridge/src/chain/source.ts';

/** Bytes that are no block stand where they stand, whatever is asked for. */
export function memorySource(
  blocks: readonly Uint8Array[],
  how: Partial<Pick<BlockSource, 'kind' | 'name' | 'isWhole'>> = {},
): BlockSource {
  return {
    kind: 'topic',
    name: 'topic test.blocks',
    isWhole: true,
    ...how,
    async *blocks(from) {
      const there = blocks.filter((bytes) => from === null || numberOf(bytes) >= from);
      for (const [index, bytes] of there.entries()) {
        yield { bytes, done: index + 1, total: there.length };
      }
    },
    close: async () => {},
  };
}

function numberOf(bytes: Uint8Array): bigint {
  try {
    return decodeBlock(bytes).header.number;
  } catch {
    return 0n;
  }
}
