/**
 * Readers that share no code with the bridge or the chaincode: the topic by a plain kafkajs
 * consumer, the ledger by a plain gateway client, blocks by the protobuf messages and by hashes
 * computed here. What they find is compared with what was produced.
 */
import { createHash, createPrivateKey, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { type Contract, connect, hash, signers } from '@hyperledger/fabric-gateway';
import { common } from '@hyperledger/fabric-protos';
import { type IHeaders, Kafka, logLevel } from 'kafkajs';

export interface PlainRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Key and headers as they came, for records whose bytes are no text. */
  readonly raw: { readonly key: Buffer | null; readonly headers: IHeaders };
}

export function plainKafka(brokers: readonly string[]): Kafka {
  return new Kafka({
    clientId: 'independent',
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    retry: { retries: 20 },
  });
}

/** All committed records of a topic up to its ends as they are now, by partition and offset. */
export async function readTopic(kafka: Kafka, topic: string): Promise<PlainRecord[]> {
  const admin = kafka.admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const ends = new Map(offsets.map((o) => [o.partition, BigInt(o.high)]));
  const open = new Set([...ends].filter(([, end]) => end > 0n).map(([partition]) => partition));
  if (open.size === 0) {
    return [];
  }
  const groupId = `independent-${randomUUID()}`;
  const consumer = kafka.consumer({ groupId, maxBytesPerPartition: 4 * 1024 * 1024 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const found: PlainRecord[] = [];
  /** What was read already, should the consumer begin anew. */
  const next = new Map<number, bigint>();
  await new Promise<void>((resolve, reject) => {
    // Transaction markers stand at the ends, so the end of a fetched batch tells, not a record.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      if (BigInt(payload.lastOffset) + 1n >= (ends.get(payload.partition) ?? 0n)) {
        open.delete(payload.partition);
      }
      if (open.size === 0) {
        resolve();
      }
    });
    // A broker that has just come up refuses groups for a moment; kafkajs then begins anew.
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart) {
        reject(payload.error);
      }
    });
    void consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const from = next.get(batch.partition) ?? 0n;
        next.set(batch.partition, BigInt(batch.lastOffset()) + 1n);
        for (const message of batch.messages.filter(({ offset }) => BigInt(offset) >= from)) {
          found.push({
            partition: batch.partition,
            offset: BigInt(message.offset),
            key: message.key?.toString() ?? null,
            value: message.value,
            headers: plainHeaders(message.headers ?? {}),
            raw: { key: message.key, headers: message.headers ?? {} },
          });
        }
      },
    });
  });
  await consumer.disconnect();
  return found.sort((a, b) => a.partition - b.partition || (a.offset < b.offset ? -1 : 1));
}

/**
 * Reads until there are so many: Kafka answers a commit before it has written the markers that let
 * committed readers pass, so the end that is read first may lie before the last transaction.
 */
export async function readAtLeast(
  kafka: Kafka,
  topic: string,
  count: number,
): Promise<PlainRecord[]> {
  for (;;) {
    const found = await readTopic(kafka, topic);
    if (found.length >= count) {
      return found;
    }
  }
}

function plainHeaders(headers: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      String(Array.isArray(value) ? value[0] : value),
    ]),
  );
}

export interface PlainPeer {
  readonly endpoint: string;
  readonly tlsCaFile: string;
  readonly mspId: string;
  readonly userMspDir: string;
}

export interface PlainLedger {
  readonly contract: Contract;
  /** Every version of a key, oldest first. */
  history(key: string): Promise<PlainVersion[]>;
  height(): Promise<bigint>;
  /** The block's bytes as the peer's query system chaincode gives them. */
  block(number: bigint): Promise<common.Block>;
  close(): void;
}

export interface PlainVersion {
  readonly partition: number;
  readonly offset: bigint;
  /** JSON text, null for a delete. */
  readonly document: string | null;
  readonly txId: string;
}

