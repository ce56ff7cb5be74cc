/** `shuttle consume` as its users run it, on topics that are encrypted by two keys. */
import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Message } from 'kafkajs';
import { createEncryptor, type EncryptRecord } from '../../../bridge/src/block/encryption.ts';
import { type Ended, killLeftovers, runShuttle, startShuttle } from '../../support/cli.ts';
import { startTestBroker, type TestBroker } from '../../support/kafka-broker.ts';
import { asRead } from '../../support/published.ts';
import { createTemporaryFolder } from '../../support/temporary-folder.ts';

const MINUTE = 60_000;
const CHANGES = 'shuttle.mychannel.changes';
const EVENTS = 'shuttle.mychannel.events';
const PARTITIONS = 3;
const CHANGE_COUNT = 300;
/** The records are old, as a ledger's may be: the broker would take them away after a while. */
const FOR_EVER = { 'retention.ms': '-1' };
const START_MS = 1_700_000_000_000;

const [firstKey, secondKey] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const first = createEncryptor('mychannel', 'k1', firstKey);
const second = createEncryptor('mychannel', 'k2', secondKey);

const folder = createTemporaryFolder();
let broker: TestBroker;

/** A change as the publisher writes it; every ninth is a deletion. */
function change(n: number, encrypt: EncryptRecord): Message & { readonly partition: number } {
  const { key, value, headers } = asRead(
    encrypt('changes', String(n), {
      topic: CHANGES,
      key: `item/${n}`,
      value: n % 9 === 0 ? null : JSON.stringify({ n }),
      headers: [{ name: 'ce_id', value: `mychannel:${n}:0:0` }],
    }),
  );
  return {
    partition: n % PARTITIONS,
    key: Buffer.from(key ?? ''),
    value: value === null ? null : Buffer.from(value),
    headers: Object.fromEntries(headers.map((each) => [each.name, Buffer.from(each.value ?? '')])),
    timestamp: String(START_MS + n * 1_000),
  };
}

function event(n: number, encrypt: EncryptRecord, value: string | Uint8Array): Message {
  const headers = [{ name: 'ce_id', value: `mychannel:${n}:0:event` }];
  const record = asRead(
    encrypt('events', String(n), { topic: EVENTS, key: `tx${n}`, value, headers }),
  );
  return {
    partition: 0,
    key: Buffer.from(record.key ?? ''),
    value: Buffer.from(record.value ?? ''),
    headers: Object.fromEntries(
      record.headers.map((each) => [each.name, Buffer.from(each.value ?? '')]),
    ),
  };
}

beforeAll(async () => {
  broker = await startTestBroker({ portOffset: 5_225 });
  await broker.createTopic(CHANGES, PARTITIONS, FOR_EVER);
  await broker.createTopic(EVENTS, 1, FOR_EVER);
  mkdirSync(`${folder.path}/both`);
  folder.write('both/k1.key', firstKey.toString('hex'));
  folder.write('both/k2.key', secondKey.toString('hex'));
  folder.write('one/k1.key', firstKey.toString('hex'));
  const producer = broker.plain.producer({
    transactionalId: 'publisher',
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition ?? 0,
  });
  await producer.connect();
  for (const [from, encrypt] of [
    [0, first],
    [CHANGE_COUNT / 2, second],
  ] as const) {
    const aborted = await producer.transaction();
    await aborted.send({ topic: CHANGES, messages: [change(from + 1, encrypt)] });
    await aborted.abort();
    const messages = Array.from({ length: CHANGE_COUNT / 2 }, (_, n) => change(from + n, encrypt));
    const transaction = await producer.transaction();
    await transaction.send({ topic: CHANGES, messages });
    await transaction.commit();
  }
  await producer.disconnect();
}, 2 * MINUTE);

afterAll(async () => {
  killLeftovers();
  await broker.stop();
  folder.remove();
}, MINUTE);

const settings = (keys: string | null = 'both') => ({
  SHUTTLE_KAFKA__BROKERS: broker.brokers.join(','),
  ...(keys === null ? {} : { SHUTTLE_PUBLISH__ENCRYPTION__KEYS: `${folder.path}/${keys}` }),
});
const consume = (args: readonly string[], keys: string | null = 'both') =>
  runShuttle(['consume', ...args], settings(keys), folder.path);

interface Line {
  readonly partition: number;
  readonly offset: string;
  readonly timestamp: number;
  readonly key: string;
  readonly value: { readonly n: number } | null;
  readonly headers: Readonly<Record<string, string>>;
}
const linesOf = (stdout: string): Line[] =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
const numberOf = ({ key }: Line): number => Number(key.slice('item/'.length));

const toldBy = ({ code, stdout, stderr }: Pick<Ended, 'code' | 'stdout' | 'stderr'>) => {
  const last = linesOf(stdout).at(-1);
  return { code, last: last === undefined ? stdout : numberOf(last), stderr };
};

