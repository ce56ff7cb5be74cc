import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createDeadLetters } from '../../../bridge/src/kafka/dead-letters.ts';
import type { KafkaOptions, KafkaTls } from '../../../bridge/src/kafka/options.ts';
import { createReader } from '../../../bridge/src/kafka/reader.ts';
import { readTail } from '../../../bridge/src/kafka/tail.ts';
import { ensureSourceTopics } from '../../../bridge/src/kafka/topics.ts';
import type { DeadLetter } from '../../../bridge/src/ports.ts';
import { testClock } from '../../support/fakes.ts';
import { startTestBroker, type TestBroker } from '../../support/kafka-broker.ts';
import { API, once } from '../../support/kafka-proxy.ts';

const MINUTE = 60_000;
const never = new AbortController().signal;

let broker: TestBroker;

beforeAll(async () => {
  broker = await startTestBroker({ portOffset: 16_000, secure: true });
}, MINUTE);

afterAll(() => broker.stop(), MINUTE);

const bytes = (text: string): Buffer => Buffer.from(text);

const letter = (topic: string, offset: bigint, value = `value ${offset}`): DeadLetter => ({
  topic,
  partition: 2,
  record: {
    offset,
    timestamp: 1_234_567_890_123,
    key: bytes('key'),
    value: bytes(value),
    headers: [
      { name: 'b', value: bytes('1') },
      { name: '7', value: null },
      { name: 'a', value: bytes('2') },
      { name: 'b', value: bytes('3') },
    ],
  },
  stage: 'ledger',
  code: 'DOCUMENT_INVALID',
  reason: 'The value is not JSON.',
  rule: 'MUST_BE_JSON',
  txId: 'abc',
});

async function sourceTopic(): Promise<string> {
  const topic = await broker.topic(3);
  await ensureSourceTopics(broker.client(), [topic]);
  return topic;
}

async function lettersOf(topic: string) {
  const found = [];
  const options = { from: 'beginning', follow: false } as const;
  const reader = createReader(broker.client());
  for await (const record of readTail(reader, `${topic}.dead-letters`, options, never)) {
    found.push(record);
  }
  return found;
}

describe('a dead letter', () => {
  it('is the record as it was, and says behind its headers why it is here', async () => {
    const topic = await sourceTopic();
    const deadLetters = createDeadLetters(broker.client(), { stream: 's' }, testClock);
    await deadLetters.send([letter(topic, 41n)], never);
    await deadLetters.close();
    const [found] = await lettersOf(topic);
    expect(found).toMatchObject({
      timestamp: 1_234_567_890_123,
      key: bytes('key'),
      value: bytes('value 41'),
    });
    expect(found?.headers.map(({ name, value }) => [name, value && String(value)])).toEqual([
      ['b', '1'],
      ['7', null],
      ['a', '2'],
      ['b', '3'],
      ['__connect.errors.topic', topic],
      ['__connect.errors.partition', '2'],
      ['__connect.errors.offset', '41'],
      ['__connect.errors.connector.name', 'shuttle'],
      ['__connect.errors.task.id', '0'],
      ['__connect.errors.stage', 'TASK_PUT'],
      ['__connect.errors.class.name', 'shuttle.ledger'],
      ['__connect.errors.exception.class.name', 'shuttle.DOCUMENT_INVALID'],
      ['__connect.errors.exception.message', 'The value is not JSON.'],
      ['__shuttle.errors.id', `s:${topic}:2:41`],
      ['__shuttle.errors.code', 'DOCUMENT_INVALID'],
      ['__shuttle.errors.stage', 'ledger'],
      ['__shuttle.errors.attempts', '1'],
      ['__shuttle.errors.rule', 'MUST_BE_JSON'],
      ['__shuttle.errors.transaction.id', 'abc'],
    ]);
  });

  it('of a record as large as the source takes is taken too', async () => {
    const topic = await sourceTopic();
    const deadLetters = createDeadLetters(broker.client(), { stream: 's' }, testClock);
    const large = 'x'.repeat(16 * 1024 * 1024 - 1_000);
    await deadLetters.send([letter(topic, 1n, large), letter(topic, 2n, large)], never);
    await deadLetters.close();
    expect((await lettersOf(topic)).map(({ value }) => value?.length)).toEqual([
      large.length,
      large.length,
    ]);
  });

  it('whose ack is lost is there once', async () => {
    const topic = await sourceTopic();
    const client = broker.client({ brokers: broker.proxied });
    const deadLetters = createDeadLetters(client, { stream: 's' }, testClock);
    await deadLetters.send([letter(topic, 1n)], never);
    broker.proxy.decide = once(API.produce, 'lose-answer');
    await Promise.all([
      deadLetters.send([letter(topic, 2n), letter(topic, 3n)], never),
      deadLetters.send([letter(topic, 4n)], never),
    ]);
    await deadLetters.close();
    expect(broker.proxy.faults).toEqual([{ apiKey: API.produce, fate: 'lose-answer' }]);
    expect((await lettersOf(topic)).map(({ value }) => String(value))).toEqual(
      [1, 2, 3, 4].map((n) => `value ${n}`),
    );
  });

  it(
    'is sent until Kafka acks it',
    async () => {
      const topic = await sourceTopic();
      const client = broker.client({ brokers: broker.proxied });
      const deadLetters = createDeadLetters(client, { stream: 's' }, testClock);
      broker.proxy.cut(false);
      let sent = false;
      const sending = deadLetters.send([letter(topic, 1n)], never).then(() => {
        sent = true;
      });
      await testClock.sleep(500);
      expect(sent).toBe(false);
      broker.proxy.cut(true);
      await sending;
      await deadLetters.close();
      expect(await lettersOf(topic)).toHaveLength(1);
    },
    MINUTE,
  );

  it(
    'that cannot be sent before the stop is an error',
    async () => {
      const client = broker.client({ brokers: broker.proxied });
      const deadLetters = createDeadLetters(client, { stream: 's' }, testClock);
      broker.proxy.cut(false);
      const stop = new AbortController();
      const sending = deadLetters.send([letter('any', 1n)], stop.signal);
      stop.abort();
      await expect(sending).rejects.toMatchObject({ code: 'PRODUCE_FAILED' });
      broker.proxy.cut(true);
      await deadLetters.close();
    },
    MINUTE,
  );
});

