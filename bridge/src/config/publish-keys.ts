/** The keys of what is published: files for encryption and attestation. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Attest,
  type AttestationKeys,
  attestationAlgorithm,
  attestationKeyId,
  createAttester,
} from '../block/attestation.ts';
import {
  createEncryptor,
  ENCRYPTION_KEY_BYTES,
  type EncryptionKeys,
  type EncryptRecord,
  KEY_ID_PATTERN,
} from '../block/encryption.ts';
import { ShuttleError } from '../errors.ts';
import { readConfigured } from './files.ts';
import { invalid } from './load.ts';
import type { Settings } from './schema.ts';

const KEYS_SETTING = 'publish.encryption.keys';
const ATTESTATION_SETTING = 'publish.attestation.key';
const SUFFIX = '.key';
const HEX_KEY = new RegExp(`^[0-9a-fA-F]{${2 * ENCRYPTION_KEY_BYTES}}$`);

/** What is done to records on their way out; either may be left out. */
export interface Protection {
  readonly encrypt?: EncryptRecord;
  readonly attest?: Attest;
}

/**
 * Every key of the configured folder by its id, which is the file's name without `.key`; none when
 * no folder is configured.
 *
 * @throws ShuttleError FILE_UNREADABLE, KEY_INVALID
 */
export function encryptionKeys({ publish }: Settings): EncryptionKeys {
  const folder = publish.encryption.keys;
  const keys = new Map<string, Uint8Array>();
  for (const { id, path } of folder === undefined ? [] : keyFiles(folder)) {
    if (!KEY_ID_PATTERN.test(id)) {
      throw keyInvalid('A key id has up to 64 letters, digits, ".", "_" and "-".', path);
    }
    const text = readConfigured(path, KEYS_SETTING).toString().trim();
    if (!HEX_KEY.test(text)) {
      throw keyInvalid(`An encryption key is ${2 * ENCRYPTION_KEY_BYTES} hex digits.`, path);
    }
    keys.set(id, Buffer.from(text, 'hex'));
  }
  return keys;
}

/**
 * Reads the keys that new records are protected with.
 *
 * @throws ShuttleError FILE_UNREADABLE, KEY_INVALID; CONFIG_INVALID when the folder lacks the key
 */
export function protectionOf(settings: Settings): Protection {
  const { encryption, attestation } = settings.publish;
  const { keyId } = encryption;
  const keys = encryptionKeys(settings);
  const key = keys.get(keyId ?? '');
  if (keyId !== undefined && key === undefined) {
    const sentence = `the folder of ${KEYS_SETTING} has no file ${keyId}${SUFFIX}`;
    throw invalid([{ name: 'publish.encryption.keyId', source: KEYS_SETTING, sentence }]);
  }
  return {
    ...(keyId === undefined || key === undefined
      ? {}
      : { encrypt: createEncryptor(settings.fabric.channel, keyId, key) }),
    ...(attestation.key === undefined
      ? {}
      : { attest: createAttester(readAttestationKey(attestation.key)) }),
  };
}

/** The configured files that hold secrets. @throws ShuttleError FILE_UNREADABLE */
export function publishSecretFiles({ publish }: Settings): string[] {
  const { encryption, attestation } = publish;
  return [
    ...(encryption.keys === undefined ? [] : keyFiles(encryption.keys).map(({ path }) => path)),
    ...(attestation.key === undefined ? [] : [attestation.key]),
  ];
}

/**
 * Public keys that attestations are checked with, by their fingerprints.
 *
 * @param setting - the setting or flag that names the files, for errors
 * @throws ShuttleError FILE_UNREADABLE, KEY_INVALID
 */
export function attestationKeys(paths: readonly string[], setting: string): AttestationKeys {
  const keys = paths.map((path) => {
    const key = parsed(path, () => createPublicKey(readConfigured(path, setting)));
    return [attestationKeyId(key), key] as const;
  });
  return new Map(keys);
}

function readAttestationKey(path: string): KeyObject {
  return parsed(path, () => createPrivateKey(readConfigured(path, ATTESTATION_SETTING)));
}

function parsed(path: string, read: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (cause) {
    if (cause instanceof ShuttleError) {
      throw cause;
    }
    throw keyInvalid('The file is no PEM of a key, or one with a passphrase.', path);
  }
  if (attestationAlgorithm(key) === null) {
    throw keyInvalid('An attestation key is Ed25519, or ECDSA on P-256.', path);
  }
  return key;
}

function keyFiles(folder: string): { readonly id: string; readonly path: string }[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    throw new ShuttleError('FILE_UNREADABLE', `The folder of ${KEYS_SETTING} cannot be read.`, {
      cause,
      at: { setting: KEYS_SETTING, path: folder },
    });
  }
  return names
    .filter((name) => name.endsWith(SUFFIX))
    .sort()
    .map((name) => ({ id: name.slice(0, -SUFFIX.length), path: join(folder, name) }));
}

/** Never with the cause: it may tell of what the file holds. */
function keyInvalid(message: string, path: string): ShuttleError {
  return new ShuttleError('KEY_INVALID', message, { at: { path } });
}
