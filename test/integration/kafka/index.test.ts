/** `shuttle index` as its users run it: what it holds is what the changes topic holds. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Partitioners, type Transaction } from 'kafkajs';
import { killLeftovers, runShuttle, startShuttle } from '../../support/cli.ts';
import { startTestBroker, type TestBroker } from '../../support/kafka-broker.ts';
import { createTemporaryFolder } from '../../support/temporary-folder.ts';

const MINUTE = 60_000;
const TOPIC = 'shuttle.mychannel.changes';
const ROUNDS = 12;
const ROUND_CHANGES = 2_500;

const folder = createTemporaryFolder();
let broker: TestBroker;

beforeAll(async () => {
  broker = await startTestBroker({ portOffset: 9_331 });
  await broker.createTopic(TOPIC, 3, { 'cleanup.policy': 'compact' });
}, MINUTE);

afterAll(async () => {
  killLeftovers();
  await broker.stop();
  folder.remove();
}, MINUTE);

const settings = () => ({
  SHUTTLE_KAFKA__BROKERS: broker.brokers.join(','),
  SHUTTLE_LOG__LEVEL: 'debug',
  SHUTTLE_INDEX__FILE: `${folder.path}/index.db`,
});
const shuttle = (...args: readonly string[]) => runShuttle(args, settings(), folder.path);

/** What has been committed, as a table. */
const table = new Map<string, string>();
let block = 0;

async function send(transaction: Transaction, count: number): Promise<Map<string, string | null>> {
  const changes = new Map<string, string | null>();
  const messages = Array.from({ length: count }, (_, n) => {
    const key = `item/${(n * 7_919 + block) % 4_000}`;
    const value = n % 9 === 0 ? null : JSON.stringify({ block, n });
    changes.set(key, value);
    const headers = {
      ce_id: `mychannel:${block}:0:${n}`,
      shuttle_position: `cluster/shuttle.cleaned/0/${block * ROUND_CHANGES + n}`,
    };
    return { key, value, headers };
  });
  await transaction.send({ topic: TOPIC, messages });
  block += 1;
  return changes;
}

function keep(changes: ReadonlyMap<string, string | null>): void {
  for (const [key, value] of changes) {
    if (value === null) {
      table.delete(key);
    } else {
      table.set(key, value);
    }
  }
}

async function listed(): Promise<Map<string, string>> {
  const { code, stdout, stderr } = await shuttle('list', '--limit', '100000');
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringMatching(/^By the index .*: all changes up to block \d+, complete at /),
  });
  const lines = stdout.split('\n').filter(Boolean);
  return new Map(
    lines.map((line) => line.split(/ {2}/, 2)).map(([key = '', value = '']) => [key, value]),
  );
}

describe('an index', () => {
  it(
    'that is killed in the middle, again and again, has each change once and in order',
    async () => {
      const producer = broker.plain.producer({
        transactionalId: 'publisher',
        createPartitioner: Partitioners.DefaultPartitioner,
      });
      await producer.connect();
      const feeders = [startShuttle(['index'], settings(), folder.path)];
      for (let round = 0; round < ROUNDS; round++) {
        const transaction = await producer.transaction();
        const changes = await send(transaction, ROUND_CHANGES);
        // Every third transaction is aborted: nobody may see it.
        await (round % 3 === 2 ? transaction.abort() : transaction.commit());
        if (round % 3 !== 2) {
          keep(changes);
        }
        const feeder = feeders.pop();
        await feeder?.waitFor((log) => log.includes('applied changes'));
        feeder?.process.kill('SIGKILL');
        await feeder?.ended;
        feeders.push(startShuttle(['index'], settings(), folder.path));
      }
      await producer.disconnect();
      // A second one feeds the same file at the same time.
      const end = await shuttle('index', '--until-end', '--json');
      expect({ code: end.code, ...JSON.parse(end.stdout) }).toMatchObject({
        code: 0,
        complete: true,
      });
      expect(await listed()).toEqual(table);
      const feeder = feeders.pop();
      expect(await feeder?.stop()).toMatchObject({ code: 0, signal: null });
    },
    2 * MINUTE,
  );

  it('answers pages with positions, and says where they come from', async () => {
    const { stdout } = await shuttle('list', 'item/', '--limit', '2', '--json');
    const page = JSON.parse(stdout);
    const [first, second] = [...table.keys()].toSorted();
    expect(page.documents.map(({ key }: { key: string }) => key)).toEqual([first, second]);
    expect(page.documents[0]).toMatchObject({
      document: JSON.parse(table.get(first ?? '') ?? ''),
      source: { stream: 'cluster', topic: 'shuttle.cleaned', partition: 0 },
    });
    expect(page.index).toMatchObject({
      file: `${folder.path}/index.db`,
      block: expect.any(String),
    });
    const next = await shuttle('list', 'item/', '--limit', '1', '--bookmark', page.bookmark);
    expect(next.stdout.split('  ')[0]).toBe([...table.keys()].toSorted()[2]);
  });

  it('stops with INDEX_BROKEN when its topic was made anew, until it is rebuilt', async () => {
    await broker.admin.deleteTopics({ topics: [TOPIC] });
    await broker.createTopic(TOPIC, 3, { 'cleanup.policy': 'compact' });
    const { code, stderr } = await shuttle('index', '--until-end');
    expect([code, stderr]).toEqual([5, expect.stringContaining('INDEX_BROKEN')]);
    const rebuilt = await shuttle('index', '--until-end', '--rebuild');
    expect([rebuilt.code, rebuilt.stdout]).toEqual([0, expect.stringContaining('0 changes')]);
    expect((await shuttle('list')).stdout).toBe('');
  });

  it('of another channel is not asked', async () => {
    const { code, stderr } = await shuttle('list', '--channel', 'another');
    expect([code, stderr]).toEqual([2, expect.stringContaining('INDEX_FOREIGN')]);
  });
});
