/** What the transactions of a block read and write, and their ids, whether proven or not. */
import { createHash } from 'node:crypto';
import { type BlockParts, TRANSACTIONS_FILTER } from './block-bytes.ts';
import {
  readAction,
  readChannelHeader,
  readEnvelope,
  readPayload,
  readSignatureHeader,
  readSimulation,
} from './envelope.ts';
import { type AccessSet, readAccessSets } from './rwset.ts';
import { CODES } from './transaction.ts';
import { bytesField } from './wire.ts';

/** Nothing for what is no endorsed transaction. */
export function setsIn(entry: Uint8Array): readonly AccessSet[] {
  try {
    const action = readAction(readPayload(readEnvelope(entry).payload).data);
    return action === null ? [] : readAccessSets(readSimulation(action.responsePayload).results);
  } catch {
    return [];
  }
}

/** Those of the transactions that the block calls valid. */
export function validSets({ entries, metadata }: BlockParts): (readonly AccessSet[])[] {
  const codes = metadata[TRANSACTIONS_FILTER];
  return entries.filter((_, index) => codes?.[index] === CODES.VALID).map(setsIn);
}

/** By which a peer finds a transaction again; made of creator and nonce where it tells none. */
export function txIdIn(entry: Uint8Array): string {
  try {
    const { header } = readPayload(readEnvelope(entry).payload);
    const { txId } = readChannelHeader(bytesField(header ?? Buffer.alloc(0), 1));
    const { nonce, creator } = readSignatureHeader(bytesField(header ?? Buffer.alloc(0), 2));
    return txId === '' ? createHash('sha256').update(nonce).update(creator).digest('hex') : txId;
  } catch {
    return '';
  }
}
