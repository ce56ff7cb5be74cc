/** What a verifier has to find in a file of blocks, told in a way that any language reads. */
import { createHash } from 'node:crypto';
import { common, peer } from '@hyperledger/fabric-protos';
import { codesOf } from '../support/chain-reader.ts';
import { headerHash } from '../support/independent.ts';
import type { RecordedChannel, RecordedTransaction } from '../support/recorded-channel.ts';

export interface ExpectedBlock {
  readonly number: number;
  /** Where the block's bytes are in blocks.bin, behind their length. */
  readonly offset: number;
  readonly length: number;
  /** Lower-case hex, as all hashes here. */
  readonly headerHash: string;
  readonly previousHash: string;
  readonly dataHash: string;
  /** As the peer states it; null where the block has none, as the genesis block. */
  readonly commitHash: string | null;
  readonly isConfig: boolean;
  /** Names of peer.TxValidationCode, by transaction. */
  readonly codes: readonly string[];
}

export interface Expected {
  readonly profile: RecordedChannel['profile'];
  readonly fabric: string;
  readonly channel: string;
  readonly genesisHash: string;
  readonly blocks: readonly ExpectedBlock[];
  /** What the history is about. */
  readonly transactions: readonly (Pick<RecordedTransaction, 'what' | 'block' | 'index'> & {
    readonly code: string;
  })[];
}

export function expectedOf(recorded: RecordedChannel, fabric: string): Expected {
  const { profile, channel, configBlocks, transactions } = recorded;
  let offset = 0;
  const blocks = recorded.blocks.Org1MSP.map((bytes, number) => {
    offset += lengthBytes(bytes.length);
    const expected = expectedBlock(bytes, offset, configBlocks.includes(number));
    offset += bytes.length;
    return expected;
  });
  return {
    profile,
    fabric,
    channel,
    genesisHash: blocks[0]?.headerHash ?? '',
    blocks,
    transactions: transactions.map(({ what, block, index, code }) => ({
      what,
      block,
      index,
      code: codeName(code),
    })),
  };
}

function expectedBlock(bytes: Uint8Array, offset: number, isConfig: boolean): ExpectedBlock {
  const block = common.Block.deserializeBinary(bytes);
  const header = block.getHeader();
  const metadata = block.getMetadata()?.getMetadataList_asU8() ?? [];
  const slot = metadata[common.BlockMetadataIndex.COMMIT_HASH] ?? new Uint8Array();
  const commitHash = common.Metadata.deserializeBinary(slot).getValue_asU8();
  const data = createHash('sha256');
  for (const entry of block.getData()?.getDataList_asU8() ?? []) data.update(entry);
  return {
    number: header?.getNumber() ?? 0,
    offset,
    length: bytes.length,
    headerHash: headerHash(block),
    previousHash: hex(header?.getPreviousHash_asU8()),
    dataHash: data.digest('hex'),
    commitHash: commitHash.length === 0 ? null : hex(commitHash),
    isConfig,
    codes: codesOf(block).map(codeName),
  };
}

function codeName(code: number): string {
  const found = Object.entries(peer.TxValidationCode).find(([, value]) => value === code);
  return found?.[0] ?? String(code);
}

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('hex');
}

/** How many bytes the length before a block takes: seven bits each. */
function lengthBytes(length: number): number {
  return Math.max(1, Math.ceil(Math.log2(length + 1) / 7));
}
