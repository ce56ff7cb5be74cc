/**
 * A file of blocks ("archive"): common.Block messages one after another, each behind its length as
 * an unsigned varint, which is protobuf's delimited form. Nothing else is in it, so archives of
 * neighbouring blocks may be put together by appending one to the other.
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { ShuttleError } from '../errors.ts';
import { ARCHIVE_BLOCK_BYTES_MAX } from '../limits.ts';
import { asBuffer } from './proto.ts';

/** What stands before a block in an archive. */
export function archivePrefix(block: Uint8Array): Uint8Array {
  return new BinaryWriter().uint32(block.length).finish();
}

/**
 * The blocks of an archive, each as its exact bytes. At most one block and one chunk are in memory.
 *
 * @throws ShuttleError ARCHIVE_INVALID naming the byte where the file stops being an archive
 */
export async function* readArchive(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const unread = new Unread();
  for await (const chunk of chunks) {
    unread.push(chunk);
    for (let block = unread.block(); block !== null; block = unread.block()) {
      yield block;
    }
  }
  unread.finish();
}

const CONTINUES = 0x80;
const GROUP = 0x7f;
/** Of a length below 2^35; the limit is far lower. */
const PREFIX_BYTES_MAX = 5;

class Unread {
  private pieces: Buffer[] = [];
  private length = 0;
  /** Length of the block that comes next; null before its prefix is read. */
  private wanted: number | null = null;
  /** Where in the file the unread bytes begin. */
  private at = 0;

  push(chunk: Uint8Array): void {
    this.pieces.push(asBuffer(chunk));
    this.length += chunk.length;
  }

  /** Null when more bytes are needed. */
  block(): Uint8Array | null {
    this.wanted ??= this.prefix();
    if (this.wanted === null || this.length < this.wanted) {
      return null;
    }
    const block = this.take(this.wanted);
    this.wanted = null;
    return block;
  }

  finish(): void {
    if (this.length > 0 || this.wanted !== null) {
      const missing = this.wanted === null ? '' : `, ${this.wanted - this.length} bytes short`;
      throw invalid(`It ends within a block${missing}`, this.at);
    }
  }

  private prefix(): number | null {
    const start = Buffer.concat(this.pieces.slice(0, PREFIX_BYTES_MAX)).subarray(
      0,
      PREFIX_BYTES_MAX,
    );
    const last = start.findIndex((byte) => (byte & CONTINUES) === 0);
    if (last < 0 && start.length < PREFIX_BYTES_MAX) {
      return null;
    }
    let length = 0;
    for (const byte of start.subarray(0, last + 1).reverse()) {
      length = length * CONTINUES + (byte & GROUP);
    }
    const isLongest = last > 0 && start[0] === 0;
    if (last < 0 || isLongest || length === 0 || length > ARCHIVE_BLOCK_BYTES_MAX) {
      throw invalid('There is no length of a block', this.at);
    }
    this.take(last + 1);
    return length;
  }

  private take(count: number): Buffer {
    const taken: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      const [first = Buffer.alloc(0)] = this.pieces;
      taken.push(first.subarray(0, missing));
      if (first.length > missing) {
        this.pieces[0] = first.subarray(missing);
      } else {
        this.pieces.shift();
      }
      missing -= Math.min(first.length, missing);
    }
    this.length -= count;
    this.at += count;
    return taken.length === 1 && taken[0] !== undefined ? taken[0] : Buffer.concat(taken);
  }
}

function invalid(sentence: string, byte: number): ShuttleError {
  return new ShuttleError('ARCHIVE_INVALID', `${sentence} at byte ${byte} of the archive.`, {
    at: { byte },
  });
}
