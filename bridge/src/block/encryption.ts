/**
 * AES-256-GCM of the values on a channel's topics. docs/encryption.md describes every byte, so that
 * others can read what is written here; docs/decisions/0025 says why it is so.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import { ShuttleError } from '../errors.ts';
import type { OutputHeader, OutputRecord, SourceRecord } from '../values.ts';
import { ENCRYPTION_HEADER, ID_HEADER, type TopicKind } from './topics.ts';

/** Keys of 32 bytes by their ids. */
export type EncryptionKeys = ReadonlyMap<string, Uint8Array>;

/** Which topic of which channel a record is on; the name's prefix does not count. */
export interface PublishedTopic {
  readonly kind: TopicKind;
  readonly channel: string;
}

/** Encrypts a record of a block, `block` in decimal digits. A null value stays null. */
export type EncryptRecord = (kind: TopicKind, block: string, record: OutputRecord) => OutputRecord;

/** The record with its value as it was before; one that was never encrypted comes back as it is. */
export type DecryptRecord = (record: SourceRecord, at: PublishedTopic) => SourceRecord;

export const ENCRYPTION_KEY_BYTES = 32;
export const KEY_ID_PATTERN = /^[A-Za-z0-9._-]{1,64}$/;

const VERSION = '1';
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** How much longer a value is when it is encrypted. */
const OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES;

const KEY_LABEL = 'shuttle.encryption.1';
const RECORD_LABEL = 'shuttle.record.1';
const LENGTH_BYTES = 4;
/** Stands for the length of what is null. */
const NULL_LENGTH = 0xffffffff;
const EMPTY = new Uint8Array();

type Text = Uint8Array | string;

/** Keys of one block on one topic. */
interface BlockKeys {
  readonly block: string;
  readonly cipher: Uint8Array;
  readonly nonce: Uint8Array;
}

/**
 * Encrypts with one key. The same record gives the same bytes, whoever encrypts it and whenever:
 * the nonce is a keyed digest of all that is protected, so it repeats with the whole record only.
 */