describe('a connection', () => {
  interface Secure {
    readonly tls: KafkaTls;
    readonly ca: Buffer;
    readonly ssl: readonly string[];
    readonly saslSsl: readonly string[];
    readonly username: string;
    readonly password: string;
  }

  async function secureFiles(): Promise<Secure> {
    const { secure } = broker.network.description.kafka;
    if (secure === undefined) {
      throw new Error('The broker has no secure listeners.');
    }
    const [ca, certificate, key, password] = await Promise.all(
      [secure.ca, secure.certificate, secure.key, secure.passwordFile].map((f) => readFile(f)),
    );
    if (!(ca && certificate && key && password)) {
      throw new Error('A file of the broker is missing.');
    }
    return {
      tls: { ca, certificate, key },
      ca,
      ssl: secure.ssl,
      saslSsl: secure.saslSsl,
      username: secure.user,
      password: password.toString(),
    };
  }

  const clusterOf = (options: Partial<KafkaOptions>): Promise<string> =>
    broker.client(options).clusterId();

  it('is made with a client certificate', async () => {
    const { tls, ssl } = await secureFiles();
    expect(await clusterOf({ brokers: ssl, tls })).toBe(await clusterOf({}));
  });

  it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
    'is made with a password by %s',
    async (mechanism) => {
      const { ca, saslSsl, username, password } = await secureFiles();
      const sasl = { mechanism, username, password };
      expect(await clusterOf({ brokers: saslSsl, tls: { ca }, sasl })).toBe(await clusterOf({}));
    },
  );

  it(
    'with a wrong password is refused',
    async () => {
      const { ca, saslSsl, username } = await secureFiles();
      for (const mechanism of ['plain', 'scram-sha-512'] as const) {
        const sasl = { mechanism, username, password: 'wrong' };
        await expect(clusterOf({ brokers: saslSsl, tls: { ca }, sasl })).rejects.toMatchObject({
          code: 'KAFKA_REFUSED',
        });
      }
    },
    MINUTE,
  );

  it(
    'to a broker whose authority is not trusted is refused',
    async () => {
      const { saslSsl, username, password } = await secureFiles();
      const sasl = { mechanism: 'plain', username, password } as const;
      await expect(clusterOf({ brokers: saslSsl, tls: {}, sasl })).rejects.toMatchObject({
        code: 'KAFKA_REFUSED',
      });
    },
    MINUTE,
  );

  it(
    'without the certificate that the broker wants is refused',
    async () => {
      const { ca, ssl } = await secureFiles();
      await expect(clusterOf({ brokers: ssl, tls: { ca } })).rejects.toMatchObject({
        code: 'KAFKA_REFUSED',
      });
    },
    MINUTE,
  );

  it(
    'to nobody is told as such',
    async () => {
      await expect(clusterOf({ brokers: ['localhost:1'] })).rejects.toMatchObject({
        code: 'KAFKA_UNREACHABLE',
      });
    },
    MINUTE,
  );
});
