/** Decompression of record batches, in plain JavaScript but for gzip. */
import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import { decompress as zstdDecompress } from 'fzstd';
import { decompress as lz4Decompress } from 'lz4js';
import { uncompress as snappyUncompress } from 'snappyjs';
import { ShuttleError } from '../errors.ts';

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

function unsnappy(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) {
    return snappyUncompress(bytes);
  }
  const chunks: Buffer[] = [];
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    const size = bytes.readInt32BE(at);
    chunks.push(snappyUncompress(bytes.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}

const viewOf = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * The records of a compressed batch.
 *
 * @throws ShuttleError CODEC_MISSING for a codec that Kafka did not have when this was written
 */
export async function decompress(codec: number, bytes: Buffer): Promise<Buffer> {
  switch (codec) {
    case CODEC_GZIP:
      return await gunzipAsync(bytes);
    case CODEC_SNAPPY:
      return unsnappy(bytes);
    case CODEC_LZ4:
      return viewOf(lz4Decompress(bytes));
    case CODEC_ZSTD:
      return viewOf(zstdDecompress(bytes));
    default:
      throw new ShuttleError('CODEC_MISSING', `Kafka's compression codec ${codec} is not known.`);
  }
}

/** gzip at its fastest level: the gain of the higher ones is not worth the publisher's time. */
export async function compressGzip(bytes: Uint8Array): Promise<Buffer> {
  return await gzipAsync(bytes, { level: constants.Z_BEST_SPEED });
}
