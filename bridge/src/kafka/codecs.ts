/** Decompression of record batches, in plain JavaScript but for gzip. */
import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import { Decompress as ZstdStream } from 'fzstd';
import { decompress as lz4Decompress } from 'lz4js';
import { uncompress as snappyUncompress } from 'snappyjs';
import { ShuttleError } from '../errors.ts';
import { KAFKA_BATCH_BYTES_MAX } from '../limits.ts';
import { checkSnappy, checkZstdWindow, lz4BytesMost } from './codec-frames.ts';

export const CODEC_NONE = 0;
export const CODEC_GZIP = 1;
const CODEC_SNAPPY = 2;
const CODEC_LZ4 = 3;
const CODEC_ZSTD = 4;

const gunzipAsync = promisify(gunzip);
const gzipAsync = promisify(gzip);

/** Kafka's Java client frames snappy like xerial's stream: magic, two versions, then chunks. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const XERIAL_HEADER_BYTES = 16;

function unsnappyBlock(bytes: Buffer, bytesMax: number): Buffer {
  checkSnappy(bytes);
  return snappyUncompress(bytes, bytesMax);
}

function unsnappy(bytes: Buffer, bytesMax: number): Buffer {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) {
    return unsnappyBlock(bytes, bytesMax);
  }
  const chunks: Buffer[] = [];
  let left = bytesMax;
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    const size = bytes.readInt32BE(at);
    if (size <= 0) {
      throw new RangeError('a chunk of snappy has no bytes');
    }
    const chunk = unsnappyBlock(bytes.subarray(at + 4, at + 4 + size), left);
    chunks.push(chunk);
    left -= chunk.length;
    at += 4 + size;
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}

function unlz4(bytes: Buffer, bytesMax: number): Uint8Array {
  const most = lz4BytesMost(bytes);
  if (most > bytesMax) {
    throw new RangeError(`it may become ${most} bytes`);
  }
  return lz4Decompress(bytes, most);
}

function unzstd(bytes: Buffer, bytesMax: number): Uint8Array {
  checkZstdWindow(bytes);
  const chunks: Uint8Array[] = [];
  let size = 0;
  const stream = new ZstdStream((chunk) => {
    size += chunk.length;
    if (size > bytesMax) {
      throw new RangeError(`it becomes more than ${bytesMax} bytes`);
    }
    chunks.push(chunk);
  });
  stream.push(bytes, true);
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
}

const viewOf = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * The records of a compressed batch.
 *
 * @throws ShuttleError CODEC_MISSING for a codec that Kafka did not have when this was written;
 * any other error when the bytes are not what the codec writes, or become more than `bytesMax`
 */
export async function decompress(
  codec: number,
  bytes: Buffer,
  bytesMax = KAFKA_BATCH_BYTES_MAX,
): Promise<Buffer> {
  switch (codec) {
    case CODEC_GZIP:
      return await gunzipAsync(bytes, { maxOutputLength: bytesMax });
    case CODEC_SNAPPY:
      return unsnappy(bytes, bytesMax);
    case CODEC_LZ4:
      return viewOf(unlz4(bytes, bytesMax));
    case CODEC_ZSTD:
      return viewOf(unzstd(bytes, bytesMax));
    default:
      throw new ShuttleError('CODEC_MISSING', `Kafka's compression codec ${codec} is not known.`);
  }
}

/** gzip at its fastest level: the gain of the higher ones is not worth the publisher's time. */
export async function compressGzip(bytes: Uint8Array): Promise<Buffer> {
  return await gzipAsync(bytes, { level: constants.Z_BEST_SPEED });
}
