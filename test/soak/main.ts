/**
 * `npm run soak -- [--minutes N] [--records N] [--seed N]`: a real network on which records flow
 * for a long time while its processes are killed at random. Says each minute how it goes, answers
 * with a summary in JSON. Exit 1 with findings: a difference, or memory or handles that grow.
 */
import { parseArgs } from 'node:util';
import { runShuttle } from '../support/cli.ts';
import { findDifferences } from '../support/differences.ts';
import {
  createTopic,
  createWorld,
  MINUTE_MS,
  produceAll,
  type World,
} from '../support/e2e-world.ts';
import { faultSeed, randomBySeed } from '../support/faults.ts';
import { eventually, message } from '../support/records.ts';
import { Bridge } from './bridges.ts';
import { type Kill, killAtRandom, sleep } from './kills.ts';
import { judge, type Life, type Verdict } from './samples.ts';

const USAGE = `Usage: npm run soak -- [--minutes N] [--records N] [--seed N]

  --minutes N  how long records flow (30)
  --records N  how many come each minute, all at once, to be carried at full speed (20,000)
  --seed N     what is killed when; SHUTTLE_SEED says the same (by chance)
`;

const TOPIC = 'soak';
const GROUP = 'soak';
const PARTITIONS = 4;
const KEYS = 2_000;
const VALUE_BYTES = 300;
const SAMPLE_MS = 5_000;
/** Nothing is killed in the first minute, in which the bridges warm up, and in the last. */
const QUIET_MS = MINUTE_MS;
const DRAIN_PATIENCE_MS = 10 * MINUTE_MS;
const PORT_OFFSET = 15_350;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    records: { type: 'string', default: '20000' },
    seed: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const minutes = Number(values.minutes);
const recordsPerMinute = Number(values.records);
if (values.help || !(minutes > 0) || !(recordsPerMinute > 0)) {
  process.stdout.write(USAGE);
  process.exit(values.help ? 0 : 2);
}
if (values.seed !== undefined) {
  process.env.SHUTTLE_SEED = values.seed;
}

const say = (line: string): boolean => process.stderr.write(`${line}\n`);

interface Summary {
  readonly seed: number;
  readonly minutes: number;
  readonly records: number;
  readonly kills: Readonly<Record<string, number>>;
  readonly drainSeconds: number;
  readonly lives: number;
  readonly verdicts: readonly Verdict[];
  readonly findings: readonly string[];
}

process.exit(await main());

async function main(): Promise<number> {
  const seed = faultSeed();
  say('Starting a network of three ordering nodes');
  const world = await createWorld(PORT_OFFSET, { orderers: 3 });
  const stop = (): void => {
    void world.close().finally(() => process.exit(130));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    const summary = await soak(world, seed);
    process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
    return summary.findings.length === 0 ? 0 : 1;
  } finally {
    await world.close();
  }
}

async function soak(world: World, seed: number): Promise<Summary> {
  const settings = {
    ...world.settings,
    SHUTTLE_INGEST__TOPICS: TOPIC,
    SHUTTLE_INGEST__GROUP_ID: GROUP,
    SHUTTLE_COMMAND__DEADLINE_MS: String(DRAIN_PATIENCE_MS),
  };
  // The first lives through all of it, so that what it uses can be judged; it also publishes.
  const first = new Bridge('the bridge that lives on', 'run', settings, world.dir);
  const second = new Bridge('the bridge that is killed', 'ingest', settings, world.dir);
  await createTopic(world.kafka, TOPIC, PARTITIONS);
  first.start();
  second.start();
  await first.ready();
  await second.ready();
  const end = new AbortController();
  const sampling = sampleAll([first, second], end.signal);
  const { records, kills } = await flow(world, first, second, seed);
  say('Waiting until all is carried');
  const drainedMs = Date.now();
  await drained(world);
  const drainSeconds = Math.round((Date.now() - drainedMs) / 100) / 10;
  end.abort();
  await sampling;
  const ends = await Promise.all([first.end('SIGTERM'), second.end('SIGTERM')]);
  const bad = ends.filter(({ code }) => code !== 0);
  const lives = [...first.lives, ...second.lives];
  const verdicts = lives.flatMap((life) => judge(life) ?? []);
  return {
    seed,
    minutes,
    records,
    kills: tally(kills),
    drainSeconds,
    lives: lives.length,
    verdicts,
    findings: [
      ...bad.map(({ code, stderr }) => `a bridge ended with ${code}: ${stderr.slice(-500)}`),
      ...(first.lives.length === 1 ? [] : ['the bridge that lives on has died']),
      ...unjudged(lives, verdicts),
      ...verdicts.flatMap(({ findings }) => findings),
      ...(await compare(world, settings, records)),
    ],
  };
}

