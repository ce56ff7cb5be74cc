/** Replays of dead letters on a real broker: each letter once, whatever is lost on the way. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createDeadLetters } from '../../../bridge/src/kafka/dead-letters.ts';
import {
  createLetterLog,
  createReplaySink,
  replayGroup,
} from '../../../bridge/src/kafka/letter-topics.ts';
import { createReader } from '../../../bridge/src/kafka/reader.ts';
import { ensureSourceTopics } from '../../../bridge/src/kafka/topics.ts';
import { type ReplayOptions, replayLetters } from '../../../bridge/src/letters/replay.ts';
import { type ListedLetter, listLetters } from '../../../bridge/src/letters/walk.ts';
import { testClock } from '../../support/fakes.ts';
import { readAtLeast } from '../../support/independent.ts';
import { startTestBroker, type TestBroker } from '../../support/kafka-broker.ts';
import { API, type ApiName, once } from '../../support/kafka-proxy.ts';

const MINUTE = 60_000;
const STREAM = 's';
const never = new AbortController().signal;

let broker: TestBroker;

beforeAll(async () => {
  broker = await startTestBroker({ portOffset: 16_390 });
}, MINUTE);

afterEach(() => {
  broker.proxy.decide = () => 'pass';
});

afterAll(() => broker.stop(), MINUTE);

/** A source topic with so many dead letters, of two partitions. */
async function letters(count: number): Promise<string> {
  const topic = await broker.topic(2);
  await ensureSourceTopics(broker.client(), [topic]);
  const deadLetters = createDeadLetters(broker.client(), { stream: STREAM }, testClock);
  await deadLetters.send(
    Array.from({ length: count }, (_, n) => ({
      topic,
      partition: n % 2,
      record: {
        offset: BigInt(n),
        timestamp: 1_000 + n,
        key: Buffer.from(`k${n}`),
        value: Buffer.from([n >> 8, n & 0xff]),
        headers: [{ name: 'own', value: Buffer.from(String(n)) }],
      },
      stage: 'ledger' as const,
      code: n % 2 === 0 ? 'EVEN' : 'ODD',
      reason: 'The record is not good.',
      txId: null,
    })),
    never,
  );
  await deadLetters.close();
  return topic;
}

interface Given {
  readonly brokers?: readonly string[];
  readonly selection?: ReplayOptions['selection'];
  readonly deadlineMs?: number;
}

async function replay(source: string, { brokers, selection = {}, deadlineMs }: Given = {}) {
  const client = broker.client(brokers === undefined ? {} : { brokers });
  const reader = createReader(client);
  const options = deadlineMs === undefined ? {} : { deadlineMs };
  try {
    return await replayLetters(
      {
        log: createLetterLog(reader, source),
        sink: createReplaySink(client, source, testClock, options),
        ledger: { evaluate: async () => Buffer.from('{"versions":[]}') },
        keyExpression: null,
        readSource: async () => null,
        unfinished: async function* () {},
        clock: testClock,
      },
      {
        stream: STREAM,
        selection,
        force: false,
        deadlineMs: 30_000,
        onLeft: () => {},
        onProgress: () => {},
      },
      never,
    );
  } finally {
    await reader.close();
  }
}

async function list(source: string): Promise<ListedLetter[]> {
  const reader = createReader(broker.client());
  const found: ListedLetter[] = [];
  for await (const letter of listLetters(createLetterLog(reader, source))) {
    found.push(letter);
  }
  await reader.close();
  return found;
}

/** The numbers of the letters on the source, in order of number. */
async function numbersOn(source: string, atLeast: number): Promise<number[]> {
  const found = await readAtLeast(broker.plain, source, atLeast);
  return found.map(({ value }) => value?.readUInt16BE() ?? -1).sort((a, b) => a - b);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe('a replay', () => {
  it(
    'brings each letter back to its partition as it was, and says so',
    async () => {
      const source = await letters(500);
      expect((await list(source)).every(({ replayed }) => !replayed)).toBe(true);
      expect(await replay(source, { selection: { code: 'ODD' } })).toMatchObject({ replayed: 250 });
      const listed = await list(source);
      expect(listed).toHaveLength(500);
      expect(listed.every(({ code, replayed }) => replayed === (code === 'ODD'))).toBe(true);
      expect(await replay(source)).toMatchObject({ replayed: 250, already: 250 });
      expect(await replay(source)).toMatchObject({ replayed: 0, already: 500 });
      const found = await readAtLeast(broker.plain, source, 500);
      expect(found).toHaveLength(500);
      for (const { value, key, partition, headers } of found) {
        const n = value?.readUInt16BE() ?? -1;
        expect([key, partition, headers.own]).toEqual([`k${n}`, n % 2, String(n)]);
        expect(headers['__shuttle.replay.record']).toBe(`${source}/${n % 2}@${n}`);
        expect(headers['__shuttle.replay.attempt']).toBe('2');
      }
    },
    MINUTE,
  );

  it(
    'commits to its group how far it has come, in the same transaction',
    async () => {
      const source = await letters(40);
      await replay(source);
      const [offsets] = await broker.admin.fetchOffsets({
        groupId: replayGroup(source),
        topics: [`${source}.dead-letters`],
      });
      const listed = await list(source);
      for (const { partition, offset } of offsets?.partitions ?? []) {
        const last = listed.findLast(({ at }) => at.partition === partition);
        expect([partition, offset]).toEqual([partition, String((last?.at.offset ?? 0n) + 1n)]);
      }
    },
    MINUTE,
  );

  it(
    'of a topic without dead letters has nothing to do; of no topic it is an error',
    async () => {
      const source = await broker.topic(1);
      expect(await replay(source)).toMatchObject({ replayed: 0, leftCount: 0 });
      await expect(replay('absent')).rejects.toMatchObject({ code: 'TOPIC_MISSING' });
    },
    MINUTE,
  );

  it(
    'is fenced by one that starts later, before that one has written anything',
    async () => {
      const source = await letters(10);
      const older = createReplaySink(broker.client(), source, testClock);
      await older.open();
      const newer = createReplaySink(broker.client(), source, testClock);
      await newer.open();
      const late = older.replay({ records: [], progress: { partition: 0, offset: 1n } });
      await expect(late).rejects.toMatchObject({ code: 'REPLAY_FENCED' });
      await Promise.all([older.close(), newer.close()]);
      expect(await replay(source)).toMatchObject({ replayed: 10 });
      expect(await numbersOn(source, 10)).toEqual(upTo(10));
    },
    MINUTE,
  );
});

describe('each letter comes back once', () => {
  const CALLS: readonly ApiName[] = [
    'initProducerId',
    'produce',
    'addPartitionsToTxn',
    'addOffsetsToTxn',
    'txnOffsetCommit',
    'endTxn',
    'findCoordinator',
  ];
  const FATES = ['lose-request', 'lose-answer', 'hang'] as const;
  const faults = CALLS.flatMap((call) => FATES.map((fate) => [call, fate] as const));

  it.each(faults)(
    'when %s meets %s',
    async (call, fate) => {
      const source = await letters(30);
      broker.proxy.faults.length = 0;
      broker.proxy.decide = once(API[call], fate);
      const given = { brokers: broker.proxied, deadlineMs: 3_000 };
      const { replayed } = await replay(source, given);
      expect(broker.proxy.faults).toEqual([{ apiKey: API[call], fate }]);
      expect(replayed).toBe(30);
      expect(await replay(source)).toMatchObject({ replayed: 0, already: 30 });
      expect(await numbersOn(source, 30)).toEqual(upTo(30));
    },
    MINUTE,
  );
});