export function createEncryptor(channel: string, keyId: string, key: Uint8Array): EncryptRecord {
  const header: OutputHeader = { name: ENCRYPTION_HEADER, value: `${VERSION}:${keyId}` };
  const keysOf = blockKeys(channel);
  return (kind, block, record) => {
    if (record.value === null) {
      return record;
    }
    const keys = keysOf(keyId, key, kind, block);
    const headers = [...record.headers, header];
    const plain = bytesOf(record.value);
    const about = associatedData({ kind, channel }, record.key, headers);
    const nonce = nonceOf(keys, about, plain);
    const cipher = createCipheriv(CIPHER, keys.cipher, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(about);
    const body = cipher.update(plain);
    cipher.final();
    return { ...record, headers, value: Buffer.concat([nonce, body, cipher.getAuthTag()]) };
  };
}

/**
 * Decrypts with whichever of the keys a record names.
 *
 * @returns a function that throws ShuttleError KEY_UNKNOWN when the key is not there, and
 * DECRYPTION_FAILED when the record is not the one that was encrypted, or not at its place. Both
 * lack the position in Kafka: the reader adds it
 */
export function createDecryptor(keys: EncryptionKeys): DecryptRecord {
  const channels = new Map<string, ReturnType<typeof blockKeys>>();
  return (record, at) => {
    const end = record.headers.findIndex(({ name }) => name === ENCRYPTION_HEADER);
    if (end < 0) {
      return record;
    }
    const headers = record.headers.slice(0, end + 1);
    const keyId = keyIdOf(textOf(headers.at(-1)?.value));
    const key = keys.get(keyId);
    if (key === undefined) {
      throw keyUnknown(keyId, keys);
    }
    const { value } = record;
    const block = blockOf(headers, at.channel);
    if (value === null || value.length < OVERHEAD_BYTES || block === null) {
      throw failed(keyId);
    }
    const keysOf = channels.get(at.channel) ?? blockKeys(at.channel);
    channels.set(at.channel, keysOf);
    const plain = opened(keysOf(keyId, key, at.kind, block), value, {
      about: associatedData(at, record.key, headers),
      keyId,
    });
    return { ...record, value: plain };
  };
}

function opened(
  keys: BlockKeys,
  value: Uint8Array,
  { about, keyId }: { readonly about: Uint8Array; readonly keyId: string },
): Uint8Array {
  const nonce = value.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv(CIPHER, keys.cipher, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(about);
  decipher.setAuthTag(value.subarray(-TAG_BYTES));
  const plain = decipher.update(value.subarray(NONCE_BYTES, -TAG_BYTES));
  try {
    decipher.final();
  } catch (cause) {
    throw failed(keyId, cause);
  }
  return plain;
}

/**
 * Derives keys for each block of each topic, so that a key file is never used up: nonces need to
 * be different within a block only. Keeps the last of each topic, as records come by blocks.
 */
function blockKeys(channel: string) {
  const last = new Map<string, BlockKeys>();
  return (keyId: string, key: Uint8Array, kind: TopicKind, block: string): BlockKeys => {
    const name = `${kind}:${keyId}`;
    const known = last.get(name);
    if (known?.block === block) {
      return known;
    }
    const info = [KEY_LABEL, kind, channel, block].join('\n');
    const bytes = new Uint8Array(hkdfSync('sha512', key, EMPTY, info, 2 * ENCRYPTION_KEY_BYTES));
    const keys = {
      block,
      cipher: bytes.subarray(0, ENCRYPTION_KEY_BYTES),
      nonce: bytes.subarray(ENCRYPTION_KEY_BYTES),
    };
    last.set(name, keys);
    return keys;
  };
}

function nonceOf({ nonce }: BlockKeys, about: Uint8Array, plain: Uint8Array): Uint8Array {
  // What comes before the plain text tells its own length, so no two pairs give the same bytes.
  const digest = createHmac('sha256', nonce).update(about).update(plain).digest();
  return digest.subarray(0, NONCE_BYTES);
}

/**
 * What is protected beside the value: place, key, and all headers up to the one that tells of the
 * encryption. The number of parts goes first, and each part's length before it.
 */
function associatedData(
  { kind, channel }: PublishedTopic,
  key: Text | null,
  headers: readonly OutputHeader[],
): Buffer {
  const parts = [RECORD_LABEL, kind, channel, key];
  for (const { name, value } of headers) {
    parts.push(name, value);
  }
  let size = LENGTH_BYTES;
  for (const part of parts) {
    size += LENGTH_BYTES + lengthOf(part);
  }
  const bytes = Buffer.allocUnsafe(size);
  let at = bytes.writeUInt32BE(parts.length);
  for (const part of parts) {
    at = appended(bytes, part, at);
  }
  return bytes;
}

/** Writes a part behind its length. @returns where the next one begins */
function appended(bytes: Buffer, part: Text | null, at: number): number {
  if (part === null) {
    return bytes.writeUInt32BE(NULL_LENGTH, at);
  }
  const start = bytes.writeUInt32BE(lengthOf(part), at);
  if (typeof part === 'string') {
    return start + bytes.write(part, start);
  }
  bytes.set(part, start);
  return start + part.length;
}

function lengthOf(part: Text | null): number {
  if (part === null) {
    return 0;
  }
  return typeof part === 'string' ? Buffer.byteLength(part) : part.length;
}

const bytesOf = (value: Text): Uint8Array =>
  typeof value === 'string' ? Buffer.from(value) : value;

const textOf = (value: Text | null | undefined): string => Buffer.from(value ?? '').toString();

/** @throws ShuttleError DECRYPTION_FAILED when the header is not of this version */
function keyIdOf(header: string): string {
  const [version, keyId = ''] = header.split(':', 2);
  if (version !== VERSION || !KEY_ID_PATTERN.test(keyId)) {
    throw new ShuttleError(
      'DECRYPTION_FAILED',
      'The record says that it is encrypted in a way that this release does not know.',
      { at: { [ENCRYPTION_HEADER]: header.slice(0, 100) } },
    );
  }
  return keyId;
}

/** The block's number in decimal digits, as the record's id tells it. */
function blockOf(headers: readonly OutputHeader[], channel: string): string | null {
  const id = textOf(headers.find(({ name }) => name === ID_HEADER)?.value);
  const [named, block = ''] = id.split(':', 2);
  return named === channel && /^[0-9]{1,20}$/.test(block) ? block : null;
}

function keyUnknown(keyId: string, keys: EncryptionKeys): ShuttleError {
  const known =
    keys.size === 0 ? 'no keys are configured' : `there are ${[...keys.keys()].join(', ')}`;
  return new ShuttleError(
    'KEY_UNKNOWN',
    `The record is encrypted with the key ${keyId}, and ${known}.`,
    { at: { key_id: keyId } },
  );
}

function failed(keyId: string, cause?: unknown): ShuttleError {
  return new ShuttleError(
    'DECRYPTION_FAILED',
    `The record does not decrypt with the key ${keyId} at the place where it stands.`,
    { cause, at: { key_id: keyId } },
  );
}
