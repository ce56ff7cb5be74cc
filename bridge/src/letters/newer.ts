/** Whether the ledger has a newer document under a letter's key than the letter's record. */
import { checkKey } from '@shuttle/chaincode/documents';
import type { KeyExpression } from '../batch/key-expression.ts';
import { ShuttleError } from '../errors.ts';
import type { Ledger } from '../ports.ts';
import type { SourceRecord } from '../values.ts';
import { type KeptLetter, letterOrigin, type Position, positionText } from './letter.ts';

/** The newest version under a key, as getHistory tells it. */
interface Newest {
  readonly txId: string;
  /** The transaction's, in ms. */
  readonly timestamp: number;
  readonly deleted: boolean;
  readonly source: {
    readonly stream: string;
    readonly topic: string;
    readonly partition: number;
    readonly offset: string;
  } | null;
}

export interface NewerDeps {
  readonly ledger: Pick<Ledger, 'evaluate'>;
  readonly keyExpression: KeyExpression | null;
  /** The record of the source at a position; null when it is not there any more. */
  readonly readSource: (at: Position) => Promise<SourceRecord | null>;
}

/**
 * What is newer, in words for people; null when nothing is.
 *
 * Versions of the letter's own partition are in the order of their offsets; one that a replay has
 * brought back counts as what it was at first. Versions from elsewhere have no order with the
 * record but time: what was written after the record was made counts as newer.
 *
 * @throws ShuttleError what Ledger.evaluate and readSource throw; CHAINCODE_UNFIT
 */
export async function newerThan(letter: KeptLetter, deps: NewerDeps): Promise<string | null> {
  const key = ledgerKey(letter, deps.keyExpression);
  const newest = key === null ? null : await newestVersion(key, deps.ledger);
  if (newest === null) {
    return null;
  }
  const what = newest.deleted ? 'deletion' : 'document';
  const { source, timestamp, txId } = newest;
  if (source === null) {
    const by = `a client in transaction ${txId}`;
    return timestamp >= letter.timestamp ? `the ledger has a newer ${what} by ${by}` : null;
  }
  const { topic, partition } = source;
  const at = { topic, partition, offset: BigInt(source.offset) };
  const isOurs = source.stream === letter.stream && isSamePartition(at, letter.origin);
  const isNewer = isOurs
    ? (await originAt(at, deps)) > letter.origin.offset
    : timestamp >= letter.timestamp;
  return isNewer ? `the ledger has a newer ${what} of ${positionText(at)}` : null;
}

const isSamePartition = (a: Position, b: Position): boolean =>
  a.topic === b.topic && a.partition === b.partition;

/** The offset that the record had at first; its own when it is no replay, or is gone. */
async function originAt(at: Position, { readSource }: NewerDeps): Promise<bigint> {
  const record = await readSource(at);
  const origin = record === null ? at : letterOrigin(record.headers, at);
  return isSamePartition(origin, at) ? origin.offset : at.offset;
}

/** Null when no document can have the record's key. */
function ledgerKey(letter: KeptLetter, expression: KeyExpression | null): string | null {
  const found = letter.value === null ? null : (expression?.find(letter.value) ?? null);
  const key = letter.key ?? found;
  return key === null || checkKey(key) !== null ? null : Buffer.from(key).toString('utf8');
}

async function newestVersion(key: string, ledger: NewerDeps['ledger']): Promise<Newest | null> {
  const answer = await ledger.evaluate('getHistory', [key, '1', '']);
  try {
    const page = JSON.parse(Buffer.from(answer).toString('utf8')) as { versions: Newest[] };
    return page.versions[0] ?? null;
  } catch (cause) {
    throw new ShuttleError('CHAINCODE_UNFIT', 'The history of a key cannot be read.', { cause });
  }
}
