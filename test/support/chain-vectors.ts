/** Recorded chains, and ways to spoil them. */
import { readFileSync } from 'node:fs';
import { common } from '@hyperledger/fabric-protos';
import { readArchive } from '../../bridge/src/block/blocks-file.ts';
import type { Expected } from '../vectors/expected.ts';
import { splitBlocks } from './block-file.ts';
import type { Chain } from './tampering.ts';

/** Header hash of block 0 of the small channel. */
export const SMALL_GENESIS = '5dc6d3e0d097f8a5cff16d42759f32d8a9b178fb4d4beb60a033b5bf499851fd';
export const SMALL_FILE = new URL('../vectors/cli/blocks.bin', import.meta.url).pathname;

export interface Vector {
  readonly chain: Chain;
  readonly expected: Expected;
}

/** A channel on which everything has happened that blocks can tell, with what is to be found. */
export function readVector(profile: 'raft' | 'bft'): Vector {
  const folder = new URL(`../vectors/${profile}/`, import.meta.url).pathname;
  const chain = splitBlocks(readFileSync(`${folder}blocks.bin`));
  const expected = JSON.parse(readFileSync(`${folder}expected.json`, 'utf8')) as Expected;
  return { chain, expected };
}

/** Genesis, approval, definition, then two blocks with eight documents each. */
export async function smallChain(): Promise<readonly Uint8Array[]> {
  const blocks: Uint8Array[] = [];
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    yield readFileSync(SMALL_FILE);
  };
  for await (const block of readArchive(chunks())) {
    blocks.push(block);
  }
  return blocks;
}

/** The block with one bit of this byte the other way round. */
export function flipped(block: Uint8Array, byte: number): Uint8Array {
  const copy = Uint8Array.from(block);
  copy[byte] = (copy[byte] ?? 0) ^ 1;
  return copy;
}

/** The block as a peer would serve it that gives a transaction another code, and other hashes. */
export function recoded(
  bytes: Uint8Array,
  transaction: number,
  code: number,
  commitHash: Uint8Array,
): Uint8Array {
  const block = common.Block.deserializeBinary(bytes);
  const metadata = block.getMetadata() ?? new common.BlockMetadata();
  const slots = metadata.getMetadataList_asU8();
  const codes = Uint8Array.from(slots[2] ?? []);
  codes[transaction] = code;
  const hash = new common.Metadata();
  hash.setValue(commitHash);
  metadata.setMetadataList([
    slots[0] ?? '',
    slots[1] ?? '',
    codes,
    slots[3] ?? '',
    hash.serializeBinary(),
  ]);
  block.setMetadata(metadata);
  return block.serializeBinary();
}
