/** Whether a letter's key has a newer document than the letter's record, or is about to. */
import { checkKey } from '@shuttle/chaincode/documents';
import type { KeyExpression } from '../batch/key-expression.ts';
import { ShuttleError } from '../errors.ts';
import type { Ledger } from '../ports.ts';
import { partitionName, type SourceRecord, type TopicPartition } from '../values.ts';
import { type KeptLetter, letterOrigin, type Position, positionText } from './letter.ts';

/** Questions to the ledger at a time. */
const ASKED_MAX = 16;

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
  /** Records of a partition of the source that the ledger may not have finished yet. */
  readonly unfinished: (at: TopicPartition) => AsyncIterable<readonly SourceRecord[]>;
}

/**
 * What is newer than each of the letters, in words for people; letters that nothing is newer than
 * are left out.
 *
 * @throws ShuttleError what Ledger.evaluate and the reading of the source throw; CHAINCODE_UNFIT
 */
export async function findNewer(
  letters: readonly KeptLetter[],
  deps: NewerDeps,
): Promise<ReadonlyMap<KeptLetter, string>> {
  // First what is on its way: it may arrive meanwhile, and is then on the ledger.
  const found = new Map(await onTheirWay(letters, deps));
  const rest = letters.filter((letter) => !found.has(letter));
  for (let from = 0; from < rest.length; from += ASKED_MAX) {
    const some = rest.slice(from, from + ASKED_MAX);
    const answers = await Promise.all(some.map((letter) => newerOnLedger(letter, deps)));
    for (const [index, letter] of some.entries()) {
      const newer = answers[index] ?? null;
      if (newer !== null) {
        found.set(letter, newer);
      }
    }
  }
  return found;
}

/** Letters with a newer record of their key that the ledger has not finished yet. */
async function onTheirWay(
  letters: readonly KeptLetter[],
  deps: NewerDeps,
): Promise<ReadonlyMap<KeptLetter, string>> {
  const found = new Map<KeptLetter, string>();
  const partitions = new Map<string, KeptLetter[]>();
  for (const letter of letters) {
    const name = partitionName(letter.source);
    partitions.set(name, [...(partitions.get(name) ?? []), letter]);
  }
  for (const those of partitions.values()) {
    const [first] = those;
    const byKey = lettersByKey(those, deps.keyExpression);
    if (first !== undefined && byKey.size > 0) {
      await findInPartition(first.source, byKey, deps, found);
    }
  }
  return found;
}

async function findInPartition(
  { topic, partition }: TopicPartition,
  byKey: ReadonlyMap<string, readonly KeptLetter[]>,
  { unfinished, keyExpression }: NewerDeps,
  found: Map<KeptLetter, string>,
): Promise<void> {
  for await (const records of unfinished({ topic, partition })) {
    for (const record of records) {
      const at = { topic, partition, offset: record.offset };
      const same = byKey.get(ledgerKey(record, keyExpression) ?? '') ?? [];
      for (const letter of same.filter(({ origin }) => originOf(record, at) > origin.offset)) {
        found.set(letter, `a newer record, ${positionText(at)}, is on its way to the ledger`);
      }
    }
  }
}

function lettersByKey(letters: readonly KeptLetter[], expression: KeyExpression | null) {
  const byKey = new Map<string, KeptLetter[]>();
  for (const letter of letters) {
    const key = ledgerKey(letter, expression);
    if (key !== null) {
      byKey.set(key, [...(byKey.get(key) ?? []), letter]);
    }
  }
  return byKey;
}

/**
 * Versions of the letter's own partition are in the order of their offsets; one that a replay has
 * brought back counts as what it was at first. Versions from elsewhere have no order with the
 * record but time: what was written after the record was made counts as newer.
 */
async function newerOnLedger(letter: KeptLetter, deps: NewerDeps): Promise<string | null> {
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
  return record === null ? at.offset : originOf(record, at);
}

function originOf(record: SourceRecord, at: Position): bigint {
  const origin = letterOrigin(record.headers, at);
  return isSamePartition(origin, at) ? origin.offset : at.offset;
}

/** Null when no document can have the record's key. */
function ledgerKey(
  record: Pick<SourceRecord, 'key' | 'value'>,
  expression: KeyExpression | null,
): string | null {
  const key =
    record.key ?? (record.value === null ? null : (expression?.find(record.value) ?? null));
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
