/** Where an entry of the ledger comes from: Kafka position, transaction and block, either way. */
import type { BatchHeader } from '@shuttle/chaincode/wire';
import { carry } from '../batch/carry.ts';
import type { KeyExpression } from '../batch/key-expression.ts';
import { validationCodeName } from '../block/codes.ts';
import { decodeBlock } from '../block/decode.ts';
import { readTransaction, timestampMs } from '../block/summary.ts';
import { POSITION_HEADER } from '../block/topics.ts';
import { ShuttleError } from '../errors.ts';
import type { SourceRecord, TopicPartition } from '../values.ts';

/** A position in a topic; the stream is not known where Kafka alone was asked. */
export interface Position extends TopicPartition {
  readonly stream: string | null;
  readonly offset: bigint;
}

/** A transaction in its block. */
export interface Origin {
  readonly txId: string;
  /** Name of peer.TxValidationCode. */
  readonly validationCode: string;
  /** The transaction's timestamp, set by its client (ms since the epoch). */
  readonly timestamp: number | null;
  readonly creatorMspId: string;
  readonly chaincode: string | null;
  readonly function: string | null;
  readonly block: {
    readonly number: bigint;
    /** Header hash, lower-case hex. */
    readonly hash: string;
    /** The transaction's index in the block, from 0. */
    readonly index: number;
  };
  /** Which records it carried; null when it is no batch. */
  readonly batch: BatchHeader | null;
}

/** A version of a document. */
export interface VersionOrigin {
  readonly deleted: boolean;
  /** Null for a client's version. */
  readonly position: Position | null;
  /** The raw record that the cleaned one was made of; null when nobody tells. */
  readonly raw: Position | null;
  readonly transaction: Origin;
}

export interface OriginDeps {
  readonly chaincode: string;
  /** The block that holds a transaction. @throws ShuttleError NOT_FOUND */
  readonly blockOf: (txId: string) => Promise<Uint8Array>;
  /** The committed record at a position; null when the topic has none there any more. */
  readonly record: (at: TopicPartition, offset: bigint) => Promise<SourceRecord | null>;
}

/** @throws ShuttleError NOT_FOUND when the channel has no such transaction */
export async function originOf(deps: OriginDeps, txId: string): Promise<Origin> {
  const block = decodeBlock(await deps.blockOf(txId));
  for (const [index, entry] of block.entries.entries()) {
    const code = block.validationCodes[index] ?? 0;
    const read = readTransaction(entry, index, code, deps.chaincode);
    if (read.header?.txId === txId) {
      return {
        txId,
        validationCode: validationCodeName(code),
        timestamp: timestampMs(read.header.timestamp),
        creatorMspId: read.header.creatorMspId,
        chaincode: read.action?.chaincode ?? null,
        function: read.action?.function ?? null,
        block: { number: block.header.number, hash: block.hash, index },
        batch: read.source,
      };
    }
  }
  throw new ShuttleError('BLOCK_INVALID', `The peer's block has no transaction ${txId}.`);
}

/** The position of the raw record that a cleaned one was made of, as its header tells it. */
export async function rawPosition(deps: OriginDeps, at: Position): Promise<Position | null> {
  const record = await deps.record(at, at.offset);
  const header = record?.headers.findLast(({ name }) => name === POSITION_HEADER)?.value;
  return header == null ? null : parsePosition(Buffer.from(header).toString('utf8'));
}

/** `<stream>/<topic>/<partition>/<offset>`; topic names hold no slash, streams may. */
export function parsePosition(text: string): Position | null {
  const parts = /^(.*)\/([^/]+)\/([0-9]{1,10})\/([0-9]{1,19})$/s.exec(text);
  if (parts === null) {
    return null;
  }
  const [, stream = '', topic = '', partition, offset = ''] = parts;
  return { stream, topic, partition: Number(partition), offset: BigInt(offset) };
}

/**
 * The document key that the record at a position goes to.
 *
 * @throws ShuttleError NOT_FOUND when the topic holds no record there, or one without a key
 */
export async function keyAt(
  deps: OriginDeps,
  at: TopicPartition,
  offset: bigint,
  keyExpression: KeyExpression | null,
): Promise<string> {
  const record = await deps.record(at, offset);
  const place = { topic: at.topic, partition: at.partition, offset };
  if (record === null) {
    const message = `${at.topic}/${at.partition} holds no record at offset ${offset} any more.`;
    throw new ShuttleError('NOT_FOUND', message, { at: place });
  }
  const carried = carry(record, 1, keyExpression);
  if (carried.kind === 'refused') {
    throw new ShuttleError('NOT_FOUND', 'The record there has no key that a document could have.', {
      at: place,
    });
  }
  return Buffer.from(carried.wire.key).toString('utf8');
}
