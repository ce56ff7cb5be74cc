/** Exact bytes of a block -> header, data entries, metadata. All are views, nothing is copied. */
import { createHash } from 'node:crypto';
import { ShuttleError } from '../errors.ts';
import {
  asBuffer,
  decoding,
  EMPTY,
  lengthDelimited,
  readBytes,
  readMessage,
  varint,
} from './proto.ts';

/** common.BlockHeader. Hashes are 32 bytes; the previous hash of block 0 is empty. */
export interface BlockHeader {
  readonly number: bigint;
  readonly previousHash: Uint8Array;
  readonly dataHash: Uint8Array;
}

export interface Block {
  /** The bytes as the peer sent them; all views point into them. */
  readonly bytes: Uint8Array;
  readonly header: BlockHeader;
  /** Header hash, lower-case hex: what the next block names as its previous one. */
  readonly hash: string;
  /** One common.Envelope for each transaction. */
  readonly entries: readonly Uint8Array[];
  /** peer.TxValidationCode for each entry, one byte each. Signed by nobody. */
  readonly validationCodes: Uint8Array;
  /** Lower-case hex; null where the peer keeps none (block 0). */
  readonly commitHash: string | null;
  /** Number of the last block that changed the channel's config; null when it is not told. */
  readonly lastConfig: bigint | null;
  /** All metadata slots by common.BlockMetadataIndex, for whoever checks signatures. */
  readonly metadata: readonly Uint8Array[];
}

const HASH_BYTES = 32;

// common.Block
const BLOCK_HEADER = lengthDelimited(1); // header
const BLOCK_DATA = lengthDelimited(2); // data
const BLOCK_METADATA = lengthDelimited(3); // metadata
// common.BlockHeader
const HEADER_NUMBER = varint(1); // number
const HEADER_PREVIOUS_HASH = lengthDelimited(2); // previous_hash
const HEADER_DATA_HASH = lengthDelimited(3); // data_hash
// common.BlockData and common.BlockMetadata
const DATA_ENTRY = lengthDelimited(1); // data
const METADATA_SLOT = lengthDelimited(1); // metadata
// common.Metadata
const METADATA_VALUE = lengthDelimited(1); // value
// common.LastConfig
const LAST_CONFIG_INDEX = varint(1); // index
// common.OrdererBlockMetadata
const ORDERER_LAST_CONFIG = lengthDelimited(1); // last_config
// common.BlockMetadataIndex
const SIGNATURES_SLOT = 0;
const LAST_CONFIG_SLOT = 1;
const TRANSACTIONS_FILTER_SLOT = 2;
const COMMIT_HASH_SLOT = 4;

/**
 * Decodes a block as a peer serves it.
 *
 * @throws ShuttleError BLOCK_INVALID when the bytes are not a block, or lack validation codes
 */
export function decodeBlock(bytes: Uint8Array): Block {
  const { header, entries, metadata } = decoding('a block', () => readParts(asBuffer(bytes)));
  const at = { block_number: header.number };
  checkHashLengths(header);
  const validationCodes = metadata[TRANSACTIONS_FILTER_SLOT] ?? EMPTY;
  if (validationCodes.length !== entries.length) {
    throw new ShuttleError(
      'BLOCK_INVALID',
      `There are ${validationCodes.length} validation codes for ${entries.length} transactions.`,
      { at },
    );
  }
  const commitHash = decoding('a commit hash', () =>
    metadataValue(metadata[COMMIT_HASH_SLOT] ?? EMPTY),
  );
  return {
    bytes,
    header,
    hash: headerHash(header),
    entries,
    validationCodes,
    commitHash: commitHash.length === 0 ? null : commitHash.toString('hex'),
    lastConfig: decoding('the last config', () => readLastConfig(metadata)),
    metadata,
  };
}

/**
 * Header hash, lower-case hex: SHA-256 of the DER SEQUENCE {INTEGER number, OCTET STRING
 * previous_hash, OCTET STRING data_hash} (protoutil.BlockHeaderHash).
 */
