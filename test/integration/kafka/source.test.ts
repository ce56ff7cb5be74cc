import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createKafkaSource } from '../../../bridge/src/kafka/source.ts';
import { testClock } from '../../support/fakes.ts';
import { startTestBroker, type TestBroker } from '../../support/kafka-broker.ts';
import { Member, type Reading } from '../../support/kafka-member.ts';
import { API, once } from '../../support/kafka-proxy.ts';

const MINUTE = 60_000;

let broker: TestBroker;
let groups = 0;
const members: Member[] = [];

beforeAll(async () => {
  broker = await startTestBroker({ portOffset: 14_066 });
}, MINUTE);

afterEach(async () => {
  broker.proxy.decide = () => 'pass';
  await Promise.all(members.splice(0).map((member) => member.leave()));
}, MINUTE);

afterAll(() => broker.stop(), MINUTE);

interface JoinOptions extends Partial<Reading> {
  readonly groupId?: string;
  readonly proxied?: boolean;
}

const newGroup = (): string => `g${groups++}-${Date.now()}`;

function join(topic: string, options: JoinOptions = {}): Member {
  const { groupId = newGroup(), proxied = false, ...reading } = options;
  const client = broker.client(proxied ? { brokers: broker.proxied } : {});
  const source = createKafkaSource(client, { groupId, topics: [topic] }, testClock);
  const member = new Member(source, { begin: (at) => at.logStart, ...reading });
  members.push(member);
  return member;
}

async function until(what: string, condition: () => boolean, timeoutMs = 20_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > end) {
      throw new Error(`It did not come true that ${what}.`);
    }
    await testClock.sleep(5);
  }
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => String(from + i));

const send = (topic: string, values: readonly string[], partition = 0) =>
  broker.producer.send({ topic, messages: values.map((value) => ({ value, partition })) });

describe('an assignment', () => {
  it('tells log start, committed end and the ack with its metadata', async () => {
    const topic = await broker.topic();
    await send(topic, numbers(0, 10));
    await broker.truncate(topic, 3n);
    const groupId = newGroup();
    const first = join(topic, { groupId });
    await until('all were read', () => first.next === 10n);
    expect(first.assignment()).toMatchObject({ logStart: 3n, logEnd: 10n, ack: null });
    expect(first.values()).toEqual(numbers(3, 10));
    const acked = first.source.ack(first.assignment(), 7n, 'ledger 1');
    expect(await acked).toBe(true);
    await first.leave();
    const second = join(topic, { groupId });
    await until('it was assigned', () => second.owned.size === 1);
    expect(second.assignment().ack).toEqual({ offset: 7n, metadata: 'ledger 1' });
    expect(await second.source.acks()).toEqual([
      { topic, partition: 0, offset: 7n, metadata: 'ledger 1' },
    ]);
    expect(await second.source.ends()).toEqual([
      { topic, partition: 0, logStart: 3n, logEnd: 10n, writtenEnd: 10n },
    ]);
  });

  it('delivers nothing before its start, and then from there on', async () => {
    const topic = await broker.topic(2);
    await send(topic, numbers(0, 100), 0);
    await send(topic, numbers(0, 100), 1);
    const member = join(topic, { begin: (at) => (at.partition === 0 ? 40n : null) });
    await until('the one came', () => member.next === 100n);
    await testClock.sleep(500);
    expect(member.values(0)).toEqual(numbers(40, 100));
    expect(member.values(1)).toEqual([]);
    member.source.start(member.assignment(1), 99n);
    await until('the other came', () => member.values(1).length > 0);
    expect(member.values(1)).toEqual(['99']);
  });

  it('of a topic that does not exist is refused', async () => {
    const member = join('no-such-topic');
    await member.ended();
    expect(member.failure).toMatchObject({ code: 'TOPIC_MISSING' });
  });

  it(
    'waits for Kafka when it does not answer at first',
    async () => {
      const topic = await broker.topic();
      await send(topic, ['a']);
      broker.proxy.cut(false);
      const member = join(topic, { proxied: true });
      await until('it was told', () => member.count('unreachable') > 0);
      broker.proxy.cut(true);
      await until('it came', () => member.next === 1n);
      const kinds = member.events.map(({ kind }) => kind);
      // Told at each try; the pipeline says it once.
      expect(kinds.filter((kind, index) => kind !== kinds[index - 1])).toEqual([
        'unreachable',
        'reachable',
        'assigned',
        'records',
      ]);
    },
    MINUTE,
  );
});

