/** Writes Produce requests (versions 3 to 7) from records that are encoded already. */
import type { Bulk, EncodedRequest } from './bulk.ts';
import { CODEC_GZIP, CODEC_NONE, compressGzip } from './codecs.ts';
import { crc32c } from './crc32c.ts';
import { BATCH_HEADER_BYTES, type EncodedRecords } from './encode-records.ts';
import type { ProtocolRequest } from './hooks.ts';

export const PRODUCE_API_KEY = 0;
const MAGIC = 2;
const TRANSACTIONAL = 0x10;
const ATTRIBUTES_AT = 21;
const CRC_AT = 17;

/** kafkajs' arguments of a Produce request; `messages` are ours. */
export interface ProduceArguments {
  readonly transactionalId?: string;
  readonly producerId?: bigint | number | string;
  readonly producerEpoch?: number;
  readonly acks: number;
  readonly timeout?: number;
  readonly compression?: number;
  readonly topicData: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly messages: EncodedRecords;
      readonly firstSequence?: number;
    }[];
  }[];
}

interface Batch {
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;
}

const PRODUCE_TIMEOUT_MS = 30_000;
/** Up to here kafkajs' copies cost less than a second write. */
const COPIED_BYTES_MAX = 64 * 1024;

async function encodeBatch(
  records: EncodedRecords,
  sequence: number,
  args: ProduceArguments,
): Promise<Batch> {
  const codec = args.compression === CODEC_GZIP ? CODEC_GZIP : CODEC_NONE;
  const gzip = codec === CODEC_GZIP ? await compressGzip(Buffer.concat(records.parts)) : null;
  const body = gzip === null ? records.parts : [gzip];
  const bodyBytes = gzip === null ? records.bytes : gzip.length;
  const head = Buffer.alloc(BATCH_HEADER_BYTES);
  head.writeInt32BE(BATCH_HEADER_BYTES - 12 + bodyBytes, 8);
  head.writeInt8(MAGIC, 16);
  head.writeInt16BE(codec | (args.transactionalId === undefined ? 0 : TRANSACTIONAL), 21);
  head.writeInt32BE(records.length - 1, 23);
  head.writeBigInt64BE(BigInt(records.baseTimestamp), 27);
  head.writeBigInt64BE(BigInt(records.maxTimestamp), 35);
  head.writeBigInt64BE(BigInt(args.producerId ?? -1), 43);
  head.writeInt16BE(args.producerEpoch ?? 0, 51);
  head.writeInt32BE(sequence, 53);
  head.writeInt32BE(records.length, 57);
  head.writeUInt32BE(crc32c(head.subarray(ATTRIBUTES_AT), ...body), CRC_AT);
  return { parts: [head, ...body], bytes: head.length + bodyBytes };
}

const int = (bytes: 2 | 4, value: number): Buffer => {
  const buffer = Buffer.alloc(bytes);
  buffer.writeIntBE(value, 0, bytes);
  return buffer;
};

const text = (value: string | undefined): Buffer[] =>
  value === undefined
    ? [int(2, -1)]
    : [int(2, Buffer.byteLength(value)), Buffer.from(value, 'utf8')];

/** The body of a Produce request, in parts that follow one another. */
export async function encodeProduce(args: ProduceArguments): Promise<readonly Uint8Array[]> {
  const parts: Uint8Array[] = [
    ...text(args.transactionalId),
    int(2, args.acks),
    int(4, args.timeout ?? PRODUCE_TIMEOUT_MS),
    int(4, args.topicData.length),
  ];
  for (const { topic, partitions } of args.topicData) {
    parts.push(...text(topic), int(4, partitions.length));
    for (const { partition, messages, firstSequence } of partitions) {
      const batch = await encodeBatch(messages, firstSequence ?? -1, args);
      parts.push(int(4, partition), int(4, batch.bytes), ...batch.parts);
    }
  }
  return parts;
}

/** Makes kafkajs write its Produce requests by `encodeProduce`, and large ones without copies. */
export function rewriteProduce(
  protocol: ProtocolRequest,
  args: Record<string, unknown>,
  bulk: Bulk,
): ProtocolRequest {
  const encode = async (): Promise<EncodedRequest> => {
    const parts = await encodeProduce(args as unknown as ProduceArguments);
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (bytes > COPIED_BYTES_MAX) {
      return bulk.standIn(parts);
    }
    const buffer = Buffer.concat(parts);
    return { buf: buffer, buffer };
  };
  return { ...protocol, request: { ...protocol.request, encode } };
}
