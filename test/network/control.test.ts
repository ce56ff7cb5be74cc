import { readFile } from 'node:fs/promises';
import { type common, orderer } from '@hyperledger/fabric-protos';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Kafka, type KafkaConfig, logLevel } from 'kafkajs';
import {
  type KafkaDescription,
  type Network,
  NetworkError,
  READINESS_TOPIC,
  startNetwork,
} from '../../network/src/index.ts';
import { waitFor } from '../../network/src/wait.ts';
import { FIXTURE, temporaryDir, wipe, withContract } from './support.ts';

jest.setTimeout(240_000);

let dir: string;
let network: Network;

beforeAll(async () => {
  dir = await temporaryDir();
  network = await startNetwork({
    dir,
    portOffset: 20_300,
    orderers: 3,
    brokers: 3,
    kafkaSecure: true,
    kafkaProxied: true,
    pprof: true,
    chaincode: { folder: FIXTURE, name: 'fixture' },
  });
});
afterAll(() => wipe(dir));

const put = (value: string): Promise<unknown> =>
  withContract(network.description, 'fixture', (contract) =>
    contract.submitTransaction('put', 'key', value),
  );
const putSoon = (value: string) =>
  waitFor(() => put(value).then(() => true as const), { what: 'put', deadlineMs: 60_000 });
const statusOf = async (name: string): Promise<string | undefined> =>
  (await network.describe()).processes.find((each) => each.name === name)?.status;

describe('three ordering nodes', () => {
  test.each(['orderer', 'orderer2', 'orderer3'])(
    'order on without %s, and take it back',
    async (name) => {
      await network.kill(name);
      expect(await statusOf(name)).toBe('dead');
      await putSoon(`without ${name}`);
      await network.start(name);
      expect(await statusOf(name)).toBe('running');
      await putSoon(`with ${name}`);
    },
  );
});

describe('one process, killed and started again, serves again', () => {
  test.each(['peer0.org1', 'chaincode-fixture-org1', 'chaincode-fixture-org2', 'peer0.org2'])(
    '%s',
    async (name) => {
      await network.kill(name, 'SIGKILL');
      await network.start(name);
      await putSoon(`after ${name}`);
    },
  );

  test('a paused peer goes on after SIGCONT', async () => {
    await network.kill('peer0.org2', 'SIGSTOP');
    expect(await statusOf('peer0.org2')).toBe('running');
    await network.kill('peer0.org2', 'SIGCONT');
    await putSoon('after the pause');
  });

  test('a name that there is not is refused', async () => {
    for (const action of [network.kill('peer9'), network.start('peer9')]) {
      const error = await action.catch((thrown: unknown) => thrown);
      expect(error instanceof NetworkError && error.code).toBe('UNKNOWN_PROCESS');
    }
  });
});

/** The topics that a client sees, or how it is refused. */
async function topics(config: Omit<KafkaConfig, 'logLevel'>): Promise<string[] | string> {
  const kafka = new Kafka({ ...config, logLevel: logLevel.NOTHING, retry: { retries: 1 } });
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await admin.listTopics();
  } catch (error) {
    return String(error);
  } finally {
    await admin.disconnect();
  }
}

describe('the configuration of the channel', () => {
  const batchSize = (group: common.ConfigGroup): common.ConfigValue => {
    const value = group.getGroupsMap().get('Orderer')?.getValuesMap().get('BatchSize');
    if (value === undefined) throw new Error('no BatchSize');
    return value;
  };
  const cutAt = (count: number) => (group: common.ConfigGroup) => {
    const value = batchSize(group);
    const size = orderer.BatchSize.deserializeBinary(value.getValue_asU8());
    size.setMaxMessageCount(count);
    value.setValue(size.serializeBinary());
  };
  const failureOf = async (action: Promise<unknown>): Promise<string> => {
    const error = await action.catch((thrown: unknown) => thrown);
    return error instanceof NetworkError ? `${error.code}: ${error.lines.join(' ')}` : 'no failure';
  };

  test('is changed by the admins of all organisations, and both peers go by it', async () => {
    expect(await network.updateChannel(cutAt(7))).toEqual({ sequence: 1 });
    let found = 0;
    const { sequence } = await network.updateChannel((group) => {
      const bytes = batchSize(group).getValue_asU8();
      found = orderer.BatchSize.deserializeBinary(bytes).getMaxMessageCount();
      cutAt(500)(group);
    });
    expect([found, sequence]).toEqual([7, 2]);
    await putSoon('after two updates');
  });

  test('is not changed by a change that changes nothing, nor by one that is refused', async () => {
    expect(await failureOf(network.updateChannel(cutAt(500)))).toMatch(/^USAGE/);
    expect(await failureOf(network.updateChannel(cutAt(0)))).toMatch(/^COMMAND_FAILED: .*batch/);
  });
});

describe('three brokers', () => {
  test('serve on without one of them, and take it back', async () => {
    await network.kill('kafka2');
    const { brokers } = network.description.kafka;
    const others = brokers.filter((_, index) => index !== 1);
    const seen = () => topics({ brokers: [...others] });
    await waitFor(async () => ((await seen()).includes(READINESS_TOPIC) ? true : undefined), {
      what: 'the other brokers',
      deadlineMs: 30_000,
    });
    await network.start('kafka2');
    await waitFor(
      async () => (Array.isArray(await topics({ brokers: [brokers[1] ?? ''] })) ? true : undefined),
      { what: 'kafka2', deadlineMs: 30_000 },
    );
  });
});

describe('the secure listeners', () => {
  let secure: NonNullable<KafkaDescription['secure']>;
  let ca: Buffer;
  beforeAll(async () => {
    if (network.description.kafka.secure === undefined) throw new Error('no secure listeners');
    secure = network.description.kafka.secure;
    ca = await readFile(secure.ca);
  });

  test('SSL lets a client with a certificate in, and none without', async () => {
    const [cert, key] = await Promise.all([readFile(secure.certificate), readFile(secure.key)]);
    const brokers = [...secure.ssl];
    expect(await topics({ brokers, ssl: { ca: [ca], cert, key } })).toContain(READINESS_TOPIC);
    expect(await topics({ brokers, ssl: { ca: [ca] } })).toEqual(expect.any(String));
  });

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
    'SASL_SSL with %s lets the right password in, and no other',
    async (mechanism) => {
      const right = await readFile(secure.passwordFile, 'utf8');
      const withPassword = (password: string) =>
        topics({
          brokers: [...secure.saslSsl],
          ssl: { ca: [ca] },
          sasl: { mechanism, username: secure.user, password } as never,
        });
      expect(await withPassword(right)).toContain(READINESS_TOPIC);
      expect(await withPassword(`${right}x`)).toContain('authentication failed');
    },
  );
});

test('the profiler and the metrics are served when asked for', async () => {
  const { processes } = await network.describe();
  const peer = processes.find(({ name }) => name === 'peer0.org1');
  const profiler = await fetch(`${peer?.pprof}/cmdline`);
  expect(await profiler.text()).toContain('peer');
  const metrics = await fetch(`${peer?.operations}/metrics`);
  expect(await metrics.text()).toContain('ledger_blockchain_height{channel="mychannel"}');
});
