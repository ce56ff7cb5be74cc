/** What the transactions of a block read and write, whether they are proven or not. */
import { type BlockParts, TRANSACTIONS_FILTER } from './block-bytes.ts';
import { readAction, readEnvelope, readPayload, readSimulation } from './envelope.ts';
import { type AccessSet, readAccessSets } from './rwset.ts';
import { CODES } from './transaction.ts';

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
