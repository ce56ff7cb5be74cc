/** How large a block of the channel may be: what its topic must have room for. */
import { absoluteMaxBytes } from '../block/channel-config.ts';
import { decodeBlock } from '../block/decode.ts';
import { BLOCK_BYTES_MAX_DEFAULT } from '../limits.ts';
import type { Ledger } from '../ports.ts';

/**
 * AbsoluteMaxBytes of the channel's newest configuration.
 *
 * @throws ShuttleError FABRIC_UNREACHABLE, BLOCK_INVALID
 */
export async function blockBytesMax(ledger: Pick<Ledger, 'height' | 'blocks'>): Promise<number> {
  const height = await ledger.height();
  const newest = await oneBlock(ledger, height - 1n);
  // Block 0 is a config block, and the last one where none is named.
  const config = await oneBlock(ledger, newest?.lastConfig ?? 0n);
  return (config === null ? null : absoluteMaxBytes(config)) ?? BLOCK_BYTES_MAX_DEFAULT;
}

async function oneBlock(ledger: Pick<Ledger, 'blocks'>, number: bigint) {
  const enough = new AbortController();
  try {
    for await (const bytes of ledger.blocks(number, enough.signal)) {
      return decodeBlock(bytes);
    }
    return null;
  } finally {
    enough.abort();
  }
}
