/** The clean stage on a real broker: each raw record becomes its documents or its letter, once. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import { cleanTransactionalId, createCleanSink } from '../../../bridge/src/kafka/clean-sink.ts';
import { createReader, type PartitionReader } from '../../../bridge/src/kafka/reader.ts';
import { scan } from '../../../bridge/src/kafka/scan.ts';
import { readTopicFacts } from '../../../bridge/src/kafka/topic-facts.ts';
import { ensureCleanTopics } from '../../../bridge/src/kafka/topics.ts';
import { createTransactions } from '../../../bridge/src/kafka/transactions.ts';
import type { CleanedRecord, CleanStep } from '../../../bridge/src/ports.ts';
import { killLeftovers, type Running, runShuttle, startShuttle } from '../../support/cli.ts';
import { testClock } from '../../support/fakes.ts';
import { startTestBroker, type TestBroker } from '../../support/kafka-broker.ts';
import { createTemporaryFolder } from '../../support/temporary-folder.ts';

const MINUTE = 60_000;
/** A group's session in these tests: as short as a broker allows. */
const SESSION_MS = 6_000;
/** Every so many records one is refused. */
const REFUSED_EVERY = 10;

const RULES = `
name: numbers
version: 1
key: /thing
steps:
  - rule: small
    validate:
      schema:
        type: object
        required: [thing, n]
        properties: { n: { type: integer } }
`;

let broker: TestBroker;
const folder = createTemporaryFolder();

beforeAll(async () => {
  broker = await startTestBroker({ portOffset: 7_329 });
  writeFileSync(join(folder.path, 'rules.yaml'), RULES);
}, MINUTE);

afterEach(() => killLeftovers());

afterAll(async () => {
  await broker.stop();
  folder.remove();
}, MINUTE);

interface Topics {
  readonly from: string;
  readonly to: string;
}

async function topics(partitions: number): Promise<Topics> {
  // The records are of 2023: a broker that keeps a week takes them away as soon as it looks.
  const forEver = { 'retention.ms': '-1' };
  const from = await broker.topic(partitions, forEver);
  const to = `${from}.cleaned`;
  await ensureCleanTopics(broker.client(), { from, to });
  return { from, to };
}

/** Records [first, first + count) of a partition; their keys are of that partition alone. */
async function produce(from: string, partition: number, first: number, count: number) {
  const messages = Array.from({ length: count }, (_, i) => {
    const n = first + i;
    const isRefused = n % REFUSED_EVERY === 0;
    return {
      partition,
      key: `raw-${n}`,
      value: JSON.stringify({ thing: `p${partition}-${n % 7}`, n: isRefused ? 'none' : n }),
      headers: { own: String(n) },
      timestamp: String(1_700_000_000_000 + n),
    };
  });
  await broker.producer.send({ topic: from, messages });
}

/** In small portions until told, so that there is always something under way. @returns how many */
async function produceUntil(signal: AbortSignal, from: string, partitions: number) {
  const portion = 100;
  for (let first = 0; ; first += portion) {
    if (signal.aborted) {
      return first;
    }
    for (let partition = 0; partition < partitions; partition++) {
      await produce(from, partition, first, portion);
    }
    await testClock.sleep(200);
  }
}

function clean(
  { from, to }: Topics,
  args: readonly string[] = [],
  brokers = broker.brokers,
): Running {
  const settings = {
    SHUTTLE_KAFKA__BROKERS: brokers.join(','),
    SHUTTLE_KAFKA__SESSION_TIMEOUT_MS: String(SESSION_MS),
    SHUTTLE_LOG__FORMAT: 'json',
    SHUTTLE_LOG__LEVEL: 'debug',
  };
  const own = ['clean', '--rules', 'rules.yaml', '--from', from, '--to', to, ...args];
  return startShuttle(own, settings, folder.path);
}

