/** CRC-32C (Castagnoli), by which record batches are protected. */
import { createCRC32 } from 'hash-wasm';

const CASTAGNOLI = 0x82f63b78;

// One for all: every sum is begun and ended in one synchronous step.
const hasher = await createCRC32(CASTAGNOLI);

/** CRC-32C of the parts one after another, as an unsigned integer. */
export function crc32c(...parts: readonly Uint8Array[]): number {
  hasher.init();
  for (const part of parts) {
    hasher.update(part);
  }
  const sum = hasher.digest('binary');
  return new DataView(sum.buffer, sum.byteOffset, sum.length).getUint32(0);
}
