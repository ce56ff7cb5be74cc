/** Collects, block by block, what evidence of one transaction needs. */
import { type BlockParts, readBlock, TRANSACTIONS_FILTER } from './block-bytes.ts';
import { isConfigEntry } from './block-checks.ts';
import { definedFields } from './definitions.ts';
import { setsIn } from './entry-sets.ts';
import { readChannelHeader, readEnvelope, readPayload } from './envelope.ts';
import { DATA_HASH_BYTES, type Evidence } from './evidence-file.ts';
import type { AccessSet } from './rwset.ts';
import { CODES } from './transaction.ts';
import { bytesField } from './wire.ts';

/** What is looked for: the last valid write of a key, or a transaction by its id. */
export type Wanted =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'transaction'; readonly txId: string };

/** A transaction that was found, and what was known before its block. */
interface Found {
  readonly block: Uint8Array;
  readonly count: number;
  readonly transaction: number;
  readonly isValid: boolean;
  readonly configs: readonly Uint8Array[];
  readonly definitions: readonly Uint8Array[];
}

interface Held {
  readonly number: bigint;
  readonly bytes: Uint8Array;
}

export class EvidenceCollector {
  private readonly chaincode: string;
  private readonly wanted: Wanted;
  private readonly needle: Buffer;
  private hashes = Buffer.alloc(DATA_HASH_BYTES * FIRST_HASHES);
  private count = 0;
  private readonly configs: Uint8Array[] = [];
  /** By chaincode, then by field: the block that defined it last. */
  private readonly definitions = new Map<string, Map<string, Held>>();
  private found: Found | null = null;

  constructor(chaincode: string, wanted: Wanted) {
    this.chaincode = chaincode;
    this.wanted = wanted;
    this.needle = Buffer.from(wanted.kind === 'key' ? wanted.key : wanted.txId);
  }

  /** Whether the transaction that is asked for by its id has been found. */
  get isDone(): boolean {
    return this.found !== null && this.wanted.kind === 'transaction';
  }

  /** Null when it was not found; then `isInvalid` says whether it is there without effect. */
  get isInvalid(): boolean {
    return this.found?.isValid === false;
  }

  /** Takes the next block, from block 0 on, after it has been verified. */
  take(bytes: Uint8Array): void {
    const parts = readBlock(bytes);
    this.addHash(parts.header.dataHash);
    this.look(parts);
    if (parts.entries.length === 1 && isConfigEntry(parts.entries[0] ?? Buffer.alloc(0))) {
      this.configs.push(Uint8Array.from(bytes));
    }
    if (includes(bytes, VALIDATION)) {
      this.hold(parts);
    }
  }

  /** @param genesisHash - header hash of block 0; null when nothing valid was found */
  evidence(channel: string, genesisHash: string): Evidence | null {
    if (this.found === null || !this.found.isValid) {
      return null;
    }
    const { block, count, transaction, configs, definitions } = this.found;
    return {
      channel,
      chaincode: this.chaincode,
      genesisHash,
      dataHashes: this.hashes.subarray(0, count * DATA_HASH_BYTES),
      configs,
      definitions,
      block,
      transaction,
      key: this.wanted.kind === 'key' ? this.wanted.key : null,
    };
  }

  private addHash(hash: Uint8Array): void {
    const at = this.count * DATA_HASH_BYTES;
    if (at === this.hashes.length) {
      this.hashes = Buffer.concat([this.hashes, Buffer.alloc(this.hashes.length)]);
    }
    this.hashes.set(hash, at);
    this.count += 1;
  }

  private look(parts: BlockParts): void {
    const { bytes, entries } = parts;
    if (!includes(bytes, this.needle)) {
      return;
    }
    for (const [index, entry] of entries.entries()) {
      const isValid = isValidAt(parts, index);
      const sets = includes(entry, this.needle) ? setsIn(entry) : [];
      if (this.isWanted(entry, sets, isValid)) {
        this.found = {
          block: Uint8Array.from(bytes),
          count: this.count,
          transaction: index,
          isValid,
          configs: [...this.configs],
          definitions: this.definitionsFor(sets),
        };
      }
    }
  }

  private isWanted(entry: Uint8Array, sets: readonly AccessSet[], isValid: boolean): boolean {
    const { wanted, chaincode, needle } = this;
    if (wanted.kind === 'transaction') {
      // The same id may come again; only one of them can be valid.
      return this.found?.isValid !== true && txIdOf(entry) === wanted.txId;
    }
    return (
      isValid &&
      sets.some(
        ({ namespace, collection, writes }) =>
          namespace === chaincode &&
          collection === '' &&
          writes.keys().some((key) => key.equals(needle)),
      )
    );
  }

  /** The blocks that define what the transaction writes for, each once and in order. */
  private definitionsFor(sets: readonly AccessSet[]): readonly Uint8Array[] {
    const names = new Set([this.chaincode, ...sets.map(({ namespace }) => namespace)]);
    const blocks = new Map<bigint, Uint8Array>();
    for (const name of names) {
      for (const { number, bytes } of this.definitions.get(name)?.values() ?? []) {
        blocks.set(number, bytes);
      }
    }
    return [...blocks].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, bytes]) => bytes);
  }

  private hold(parts: BlockParts): void {
    const { bytes, header, entries } = parts;
    const copy = Uint8Array.from(bytes);
    for (const [index, entry] of entries.entries()) {
      const fields = isValidAt(parts, index) ? setsIn(entry).flatMap(definedFields) : [];
      for (const [name, field] of fields) {
        const known = this.definitions.get(name) ?? new Map<string, Held>();
        known.set(field, { number: header.number, bytes: copy });
        this.definitions.set(name, known);
      }
    }
  }
}

const FIRST_HASHES = 1_024;
/** Every definition of a chaincode writes a key with this in it. */
const VALIDATION = Buffer.from('/ValidationInfo');

const includes = (bytes: Uint8Array, needle: Buffer): boolean =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(needle);

const isValidAt = ({ metadata }: BlockParts, index: number): boolean =>
  metadata[TRANSACTIONS_FILTER]?.[index] === CODES.VALID;

function txIdOf(entry: Uint8Array): string | null {
  try {
    const { header } = readPayload(readEnvelope(entry).payload);
    return readChannelHeader(bytesField(header ?? Buffer.alloc(0), 1)).txId;
  } catch {
    return null;
  }
}
