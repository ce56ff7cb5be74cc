/** The simulation can fail: each way to break Shuttle is caught by one of its first seeds. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { type Seeds, simulate } from './child.ts';
import { MUTATIONS } from './mutations.ts';

const SEEDS = 200;
const TIMEOUT_MS = 180_000;
const MUTATE = pathToFileURL(join(import.meta.dirname, 'dist/simulation/mutate.js')).href;

/** The first seed that fails, and the promise that it finds broken. */
async function caught(how: Partial<Seeds>): Promise<{ seed: number; promise: string } | null> {
  const last = (await simulate({ seed: 1, count: SEEDS, ...how })).at(-1);
  return last === undefined || last.broken === null
    ? null
    : { seed: last.seed, promise: last.broken.promise };
}

describe(`within ${SEEDS} seeds the simulation catches`, () => {
  test.concurrent.each(MUTATIONS)(
    '$name: $why',
    async ({ name }) => {
      const how = { node: ['--import', MUTATE], env: { SHUTTLE_MUTATION: name } };
      expect(await caught(how)).not.toBeNull();
    },
    TIMEOUT_MS,
  );

  test(
    'no fencing: two publishers write the same blocks',
    async () => {
      expect(await caught({ more: ['--no-fencing'] })).not.toBeNull();
    },
    TIMEOUT_MS,
  );
});