describe('consume', () => {
  it(
    'gives each committed record once, in order and decrypted, whichever key it is by',
    async () => {
      const { code, stdout, stderr } = await consume(['--topic', 'changes', '--until-end']);
      expect({ code, stderr }).toEqual({
        code: 0,
        stderr: expect.stringMatching(/^Read 300 records of shuttle.mychannel.changes; next: 0@/),
      });
      const lines = linesOf(stdout);
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const own = lines.filter((line) => line.partition === partition).map(numberOf);
        const due = Array.from({ length: CHANGE_COUNT }, (_, n) => n);
        expect(own).toEqual(due.filter((n) => n % PARTITIONS === partition));
      }
      for (const line of lines) {
        const n = numberOf(line);
        expect(line.value).toEqual(n % 9 === 0 ? null : { n });
        const key = n < CHANGE_COUNT / 2 ? '1:k1' : '1:k2';
        expect(line.headers.shuttle_encryption).toBe(n % 9 === 0 ? undefined : key);
      }
    },
    MINUTE,
  );

  it(
    'begins at an offset or a time, and ends after so many, or with one key',
    async () => {
      const topic = ['--topic', CHANGES];
      const all = linesOf((await consume([...topic, '--until-end', '--partition', '1'])).stdout);
      const fifth = all[5];
      const some = ['--partition', '1', '--from', fifth?.offset ?? '', '--max', '3', '--json'];
      const { code, stdout, stderr } = await consume([...topic, ...some]);
      expect(code).toBe(0);
      expect(linesOf(stdout)).toEqual(all.slice(5, 8));
      const next = [{ partition: 1, offset: String(BigInt(all[7]?.offset ?? 0) + 1n) }];
      expect(JSON.parse(stderr)).toEqual({ topic: CHANGES, records: 3, next });

      const time = new Date(START_MS + 290_000).toISOString();
      const late = linesOf((await consume([...topic, '--from', time, '--until-end'])).stdout);
      expect(late.map(numberOf).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 10 }, (_, n) => 290 + n),
      );
      const keyed = await consume([...topic, '--key', 'item/100', '--max', '1', '--raw']);
      expect(keyed.stdout).toBe('{"n":100}');
      expect((await consume([...topic, '--from', '999999', '--partition', '0'])).code).toBe(1);
      expect((await consume([...topic, '--from', '0'])).code).toBe(2);
    },
    2 * MINUTE,
  );

  it(
    'without a key tells which one is missing, after what it can read',
    async () => {
      const args = ['--topic', 'changes', '--until-end', '--json'];
      const half = await consume([...args, '--partition', '0'], 'one');
      // The first record by the other key is 150.
      expect(toldBy(half)).toEqual({
        code: 2,
        last: 147,
        stderr: expect.stringMatching(/KEY_UNKNOWN.*with the key k2, and there are k1\./s),
      });
      expect(() => JSON.parse(half.stderr) as unknown).not.toThrow();
      const none = await consume(['--topic', 'changes', '--until-end'], null);
      expect(none.code).toBe(2);
      expect(none.stderr).toContain('and no keys are configured');
      expect(none.stderr).toContain('publish.encryption.keys');
    },
    MINUTE,
  );

  it(
    'follows what comes, any bytes of it, and stops in order when it is asked to',
    async () => {
      // The topic is empty: where it ends is where the first event will stand.
      const args = ['consume', '--topic', 'events', '--from', '0'];
      const running = startShuttle(args, settings(), folder.path);
      let out = '';
      const arrived = new Promise<void>((resolve) => {
        running.process.stdout?.on('data', (chunk: Buffer) => {
          out += chunk.toString();
          if (out.split('\n').length > 3) {
            resolve();
          }
        });
      });
      const values = ['{"applied":\n1}', 'plain text', Uint8Array.of(0xff)];
      const messages = values.map((value, n) => event(n, second, value));
      await broker.producer.send({ topic: EVENTS, messages });
      await arrived;
      running.process.kill('SIGINT');
      const { code, signal, stderr } = await running.ended;
      expect({ code, signal }).toEqual({ code: 0, signal: null });
      expect(stderr).toBe('Read 3 records of shuttle.mychannel.events; next: 0@3.\n');
      const members = out
        .split('\n')
        .filter(Boolean)
        .map((line) => /"value.*$/.exec(line)?.[0]);
      expect(members).toEqual([
        '"value":{"applied": 1}}',
        '"valueText":"plain text"}',
        '"valueBase64":"/w=="}',
      ]);
    },
    MINUTE,
  );

  it(
    'ends without an error when nobody reads its lines any more',
    async () => {
      const running = startShuttle(['consume', '--topic', 'changes'], settings(), folder.path);
      running.process.stdout?.once('data', () => running.process.stdout?.destroy());
      const more = setInterval(() => {
        void broker.producer.send({ topic: CHANGES, messages: [change(0, second)] });
      }, 100);
      const { code, stderr } = await running.ended.finally(() => clearInterval(more));
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    },
    MINUTE,
  );

  it(
    'tells a record that was moved, with its position, behind those before it',
    async () => {
      const topic = 'moved.mychannel.changes';
      await broker.createTopic(topic, 1, FOR_EVER);
      const [honest, moved] = [change(1, first), change(2, first)];
      const messages = [
        { ...honest, partition: 0 },
        { ...moved, partition: 0, key: honest.key ?? null },
      ];
      await broker.producer.send({ topic, messages });
      const { code, stdout, stderr } = await consume(['--topic', topic, '--until-end']);
      expect(toldBy({ code, stdout, stderr })).toEqual({
        code: 5,
        last: 1,
        stderr: expect.stringMatching(
          /DECRYPTION_FAILED.*topic: moved.mychannel.changes\n +partition: 0\n +offset: 1\n/s,
        ),
      });
    },
    MINUTE,
  );
});
