/**
 * Processes of a real network are killed or stopped while records flow through two bridges. Then
 * everything is compared, by readers that share nothing with the bridge and by reconcile.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { killLeftovers, type Running, runShuttle, startShuttle } from '../support/cli.ts';
import { findDifferences } from '../support/differences.ts';
import {
  createTopic,
  createWorld,
  MINUTE_MS,
  produceAll,
  type World,
} from '../support/e2e-world.ts';
import { SHORT } from '../support/faults.ts';

const RECORDS = SHORT ? 6_000 : 20_000;
const KEYS = 200;
const PARTITIONS = 4;
const BROKERS = 3;
/** Small batches, so that whatever is hit is in the middle of many. */
const BATCH_RECORDS = 50;
const COMMITS_BEFORE = 20;
const SESSION_TIMEOUT_MS = 6_000;
const POLL_MS = 200;

const COMMITTED = '"committed a batch"';
const PUBLISHED = '"published a block"';

let world: World;

beforeAll(async () => {
  world = await createWorld(18_397, { orderers: 3, brokers: BROKERS });
}, 10 * MINUTE_MS);

afterAll(async () => {
  killLeftovers();
  await world?.close();
}, 2 * MINUTE_MS);

/** Updates of few keys, deletes among them, and now and then a value that is no JSON. */
function message(topic: string, n: number): { key: string; value: string | null } {
  const key = `${topic}/${(n * 7_919) % KEYS}`;
  if (n % 97 === 50) {
    return { key, value: `bad ${n}` };
  }
  return { key, value: n % 11 === 5 ? null : JSON.stringify({ n, pay: 'x'.repeat(n % 97) }) };
}

/** Two bridges on one source topic. The first also publishes: a channel has one publisher. */
class Flow {
  readonly topic: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly groupId: string;
  /** All that were started; what is dead stays, for its log. */
  readonly bridges: Running[] = [];
  private produced = 0;

  constructor(topic: string) {
    this.topic = topic;
    this.groupId = `group-${topic}`;
    this.settings = {
      ...world.settings,
      SHUTTLE_KAFKA__REPLICATION_FACTOR: String(BROKERS),
      SHUTTLE_KAFKA__SESSION_TIMEOUT_MS: String(SESSION_TIMEOUT_MS),
      SHUTTLE_INGEST__TOPICS: topic,
      SHUTTLE_INGEST__GROUP_ID: this.groupId,
      SHUTTLE_INGEST__BATCH_RECORDS: String(BATCH_RECORDS),
      SHUTTLE_INGEST__ACK_INTERVAL_MS: '200',
      SHUTTLE_COMMAND__DEADLINE_MS: String(3 * MINUTE_MS),
    };
  }

  start(command: 'run' | 'ingest' | 'publish'): Running {
    const bridge = startShuttle([command], this.settings, world.dir);
    this.bridges.push(bridge);
    return bridge;
  }

  /** Produces up to so many records in all. */
  async produceTo(count: number): Promise<void> {
    const from = this.produced;
    this.produced = count;
    const numbers = Array.from({ length: count - from }, (_, n) => from + n);
    await produceAll(
      world.kafka,
      this.topic,
      numbers.map((n) => message(this.topic, n)),
    );
  }

  count(part: string): number {
    return this.bridges.reduce((sum, each) => sum + each.log().split(part).length - 1, 0);
  }

  /** Resolves when the logs of all bridges together hold so many of them. */
  async until(part: string, count: number): Promise<void> {
    await eventually(`${count} x ${part}`, async () => this.count(part) >= count);
  }

  /** Group offsets reach the ends only when everything before them is finished. */
  async drained(): Promise<void> {
    const admin = world.kafka.admin();
    await admin.connect();
    try {
      await eventually('the group to reach the ends', async () => {
        const ends = await admin.fetchTopicOffsets(this.topic);
        const [acks] = await admin.fetchOffsets({ groupId: this.groupId, topics: [this.topic] });
        return ends.every(({ partition, high }) => {
          const ack = acks?.partitions.find((each) => each.partition === partition);
          return Number(ack?.offset ?? -1) >= Number(high);
        });
      });
    } finally {
      await admin.disconnect();
    }
  }