export function headerHash(header: BlockHeader): string {
  return createHash('sha256').update(headerBytes(header)).digest('hex');
}

/** The DER bytes that are hashed, and that orderers sign behind their own header. */
export function headerBytes(header: BlockHeader): Uint8Array {
  checkHashLengths(header);
  const number = derInteger(header.number);
  // With hashes of at most 32 bytes every length is below 128: one byte each.
  const body = Buffer.concat([
    number,
    Buffer.from([0x04, header.previousHash.length]),
    header.previousHash,
    Buffer.from([0x04, header.dataHash.length]),
    header.dataHash,
  ]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

function derInteger(value: bigint): Buffer {
  const hex = value.toString(16);
  const digits = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  // A leading 1 bit would mean a negative number.
  const sign = (digits[0] ?? 0) >= 0x80 ? [0] : [];
  return Buffer.from([0x02, digits.length + sign.length, ...sign, ...digits]);
}

function checkHashLengths({ number, previousHash, dataHash }: BlockHeader): void {
  const previousBytes = number === 0n ? 0 : HASH_BYTES;
  if (previousHash.length !== previousBytes || dataHash.length !== HASH_BYTES) {
    throw new ShuttleError('BLOCK_INVALID', 'The block header has hashes of a wrong length.', {
      at: { block_number: number },
    });
  }
}

interface Parts {
  readonly header: BlockHeader;
  readonly entries: Buffer[];
  readonly metadata: Buffer[];
}

function readParts(bytes: Buffer): Parts {
  const header = { number: 0n, previousHash: EMPTY, dataHash: EMPTY };
  const entries: Buffer[] = [];
  const metadata: Buffer[] = [];
  readBytes(bytes, (tag, reader) => {
    if (tag === BLOCK_HEADER) {
      readMessage(reader, (field) => {
        if (field === HEADER_NUMBER) {
          header.number = BigInt(reader.uint64());
        } else if (field === HEADER_PREVIOUS_HASH) {
          header.previousHash = asBuffer(reader.bytes());
        } else if (field === HEADER_DATA_HASH) {
          header.dataHash = asBuffer(reader.bytes());
        } else {
          return false;
        }
        return true;
      });
    } else if (tag === BLOCK_DATA) {
      readMessage(reader, (field) => {
        if (field === DATA_ENTRY) {
          entries.push(asBuffer(reader.bytes()));
        }
        return field === DATA_ENTRY;
      });
    } else if (tag === BLOCK_METADATA) {
      readMessage(reader, (field) => {
        if (field === METADATA_SLOT) {
          metadata.push(asBuffer(reader.bytes()));
        }
        return field === METADATA_SLOT;
      });
    } else {
      return false;
    }
    return true;
  });
  return { header, entries, metadata };
}

/** common.Metadata.value; empty when absent. */
function metadataValue(slot: Buffer): Buffer {
  let value = EMPTY;
  readBytes(slot, (tag, reader) => {
    if (tag === METADATA_VALUE) {
      value = asBuffer(reader.bytes());
    }
    return tag === METADATA_VALUE;
  });
  return value;
}

/** The signed value counts; orderers before Fabric 2 wrote it to a slot of its own only. */
function readLastConfig(metadata: readonly Buffer[]): bigint | null {
  let index: bigint | null = null;
  const signed = metadataValue(metadata[SIGNATURES_SLOT] ?? EMPTY);
  readBytes(signed, (tag, reader) => {
    if (tag === ORDERER_LAST_CONFIG) {
      index = readLastConfigIndex(asBuffer(reader.bytes()));
    }
    return tag === ORDERER_LAST_CONFIG;
  });
  const own = metadata[LAST_CONFIG_SLOT] ?? EMPTY;
  return index === null && own.length > 0 ? readLastConfigIndex(metadataValue(own)) : index;
}

function readLastConfigIndex(bytes: Buffer): bigint {
  let index = 0n;
  readBytes(bytes, (tag, reader) => {
    if (tag === LAST_CONFIG_INDEX) {
      index = BigInt(reader.uint64());
    }
    return tag === LAST_CONFIG_INDEX;
  });
  return index;
}
