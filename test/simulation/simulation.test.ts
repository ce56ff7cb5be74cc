/**
 * The real pipelines on a simulated world. The seeds run as compiled programs of their own, two at
 * once: `npm run build` comes first. `npm run simulate -- --seed N` tells the story of one.
 */
import { describe, expect, test } from '@jest/globals';
import { simulate } from './child.ts';
import { FAULTS } from './network.ts';
import { NOTABLE_SEEDS } from './notable-seeds.ts';

const SEEDS = 200;
const TIMEOUT_MS = 240_000;

describe('under any of these faults, in any order that a seed chooses', () => {
  test(
    `every promise is kept: seeds 1 to ${SEEDS}`,
    async () => {
      const half = SEEDS / 2;
      const halves = await Promise.all(
        [1, half + 1].map((seed) => simulate({ seed, count: half })),
      );
      const results = halves.flat();
      expect(results.filter(({ broken }) => broken !== null)).toEqual([]);
      expect(results).toHaveLength(SEEDS);
      // Together they must have met every kind of fault there is.
      const kinds = new Set(results.flatMap(({ faults }) => Object.keys(faults)));
      expect([...kinds].toSorted()).toEqual(FAULTS.toSorted());
    },
    TIMEOUT_MS,
  );

  test.each(NOTABLE_SEEDS)('seed $seed: $why', async ({ seed }) => {
    expect(await simulate({ seed, count: 1 })).toMatchObject([{ seed, broken: null }]);
  });

  test('one seed goes one way, whether its story is told or not', async () => {
    const [once, again] = [
      await simulate({ seed: 7, count: 1 }),
      await simulate({ seed: 7, count: 1, more: ['--story'] }),
    ];
    expect(again).toEqual(once);
  });
});
