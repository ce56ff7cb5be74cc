/**
 * The value that the ledger keeps under a document key: a JSON envelope of the source position and
 * the document's own bytes, verbatim. Pure: the bridge reads it from blocks with the same code.
 *
 *   from Kafka   {"s":"<short id>:<offset>","t":<timestamp>,"d":<document>}
 *   by setData   {"m":"<MSP id>","t":<timestamp>,"d":<document>}
 *   tombstone    the same without "d"
 *   superseded   "b":[{"o":"<offset>","t":<timestamp>,"n":<bytes of d>,"d":<document>},...] before
 *                "d": the earlier versions of the key in the same transaction, oldest first
 *
 * The document stands last, and a superseded one behind its length, so a reader cuts it out without
 * parsing it: big integers, 1e400 and repeated members stay what they were.
 */

import { parseOffset } from './wire.ts';

/** One version of a document; `document` null is a tombstone. */
export interface Version {
  /** Offset in the source partition; null when written by setData or deleteData. */
  readonly offset: bigint | null;
  /** Milliseconds since the epoch: the record's, or the transaction's without one. */
  readonly timestamp: number;
  readonly document: Uint8Array | null;
}

/** Who wrote it: a source partition by its short id, or a client's MSP by setData. */
export type Writer =
  | { readonly kind: 'source'; readonly shortId: string }
  | { readonly kind: 'client'; readonly mspId: string };

export interface Envelope {
  readonly writer: Writer;
  /** Oldest first; the last one is current. Never empty. */
  readonly versions: readonly Version[];
}

const CLOSE = Buffer.from('}');

/** Encodes the versions that one transaction writes under one key. */
export function encodeEnvelope(writer: Writer, versions: readonly Version[]): Buffer {
  const current = versions.at(-1);
  if (current === undefined) {
    throw new RangeError('an envelope holds at least one version');
  }
  const head =
    writer.kind === 'source'
      ? `{"s":"${writer.shortId}:${current.offset ?? ''}","t":${current.timestamp}`
      : `{"m":${JSON.stringify(writer.mspId)},"t":${current.timestamp}`;
  const parts: Uint8Array[] = [Buffer.from(head)];
  if (versions.length > 1) {
    pushSuperseded(parts, versions.slice(0, -1));
  }
  if (current.document !== null) {
    parts.push(Buffer.from(',"d":'), current.document);
  }
  parts.push(CLOSE);
  return Buffer.concat(parts);
}

function pushSuperseded(parts: Uint8Array[], versions: readonly Version[]): void {
  let separator = ',"b":[';
  for (const { offset, timestamp, document } of versions) {
    const head = `${separator}{"o":"${offset ?? ''}","t":${timestamp}`;
    if (document === null) {
      parts.push(Buffer.from(`${head}}`));
    } else {
      parts.push(Buffer.from(`${head},"n":${document.length},"d":`), document, CLOSE);
    }
    separator = ',';
  }
  parts.push(Buffer.from(']'));
}

/**
 * Reads an envelope; documents are views into `bytes`.
 *
 * @throws TypeError when the bytes are not an envelope
 */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  return new EnvelopeReader(bytes).read();
}

/** Walks the fixed member order that encodeEnvelope writes; anything else is not an envelope. */
class EnvelopeReader {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  read(): Envelope {
    this.expect('{"');
    const source = this.skip('s":"');
    let writer: Writer;
    let offset: bigint | null = null;
    if (source) {
      const id = this.until(':');
      offset = this.offset();
      writer = { kind: 'source', shortId: id };
    } else {
      this.expect('m":');
      writer = { kind: 'client', mspId: this.jsonString() };
    }
    this.expect(',"t":');
    const timestamp = this.number();
    const versions: Version[] = this.skip(',"b":[') ? this.superseded() : [];
    const end = this.bytes.length - 1;
    const document = this.skip(',"d":') ? this.bytes.subarray(this.at, end) : null;
    if (document !== null) {
      this.at = end;
    }
    this.expect('}');
    if (this.at !== this.bytes.length || document?.length === 0) {
      throw this.invalid();
    }
    versions.push({ offset, timestamp, document });
    return { writer, versions };
  }

  private superseded(): Version[] {
    const versions: Version[] = [];
    do {
      this.expect('{"o":"');
      const offset = this.skip('"') ? null : this.offset();
      this.expect(',"t":');
      const timestamp = this.number();
      let document: Uint8Array | null = null;
      if (this.skip(',"n":')) {
        document = this.counted();
      }
      this.expect('}');
      versions.push({ offset, timestamp, document });
    } while (this.skip(','));
    this.expect(']');
    return versions;
  }

  /** A document behind its length. */
  private counted(): Uint8Array {
    const length = this.number();
    this.expect(',"d":');
    if (length < 1) {
      throw this.invalid();
    }
    const document = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return document;
  }

  private offset(): bigint {
    const offset = parseOffset(this.until('"'));
    if (offset === null) {
      throw this.invalid();
    }
    return offset;
  }

  private skip(text: string): boolean {
    const end = this.at + text.length;
    if (this.bytes.toString('latin1', this.at, end) !== text) {
      return false;
    }
    this.at = end;
    return true;
  }

  private expect(text: string): void {
    if (!this.skip(text)) {
      throw this.invalid();
    }
  }

  private until(stop: string): string {
    const end = this.bytes.indexOf(stop, this.at, 'latin1');
    if (end < 0) {
      throw this.invalid();
    }
    const text = this.bytes.toString('latin1', this.at, end);
    this.at = end + stop.length;
    return text;
  }

  private number(): number {
    const match = /^-?[0-9]{1,16}/.exec(this.bytes.toString('latin1', this.at, this.at + 17));
    if (match === null) {
      throw this.invalid();
    }
    this.at += match[0].length;
    const number = Number(match[0]);
    if (!Number.isSafeInteger(number)) {
      throw this.invalid();
    }
    return number;
  }

  private jsonString(): string {
    const from = this.at;
    this.expect('"');
    while (this.at < this.bytes.length && this.bytes[this.at] !== 0x22) {
      this.at += this.bytes[this.at] === 0x5c ? 2 : 1;
    }
    this.expect('"');
    try {
      return JSON.parse(this.bytes.toString('utf8', from, this.at)) as string;
    } catch {
      throw this.invalid();
    }
  }

  private invalid(): TypeError {
    return new TypeError(`not an envelope, at byte ${this.at}`);
  }
}
