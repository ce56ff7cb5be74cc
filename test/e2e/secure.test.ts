/** Both pipelines over a broker's secure listeners: client certificates, and passwords over TLS. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runShuttle, type Settings } from '../support/cli.ts';
import {
  createTopic,
  createWorld,
  MINUTE_MS,
  produceAll,
  type World,
} from '../support/e2e-world.ts';

let world: World;
let secure: NonNullable<World['network']['description']['kafka']['secure']>;

beforeAll(async () => {
  world = await createWorld(12_590, { kafkaSecure: true });
  const found = world.network.description.kafka.secure;
  if (found === undefined) {
    throw new Error('the network has no secure listeners');
  }
  secure = found;
}, 10 * MINUTE_MS);

afterAll(async () => {
  await world?.close();
}, 2 * MINUTE_MS);

const tls = (): Settings => ({
  SHUTTLE_KAFKA__TLS__ENABLED: 'true',
  SHUTTLE_KAFKA__TLS__CA: secure.ca,
});

const withCertificate = (): Settings => ({
  ...tls(),
  SHUTTLE_KAFKA__BROKERS: secure.ssl.join(','),
  SHUTTLE_KAFKA__TLS__CERTIFICATE: secure.certificate,
  SHUTTLE_KAFKA__TLS__KEY: secure.key,
});

const withPassword = (mechanism: string, passwordFile = secure.passwordFile): Settings => ({
  ...tls(),
  SHUTTLE_KAFKA__BROKERS: secure.saslSsl.join(','),
  SHUTTLE_KAFKA__SASL__MECHANISM: mechanism,
  SHUTTLE_KAFKA__SASL__USERNAME: secure.user,
  SHUTTLE_KAFKA__SASL__PASSWORD_FILE: passwordFile,
});

const brief = { SHUTTLE_COMMAND__DEADLINE_MS: '15000', SHUTTLE_LOG__LEVEL: 'error' };

/** Sends a few records, one of them bad and one large, through the circle. */
async function goRound(topic: string, settings: Settings): Promise<void> {
  await createTopic(world.kafka, topic, 1);
  const large = JSON.stringify({ pay: 'x'.repeat(500_000) });
  await produceAll(world.kafka, topic, [
    { key: `${topic}/small`, value: '{"a":1}' },
    { key: `${topic}/large`, value: large },
    { key: `${topic}/bad`, value: 'bad' },
  ]);
  const all = { ...world.settings, ...settings, ...brief, SHUTTLE_INGEST__TOPICS: topic };
  const run = await runShuttle(['run', '--until-end', '--json'], all, world.dir);
  expect([run.code, run.stderr]).toEqual([0, '']);
  expect(JSON.parse(run.stdout)).toMatchObject({ ingest: { applied: 2, rejected: 1 } });
  const tail = await runShuttle(['tail', 'changes', '--last', '5'], all, world.dir);
  expect([tail.code, tail.stdout]).toEqual([0, expect.stringContaining(`${topic}/large`)]);
}

describe('the circle over TLS', () => {
  it(
    'with a client certificate',
    async () => {
      await goRound('certificate', withCertificate());
    },
    2 * MINUTE_MS,
  );

  it.each(['plain', 'scram-sha-256', 'scram-sha-512'])(
    'with a password by %s',
    async (mechanism) => {
      await goRound(mechanism, withPassword(mechanism));
    },
    2 * MINUTE_MS,
  );

  it(
    'with compression',
    async () => {
      const settings = { ...withPassword('plain'), SHUTTLE_KAFKA__COMPRESSION: 'gzip' };
      await goRound('compressed', settings);
    },
    2 * MINUTE_MS,
  );
});

describe('a client that the broker does not accept is told so at once', () => {
  const refused = async (settings: Settings): Promise<void> => {
    const all = { ...world.settings, ...settings, ...brief };
    const { code, stderr } = await runShuttle(['status', '--json'], all, world.dir);
    expect([code, stderr]).toEqual([3, expect.stringContaining('"KAFKA_REFUSED"')]);
  };

  it(
    'without the client certificate',
    async () => {
      await refused({ ...tls(), SHUTTLE_KAFKA__BROKERS: secure.ssl.join(',') });
    },
    MINUTE_MS,
  );

  it(
    'with a wrong password, which is told nowhere',
    async () => {
      const wrong = join(world.dir, 'wrong-password');
      await writeFile(wrong, 'open sesame', { mode: 0o600 });
      await refused(withPassword('scram-sha-256', wrong));
      const all = { ...world.settings, ...withPassword('plain', wrong), ...brief };
      const { stdout, stderr } = await runShuttle(['status'], all, world.dir);
      expect(stdout + stderr).not.toContain('open sesame');
    },
    MINUTE_MS,
  );

  it(
    'when its authority is not trusted',
    async () => {
      const [peer] = world.network.description.peers;
      const other = { SHUTTLE_KAFKA__TLS__CA: peer.tlsCaFile };
      await refused({ ...withPassword('plain'), ...other });
    },
    MINUTE_MS,
  );

  it(
    'and its password is shown by no command',
    async () => {
      const password = (await readFile(secure.passwordFile, 'utf8')).trim();
      const all = { ...world.settings, ...withPassword('plain') };
      const { stdout } = await runShuttle(['config', 'print', '--json'], all, world.dir);
      expect(stdout).toContain(secure.passwordFile);
      expect(stdout).not.toContain(password);
    },
    MINUTE_MS,
  );
});
