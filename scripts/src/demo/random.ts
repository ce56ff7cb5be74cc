/** Numbers that look random and follow from a seed: the same seed tells the same story. */

export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number;
  /** One of the values. @throws RangeError when there is none */
  pick<T>(values: readonly T[]): T;
  chance(share: number): boolean;
  /** A UUID in the form of version 4. */
  uuid(): string;
}

/** @param seed a whole number; only its low 32 bits count */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  // A counter run through a mixing function (the finaliser of MurmurHash3): short, and good enough
  // for a story.
  const word = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  };
  const next = (): number => word() / 2 ** 32;
  const whole = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    whole,
    pick: <T>(values: readonly T[]): T => {
      const value = values[whole(0, values.length - 1)];
      if (value === undefined) {
        throw new RangeError('there is nothing to pick from');
      }
      return value;
    },
    chance: (share) => next() < share,
    uuid: () => uuidOf([word(), word(), word(), word()]),
  };
}

/** A number that differs for each pair, to seed the parts of a story independently. */
export function mixSeeds(seed: number, part: number): number {
  return (Math.imul(seed ^ 0x27d4eb2f, 0x165667b1) + Math.imul(part + 1, 0x9e3779b1)) >>> 0;
}

function uuidOf(words: readonly number[]): string {
  const hex = words.map((word) => word.toString(16).padStart(8, '0')).join('');
  const variant = '89ab'[Number.parseInt(hex[16] ?? '0', 16) % 4];
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`];
  return [...parts, `${variant}${hex.slice(17, 20)}`, hex.slice(20)].join('-');
}
