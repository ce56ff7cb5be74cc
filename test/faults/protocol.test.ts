/**
 * Requests and answers between Shuttle and a real broker get lost, hang or come late, by kind of
 * call, under both pipelines; readers that share nothing with the bridge then compare everything.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Ended, killLeftovers, runShuttle, startShuttle } from '../support/cli.ts';
import { findDifferences } from '../support/differences.ts';
import {
  createTopic,
  createWorld,
  MINUTE_MS,
  produceAll,
  type World,
} from '../support/e2e-world.ts';
import { faultSeed, SHORT } from '../support/faults.ts';
import { type Fate, type KafkaProxy, startKafkaProxy } from '../support/kafka-proxy.ts';
import { CALLS, createFaultPlan, type FaultPlan } from './protocol-plan.ts';

const RECORDS = SHORT ? 1_000 : 10_000;
const KEYS = 200;
const PARTITIONS = 4;
/** Small batches, each a transaction, each a block. */
const BATCH_RECORDS = 5;
const BLOCKS_LEAST = RECORDS / BATCH_RECORDS;
const EVERY_BAD = 97;

let world: World;
let proxy: KafkaProxy;
let brokers: string;

beforeAll(async () => {
  world = await createWorld(19_051, { kafkaProxied: true, blockTransactions: 1 });
  const [listener] = world.network.description.kafka.proxied ?? [];
  if (listener === undefined) {
    throw new Error('The broker has no listener for a proxy.');
  }
  brokers = listener.advertised;
  proxy = await startKafkaProxy({
    listenPort: portOf(listener.advertised),
    targetPort: portOf(listener.listens),
  });
}, 10 * MINUTE_MS);

afterAll(async () => {
  killLeftovers();
  await proxy?.close();
  await world?.close();
}, 2 * MINUTE_MS);

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1));

/** Updates of few keys, deletes among them, and now and then a value that is no JSON. */
function message(topic: string, n: number): { key: string; value: string | null } {
  const key = `${topic}/${(n * 7_919) % KEYS}`;
  if (n % EVERY_BAD === 50) {
    return { key, value: `bad ${n}` };
  }
  return { key, value: n % 11 === 5 ? null : JSON.stringify({ n, pay: 'x'.repeat(n % 97) }) };
}

const settingsOf = (topic: string) => ({
  ...world.settings,
  SHUTTLE_KAFKA__BROKERS: brokers,
  SHUTTLE_KAFKA__REQUEST_TIMEOUT_MS: '2000',
  SHUTTLE_INGEST__TOPICS: topic,
  SHUTTLE_INGEST__BATCH_RECORDS: String(BATCH_RECORDS),
  SHUTTLE_INGEST__ACK_INTERVAL_MS: '200',
  SHUTTLE_COMMAND__DEADLINE_MS: String(3 * MINUTE_MS),
});

/** Both pipelines at work at once, until everything is on the ledger and on the blocks topic. */
async function carryAll(topic: string): Promise<readonly Ended[]> {
  const settings = settingsOf(topic);
  const publisher = startShuttle(['publish'], settings, world.dir);
  const ingested = await runShuttle(['ingest', '--until-end', '--json'], settings, world.dir);
  const stopped = await publisher.stop();
  const published = await runShuttle(['publish', '--until-end', '--json'], settings, world.dir);
  return [ingested, stopped, published];
}

function report(name: string, plan: FaultPlan, seconds: number, blocks: number): void {
  const calls = [...plan.tally].map(([call, { seen, hit }]) => `${call} ${hit}/${seen}`);
  process.stderr.write(
    `${name}: ${RECORDS} records, ${blocks} blocks, ${seconds} s; ${calls.join(', ')}\n`,
  );
}

const KINDS: readonly (readonly [name: string, fates: readonly Fate[]])[] = SHORT
  ? [
      ['requests and answers that are lost or late', ['lose-request', 'lose-answer', 'delay']],
      ['requests and answers that hang', ['hang', 'hold']],
    ]
  : [
      ['requests that are lost', ['lose-request']],
      ['answers that are lost', ['lose-answer']],
      ['requests and answers that hang', ['hang', 'hold']],
      ['answers that come late', ['delay']],
    ];

describe.each(KINDS)('%s, of every kind of call', (name, fates) => {
  it(
    'lose nothing and repeat nothing, in either direction',
    async () => {
      const topic = `faults-${fates.join('-')}`;
      await createTopic(world.kafka, topic, PARTITIONS);
      await produceAll(
        world.kafka,
        topic,
        Array.from({ length: RECORDS }, (_, n) => message(topic, n)),
      );
      const heightBefore = await world.ledger.height();
      const plan = createFaultPlan(faultSeed(), fates);
      const startedMs = Date.now();
      proxy.decide = plan.decide;
      const ends = await carryAll(topic);
      proxy.decide = () => 'pass';
      const blocks = Number((await world.ledger.height()) - heightBefore);
      report(name, plan, Math.round((Date.now() - startedMs) / 1_000), blocks);
      for (const { code, stderr } of ends) {
        const errors = stderr.split('\n').filter((line) => line.includes('"level":"error"'));
        expect([code, errors, stderr.slice(-2_000)]).toEqual([0, [], expect.anything()]);
      }
      // Never vacuous: every kind of call went wrong, over so many blocks.
      expect(blocks).toBeGreaterThanOrEqual(BLOCKS_LEAST);
      expect(CALLS.filter((call) => (plan.tally.get(call)?.hit ?? 0) === 0)).toEqual([]);
      expect(await findDifferences(world, topic, RECORDS)).toEqual([]);
      // The product's own comparison, without the faults.
      const args = ['reconcile', '--source', topic, '--complete', '--json'];
      const { code, stdout, stderr } = await runShuttle(args, world.settings, world.dir);
      expect([code, stdout.slice(0, 2_000), stderr]).toEqual([0, expect.anything(), '']);
    },
    15 * MINUTE_MS,
  );
});