export async function plainLedger(
  peer: PlainPeer,
  channel: string,
  chaincode = 'shuttle',
): Promise<PlainLedger> {
  const client = new Client(peer.endpoint, credentials.createSsl(await readFile(peer.tlsCaFile)), {
    'grpc.max_receive_message_length': 100 * 1024 * 1024,
  });
  const gateway = connect({
    client,
    identity: { mspId: peer.mspId, credentials: await onlyFile(peer.userMspDir, 'signcerts') },
    signer: signers.newPrivateKeySigner(
      createPrivateKey(await onlyFile(peer.userMspDir, 'keystore')),
    ),
    hash: hash.sha256,
  });
  const network = gateway.getNetwork(channel);
  const contract = network.getContract(chaincode);
  const qscc = network.getContract('qscc');
  const query = async (name: string, ...args: string[]): Promise<Uint8Array> =>
    await qscc.evaluateTransaction(name, channel, ...args);
  return {
    contract,
    history: (key) => readHistory(contract, key),
    height: async () =>
      BigInt(common.BlockchainInfo.deserializeBinary(await query('GetChainInfo')).getHeight()),
    block: async (number) =>
      common.Block.deserializeBinary(await query('GetBlockByNumber', String(number))),
    close: () => {
      gateway.close();
      client.close();
    },
  };
}

async function onlyFile(mspDir: string, folder: string): Promise<Buffer> {
  const [name = ''] = await readdir(join(mspDir, folder));
  return await readFile(join(mspDir, folder, name));
}

interface HistoryPage {
  readonly bookmark: string;
  readonly versions: readonly {
    readonly txId: string;
    readonly source: { readonly partition: number; readonly offset: string };
    readonly deleted: boolean;
    readonly document?: unknown;
  }[];
}

async function readHistory(contract: Contract, key: string): Promise<PlainVersion[]> {
  const newestFirst: PlainVersion[] = [];
  let bookmark = '';
  do {
    const bytes = await contract.evaluateTransaction('getHistory', key, '500', bookmark);
    const page = JSON.parse(Buffer.from(bytes).toString()) as HistoryPage;
    for (const { source, deleted, document, txId } of page.versions) {
      const { partition, offset } = source;
      const text = deleted ? null : JSON.stringify(document);
      newestFirst.push({ partition, offset: BigInt(offset), document: text, txId });
    }
    bookmark = page.bookmark;
  } while (bookmark !== '');
  return newestFirst.reverse();
}

/** SHA-256 of the ASN.1 SEQUENCE of number, previous hash and data hash. */
export function headerHash(block: common.Block): string {
  const header = block.getHeader();
  const number = derInteger(BigInt(header?.getNumber() ?? 0));
  const previous = derOctets(header?.getPreviousHash_asU8() ?? new Uint8Array());
  const data = derOctets(header?.getDataHash_asU8() ?? new Uint8Array());
  const body = Buffer.concat([number, previous, data]);
  const sequence = Buffer.concat([Buffer.from([0x30]), derLength(body.length), body]);
  return createHash('sha256').update(sequence).digest('hex');
}

function derInteger(value: bigint): Buffer {
  let hex = value.toString(16);
  hex = hex.length % 2 === 1 ? `0${hex}` : hex;
  const bytes = Buffer.from(hex, 'hex');
  const positive = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
  return Buffer.concat([Buffer.from([0x02]), derLength(positive.length), positive]);
}

function derOctets(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0x04]), derLength(bytes.length), bytes]);
}

function derLength(length: number): Buffer {
  if (length > 127) {
    throw new RangeError('longer than a block header is');
  }
  return Buffer.from([length]);
}

/** Checks that the records of a blocks topic are the channel's blocks, each once, in order. */
export function findBlockFaults(
  records: readonly PlainRecord[],
  channel: { readonly height: bigint; readonly last: common.Block },
): string[] {
  const faults: string[] = [];
  if (BigInt(records.length) !== channel.height) {
    faults.push(`${records.length} blocks on the topic, ${channel.height} on the channel`);
  }
  let previous = '';
  for (const [index, record] of records.entries()) {
    const block = common.Block.deserializeBinary(record.value ?? new Uint8Array());
    const number = block.getHeader()?.getNumber();
    const named = Buffer.from(block.getHeader()?.getPreviousHash_asU8() ?? []).toString('hex');
    if (number !== index) {
      faults.push(`record ${index} holds block ${number}`);
    }
    if (named !== previous) {
      faults.push(`block ${number} does not follow the one before it`);
    }
    if (
      Buffer.from(block.getHeader()?.getDataHash_asU8() ?? []).toString('hex') !== dataHash(block)
    ) {
      faults.push(`block ${number} does not hold what its header says`);
    }
    previous = headerHash(block);
  }
  if (previous !== headerHash(channel.last)) {
    faults.push("the last block on the topic is not the channel's");
  }
  return faults;
}

function dataHash(block: common.Block): string {
  const digest = createHash('sha256');
  for (const envelope of block.getData()?.getDataList_asU8() ?? []) {
    digest.update(envelope);
  }
  return digest.digest('hex');
}
