/** Reads a channel's blocks as they come, and finds envelopes in them again. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { common } from '@hyperledger/fabric-protos';
import type { RawLedger } from './raw-ledger.ts';

/** Where an envelope stands, and what became of it. */
export interface Position {
  readonly block: number;
  readonly index: number;
  /** peer.TxValidationCode */
  readonly code: number;
}

export interface ChainReader {
  /** All places of an envelope, once there are so many. */
  find(envelope: common.Envelope, times?: number): Promise<readonly Position[]>;
  /** The blocks that have been read, from the genesis block on. */
  readonly blocks: readonly Uint8Array[];
  /** Reads up to the peer's height. */
  catchUp(): Promise<void>;
}

const DEADLINE_MS = 60_000;
const INTERVAL_MS = 20;

export function createChainReader(ledger: RawLedger): ChainReader {
  const blocks: Uint8Array[] = [];
  const places = new Map<string, Position[]>();
  let reading: Promise<void> = Promise.resolve();
  const readOn = async (): Promise<void> => {
    const height = await ledger.height();
    while (blocks.length < height) {
      const bytes = await ledger.block(blocks.length);
      for (const [entry, position] of positionsOf(bytes)) {
        places.set(digestOf(entry), [...(places.get(digestOf(entry)) ?? []), position]);
      }
      blocks.push(bytes);
    }
  };
  /** One after another, so that no block is read twice. */
  const catchUp = (): Promise<void> => {
    reading = reading.catch(() => undefined).then(readOn);
    return reading;
  };
  return {
    blocks,
    catchUp,
    find: async (envelope, times = 1) => {
      const digest = digestOf(envelope.serializeBinary());
      const deadline = Date.now() + DEADLINE_MS;
      for (;;) {
        const found = places.get(digest) ?? [];
        if (found.length >= times) return found;
        if (Date.now() > deadline) throw new Error('an envelope did not come into a block');
        await catchUp();
        await delay(INTERVAL_MS);
      }
    },
  };
}

/** The entries of a block with what the peer noted of each. */
function positionsOf(bytes: Uint8Array): [Uint8Array, Position][] {
  const block = common.Block.deserializeBinary(bytes);
  const number = block.getHeader()?.getNumber() ?? 0;
  const codes = codesOf(block);
  return (block.getData()?.getDataList_asU8() ?? []).map((entry, index) => [
    entry,
    { block: number, index, code: codes[index] ?? -1 },
  ]);
}

/** The validation codes of a block's transactions, as the peer wrote them. */
export function codesOf(block: common.Block): number[] {
  const metadata = block.getMetadata()?.getMetadataList_asU8() ?? [];
  return [...(metadata[common.BlockMetadataIndex.TRANSACTIONS_FILTER] ?? [])];
}

function digestOf(entry: Uint8Array): string {
  return createHash('sha256').update(entry).digest('hex');
}
