/** A block's header as a blocks record tells it in its headers, for who cannot read the value. */
import { ShuttleError } from '../errors.ts';
import type { OutputHeader } from '../values.ts';
import { type BlockHeader, headerHash } from './decode.ts';
import {
  BLOCK_HASH_HEADER,
  BLOCK_NUMBER_HEADER,
  COMMIT_HASH_HEADER,
  DATA_HASH_HEADER,
  PREVIOUS_HASH_HEADER,
} from './topics.ts';

export interface PublishedHeader {
  readonly header: BlockHeader;
  /** Computed from the header, and what the record says too; lower-case hex. */
  readonly hash: string;
  /** As the record says; nothing but an attestation stands for it here. */
  readonly commitHash: string | null;
}

const NUMBER = /^(0|[1-9][0-9]{0,19})$/;
const HEX = /^(?:[0-9a-f]{2})*$/;

/**
 * Number, previous hash and data hash are the whole header: with them the header chain can be
 * verified without the value. That the data are those of the data hash, it does not show.
 *
 * @throws ShuttleError BLOCK_INVALID when a header is missing (older records lack the data hash) or
 *   no hash, or when they do not give the block's hash
 */
export function publishedHeader(headers: readonly OutputHeader[]): PublishedHeader {
  const number = text(headers, BLOCK_NUMBER_HEADER, NUMBER);
  const at = { block_number: number };
  const previousHash = Buffer.from(text(headers, PREVIOUS_HASH_HEADER, HEX), 'hex');
  const dataHash = Buffer.from(text(headers, DATA_HASH_HEADER, HEX), 'hex');
  const header = { number: BigInt(number), previousHash, dataHash };
  const hash = headerHash(header);
  if (hash !== text(headers, BLOCK_HASH_HEADER, HEX)) {
    const message = `The headers of block ${number} do not give the hash that stands beside them.`;
    throw new ShuttleError('BLOCK_INVALID', message, { at: { ...at, block_hash: hash } });
  }
  const hasCommitHash = headers.some(({ name }) => name === COMMIT_HASH_HEADER);
  return {
    header,
    hash,
    commitHash: hasCommitHash ? text(headers, COMMIT_HASH_HEADER, HEX) : null,
  };
}

function text(headers: readonly OutputHeader[], name: string, pattern: RegExp): string {
  const value = headers.find((header) => header.name === name)?.value;
  const found = value == null ? null : Buffer.from(value).toString();
  if (found === null || !pattern.test(found)) {
    const message = `The record has no ${name}, or one that is none.`;
    throw new ShuttleError('BLOCK_INVALID', message, { at: { header: name } });
  }
  return found;
}
