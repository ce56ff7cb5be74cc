/**
 * `npm run simulate -- --seed N --count N [--json] [--story]`: runs seeds one after another, up to
 * the first that breaks a promise, and tells its story. Exit 0 when all keep them, 1 otherwise.
 */
import { parseArgs } from 'node:util';
import { runSeed, type SeedResult } from './run.ts';

const USAGE = `Usage: npm run simulate -- [--seed N] [--count N] [--json] [--story]

  --seed N     the first seed (1)
  --count N    how many seeds, one after another (1)
  --json       one line of JSON for each seed
  --story      tell the story of every seed, not only of one that fails
`;

const PROGRESS_EVERY = 25;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    story: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    // Of the mutation in which the simulated brokers fence nobody.
    'no-fencing': { type: 'boolean', default: false },
  },
});
const first = Number(values.seed);
const count = Number(values.count);
const fences = !values['no-fencing'];
const write = (text: string): boolean => process.stdout.write(`${text}\n`);

if (values.help || !Number.isSafeInteger(first) || !(Number.isSafeInteger(count) && count > 0)) {
  write(USAGE);
  process.exit(values.help ? 0 : 2);
}
process.exit(await runSeeds());

async function runSeeds(): Promise<number> {
  const startMs = performance.now();
  const sum = { records: 0, faults: 0, drainSecondsMax: 0 };
  for (let seed = first; seed < first + count; seed++) {
    const result = await runSeed({ seed, fences, isTold: values.story });
    const faults = Object.values(result.faults).reduce((total, times) => total + times, 0);
    sum.records += result.records;
    sum.faults += faults;
    sum.drainSecondsMax = Math.max(sum.drainSecondsMax, result.drainSeconds);
    report(result);
    if (result.broken !== null) {
      await tellFailure(result);
      return 1;
    }
    const done = seed - first + 1;
    if (!values.json && (done % PROGRESS_EVERY === 0 || done === count)) {
      const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
      const mean = Math.round(sum.faults / done);
      write(
        `${done} of ${count} seeds in ${seconds} s: ${sum.records} records, ${mean} faults a seed`,
      );
    }
  }
  if (!values.json) {
    write(`All promises kept; the longest drain took ${sum.drainSecondsMax.toFixed(1)} s.`);
  }
  return 0;
}

function report({ story, ...result }: SeedResult): void {
  if (values.story) {
    write(story.join('\n'));
  }
  if (values.json) {
    write(JSON.stringify(result));
  }
}

/** The same seed once more, this time with its story: it goes the same way. */
async function tellFailure({ seed, broken }: SeedResult): Promise<void> {
  if (values.json) {
    return;
  }
  if (!values.story) {
    const { story } = await runSeed({ seed, fences, isTold: true });
    write(story.join('\n'));
  }
  write(`\nSeed ${seed} breaks "${broken?.promise}": ${broken?.message}`);
  write(`Again: npm run simulate -- --seed ${seed} --story`);
}
