/** What a block proves about itself: its data hash, and that it continues the one before it. */
import { createHash } from 'node:crypto';
import { ShuttleError } from '../errors.ts';
import type { Block } from './decode.ts';

/** The block that the next one must name as its previous; `hash` is lower-case hex. */
export interface ChainTip {
  readonly number: bigint;
  readonly hash: string;
  /** A break against the topic means another chain; within one stream, a block that lies. */
  readonly from: 'topic' | 'stream';
}

/**
 * Checks a block before anything of it is published. `tip` null stands for the start of the chain.
 *
 * That each data entry re-encodes to itself belongs here too, once the verifier can tell it: the
 * data hash is over the concatenated entries and does not fix where one ends.
 *
 * @throws ShuttleError BLOCK_INVALID (number or data hash), FORKED (not the topic's chain)
 */
export function checkBlock(block: Block, tip: ChainTip | null): void {
  checkDataHash(block);
  checkChain(block, tip);
}

/** data_hash is the SHA-256 of the entries, one after another (protoutil.ComputeBlockDataHash). */
export function checkDataHash(block: Block): void {
  const hash = createHash('sha256');
  for (const entry of block.entries) {
    hash.update(entry);
  }
  const stated = Buffer.from(block.header.dataHash);
  if (!hash.digest().equals(stated)) {
    throw new ShuttleError(
      'BLOCK_INVALID',
      `The data of block ${block.header.number} does not match the data hash of its header.`,
      { at: { block_number: block.header.number, data_hash: stated.toString('hex') } },
    );
  }
}

function checkChain({ header }: Block, tip: ChainTip | null): void {
  const expected = tip === null ? 0n : tip.number + 1n;
  if (header.number !== expected) {
    throw new ShuttleError(
      'BLOCK_INVALID',
      `The peer sent block ${header.number} where block ${expected} was due.`,
      { at: { block_number: header.number, expected_number: expected } },
    );
  }
  if (tip === null) {
    return;
  }
  const previousHash = Buffer.from(header.previousHash).toString('hex');
  if (previousHash !== tip.hash) {
    throw new ShuttleError(
      tip.from === 'topic' ? 'FORKED' : 'BLOCK_INVALID',
      `Block ${header.number} does not continue block ${tip.number} of the ${tip.from}.`,
      { at: { block_number: header.number, previous_hash: previousHash, tip_hash: tip.hash } },
    );
  }
}
