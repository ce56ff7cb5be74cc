/** The hash by which Kafka's own clients choose a partition for a key. */

const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** Kafka's murmur2 as a signed 32-bit integer. */
export function murmur2(key: Uint8Array): number {
  const length = key.length;
  const at = (index: number): number => key[index] as number;
  let h = SEED ^ length;
  const whole = length & ~3;
  for (let i = 0; i < whole; i += 4) {
    let k = at(i) | (at(i + 1) << 8) | (at(i + 2) << 16) | (at(i + 3) << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    h = Math.imul(h, M) ^ Math.imul(k, M);
  }
  const rest = length - whole;
  if (rest > 0) {
    h ^= rest > 2 ? at(whole + 2) << 16 : 0;
    h ^= rest > 1 ? at(whole + 1) << 8 : 0;
    h = Math.imul(h ^ at(whole), M);
  }
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}

/** The partition that Kafka's clients choose for `key`. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}
