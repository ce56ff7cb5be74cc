/**
 * Compares a chain with a peer of another organisation. Validation codes are signed by nobody: that
 * they are what others have committed too, only the commit hashes of others can tell.
 */
import { validationCodeName } from '../block/codes.ts';
import { type Block, decodeBlock } from '../block/decode.ts';
import { ShuttleError } from '../errors.ts';
import type { Ledger } from '../ports.ts';
import type { ChainFinding } from './findings.ts';
import type { BlockSource, ProvenTip } from './source.ts';

/** A peer that serves blocks. */
export interface PeerBlocks {
  readonly endpoint: string;
  readonly ledger: Pick<Ledger, 'height' | 'blocks'>;
}

export interface PeerComparison {
  readonly endpoint: string;
  /** Number of the block up to which both were compared; null when there was none. */
  readonly comparedTo: bigint | null;
  /** Null when both have committed the same. */
  readonly finding: ChainFinding | null;
  /** Why the peer could not be asked; null when it was. */
  readonly error: ShuttleError | null;
}

/**
 * Hashes cover everything before them: the same header and commit hash at one height mean the same
 * chain and codes up to it. Where they differ, the first such block is found by halves.
 *
 * @throws ShuttleError what the source throws
 */
export async function comparePeer(
  source: BlockSource,
  proven: ProvenTip,
  { endpoint, ledger }: PeerBlocks,
  signal: AbortSignal,
): Promise<PeerComparison> {
  try {
    const there = (await ledger.height()) - 1n;
    const top = there < proven.number ? there : proven.number;
    const pair = async (number: bigint): Promise<Pair> => ({
      own: await blockAt(source.blocks(number, signal), number, source.name, ({ bytes }) => bytes),
      other: await blockAt(ledger.blocks(number, signal), number, `peer ${endpoint}`, same),
    });
    const found = top < 0n ? null : await firstDifference(pair, top);
    const finding = found === null ? null : differs(found, endpoint);
    return { endpoint, comparedTo: top < 0n ? null : top, finding, error: null };
  } catch (error) {
    if (error instanceof ShuttleError) {
      return { endpoint, comparedTo: null, finding: null, error };
    }
    throw error;
  }
}

interface Pair {
  readonly own: Block;
  readonly other: Block;
}

const isSame = ({ own, other }: Pair): boolean =>
  own.hash === other.hash && own.commitHash === other.commitHash;

/** Null when both are the same up to `top`. */
async function firstDifference(
  pairAt: (number: bigint) => Promise<Pair>,
  top: bigint,
): Promise<Pair | null> {
  let found = await pairAt(top);
  if (isSame(found)) {
    return null;
  }
  let [low, high] = [0n, top];
  while (low < high) {
    const middle = (low + high) / 2n;
    const pair = await pairAt(middle);
    if (isSame(pair)) {
      low = middle + 1n;
    } else {
      [found, high] = [pair, middle];
    }
  }
  return found;
}

function differs({ own, other }: Pair, endpoint: string): ChainFinding {
  const block = own.header.number;
  if (own.hash !== other.hash) {
    const sentence = `Its header hash is ${own.hash}, and ${other.hash} on the peer ${endpoint}.`;
    return { code: 'PEER_DIFFERS', block, transaction: null, byte: null, sentence };
  }
  const transaction = own.validationCodes.findIndex(
    (code, index) => code !== other.validationCodes[index],
  );
  const [here, there] = [own, other].map(({ validationCodes }) =>
    validationCodeName(validationCodes[transaction] ?? 0),
  );
  const codes = transaction < 0 ? '' : ` The code is ${here} here and ${there} there.`;
  const hashes = `${own.commitHash}, and ${other.commitHash} on the peer ${endpoint}`;
  const sentence = `Its commit hash is ${hashes}.${codes}`;
  const index = transaction < 0 ? null : transaction;
  return { code: 'PEER_DIFFERS', block, transaction: index, byte: null, sentence };
}

const same = (bytes: Uint8Array): Uint8Array => bytes;

async function blockAt<T>(
  blocks: AsyncIterable<T>,
  number: bigint,
  where: string,
  bytesOf: (item: T) => Uint8Array,
): Promise<Block> {
  for await (const item of blocks) {
    const block = decodeBlock(bytesOf(item));
    if (block.header.number === number) {
      return block;
    }
    break;
  }
  throw new ShuttleError('BLOCK_MISSING', `The ${where} does not have block ${number}.`, {
    at: { block_number: number },
  });
}
