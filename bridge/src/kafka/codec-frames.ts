/**
 * Walks over compressed bytes before they are decompressed. The decoders in plain JavaScript
 * believe every length that they are told: some bytes keep them busy for seconds or for ever, or
 * make them ask for gigabytes. What passes here has its parts where it says.
 */

const SNAPPY_LITERAL = 0;
const SNAPPY_COPY_1 = 1;
const SNAPPY_COPY_4 = 3;
/** Literals longer than this have their length behind the tag, in one to four bytes. */
const SNAPPY_SHORT_MAX = 60;

/**
 * Finds each element of a snappy block in its place.
 *
 * @throws RangeError when the elements do not end with the bytes, or do not add up to the length
 * that the block tells
 */
export function checkSnappy(bytes: Buffer): void {
  const told = snappyPreamble(bytes);
  let { at } = told;
  let size = 0;
  while (at < bytes.length) {
    const tag = bytes.readUInt8(at++);
    const kind = tag & 3;
    const count = tag >>> 2;
    if (kind === SNAPPY_LITERAL) {
      const extra = Math.max(0, count + 1 - SNAPPY_SHORT_MAX);
      const length = 1 + (extra === 0 ? count : bytes.readUIntLE(at, extra));
      at += extra + length;
      size += length;
    } else {
      size += kind === SNAPPY_COPY_1 ? 4 + (count & 7) : 1 + count;
      at += kind === SNAPPY_COPY_4 ? 4 : kind;
    }
  }
  if (at !== bytes.length || size !== told.size) {
    throw new RangeError('its parts are not where they are said to be');
  }
}

/** The length that a snappy block tells, and where its elements begin. */
function snappyPreamble(bytes: Buffer): { readonly size: number; readonly at: number } {
  let size = 0;
  for (let at = 0; at < 5; at++) {
    const byte = bytes.readUInt8(at);
    size += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) {
      return { size, at: at + 1 };
    }
  }
  throw new RangeError('its length is longer than 32 bits');
}

const LZ4_MAGIC = 0x184d2204;
const LZ4_BLOCK_CHECKSUMS = 0x10;
const LZ4_CONTENT_SIZE = 0x08;
const LZ4_STORED = 0x80000000;

/**
 * How many bytes an lz4 frame can become at most.
 *
 * @throws RangeError when it is no frame, or a block ends behind it
 */
export function lz4BytesMost(bytes: Buffer): number {
  if (bytes.readUInt32LE(0) !== LZ4_MAGIC) {
    throw new RangeError('it is no lz4 frame');
  }
  const flags = bytes.readUInt8(4);
  // The descriptor names 64 KiB, 256 KiB, 1 MiB or 4 MiB.
  const blockBytesMax = 2 ** (8 + 2 * ((bytes.readUInt8(5) >> 4) & 0x07));
  const checksumBytes = (flags & LZ4_BLOCK_CHECKSUMS) === 0 ? 0 : 4;
  let at = 6 + ((flags & LZ4_CONTENT_SIZE) === 0 ? 0 : 8) + 1;
  let most = 0;
  for (let size = bytes.readUInt32LE(at); size !== 0; size = bytes.readUInt32LE(at)) {
    at += 4 + (size % LZ4_STORED) + checksumBytes;
    most += size >= LZ4_STORED ? size % LZ4_STORED : blockBytesMax;
  }
  return most;
}

const ZSTD_SINGLE_SEGMENT = 0x20;
/** zstd's own decoder refuses larger windows too, unless it is told otherwise. */
const ZSTD_WINDOW_LOG_MAX = 27;

/** @throws RangeError when the frame asks for a window of more than 128 MiB */
export function checkZstdWindow(bytes: Buffer): void {
  const singleSegment = (bytes.readUInt8(4) & ZSTD_SINGLE_SEGMENT) !== 0;
  if (!singleSegment && 10 + (bytes.readUInt8(5) >> 3) > ZSTD_WINDOW_LOG_MAX) {
    throw new RangeError('its window is larger than 128 MiB');
  }
}
