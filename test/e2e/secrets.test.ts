/**
 * No password and no private key is ever told: all that Shuttle writes and serves, at its most
 * talkative and when it is given wrong files, is searched for what only its owner should know.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runShuttle, type Settings, startShuttle } from '../support/cli.ts';
import {
  createTopic,
  createWorld,
  MINUTE_MS,
  produceAll,
  type World,
} from '../support/e2e-world.ts';
import { findSecrets, type Secret, secretsOfKey } from '../support/secrets.ts';

const TOPIC = 'secrets';
const HTTP_PORT = 17_991;
const WRONG_PASSWORD = 'this one is wrong, and a secret all the same';

let world: World;
let secrets: readonly Secret[];
let password: Settings;
let certificate: Settings;
/** Keys that what is published is encrypted and attested with. */
let published: Settings;
/** Everything that was written and served. */
let told = '';

beforeAll(async () => {
  world = await createWorld(19_098, { kafkaSecure: true });
  const { secure } = world.network.description.kafka;
  if (secure === undefined) {
    throw new Error('the network has no secure listeners');
  }
  const tls = { SHUTTLE_KAFKA__TLS__ENABLED: 'true', SHUTTLE_KAFKA__TLS__CA: secure.ca };
  certificate = {
    ...tls,
    SHUTTLE_KAFKA__BROKERS: secure.ssl.join(','),
    SHUTTLE_KAFKA__TLS__CERTIFICATE: secure.certificate,
    SHUTTLE_KAFKA__TLS__KEY: secure.key,
  };
  password = {
    ...tls,
    SHUTTLE_KAFKA__BROKERS: secure.saslSsl.join(','),
    SHUTTLE_KAFKA__SASL__MECHANISM: 'plain',
    SHUTTLE_KAFKA__SASL__USERNAME: secure.user,
    SHUTTLE_KAFKA__SASL__PASSWORD_FILE: secure.passwordFile,
  };
  const encryptionKey = randomBytes(32);
  const attestationKey = generateKeyPairSync('ed25519').privateKey;
  const pem = Buffer.from(attestationKey.export({ type: 'pkcs8', format: 'pem' }));
  published = await publishedKeys('published', encryptionKey.toString('hex'), pem);
  secrets = [
    { name: 'encryption key', bytes: encryptionKey },
    ...secretsOfKey('attestation key', pem),
    {
      name: 'password',
      bytes: Buffer.from((await readFile(secure.passwordFile)).toString().trim()),
    },
    { name: 'wrong password', bytes: Buffer.from(WRONG_PASSWORD) },
    ...secretsOfKey("Kafka client's key", await readFile(secure.key)),
    ...secretsOfKey("identity's key", await readFile(await identityKey())),
  ];
  await createTopic(world.kafka, TOPIC, 1);
  await produceAll(world.kafka, TOPIC, [
    { key: 'good', value: '{"a":1}' },
    { key: 'bad', value: 'bad' },
  ]);
}, 10 * MINUTE_MS);

afterAll(async () => {
  await world?.close();
}, 2 * MINUTE_MS);

/** A folder with a key file, and a PEM file beside it. */
async function publishedKeys(name: string, key: string, pem: string | Buffer): Promise<Settings> {
  const folder = join(world.dir, name);
  await mkdir(join(folder, 'keys'), { recursive: true });
  await writeFile(join(folder, 'keys', 'k1.key'), key, { mode: 0o600 });
  await writeFile(join(folder, 'attest.pem'), pem, { mode: 0o600 });
  return {
    SHUTTLE_PUBLISH__ENCRYPTION__KEYS: join(folder, 'keys'),
    SHUTTLE_PUBLISH__ENCRYPTION__KEY_ID: 'k1',
    SHUTTLE_PUBLISH__ATTESTATION__KEY: join(folder, 'attest.pem'),
  };
}

async function identityKey(): Promise<string> {
  const folder = join(world.network.description.peers[0].userMspDir, 'keystore');
  const [name = ''] = await readdir(folder);
  return join(folder, name);
}

const settingsOf = (settings: Settings): Settings => ({
  ...world.settings,
  SHUTTLE_INGEST__TOPICS: TOPIC,
  SHUTTLE_LOG__LEVEL: 'debug',
  SHUTTLE_COMMAND__DEADLINE_MS: '10000',
  ...published,
  ...settings,
});

async function tell(args: readonly string[], settings: Settings): Promise<number | null> {
  const { code, stdout, stderr } = await runShuttle(args, settingsOf(settings), world.dir);
  told += `${stdout}${stderr}`;
  return code;
}

async function serve(settings: Settings): Promise<void> {
  const all = { ...settingsOf(settings), SHUTTLE_HTTP__PORT: String(HTTP_PORT) };
  const service = startShuttle(['run'], all, world.dir);
  await service.waitFor((log) => log.includes('"published a block"'));
  for (const path of ['metrics', 'healthz', 'readyz', 'nothing']) {
    told += await (await fetch(`http://127.0.0.1:${HTTP_PORT}/${path}`)).text();
  }
  const { stdout, stderr } = await service.stop();
  told += `${stdout}${stderr}`;
}

const expectNothingTold = (): void => {
  expect(findSecrets(told, secrets)).toEqual([]);
  expect(told).not.toContain(`PRIV${'ATE KEY'}`);
};