interface Found {
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Everything of [0, count) of each partition is there once, in order per key. */
function expectComplete(
  found: { readonly cleaned: readonly Found[]; readonly letters: readonly Found[] },
  partitions: number,
  count: number,
): void {
  const last = new Map<string, number>();
  const seen: string[] = [];
  for (const { key, value } of found.cleaned) {
    const { thing, n } = JSON.parse(value) as { thing: string; n: number };
    expect(key).toBe(thing);
    expect(n).toBeGreaterThan(last.get(thing) ?? -1);
    last.set(thing, n);
    seen.push(`${thing.slice(1, thing.indexOf('-'))}/${n}`);
  }
  const refused = found.letters.map(
    ({ headers }) => `${headers['__connect.errors.partition']}/${headers.own}`,
  );
  const all = Array.from({ length: partitions }, (_, p) =>
    Array.from({ length: count }, (__, n) => ({ name: `${p}/${n}`, n })),
  ).flat();
  const isRefused = ({ n }: { n: number }): boolean => n % REFUSED_EVERY === 0;
  const names = (some: typeof all): string[] => some.map(({ name }) => name).sort();
  expect(seen.sort()).toEqual(names(all.filter((each) => !isRefused(each))));
  expect(refused.sort()).toEqual(names(all.filter(isRefused)));
}

/** kafkajs' own reader lets records of interleaved aborted transactions through; ours does not. */
async function readCommitted(topic: string, atLeast: number): Promise<Found[]> {
  const reader = createReader(broker.client());
  try {
    for (;;) {
      // A broker with much to do may answer with nothing below the end that it has told.
      const found = await readOnce(reader, topic).catch((error: ShuttleError) => {
        expect(error.code).toBe('KAFKA_UNREACHABLE');
        return [];
      });
      if (found.length >= atLeast) {
        return found;
      }
      await testClock.sleep(200);
    }
  } finally {
    await reader.close();
  }
}

async function readOnce(reader: PartitionReader, topic: string): Promise<Found[]> {
  const found: Found[] = [];
  for (const { partition, logStart, logEnd } of await reader.ends([topic])) {
    for await (const records of scan(reader, { topic, partition }, logStart, logEnd)) {
      for (const { key, value, headers } of records) {
        const texts = headers.map(({ name, value: of }) => [name, String(of)]);
        const text = Buffer.from(value ?? '').toString();
        const keyed = Buffer.from(key ?? '').toString();
        found.push({ key: keyed, value: text, headers: Object.fromEntries(texts) });
      }
    }
  }
  return found;
}

async function readAll({ from, to }: Topics, partitions: number, count: number) {
  const refused = partitions * Math.ceil(count / REFUSED_EVERY);
  const [cleaned, letters] = await Promise.all([
    readCommitted(to, partitions * count - refused),
    readCommitted(`${from}.dead-letters`, refused),
  ]);
  return { cleaned, letters };
}

describe('shuttle clean --until-end', () => {
  it(
    'makes of each raw record its document or its letter, and says where each comes from',
    async () => {
      const at = await topics(2);
      await Promise.all([produce(at.from, 0, 0, 500), produce(at.from, 1, 0, 500)]);
      const { code, stdout, stderr } = await clean(at, ['--until-end', '--json']).ended;
      expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
      expect(JSON.parse(stdout)).toMatchObject({
        recordsRead: 1_000,
        cleaned: 900,
        documents: 900,
        refused: 100,
        refusals: [{ rule: 'small', code: 'SCHEMA_VIOLATED', records: 100 }],
        stops: [],
      });
      const found = await readAll(at, 2, 500);
      expectComplete(found, 2, 500);
      const [first] = found.cleaned.filter(({ headers }) => headers.own === '1');
      expect(first?.headers.shuttle_position).toMatch(
        new RegExp(`^[^/]+/${at.from.replaceAll('.', '\\.')}/[01]/1$`),
      );
      expect(found.letters[0]?.headers).toMatchObject({
        '__shuttle.errors.stage': 'clean',
        '__shuttle.errors.rule': 'small',
        '__shuttle.errors.code': 'SCHEMA_VIOLATED',
        '__connect.errors.topic': at.from,
      });
      const again = await clean(at, ['--until-end', '--json']).ended;
      expect(JSON.parse(again.stdout)).toMatchObject({ recordsRead: 0, transactions: 0 });
    },
    MINUTE,
  );
});

describe('the cleaned topic', () => {
  it('that Shuttle creates keeps records for as long as the raw one, whatever their time', async () => {
    const { to } = await topics(1);
    const facts = await readTopicFacts(broker.client(), [to]);
    expect(facts.get(to)?.settings.get('retention.ms')).toBe('-1');
    expect(facts.get(to)?.settings.get('message.timestamp.type')).toBe('CreateTime');
  });
});

describe('two instances of shuttle clean', () => {
  it(
    'lose and repeat nothing when they are killed, rebalanced and killed again under load',
    async () => {
      const at = await topics(3);
      const instances = [clean(at), clean(at)];
      const enough = new AbortController();
      const produced = produceUntil(enough.signal, at.from, 3);
      for (let kill = 0; kill < 3; kill++) {
        const before = instances[kill % 2];
        // Killed in the middle of its work: soon after it has committed something again.
        const length = before?.log().length ?? 0;
        await before?.waitFor((log) => log.slice(length).includes('committed cleaned records'));
        await testClock.sleep(37 * kill);
        before?.process.kill('SIGKILL');
        await before?.ended;
        instances[kill % 2] = clean(at);
      }
      enough.abort();
      const count = await produced;
      const found = await readAll(at, 3, count);
      for (const instance of instances) {
        expect((await instance.stop()).code).toBe(0);
      }
      expectComplete(found, 3, count);
    },
    2 * MINUTE,
  );
});

/** A sink of partition 0, as an instance of the group has it. */
function sinkOf({ from, to }: Topics) {
  const options = { groupId: `g-${from}`, at: { topic: from, partition: 0 }, to, stream: 's' };
  return createCleanSink(broker.client(), options, testClock);
}

const stepTo = (next: bigint): CleanStep => ({
  cleaned: [
    {
      raw: { offset: next - 1n, timestamp: 1, key: null, value: null, headers: [] },
      key: Buffer.from('k'),
      value: Buffer.from(`{"n":${next - 1n}}`),
    },
  ],
  letters: [],
  next,
});

describe('the sink of a partition', () => {
  it(
    'is fenced by a later one before that one has written anything',
    async () => {
      const at = await topics(1);
      const [older, newer] = [sinkOf(at), sinkOf(at)];
      await older.open();
      await older.commit(stepTo(1n));
      expect(await newer.open()).toMatchObject({ offset: 1n, isGroupKnown: true });
      await expect(older.commit(stepTo(2n))).rejects.toMatchObject({ code: 'CLEAN_FENCED' });
      await newer.commit(stepTo(2n));
      expect(await readCommitted(at.to, 2)).toHaveLength(2);
      await Promise.all([older.close(), newer.close()]);
    },
    MINUTE,
  );

  it(
    'reads its position only when nobody else can move it any more',
    async () => {
      const at = await topics(1);
      const older = sinkOf(at);
      await older.open();
      const newer = createTransactions(
        broker.client(),
        {
          transactionalId: cleanTransactionalId(`g-${at.from}`, { topic: at.from, partition: 0 }),
          topics: [at.to],
          deadlineMs: 10_000,
          transactionTimeoutMs: 20_000,
          at: {},
          fenced: (cause) => new ShuttleError('INTERNAL', 'The newer was fenced.', { cause }),
        },
        testClock,
      );
      // What `open` is given reads the position of a sink.
      const late = await newer.open(() =>
        older.commit(stepTo(1n)).catch((error: unknown) => error),
      );
      expect(late).toMatchObject({ code: 'CLEAN_FENCED' });
      await Promise.all([older.close(), newer.close()]);
    },
    MINUTE,
  );

  it(
    'finds the position that a transaction left, however soon it looks',
    async () => {
      const at = await topics(1);
      for (let next = 1n; next <= 20n; next++) {
        const sink = sinkOf(at);
        await sink.open();
        await sink.commit(stepTo(next));
        const successor = sinkOf(at);
        expect((await successor.open()).offset).toBe(next);
        await Promise.all([sink.close(), successor.close()]);
      }
    },
    MINUTE,
  );

  it(
    'refuses what the cleaned topic does not take',
    async () => {
      const at = await topics(1);
      const sink = sinkOf(at);
      await sink.open();
      const [cleaned] = stepTo(1n).cleaned;
      const large = { ...(cleaned as CleanedRecord), value: Buffer.alloc(1_200_000, 'x') };
      expect(sink.misfit(cleaned as CleanedRecord)).toBeNull();
      expect(sink.misfit(large)).toMatch(/needs 12\d+ bytes, and .* takes 1114112/);
      await sink.close();
    },
    MINUTE,
  );
});

describe('shuttle clean', () => {
  it(
    'that was held up beyond its session neither repeats nor loses a record',
    async () => {
      const at = await topics(2);
      const zombie = clean(at);
      const enough = new AbortController();
      const produced = produceUntil(enough.signal, at.from, 2);
      await zombie.waitFor((log) => log.includes('committed cleaned records'));
      zombie.process.kill('SIGSTOP');
      const heir = clean(at);
      await heir.waitFor((log) => log.includes('committed cleaned records'));
      const before = zombie.log().length;
      zombie.process.kill('SIGCONT');
      await zombie.waitFor((log) => log.slice(before).includes('committed cleaned records'));
      enough.abort();
      const found = await readAll(at, 2, await produced);
      for (const instance of [zombie, heir]) {
        expect((await instance.stop()).code).toBe(0);
      }
      expectComplete(found, 2, await produced);
    },
    2 * MINUTE,
  );

  it(
    'stops with POSITION_LOST when the group has forgotten what was cleaned, unless told to start over',
    async () => {
      const at = await topics(2);
      await produce(at.from, 0, 0, 20);
      const group = ['--set', `clean.groupId=g-${at.from}`];
      expect((await clean(at, ['--until-end', ...group]).ended).code).toBe(0);
      await broker.admin.deleteGroups([`g-${at.from}`]);
      const lost = await clean(at, ['--until-end', '--json', ...group]).ended;
      expect(lost.code).toBe(5);
      expect(JSON.parse(lost.stdout)).toMatchObject({
        recordsRead: 0,
        stops: [{ code: 'POSITION_LOST' }, { code: 'POSITION_LOST' }],
      });
      expect(await readCommitted(at.to, 18)).toHaveLength(18);
      const accepted = ['--set', 'clean.acceptLostPosition=true'];
      expect((await clean(at, ['--until-end', ...group, ...accepted]).ended).code).toBe(0);
      expect(await readCommitted(at.to, 36)).toHaveLength(36);
    },
    MINUTE,
  );

  it(
    'stops with SOURCE_TRUNCATED when records are gone that were not cleaned',
    async () => {
      const at = await topics(1);
      await produce(at.from, 0, 0, 20);
      expect((await clean(at, ['--until-end']).ended).code).toBe(0);
      await produce(at.from, 0, 20, 20);
      await broker.truncate(at.from, 30n);
      const stopped = await clean(at, ['--until-end', '--json']).ended;
      expect(stopped.code).toBe(5);
      expect(JSON.parse(stopped.stdout)).toMatchObject({ stops: [{ code: 'SOURCE_TRUNCATED' }] });
      const accepted = ['--until-end', '--json', '--set', 'clean.acceptTruncation=true'];
      const { code, stdout } = await clean(at, accepted).ended;
      expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ recordsRead: 10 })]);
    },
    MINUTE,
  );

  it(
    'brings its dead letters back to the raw topic, each once, and cleans them again',
    async () => {
      const at = await topics(1);
      await produce(at.from, 0, 0, 30);
      expect((await clean(at, ['--until-end']).ended).code).toBe(0);
      const settings = { SHUTTLE_KAFKA__BROKERS: broker.brokers.join(',') };
      const letters = (args: readonly string[]) =>
        runShuttle(
          ['dead-letters', ...args, '--topic', at.from, '--set', `clean.from=${at.from}`],
          settings,
          folder.path,
        );
      const listed = await letters(['list', '--json']);
      expect(listed.stdout).toContain('"SCHEMA_VIOLATED"');
      expect((await letters(['replay', '--all'])).code).toBe(0);
      expect(await readCommitted(at.from, 33)).toHaveLength(33);
      expect((await clean(at, ['--until-end']).ended).code).toBe(0);
      const again = await readCommitted(`${at.from}.dead-letters`, 6);
      const attempts = again.map(({ headers }) => headers['__shuttle.errors.attempts'] ?? '');
      expect(attempts.filter((attempt) => attempt !== '')).toEqual(['1', '1', '1', '2', '2', '2']);
    },
    MINUTE,
  );

  it(
    'waits while the broker is away, says so once, and goes on where it was',
    async () => {
      const at = await topics(2);
      const running = clean(at);
      await produce(at.from, 0, 0, 200);
      await running.waitFor((log) => log.includes('committed cleaned records'));
      await broker.network.kill('kafka1');
      await running.waitFor((log) => log.includes('lost the far side, waiting'));
      await broker.network.start('kafka1');
      await running.waitFor((log) => log.includes('reached the far side again'));
      await Promise.all([produce(at.from, 0, 200, 300), produce(at.from, 1, 0, 500)]);
      const found = await readAll(at, 2, 500);
      const { code, stderr } = await running.stop();
      expect(code).toBe(0);
      expect(stderr.match(/"msg":"lost the far side, waiting"/g)).toHaveLength(1);
      expectComplete(found, 2, 500);
    },
    2 * MINUTE,
  );
});
