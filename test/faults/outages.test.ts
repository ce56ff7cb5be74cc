/**
 * A far side is away: at the start, in the middle, or only in part. The bridge waits, says so once
 * in its log and in its readiness, and goes on by itself. Then everything is compared, by readers
 * that share nothing with the bridge and by reconcile.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { killLeftovers, type Settings } from '../support/cli.ts';
import { createWorld, MINUTE_MS, type World } from '../support/e2e-world.ts';
import { SHORT } from '../support/faults.ts';
import { COMMITTED, Flow, PUBLISHED, type Ready } from '../support/flow.ts';
import { eventually } from '../support/records.ts';

const RECORDS = SHORT ? 3_000 : 12_000;
const PARTITIONS = 4;
const COMMITS_BEFORE = 10;
const OUTAGE_MS = SHORT ? 20_000 : 2 * MINUTE_MS;
/** What comes once, however long it lasts, is watched for less. */
const BRIEF_MS = SHORT ? 10_000 : 30_000;

const LOST = 'lost the far side, waiting';
const REACHED = 'reached the far side again';

const ORDERERS = ['orderer', 'orderer2', 'orderer3'];
const PEERS = ['peer0.org1', 'peer0.org2'];

let world: World;

beforeAll(async () => {
  world = await createWorld(19_750, { orderers: 3 });
}, 10 * MINUTE_MS);

afterAll(async () => {
  killLeftovers();
  await world?.close();
}, 2 * MINUTE_MS);

const seconds = (fromMs: number): number => Math.round((Date.now() - fromMs) / 100) / 10;

async function kill(names: readonly string[], signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  for (const name of names) {
    await world.network.kill(name, signal);
  }
}

async function start(names: readonly string[]): Promise<void> {
  for (const name of names) {
    await world.network.start(name);
  }
}

interface Scenario {
  readonly name: string;
  readonly slug: string;
  readonly side: 'kafka' | 'fabric';
  /** Also in the part that every commit has to pass. */
  readonly short?: boolean;
  /** The bridge finds it so when it starts. */
  readonly atStart?: boolean;
  readonly forMs?: number;
  readonly begin: () => Promise<void>;
  readonly end: () => Promise<void>;
  /** All that readiness may give as reasons meanwhile. */
  readonly reasons: RegExp;
  readonly settings?: Settings;
  readonly payBytes?: number;
  /** What else has to hold at the end of the outage. */
  readonly meanwhile?: (flow: Flow) => Promise<void>;
}

const KAFKA_AWAY = /^kafka is (unreachable|waited for: \w+)$/;
const FABRIC_AWAY = /^fabric is (unreachable|waited for: \w+)$/;

const IN_FLIGHT_MAX = 8;
const BUFFER_BYTES_MAX = 4 * 1024 * 1024;
/** What a partition was being sent when it was paused. */
const ON_THE_WAY_BYTES_MAX = PARTITIONS * 2 * 1024 * 1024;
const SMALL_BUFFERS: Settings = {
  SHUTTLE_INGEST__IN_FLIGHT_MAX: String(IN_FLIGHT_MAX),
  SHUTTLE_INGEST__BUFFER_BYTES_MAX: String(BUFFER_BYTES_MAX),
};

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'Kafka is down at the start',
    slug: 'kafka-start',
    side: 'kafka',
    short: true,
    atStart: true,
    forMs: BRIEF_MS,
    begin: () => kill(['kafka1']),
    end: () => start(['kafka1']),
    reasons: KAFKA_AWAY,
  },
  {
    name: 'both peers are down at the start',
    slug: 'peers-start',
    side: 'fabric',
    short: true,
    atStart: true,
    forMs: BRIEF_MS,
    begin: () => kill(PEERS),
    end: () => start(PEERS),
    reasons: FABRIC_AWAY,
  },
  {
    name: 'all orderers are down at the start',
    slug: 'orderers-start',
    side: 'fabric',
    atStart: true,
    forMs: BRIEF_MS,
    begin: () => kill(ORDERERS),
    end: () => start(ORDERERS),
    reasons: FABRIC_AWAY,
  },
  {
    name: 'Kafka is down in the middle',
    slug: 'kafka-middle',
    side: 'kafka',
    forMs: OUTAGE_MS,
    begin: () => kill(['kafka1']),
    end: () => start(['kafka1']),
    reasons: KAFKA_AWAY,
  },
  {
    name: 'peers and orderers are down in the middle',
    slug: 'fabric-middle',
    side: 'fabric',
    forMs: OUTAGE_MS,
    begin: () => kill([...PEERS, ...ORDERERS]),
    end: () => start([...ORDERERS, ...PEERS]),
    reasons: FABRIC_AWAY,
  },
  {
    name: 'two of three orderers are down: there is no quorum',
    slug: 'quorum',
    side: 'fabric',
    forMs: OUTAGE_MS,
    begin: () => kill(ORDERERS.slice(1)),
    end: () => start(ORDERERS.slice(1)),
    reasons: FABRIC_AWAY,
  },
  {
    name: 'the orderers take transactions no more: the window in flight is full',
    slug: 'window',
    side: 'fabric',
    begin: () => kill(ORDERERS, 'SIGSTOP'),
    end: () => kill(ORDERERS, 'SIGCONT'),
    reasons: FABRIC_AWAY,
    settings: SMALL_BUFFERS,
    payBytes: 4_000,
    meanwhile: async (flow) => {
      expect(await flow.figure('shuttle_transactions_in_flight')).toBe(IN_FLIGHT_MAX);
      const buffered = await flow.figure('shuttle_buffered_bytes');
      expect(buffered).toBeGreaterThanOrEqual(BUFFER_BYTES_MAX);
      expect(buffered).toBeLessThan(BUFFER_BYTES_MAX + ON_THE_WAY_BYTES_MAX);
    },
  },
];

