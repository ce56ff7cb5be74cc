/** What all suites of faults share: how much of them is run, and chance by seed. */

/** `npm run faults:short`, as every commit runs it; otherwise all of it. */
export const SHORT = process.env.SHUTTLE_FAULTS === 'short';

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
export function randomBySeed(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A seed of its own for each run, unless one is given to have a run again. */
export function faultSeed(): number {
  const given = process.env.SHUTTLE_SEED;
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  process.stderr.write(`SHUTTLE_SEED=${seed}\n`);
  return seed;
}
