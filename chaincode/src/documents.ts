/**
 * Which keys and values may become documents, and how a batch's versions of one key come together.
 *
 * Pure and independent of the engine: two peers on different Node versions must refuse the same
 * records, or their endorsements differ and the lane stands still.
 */
import { isUtf8 } from 'node:buffer';
import {
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  type Version,
  type Writer,
} from './envelope.ts';
import {
  DOCUMENT_BYTES_MAX,
  integer,
  KEY_BYTES_MAX,
  parseObject,
  type RecordRefusalCode,
  text,
} from './wire.ts';

const NULL_BYTE = 0x00;
const UNDERSCORE = 0x5f;

/** Why the bytes cannot be a document's key; null when they can. */
export function checkKey(key: Uint8Array): RecordRefusalCode | null {
  if (key.length === 0) {
    return 'KEY_EMPTY';
  }
  if (key.length > KEY_BYTES_MAX) {
    return 'KEY_TOO_LONG';
  }
  if (!isUtf8(key)) {
    return 'KEY_NOT_UTF8';
  }
  // U+0000 starts Fabric's composite keys, and CouchDB refuses ids that start with "_".
  if (key[0] === NULL_BYTE || key[0] === UNDERSCORE) {
    return 'KEY_RESERVED';
  }
  return null;
}

/** Why the bytes cannot be a document; null when they can. */
export function checkDocument(document: Uint8Array): RecordRefusalCode | null {
  if (document.length > DOCUMENT_BYTES_MAX) {
    return 'VALUE_TOO_LARGE';
  }
  if (!isUtf8(document)) {
    return 'VALUE_NOT_UTF8';
  }
  return isJson(utf8Text(document)) ? null : 'VALUE_NOT_JSON';
}

/** The text of bytes that are valid UTF-8; a byte order mark stays, because JSON refuses it. */
export function utf8Text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

// The parser's error is dropped on purpose: its text differs between versions of the engine.
function isJson(json: string): boolean {
  try {
    JSON.parse(json);
    return true;
  } catch {
    return false;
  }
}

/**
 * The envelope of a value from the state.
 *
 * LevelDB gives back the bytes that were written. CouchDB keeps JSON as values of its own and
 * writes it anew, with members in another order and numbers rounded: such a document is equal as
 * JSON at best. The value in the block, and so every history, stays what was written.
 *
 * @throws TypeError when the value is not an envelope
 */
export function decodeStored(bytes: Uint8Array): Envelope {
  try {
    return decodeEnvelope(bytes);
  } catch {
    return decodeRewritten(parseObject(utf8Text(bytes), 'the stored value'));
  }
}

function decodeRewritten(raw: Record<string, unknown>): Envelope {
  const superseded = Array.isArray(raw.b) ? (raw.b as Record<string, unknown>[]) : [];
  const earlier = superseded.map((each) => rewrittenVersion(each, each.o === '' ? null : each.o));
  if (typeof raw.m === 'string') {
    const writer: Writer = { kind: 'client', mspId: raw.m };
    return { writer, versions: [...earlier, rewrittenVersion(raw, null)] };
  }
  const [shortId = '', offset = ''] = text(raw, 's').split(':');
  return {
    writer: { kind: 'source', shortId },
    versions: [...earlier, rewrittenVersion(raw, offset)],
  };
}

function rewrittenVersion(raw: Record<string, unknown>, offset: unknown): Version {
  if (typeof raw.t !== 'number') {
    throw new TypeError('t is not a number');
  }
  return {
    offset: offset === null ? null : integer({ offset }, 'offset'),
    timestamp: raw.t,
    document: raw.d === undefined ? null : Buffer.from(JSON.stringify(raw.d)),
  };
}

/**
 * The versions of one transaction by key, because a transaction can write a key once: the last
 * version is the key's value, and it carries the earlier ones.
 */
export class VersionsByKey {
  private readonly versions = new Map<string, Version[]>();

  add(key: string, version: Version): void {
    const earlier = this.versions.get(key);
    if (earlier === undefined) {
      this.versions.set(key, [version]);
    } else {
      earlier.push(version);
    }
  }

  /** The version that the key has by now in this transaction; undefined when it has none. */
  latest(key: string): Version | undefined {
    return this.versions.get(key)?.at(-1);
  }

  /** One envelope for each key, in the order in which the keys first appeared. */
  *envelopes(writer: Writer): Generator<readonly [key: string, envelope: Buffer]> {
    for (const [key, versions] of this.versions) {
      yield [key, encodeEnvelope(writer, versions)];
    }
  }
}