describe('a pause', () => {
  it('holds the partition back until the resume, and loses and repeats nothing', async () => {
    const topic = await broker.topic(2);
    await send(topic, numbers(0, 1_000));
    const member = join(topic);
    await until('it came', () => member.values().length === 1_000);
    member.source.pause(member.assignment(0));
    await send(topic, numbers(1_000, 2_000));
    await send(topic, ['other'], 1);
    await until('the other came', () => member.values(1).length === 1);
    await testClock.sleep(400);
    expect(member.values()).toHaveLength(1_000);
    const from = Date.now();
    member.source.resume(member.assignment(0));
    await until('the rest came', () => member.values().length === 2_000);
    expect(Date.now() - from).toBeLessThan(2_000);
    expect(member.values()).toEqual(numbers(0, 2_000));
  });

  it('comes by itself when nobody takes what was fetched', async () => {
    const topic = await broker.topic();
    const value = 'x'.repeat(1_000);
    // Fetches are of whole batches, so these have to be small.
    for (let i = 0; i < 60; i++) {
      await send(
        topic,
        Array.from({ length: 500 }, () => value),
      );
    }
    let before = 0;
    let taken = 0;
    const member = join(topic, {
      proxied: true,
      begin: (assignment) => {
        before = broker.proxy.received;
        return assignment.logStart;
      },
      onRecords: async () => {
        if (taken === 0) {
          // Time enough to fetch all 30 MB if nothing held it back.
          await testClock.sleep(2_000);
          taken = broker.proxy.received - before;
        }
      },
    });
    await until('all came', () => member.next === 30_000n);
    expect(member.values()).toHaveLength(30_000);
    expect(taken).toBeGreaterThan(8_000_000);
    expect(taken).toBeLessThan(24_000_000);
  }, 60_000);
});

describe('a rebalance', () => {
  it(
    'keeps what the member keeps, and revokes what it loses',
    async () => {
      const topic = await broker.topic(4);
      const groupId = newGroup();
      const all = [0, 1, 2, 3];
      await Promise.all(all.map((partition) => send(topic, numbers(0, 100), partition)));
      const first = join(topic, { groupId });
      await until('all came', () => all.every((p) => first.values(p).length === 100));
      const epochs = new Map(all.map((p) => [p, first.assignment(p).epoch]));
      const second = join(topic, { groupId, begin: () => 100n });
      await until('both own', () => first.owned.size === 2 && second.owned.size === 2);
      await Promise.all(all.map((partition) => send(topic, numbers(100, 200), partition)));
      const mine = [...first.owned.values()].map(({ partition }) => partition);
      const theirs = [...second.owned.values()].map(({ partition }) => partition);
      await until('the rest came', () => mine.every((p) => first.values(p).length === 200));
      await until('theirs came', () => theirs.every((p) => second.values(p).length === 100));
      for (const partition of mine) {
        expect(first.assignment(partition).epoch).toBe(epochs.get(partition));
        expect(first.values(partition)).toEqual(numbers(0, 200));
      }
      for (const partition of theirs) {
        expect(first.values(partition)).toEqual(numbers(0, 100));
        expect(second.values(partition)).toEqual(numbers(100, 200));
      }
      expect(first.count('revoked')).toBe(2);
      expect([...mine, ...theirs].sort((a, b) => a - b)).toEqual(all);
    },
    MINUTE,
  );

  it(
    'lets no late ack of the former owner move the group back',
    async () => {
      const topic = await broker.topic(2);
      const groupId = newGroup();
      await Promise.all([send(topic, numbers(0, 10), 0), send(topic, numbers(0, 10), 1)]);
      const first = join(topic, { groupId });
      await until('both came', () => first.values(0).length + first.values(1).length === 20);
      const before = [first.assignment(0), first.assignment(1)];
      const second = join(topic, { groupId, begin: () => 0n });
      await until('both own', () => first.owned.size === 1 && second.owned.size === 1);
      const [moved] = [...second.owned.values()];
      const lost = before.find(({ partition }) => partition === moved?.partition);
      if (moved === undefined || lost === undefined) {
        throw new Error('Nothing was moved.');
      }
      expect(await second.source.ack(moved, 9n, 'new')).toBe(true);
      expect(await first.source.ack(lost, 2n, 'late')).toBe(false);
      first.source.start(lost, 0n);
      first.source.resume(lost);
      const acks = await first.source.acks();
      expect(acks.find(({ partition }) => partition === lost.partition)?.offset).toBe(9n);
    },
    MINUTE,
  );
});

