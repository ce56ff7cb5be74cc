/**
 * A block taken apart, every part a view into its bytes. What it is made of anew has to be the same
 * bytes: where two encodings say one thing, nobody has signed which of them is meant.
 */
import { type BlockHeader, headerBytes } from '../block/decode.ts';
import {
  bytesField,
  encodeBytes,
  encodeInteger,
  encodeItem,
  encodeMessage,
  firstDifference,
  readFields,
  repeatedField,
} from './wire.ts';

export interface BlockParts {
  readonly bytes: Uint8Array;
  readonly header: BlockHeader;
  readonly entries: readonly Buffer[];
  /** By common.BlockMetadataIndex. */
  readonly metadata: readonly Buffer[];
  readonly signatures: Signatures;
  /** Number of the last config block that orderers had in mind; null when it is not told. */
  readonly lastConfig: bigint | null;
  /** Null when there is none. */
  readonly commitHash: Buffer | null;
}

/** common.BlockMetadataIndex. */
export const SIGNATURES = 0;
export const LAST_CONFIG = 1;
export const TRANSACTIONS_FILTER = 2;
export const COMMIT_HASH = 4;

/** @throws Error when the bytes are no common.Block */
export function readBlock(bytes: Uint8Array): BlockParts {
  const header = bytesField(bytes, 1);
  let number = 0n;
  let [previousHash, dataHash]: Buffer[] = [Buffer.alloc(0), Buffer.alloc(0)];
  readFields(header, {
    integer: (field, value) => {
      number = field === 1 ? value : number;
    },
    bytes: (field, value) => {
      previousHash = field === 2 ? value : previousHash;
      dataHash = field === 3 ? value : dataHash;
    },
  });
  const metadata = repeatedField(bytesField(bytes, 3), 1);
  const signatures = readSignatures(metadata[SIGNATURES] ?? Buffer.alloc(0));
  const commitHash = bytesField(metadata[COMMIT_HASH] ?? Buffer.alloc(0), 1);
  return {
    bytes,
    header: {
      number,
      previousHash: previousHash ?? Buffer.alloc(0),
      dataHash: dataHash ?? Buffer.alloc(0),
    },
    entries: repeatedField(bytesField(bytes, 2), 1),
    metadata,
    signatures,
    lastConfig: readLastConfig(signatures.value),
    // A view would keep the whole block.
    commitHash: commitHash.length === 0 ? null : Buffer.from(commitHash),
  };
}

/** Where the bytes differ first from those that a peer would send; null when they do not. */
export function firstOddByte({ bytes, header, entries, metadata }: BlockParts): number | null {
  return firstDifference(bytes, [
    ...encodeMessage(1, [
      ...encodeInteger(1, header.number),
      ...encodeBytes(2, header.previousHash),
      ...encodeBytes(3, header.dataHash),
    ]),
    ...encodeMessage(
      2,
      entries.flatMap((entry) => encodeItem(1, entry)),
    ),
    ...encodeMessage(
      3,
      metadata.flatMap((slot) => encodeItem(1, slot)),
    ),
  ]);
}

/** Whether an entry can be cut in one way only: an envelope, and nothing beside it. */
export function isWholeEnvelope(entry: Buffer): boolean {
  const [payload, signature] = [bytesField(entry, 1), bytesField(entry, 2)];
  if (payload.length === 0 || signature.length === 0) {
    return false;
  }
  const pieces = [...encodeBytes(1, payload), ...encodeBytes(2, signature)];
  return firstDifference(entry, pieces) === null;
}

/** One of common.Metadata.signatures: signature_header 1, signature 2, identifier_header 3. */
export interface BlockSignature {
  readonly signatureHeader: Buffer;
  readonly signature: Buffer;
  /** common.IdentifierHeader: identifier 1, nonce 2; empty unless BFT. */
  readonly identifierHeader: Buffer;
  /** Who the signature header says it is; empty where it says nothing. */
  readonly creator: Buffer;
  /** Of the identifier header. */
  readonly identifier: bigint;
}

export interface Signatures {
  /** common.OrdererBlockMetadata: last_config 1 {index 1}, consenter_metadata 2. */
  readonly value: Buffer;
  readonly signatures: readonly BlockSignature[];
  /** Whether the slot is the encoding of just this. */
  readonly isCanonical: boolean;
}

/** Of the slot SIGNATURES. @throws Error when the bytes are none */
function readSignatures(slot: Buffer): Signatures {
  const value = bytesField(slot, 1);
  const items = repeatedField(slot, 2);
  const signatures = items.map((item) => ({
    signatureHeader: bytesField(item, 1),
    signature: bytesField(item, 2),
    identifierHeader: bytesField(item, 3),
    creator: bytesField(bytesField(item, 1), 1),
    identifier: readIdentifier(bytesField(item, 3)),
  }));
  const encoded = signatures.flatMap(({ signatureHeader, signature, identifierHeader }) =>
    encodeMessage(2, [
      ...encodeBytes(1, signatureHeader),
      ...encodeBytes(2, signature),
      ...encodeBytes(3, identifierHeader),
    ]),
  );
  const isCanonical = firstDifference(slot, [...encodeBytes(1, value), ...encoded]) === null;
  return { value, signatures, isCanonical };
}

function readIdentifier(header: Buffer): bigint {
  let identifier = 0n;
  readFields(header, {
    integer: (field, value) => {
      identifier = field === 1 ? value : identifier;
    },
  });
  return identifier;
}

/** Of common.OrdererBlockMetadata. */
function readLastConfig(value: Buffer): bigint | null {
  let index: bigint | null = null;
  readFields(value, {
    bytes: (field, lastConfig) => {
      if (field === 1) {
        index = 0n;
        readFields(lastConfig, {
          integer: (inner, found) => {
            index = inner === 1 ? found : index;
          },
        });
      }
    },
  });
  return index;
}

/**
 * The slot LAST_CONFIG as orderers still fill it: what they sign in the slot SIGNATURES, once more
 * and unsigned.
 */
export function encodeLastConfig(index: bigint): Buffer[] {
  return encodeBytes(1, Buffer.concat(encodeInteger(1, index)));
}

/** What orderers sign behind the metadata's value and their own header. */
export const signedHeader = (header: BlockHeader): Uint8Array => headerBytes(header);