describe('passwords and private keys', () => {
  it(
    'are not told while everything works',
    async () => {
      const { SHUTTLE_KAFKA__SASL__MECHANISM: _, ...rest } = password;
      await serve(password);
      for (const how of [
        certificate,
        password,
        { ...rest, SHUTTLE_KAFKA__SASL__MECHANISM: 'scram-sha-512' },
      ]) {
        for (const format of ['json', 'pretty']) {
          const settings = { ...how, SHUTTLE_LOG__FORMAT: format };
          expect(await tell(['run', '--until-end'], settings)).toBe(0);
          expect(await tell(['status'], settings)).toBe(0);
        }
        expect(await tell(['config', 'print'], how)).toBe(0);
        expect(await tell(['config', 'check', '--connect', '--json'], how)).toBe(0);
        expect(await tell(['tail', 'blocks', '--last', '3', '--json'], how)).toBe(0);
        expect(await tell(['consume', '--topic', 'changes', '--until-end'], how)).toBe(0);
        expect(await tell(['getData', 'good'], how)).toBe(0);
        expect(await tell(['history', 'good', '--json'], how)).toBe(0);
        expect(await tell(['reconcile', '--source', TOPIC, '--json'], how)).toBe(0);
      }
      // Never vacuous: the log was at its most talkative, and names where the secrets lie.
      expect(told).toContain('"level":"debug"');
      expect(told).toContain(certificate.SHUTTLE_KAFKA__TLS__KEY);
      expect(told).toContain(password.SHUTTLE_KAFKA__SASL__PASSWORD_FILE);
      expect(told).toContain('shuttle_last_block_published');
      expectNothingTold();
    },
    5 * MINUTE_MS,
  );

  it(
    'are not told by the errors of wrong files',
    async () => {
      const wrong = join(world.dir, 'wrong-password');
      await writeFile(wrong, WRONG_PASSWORD, { mode: 0o600 });
      const key = certificate.SHUTTLE_KAFKA__TLS__KEY ?? '';
      const passwordFile = password.SHUTTLE_KAFKA__SASL__PASSWORD_FILE ?? '';
      const attestation = await readFile(published.SHUTTLE_PUBLISH__ATTESTATION__KEY ?? '');
      const keyFile = join(published.SHUTTLE_PUBLISH__ENCRYPTION__KEYS ?? '', 'k1.key');
      const swapped = await publishedKeys(
        'swapped',
        attestation.toString(),
        await readFile(keyFile),
      );
      const short = (await readFile(keyFile)).toString().slice(2);
      const cut = await publishedKeys('cut', short, attestation.subarray(0, -40));
      const attestationOf = (settings: Settings): Settings => ({
        SHUTTLE_PUBLISH__ATTESTATION__KEY: settings.SHUTTLE_PUBLISH__ATTESTATION__KEY ?? '',
      });
      const cases: readonly Settings[] = [
        { ...password, SHUTTLE_KAFKA__SASL__PASSWORD_FILE: wrong },
        {
          ...password,
          SHUTTLE_KAFKA__SASL__MECHANISM: 'scram-sha-256',
          SHUTTLE_KAFKA__SASL__PASSWORD_FILE: wrong,
        },
        // Files that were mistaken for each other.
        { ...password, SHUTTLE_KAFKA__SASL__PASSWORD_FILE: key },
        { ...password, SHUTTLE_KAFKA__TLS__CA: key },
        { ...certificate, SHUTTLE_KAFKA__TLS__KEY: passwordFile },
        { ...certificate, SHUTTLE_KAFKA__TLS__KEY: await identityKey() },
        { ...certificate, SHUTTLE_KAFKA__TLS__CERTIFICATE: key },
        { ...password, SHUTTLE_FABRIC__PEER__TLS_CA: passwordFile },
        { ...password, SHUTTLE_FABRIC__PROFILE: passwordFile },
        { ...password, SHUTTLE_FABRIC__PROFILE: key },
        { ...password, SHUTTLE_CONFIG: passwordFile },
        { ...password, SHUTTLE_CONFIG: key },
      ];
      for (const settings of [swapped, attestationOf(swapped), cut, attestationOf(cut)]) {
        expect(await tell(['publish', '--until-end'], { ...password, ...settings })).toBe(2);
        expect(await tell(['config', 'check', '--json'], { ...password, ...settings })).toBe(2);
      }
      for (const settings of cases) {
        for (const args of [
          ['status', '--json'],
          ['config', 'check', '--connect'],
        ]) {
          const code = await tell(args, settings);
          expect([2, 3]).toContain(code);
        }
      }
      expectNothingTold();
    },
    8 * MINUTE_MS,
  );

  it(
    'are told of when others on the machine can read them, once and with the remedy',
    async () => {
      const open = join(world.dir, 'open-password');
      await copyFile(password.SHUTTLE_KAFKA__SASL__PASSWORD_FILE ?? '', open);
      const all = { ...settingsOf({ ...password, SHUTTLE_KAFKA__SASL__PASSWORD_FILE: open }) };
      await chmod(open, 0o644);
      const brief = { ...all, SHUTTLE_LOG__LEVEL: 'warn' };
      const { code, stderr } = await runShuttle(['run', '--until-end', '--json'], brief, world.dir);
      const lines = stderr.trim().split('\n');
      expect([code, lines.length]).toEqual([0, 1]);
      expect(JSON.parse(lines[0] ?? '')).toMatchObject({
        level: 'warn',
        path: open,
        mode: '0644',
        fix: `chmod 600 ${open}`,
      });
      await chmod(open, 0o600);
      const mended = await runShuttle(['run', '--until-end', '--json'], brief, world.dir);
      expect([mended.code, mended.stderr]).toEqual([0, '']);
    },
    2 * MINUTE_MS,
  );
});