describe('an ack', () => {
  it('at the very end reaches the group', async () => {
    const topic = await broker.topic();
    const groupId = newGroup();
    await send(topic, numbers(0, 5));
    const client = broker.client({ brokers: broker.proxied });
    const source = createKafkaSource(client, { groupId, topics: [topic] }, testClock);
    const stop = new AbortController();
    // Its first try fails, so that only who waits for it has it.
    broker.proxy.decide = once(API.offsetCommit, 'lose-request');
    let last: Promise<boolean> | null = null;
    for await (const event of source.events(stop.signal)) {
      if (event.kind === 'assigned') {
        source.start(event.assignment, 0n);
      } else if (event.kind === 'records') {
        stop.abort();
        last = source.ack(event.batch, event.batch.next, 'end');
      }
    }
    await source.close();
    expect(broker.proxy.faults.map(({ apiKey }) => apiKey)).toContain(API.offsetCommit);
    expect(await last).toBe(true);
    const [group] = await broker.admin.fetchOffsets({ groupId, topics: [topic] });
    expect(group?.partitions).toEqual([{ partition: 0, offset: '5', metadata: 'end' }]);
    const members = await broker.admin.describeGroups([groupId]);
    expect(members.groups[0]?.members).toEqual([]);
  });

  it('before the first record reaches the group too', async () => {
    const topic = await broker.topic();
    const groupId = newGroup();
    const member = join(topic, { groupId });
    await until('it was assigned', () => member.owned.size === 1);
    expect(await member.source.ack(member.assignment(), 0n, 'none yet')).toBe(true);
    const [group] = await broker.admin.fetchOffsets({ groupId, topics: [topic] });
    expect(group?.partitions).toEqual([{ partition: 0, offset: '0', metadata: 'none yet' }]);
  });

  it(
    'whose answer is lost is made again',
    async () => {
      const topic = await broker.topic();
      await send(topic, numbers(0, 5));
      const member = join(topic, { proxied: true });
      await until('it came', () => member.next === 5n);
      let lost = 0;
      broker.proxy.decide = ({ apiKey }) =>
        apiKey === API.offsetCommit && lost++ < 2 ? 'lose-answer' : 'pass';
      expect(await member.source.ack(member.assignment(), 5n, 'm')).toBe(true);
      expect(lost).toBe(3);
      expect(await member.source.acks()).toHaveLength(1);
    },
    MINUTE,
  );
});

describe('records that are gone', () => {
  it('are told in mid run by a log start beyond what was expected', async () => {
    const topic = await broker.topic();
    const groupId = newGroup();
    await send(topic, numbers(0, 10));
    const member = join(topic, { groupId });
    await until('all came', () => member.next === 10n);
    member.source.pause(member.assignment());
    await send(topic, numbers(10, 20));
    await broker.truncate(topic, 15n);
    member.source.resume(member.assignment());
    await until('the rest came', () => member.next === 20n);
    const told = member.batches.find(({ logStart }) => logStart === 15n);
    expect(told).toMatchObject({ records: [], next: 15n, logStart: 15n });
    expect(member.values()).toEqual([...numbers(0, 10), ...numbers(15, 20)]);
    // kafkajs would have written its own new position to the group.
    expect(await member.source.acks()).toEqual([]);
  });

  it('are told when it starts below the log start', async () => {
    const topic = await broker.topic();
    await send(topic, numbers(0, 10));
    await broker.truncate(topic, 4n);
    const member = join(topic, { begin: () => 2n });
    await until('it came', () => member.next === 10n);
    expect(member.batches[0]).toMatchObject({ records: [], next: 4n, logStart: 4n });
    expect(member.values()).toEqual(numbers(4, 10));
  });

  it('stop the source when the log ends before the next offset', async () => {
    const topic = await broker.topic();
    await send(topic, numbers(0, 10));
    const member = join(topic, { begin: () => 50n });
    await member.ended();
    expect(member.failure).toMatchObject({ code: 'SOURCE_REWOUND' });
    expect(await member.source.acks()).toEqual([]);
  });
});

describe('a member that dies', () => {
  it('is replaced: its partitions are revoked and assigned anew', async () => {
    const topic = await broker.topic();
    const groupId = newGroup();
    await send(topic, numbers(0, 5));
    const member = join(topic, { groupId, proxied: true });
    await until('it came', () => member.next === 5n);
    const { epoch } = member.assignment();
    broker.proxy.cut(false);
    await until('it was lost', () => member.count('revoked') === 1, 50_000);
    await send(topic, numbers(5, 8));
    broker.proxy.cut(true);
    await until('it came again', () => member.next === 8n, 50_000);
    expect(member.assignment().epoch).toBeGreaterThan(epoch);
    const kinds = member.events.map(({ kind }) => kind);
    expect(kinds.slice(0, 4)).toEqual(['assigned', 'records', 'revoked', 'unreachable']);
    expect(member.values()).toEqual([...numbers(0, 5), ...numbers(0, 8)]);
    expect(await member.source.ack(member.assignment(), 8n, '')).toBe(true);
  }, 120_000);

  it(
    'does not die of one broken connection',
    async () => {
      const topic = await broker.topic();
      await send(topic, numbers(0, 5));
      const member = join(topic, { proxied: true });
      await until('it came', () => member.next === 5n);
      broker.proxy.cut(true);
      await send(topic, numbers(5, 9));
      await until('the rest came', () => member.next === 9n);
      expect(member.values()).toEqual(numbers(0, 9));
      expect(member.count('revoked')).toBe(0);
    },
    MINUTE,
  );
});
