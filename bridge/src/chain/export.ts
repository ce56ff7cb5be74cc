/** A stretch of the chain into an archive: only blocks that hold together are written. */
import { archivePrefix } from '../block/blocks-file.ts';
import { type ChainTip, checkBlock, checkDataHash } from '../block/check.ts';
import { type Block, decodeBlock } from '../block/decode.ts';
import { ShuttleError } from '../errors.ts';
import type { BlockSource } from './source.ts';

export interface ExportOptions {
  /** Number of the first block. */
  readonly first: bigint;
  /** Number of the last one; null goes to the end as it is now. */
  readonly last: bigint | null;
  /** Takes the next bytes of the archive; resolves when there is room for more. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly onProgress: (blocks: number, done: number, total: number) => void;
}

export interface ExportedBlock {
  readonly number: bigint;
  /** Header hash, lower-case hex. */
  readonly hash: string;
}

export interface ExportSummary {
  readonly blocks: number;
  /** Length of the archive. */
  readonly bytes: number;
  readonly first: ExportedBlock;
  readonly last: ExportedBlock;
  /** False when the signal has ended it before. */
  readonly isComplete: boolean;
}

/**
 * Writes blocks [first, last] with their lengths.
 *
 * @throws ShuttleError BLOCK_MISSING; BLOCK_INVALID when one does not match its own hashes or does
 * not continue the one before it
 */
export async function exportBlocks(
  source: BlockSource,
  options: ExportOptions,
  signal: AbortSignal,
): Promise<ExportSummary> {
  const { first, last, write, onProgress } = options;
  const wanted = last === null ? null : Number(last - first) + 1;
  const written: Written = { blocks: 0, bytes: 0, first: null, last: null };
  for await (const { bytes, done, total } of source.blocks(first, signal)) {
    const block = decodeBlock(bytes);
    check(block, first, written.last);
    const prefix = archivePrefix(bytes);
    await write(prefix);
    await write(bytes);
    written.blocks += 1;
    written.bytes += prefix.length + bytes.length;
    written.last = { number: block.header.number, hash: block.hash };
    written.first ??= written.last;
    onProgress(written.blocks, wanted === null ? done : written.blocks, wanted ?? total);
    if (block.header.number === last || signal.aborted) {
      break;
    }
  }
  return summaryOf(written, options, source, signal);
}

interface Written {
  blocks: number;
  bytes: number;
  first: ExportedBlock | null;
  last: ExportedBlock | null;
}

/** @throws ShuttleError BLOCK_MISSING */
function summaryOf(
  { first, last, ...counts }: Written,
  range: Pick<ExportOptions, 'first' | 'last'>,
  source: BlockSource,
  signal: AbortSignal,
): ExportSummary {
  if (first === null || last === null) {
    throw missing(source, range.first, null);
  }
  const isWhole = range.last === null || last.number === range.last;
  if (!(isWhole || signal.aborted)) {
    throw missing(source, range.last ?? range.first, last);
  }
  return { ...counts, first, last, isComplete: isWhole && !signal.aborted };
}

function check(block: Block, first: bigint, before: ExportedBlock | null): void {
  const { number } = block.header;
  if (before === null) {
    if (number !== first) {
      throw new ShuttleError(
        'BLOCK_MISSING',
        `Block ${first} is not there: the first one from it on is ${number}.`,
        { at: { block_number: first } },
      );
    }
    checkDataHash(block);
    return;
  }
  const tip: ChainTip = { ...before, from: 'stream' };
  checkBlock(block, tip);
}

function missing(source: BlockSource, number: bigint, last: ExportedBlock | null): ShuttleError {
  const end = last === null ? 'holds none from there on' : `ends with block ${last.number}`;
  return new ShuttleError(
    'BLOCK_MISSING',
    `There is no block ${number}: the ${source.name} ${end}.`,
    {
      at: { block_number: number },
    },
  );
}
