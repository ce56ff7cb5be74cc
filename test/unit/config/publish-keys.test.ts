/** Key files: what is taken, and what is said of those that are not. */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { attestationKeyId, checkAttestation } from '../../../bridge/src/block/attestation.ts';
import { createDecryptor } from '../../../bridge/src/block/encryption.ts';
import { loadSettings } from '../../../bridge/src/config/load.ts';
import {
  attestationKeys,
  encryptionKeys,
  protectionOf,
  publishSecretFiles,
} from '../../../bridge/src/config/publish-keys.ts';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import { asRead } from '../../support/published.ts';
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts';

let folder: TemporaryFolder;
beforeEach(() => {
  folder = createTemporaryFolder();
  mkdirSync(join(folder.path, 'keys'));
});
afterEach(() => folder.remove());

const settings = (values: Readonly<Record<string, string>>) => {
  const flags = Object.entries(values).map(([path, value]) => ({ path, value, flag: '--set' }));
  return loadSettings({ env: {}, cwd: folder.path, flags }).settings;
};
const encryption = (keyId?: string) =>
  settings({
    'publish.encryption.keys': 'keys',
    ...(keyId === undefined ? {} : { 'publish.encryption.keyId': keyId }),
  });
const attestation = () => settings({ 'publish.attestation.key': 'attest.pem' });

function failure(call: () => unknown): ShuttleError {
  try {
    call();
  } catch (error) {
    if (error instanceof ShuttleError) {
      return error;
    }
    throw error;
  }
  throw new Error('It did not fail.');
}

const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

describe('the folder of encryption keys', () => {
  test('gives each key by the name of its file, whatever else is there', () => {
    const [first, second] = [randomBytes(32), randomBytes(32)];
    folder.write('keys/2026-01.key', `${first.toString('hex')}\n`);
    folder.write('keys/2026-02.key', second.toString('hex').toUpperCase());
    folder.write('keys/README', 'keys of the bridge');
    const keys = encryptionKeys(encryption());
    expect([...keys.keys()]).toEqual(['2026-01', '2026-02']);
    expect(Buffer.from(keys.get('2026-02') ?? []).equals(second)).toBe(true);
    expect(publishSecretFiles(encryption())).toEqual(
      ['2026-01', '2026-02'].map((id) => join(folder.path, 'keys', `${id}.key`)),
    );
  });

  test('encrypts with the key that is named, and with none when none is', () => {
    folder.write('keys/a.key', '01'.repeat(32));
    const keys = encryptionKeys(encryption());
    const record = {
      topic: 't',
      key: null,
      value: 'x',
      headers: [{ name: 'ce_id', value: 'c:1' }],
    };
    expect(protectionOf(encryption())).toEqual({});
    const encrypted = protectionOf(
      settings({
        'publish.encryption.keys': 'keys',
        'publish.encryption.keyId': 'a',
        'fabric.channel': 'c',
      }),
    ).encrypt?.('events', '1', record);
    const at = { kind: 'events', channel: 'c' } as const;
    const found = createDecryptor(keys)(asRead(encrypted ?? record), at);
    expect(Buffer.from(found.value ?? []).toString()).toBe('x');
    expect(encrypted?.headers.at(-1)?.value).toBe('1:a');
  });

  test.each([
    ['another length', '01'.repeat(31)],
    ['text that is not hex', `0g${'01'.repeat(31)}`],
    ['nothing', ''],
  ])('refuses a file with %s, and does not repeat what it holds', (_, content) => {
    folder.write('keys/a.key', content);
    const error = failure(() => encryptionKeys(encryption()));
    expect([error.code, error.message]).toEqual([
      'KEY_INVALID',
      'An encryption key is 64 hex digits.',
    ]);
    expect(error.at).toEqual({ path: join(folder.path, 'keys/a.key') });
    expect(error.cause).toBeUndefined();
  });

  test('refuses an id that no header could carry', () => {
    folder.write('keys/a b.key', '01'.repeat(32));
    expect(failure(() => encryptionKeys(encryption())).code).toBe('KEY_INVALID');
  });

  test('that is not there, or lacks the key that is named, is told with the setting', () => {
    const lacking = failure(() => protectionOf(encryption('b')));
    expect(lacking.code).toBe('CONFIG_INVALID');
    expect(lacking.at['publish.encryption.keyId']).toContain(
      'the folder of publish.encryption.keys has no file b.key',
    );
    const absent = failure(() => encryptionKeys(settings({ 'publish.encryption.keys': 'none' })));
    expect(absent.code).toBe('FILE_UNREADABLE');
    const keyless = failure(() => settings({ 'publish.encryption.keyId': 'a' }));
    expect(JSON.stringify(keyless.at)).toContain('it needs publish.encryption.keys too');
  });
});

describe('the attestation key', () => {
  test.each([
    ['Ed25519', generateKeyPairSync('ed25519')],
    ['P-256', generateKeyPairSync('ec', { namedCurve: 'prime256v1' })],
  ])('by %s signs what the file of its public key checks', (_, { privateKey, publicKey }) => {
    folder.write('attest.pem', pem(privateKey));
    folder.write('public.pem', publicKey.export({ type: 'spki', format: 'pem' }).toString());
    const block = { channel: 'c', genesisHash: '', number: 1n, hash: '', commitHash: null };
    const headers = protectionOf(attestation()).attest?.(block) ?? [];
    const keys = attestationKeys([join(folder.path, 'public.pem')], '--attestation-key');
    expect(checkAttestation(headers, block, keys)).toEqual({
      kind: 'valid',
      keyId: attestationKeyId(publicKey),
    });
  });

  test.each([
    ['an RSA key', () => pem(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)],
    ['no key', () => 'hello'],
    [
      'a key with a passphrase',
      () => {
        const { privateKey } = generateKeyPairSync('ed25519');
        const secret = { cipher: 'aes-256-cbc', passphrase: 'x' };
        return privateKey.export({ type: 'pkcs8', format: 'pem', ...secret }).toString();
      },
    ],
  ])('is not %s', (_, content) => {
    folder.write('attest.pem', content());
    const error = failure(() => protectionOf(attestation()));
    expect(error.code).toBe('KEY_INVALID');
    expect(error.at).toEqual({ path: join(folder.path, 'attest.pem') });
    expect(error.cause).toBeUndefined();
  });

  test('that cannot be read is told with its setting', () => {
    const error = failure(() => protectionOf(attestation()));
    expect([error.code, error.at.setting]).toEqual(['FILE_UNREADABLE', 'publish.attestation.key']);
  });
});