/** A soak that is too short says nothing of memory, unless it says so. */
function unjudged(lives: readonly Life[], verdicts: readonly Verdict[]): string[] {
  const isLong = minutes >= 10;
  return isLong && verdicts.length === 0 ? [`none of ${lives.length} lives was judged`] : [];
}

/** Produces a minute's records at the beginning of each minute, while kills happen. */
async function flow(
  world: World,
  first: Bridge,
  second: Bridge,
  seed: number,
): Promise<{ records: number; kills: readonly Kill[] }> {
  const over = new AbortController();
  let killed = 0;
  const tell = ({ atSeconds, victim, signal, awaySeconds }: Kill): void => {
    killed += 1;
    say(`    ${atSeconds + QUIET_MS / 1_000} s: ${signal} to ${victim}, away ${awaySeconds} s`);
  };
  const options = { world, bridge: second, random: randomBySeed(seed), signal: over.signal, tell };
  const killing = sleep(QUIET_MS, over.signal).then(() => killAtRandom(options));
  killing.catch(() => over.abort());
  let records = 0;
  const startedMs = Date.now();
  for (let minute = 1; minute <= minutes && !over.signal.aborted; minute++) {
    const numbers = Array.from({ length: recordsPerMinute }, (_, n) => records + n);
    await produceAll(
      world.kafka,
      TOPIC,
      numbers.map((n) => message(TOPIC, n, VALUE_BYTES, KEYS)),
    );
    records += recordsPerMinute;
    if (minute === minutes) {
      over.abort();
    }
    await sleep(startedMs + minute * MINUTE_MS - Date.now(), new AbortController().signal);
    tellMinute(minute, records, killed, first);
  }
  over.abort();
  return { records, kills: await killing };
}

function tellMinute(minute: number, records: number, killed: number, first: Bridge): void {
  const sample = first.lives.at(-1)?.samples.at(-1);
  const mib = (bytes = 0): number => Math.round(bytes / 1024 / 1024);
  say(
    `${minute} of ${minutes} min: ${records} records, ${killed} kills; ` +
      `${first.count('committed a batch')} batches and ${first.count('published a block')} ` +
      `blocks by the bridge that lives on, which has ${mib(sample?.rssBytes)} MiB, ` +
      `${mib(sample?.heapBytes)} MiB of heap, ${sample?.handles ?? 0} handles`,
  );
}

async function sampleAll(bridges: readonly Bridge[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await Promise.all(bridges.map((bridge) => bridge.sample()));
    await sleep(SAMPLE_MS, signal);
  }
}

/** Group offsets reach the ends only when everything before them is finished. */
async function drained(world: World): Promise<void> {
  const admin = world.kafka.admin();
  await admin.connect();
  const done = async (): Promise<boolean> => {
    const ends = await admin.fetchTopicOffsets(TOPIC);
    const [acks] = await admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] });
    return ends.every(({ partition, high }) => {
      const ack = acks?.partitions.find((each) => each.partition === partition);
      return Number(ack?.offset ?? -1) >= Number(high);
    });
  };
  try {
    await eventually('the group to reach the ends', done, DRAIN_PATIENCE_MS);
  } finally {
    await admin.disconnect();
  }
}

async function compare(
  world: World,
  settings: World['settings'],
  records: number,
): Promise<readonly string[]> {
  const last = await runShuttle(['publish', '--until-end'], settings, world.dir);
  say('Comparing everything: shuttle reconcile');
  const args = ['reconcile', '--source', TOPIC, '--complete', '--json'];
  const compared = await runShuttle(args, settings, world.dir);
  say('Comparing everything: readers that share nothing with the bridge');
  return [
    ...(last.code === 0 ? [] : [`publish --until-end: ${last.stderr.slice(-500)}`]),
    ...(compared.code === 0 ? [] : [`reconcile: ${compared.stdout}${compared.stderr}`]),
    ...(await findDifferences(world, TOPIC, records)),
  ];
}

function tally(kills: readonly Kill[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { victim } of kills) {
    counts[victim] = (counts[victim] ?? 0) + 1;
  }
  return counts;
}