  async stopAll(): Promise<void> {
    for (const { process } of this.bridges) {
      process.kill('SIGTERM');
    }
    await Promise.all(this.bridges.map(({ ended }) => ended));
  }
}

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const untilMs = Date.now() + 4 * MINUTE_MS;
  for (;;) {
    if (await holds().catch(() => false)) {
      return;
    }
    if (Date.now() > untilMs) {
      throw new Error(`Waited in vain for ${what}.`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

interface Hit {
  readonly flow: Flow;
  /** Runs and publishes. */
  readonly first: Running;
  readonly second: Running;
}

interface Scenario {
  readonly name: string;
  readonly slug: string;
  /** Also in the part that every commit has to pass. */
  readonly short?: boolean;
  /** Makes the fault and takes it away; the flow must go on by itself then. */
  readonly fault: (hit: Hit) => Promise<void>;
  /** The exit codes that the bridges may have at the end, when not all 0. */
  readonly mayEnd?: readonly number[];
}

const restart = async (name: string): Promise<void> => {
  await world.network.kill(name, 'SIGKILL');
  await world.network.start(name);
};

async function raftLeader(): Promise<string> {
  const { processes, channel } = await world.network.describe();
  for (const { name, kind, operations } of processes) {
    if (kind === 'orderer') {
      const page = await (await fetch(`${operations}/metrics`)).text();
      if (page.includes(`consensus_etcdraft_is_leader{channel="${channel}"} 1`)) {
        return name;
      }
    }
  }
  throw new Error('No ordering node leads.');
}

async function processOf(name: string) {
  const { processes } = await world.network.describe();
  const found = processes.find((each) => each.name === name);
  if (found === undefined) {
    throw new Error(`There is no process named ${name}.`);
  }
  return found;
}

/** Every write that makes a file longer fails from now on, as on a disk that is full. */
async function refuseWrites(name: string): Promise<void> {
  const { pid } = await processOf(name);
  await promisify(execFile)('prlimit', ['--pid', String(pid), '--fsize=1:']);
}

/** The broker that leads partition 0 of a topic, by the name of its process. */
async function leaderOf(topic: string): Promise<string> {
  const admin = world.kafka.admin();
  await admin.connect();
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  await admin.disconnect();
  const leader = topics[0]?.partitions.find(({ partitionId }) => partitionId === 0)?.leader;
  return `kafka${leader}`;
}

const gone = async ({ process, ended }: Running): Promise<void> => {
  process.kill('SIGKILL');
  expect((await ended).signal).toBe('SIGKILL');
};

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a bridge, both pipelines, killed and started again',
    slug: 'bridge',
    short: true,
    fault: async ({ flow, first }) => {
      await gone(first);
      flow.start('run');
    },
  },
  {
    name: 'the chaincode process of the gateway peer',
    slug: 'chaincode',
    fault: () => restart('chaincode-shuttle-org1'),
  },
  {
    name: 'the gateway peer',
    slug: 'gateway-peer',
    short: true,
    fault: () => restart('peer0.org1'),
  },
  {
    name: "the other organisation's peer",
    slug: 'other-peer',
    fault: () => restart('peer0.org2'),
  },
  {
    name: 'the ordering node that leads',
    slug: 'raft-leader',
    fault: async () => restart(await raftLeader()),
  },
  {
    name: 'the broker that leads a source partition',
    slug: 'source-broker',
    short: true,
    fault: async ({ flow }) => restart(await leaderOf(flow.topic)),
  },
  {
    name: 'the broker that leads the blocks topic',
    slug: 'blocks-broker',
    fault: async () => restart(await leaderOf('shuttle.mychannel.blocks')),
  },
  {
    name: 'the disk of the broker that leads a source partition takes no more writes',
    slug: 'disk-full',
    fault: async ({ flow }) => {
      const name = await leaderOf(flow.topic);
      await refuseWrites(name);
      // Its only disk is gone, so it gives up by itself.
      await eventually('the broker to end', async () => (await processOf(name)).status === 'dead');
      await world.network.start(name);
    },
  },
  {
    name: 'a bridge that stands still for longer than its session, and goes on',
    slug: 'zombie',
    short: true,
    mayEnd: [5],
    fault: async ({ flow, first }) => {
      first.process.kill('SIGSTOP');
      const before = flow.count(COMMITTED);
      // The other one has taken over its partitions when the group gave them away.
      await new Promise((resolve) => setTimeout(resolve, 2 * SESSION_TIMEOUT_MS));
      await flow.until(COMMITTED, before + 1);
      const successor = flow.start('publish');
      await successor.waitFor((log) => log.includes(PUBLISHED));
      first.process.kill('SIGCONT');
      // Its publisher has been fenced, and says so.
      expect((await first.ended).stderr).toContain('PUBLISHER_FENCED');
    },
  },
  {
    name: 'the consumer group deleted between two runs',
    slug: 'group',
    fault: async ({ flow }) => {
      await flow.stopAll();
      const admin = world.kafka.admin();
      await admin.connect();
      // A member that was told to stop while it joined is forgotten only after its session.
      await eventually('the group to be empty', async () => {
        const { groups } = await admin.describeGroups([flow.groupId]);
        return groups[0]?.state === 'Empty';
      });
      await admin.deleteGroups([flow.groupId]);
      await admin.disconnect();
      flow.start('run');
      flow.start('ingest');
    },
  },
  {
    name: "the other organisation's peer stands still for ten seconds",
    slug: 'lagging-peer',
    fault: async () => {
      await world.network.kill('peer0.org2', 'SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      await world.network.kill('peer0.org2', 'SIGCONT');
    },
  },
];

const seconds = (fromMs: number): number => Math.round((Date.now() - fromMs) / 100) / 10;

describe(`${RECORDS} records through two bridges, and a fault in the middle:`, () => {
  it.each(SCENARIOS.filter(({ short }) => !SHORT || short === true))(
    '$name',
    async ({ name, slug, fault, mayEnd = [] }) => {
      const flow = new Flow(`kill-${slug}`);
      await createTopic(world.kafka, flow.topic, PARTITIONS, {}, BROKERS);
      await flow.produceTo(RECORDS / 2);
      const first = flow.start('run');
      const second = flow.start('ingest');
      await flow.until(COMMITTED, COMMITS_BEFORE);
      await flow.until(PUBLISHED, 1);

      await fault({ flow, first, second });
      const mendedMs = Date.now();
      const [commits, blocks] = [flow.count(COMMITTED), flow.count(PUBLISHED)];
      await flow.produceTo(RECORDS);
      const committed = flow.until(COMMITTED, commits + 1).then(() => seconds(mendedMs));
      const published = flow.until(PUBLISHED, blocks + 1).then(() => seconds(mendedMs));
      const [toCommit, toBlock] = await Promise.all([committed, published]);
      await flow.drained();
      await flow.stopAll();

      for (const { ended } of flow.bridges) {
        const { code, signal, stderr } = await ended;
        const allowed = signal === 'SIGKILL' || code === 0 || mayEnd.includes(code ?? -1);
        expect([allowed, code, stderr.slice(-2_000)]).toEqual([true, code, expect.anything()]);
      }
      const last = await runShuttle(['publish', '--until-end'], flow.settings, world.dir);
      expect([last.code, last.stderr.slice(-2_000)]).toEqual([0, expect.anything()]);
      const differences = await findDifferences(world, flow.topic, RECORDS);
      const args = ['reconcile', '--source', flow.topic, '--complete', '--json'];
      const compared = await runShuttle(args, flow.settings, world.dir);
      expect([differences, compared.code, compared.stdout, compared.stderr]).toEqual([
        [],
        0,
        expect.stringContaining('"findingCount":0'),
        '',
      ]);
      expect(JSON.parse(compared.stdout)).toMatchObject({ recordsRead: RECORDS, pending: 0 });
      process.stderr.write(
        `| ${name} | ${RECORDS} | 0 | ${toCommit} | ${toBlock} | ${flow.count(COMMITTED)} |\n`,
      );
    },
    12 * MINUTE_MS,
  );
});
