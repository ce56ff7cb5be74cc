/** The bft profile: four ordering nodes, of which any one may go without anyone noticing. */

import { common, orderer } from '@hyperledger/fabric-protos';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { fetchMetrics, readMetric } from '../../network/src/metrics.ts';
import { createTopology } from '../../network/src/topology.ts';
import { waitFor } from '../../network/src/wait.ts';
import { runShuttle, startShuttle } from '../support/cli.ts';
import {
  createTopic,
  createWorld,
  MINUTE_MS,
  produceAll,
  type World,
} from '../support/e2e-world.ts';
import { findBlockFaults, readAtLeast } from '../support/independent.ts';
import { cli, markedNames } from './support.ts';

jest.setTimeout(5 * MINUTE_MS);

const RECORDS = 2_000;
const KEYS = 100;
const ORDERERS = ['orderer', 'orderer2', 'orderer3', 'orderer4'];

let world: World;
beforeAll(async () => {
  world = await createWorld(20_900, { profile: 'bft' });
});
afterAll(() => world?.close());

/** The consenters whose signature a block holds, by their number in the channel's config. */
function signersOf(block: common.Block): number[] {
  const [bytes = ''] = block.getMetadata()?.getMetadataList_asU8() ?? [];
  const signatures = common.Metadata.deserializeBinary(bytes as Uint8Array).getSignaturesList();
  return signatures.map((each) =>
    common.IdentifierHeader.deserializeBinary(each.getIdentifierHeader_asU8()).getIdentifier(),
  );
}

async function produce(topic: string): Promise<Readonly<Record<string, string>>> {
  await createTopic(world.kafka, topic, 2);
  const messages = Array.from({ length: RECORDS }, (_, n) => ({
    key: `${topic}/${n % KEYS}`,
    value: JSON.stringify({ n }),
  }));
  await produceAll(world.kafka, topic, messages);
  const small = { SHUTTLE_INGEST__BATCH_RECORDS: '20' };
  return { ...world.settings, ...small, SHUTTLE_INGEST__TOPICS: topic };
}

/** Everything of the topic is on the ledger, and every block of the channel on its topic. */
async function expectCarried(topic: string): Promise<void> {
  for (const key of [0, 99]) {
    const history = await world.ledger.history(`${topic}/${key}`);
    const sent = Array.from({ length: RECORDS / KEYS }, (_, n) => key + n * KEYS);
    expect(history.map(({ document }) => document)).toEqual(sent.map((n) => JSON.stringify({ n })));
  }
  const height = await world.ledger.height();
  const blocks = await readAtLeast(world.kafka, 'shuttle.mychannel.blocks', Number(height));
  const last = await world.ledger.block(height - 1n);
  expect(findBlockFaults(blocks, { height, last })).toEqual([]);
}

/** How much of the channel an ordering node has. */
async function heightOf(name: string): Promise<number | undefined> {
  const { orderers } = createTopology(world.network.description.options);
  const port = orderers.find((each) => each.name === name)?.operationsPort ?? 0;
  return readMetric(await fetchMetrics(port), 'ledger_blockchain_height', 'channel="mychannel"');
}

describe('four ordering nodes', () => {
  test('come up, and three or more of them sign each block', async () => {
    const { orderers, options } = world.network.description;
    expect(orderers.map(({ name }) => name)).toEqual(ORDERERS);
    expect(options).toMatchObject({ profile: 'bft', orderers: 4 });
    const height = await world.ledger.height();
    for (let number = 1n; number < height; number += 1n) {
      const signers = new Set(signersOf(await world.ledger.block(number)));
      expect(signers.size).toBeGreaterThanOrEqual(3);
      expect([...signers].every((id) => id >= 1 && id <= 4)).toBe(true);
    }
  });

  test('carry records in and blocks out', async () => {
    const settings = await produce('whole');
    const run = await runShuttle(['run', '--until-end', '--json'], settings, world.dir);
    expect([run.code, run.code === 0 ? '' : run.stderr.slice(-4_000)]).toEqual([0, '']);
    expect(JSON.parse(run.stdout).ingest).toMatchObject({ recordsRead: RECORDS, applied: RECORDS });
    await expectCarried('whole');
  });
});

describe.each([
  ['one that follows', 'orderer3'],
  ['the one that leads', 'orderer'],
])('%s, killed in mid run', (_, name) => {
  test('ingest and publish go on to the end without it', async () => {
    const topic = `without-${name}`;
    const settings = await produce(topic);
    const bridge = startShuttle(['run', '--until-end', '--json'], settings, world.dir);
    await bridge.waitFor((log) => log.includes('"committed a batch"'));
    await world.network.kill(name, 'SIGKILL');
    const { code, stdout, stderr } = await bridge.ended;
    expect([code, code === 0 ? '' : stderr.slice(-4_000)]).toEqual([0, '']);
    expect(JSON.parse(stdout).ingest).toMatchObject({ recordsRead: RECORDS, applied: RECORDS });
    await expectCarried(topic);
  });

  test('is missed by status, mended by up, and catches up', async () => {
    const { dir } = world.network.description;
    const status = await cli(['status', '--dir', dir]);
    expect(status.stderr).toContain(`NOT_READY: Not running: ${name} (dead).`);
    const result = await cli(['up', '--dir', dir]);
    expect([result.exitCode, result.stderr]).toEqual([0, expect.stringContaining(`${name} (proc`)]);
    expect(markedNames(dir)).toEqual(expect.arrayContaining(ORDERERS));
    const topic = `with-${name}`;
    const run = await runShuttle(['run', '--until-end'], await produce(topic), world.dir);
    expect(run.code).toBe(0);
    // It may be one block behind until the next one comes.
    const caughtUp = async (): Promise<true | undefined> => {
      await world.ledger.contract.submitTransaction('setData', topic, '{}');
      const height = await world.ledger.height();
      return (await heightOf(name)) === Number(height) ? true : undefined;
    };
    await waitFor(caughtUp, { what: name, deadlineMs: MINUTE_MS });
  });
});

test('the configuration changes while it orders', async () => {
  const { sequence } = await world.network.updateChannel((group) => {
    const value = group.getGroupsMap().get('Orderer')?.getValuesMap().get('BatchSize');
    const size = orderer.BatchSize.deserializeBinary(value?.getValue_asU8() ?? new Uint8Array());
    size.setMaxMessageCount(3);
    value?.setValue(size.serializeBinary());
  });
  expect(sequence).toBe(1);
  const run = await runShuttle(['run', '--until-end'], await produce('updated'), world.dir);
  expect(run.code).toBe(0);
  await expectCarried('updated');
});

test('down and up again: the same chain goes on', async () => {
  const { dir } = world.network.description;
  const before = await world.ledger.height();
  expect((await cli(['down', '--dir', dir])).exitCode).toBe(0);
  expect((await cli(['up', '--dir', dir])).exitCode).toBe(0);
  const run = await runShuttle(['run', '--until-end'], await produce('resumed'), world.dir);
  expect(run.code).toBe(0);
  expect(await world.ledger.height()).toBeGreaterThan(before);
  await expectCarried('resumed');
});