describe('while a side is away, the bridge waits, says so once, and goes on by itself:', () => {
  it.each(SCENARIOS.filter(({ short }) => !SHORT || short === true))(
    '$name',
    async (scenario) => {
      const { name, slug, side, atStart = false, forMs = OUTAGE_MS } = scenario;
      const flow = new Flow(world, `outage-${slug}`, scenario.settings, scenario.payBytes);
      await flow.createTopic(PARTITIONS);
      await flow.produceTo(RECORDS / 2);
      if (atStart) {
        await scenario.begin();
        flow.start();
      } else {
        flow.start();
        await flow.until(COMMITTED, COMMITS_BEFORE);
        await flow.until(PUBLISHED, 1);
        await eventually('it to be ready', async () => (await flow.ready())?.status === 200);
        await scenario.begin();
      }
      const beganMs = Date.now();
      if (side === 'fabric') {
        await flow.produceTo((RECORDS * 3) / 4);
      }
      const told = await watch(flow, scenario, forMs);
      await scenario.meanwhile?.(flow);
      const atMost = await flow.figure('shuttle_buffered_records');
      await scenario.end();
      const mendedMs = Date.now();
      const [commits, blocks] = [flow.count(COMMITTED), flow.count(PUBLISHED)];
      await flow.produceTo(RECORDS);
      const [toCommit, toBlock, toReady] = await Promise.all([
        flow.until(COMMITTED, commits + 1).then(() => seconds(mendedMs)),
        flow.until(PUBLISHED, blocks + 1).then(() => seconds(mendedMs)),
        eventually('it to be ready', async () => (await flow.ready())?.status === 200).then(() =>
          seconds(mendedMs),
        ),
      ]);
      await flow.drained();
      await flow.until(REACHED, 1);
      process.stderr.write(
        `| ${name} | ${Math.round((mendedMs - beganMs) / 1_000)} | ${RECORDS} | ${told} | ` +
          `${toReady} | ${toCommit} | ${toBlock} | ${atMost} |\n`,
      );
      const loud = flow.lines().filter(({ level }) => level === 'warn' || level === 'error');
      const again = flow.lines().filter(({ msg }) => msg === REACHED);
      expect([loud, again]).toEqual([
        [expect.objectContaining({ msg: LOST, side })],
        [expect.objectContaining({ msg: REACHED, side })],
      ]);
      await flow.expectComplete();
    },
    15 * MINUTE_MS,
  );
});

/** Fabric's own default is 500. */
const CALLS_MAX = 3;

/** The peer reads its limits when it starts. */
async function limitGatewayCalls(from: number, to: number): Promise<void> {
  const file = join(world.network.description.dir, 'config', 'core.yaml');
  const text = await readFile(file, 'utf8');
  const limited = text.replace(`gatewayService: ${from}`, `gatewayService: ${to}`);
  expect(limited).not.toBe(text);
  await writeFile(file, limited);
  await kill(['peer0.org1']);
  await start(['peer0.org1']);
}

describe('a peer that takes few calls at once', () => {
  it(
    'is given what it takes until all is carried, and it is said that it is busy, not at each try',
    async () => {
      await limitGatewayCalls(500, CALLS_MAX);
      const flow = new Flow(world, 'outage-limit');
      await flow.createTopic(PARTITIONS);
      await flow.produceTo(RECORDS);
      flow.start();
      const startedMs = Date.now();
      await flow.until(COMMITTED, COMMITS_BEFORE);
      await flow.drained();
      const refused = await flow.figure('shuttle_errors_total\\{code="LEDGER_BUSY"\\}');
      const told = flow.lines().filter(({ msg }) => msg === LOST);
      process.stderr.write(
        `| ${CALLS_MAX} calls | ${RECORDS} | ${seconds(startedMs)} | ${refused} | ${told.length} |\n`,
      );
      expect(refused).toBeGreaterThan(10);
      // It comes and goes with the load, which is told in ten seconds once at most.
      expect(told.length).toBeLessThanOrEqual(1 + (Date.now() - startedMs) / 10_000);
      await limitGatewayCalls(CALLS_MAX, 500);
      await flow.expectComplete();
    },
    10 * MINUTE_MS,
  );
});

/** For so long: once it is said that the bridge is not ready, it stays so, with its reason. */
async function watch(flow: Flow, { reasons }: Scenario, forMs: number): Promise<number> {
  const beganMs = Date.now();
  const isTold = async () => (await flow.ready())?.status === 503;
  await eventually('it to be not ready', isTold, Math.max(forMs, MINUTE_MS));
  const told = seconds(beganMs);
  const wrong: (Ready | null)[] = [];
  await eventually('the outage to last', async () => {
    const ready = await flow.ready();
    if (ready?.status !== 503 || !ready.reasons.every((reason) => reasons.test(reason))) {
      wrong.push(ready);
    }
    return Date.now() - beganMs >= forMs;
  });
  expect(wrong).toEqual([]);
  return told;
}
