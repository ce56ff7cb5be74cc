/** What a plain reader finds on the topics that this run has written. */
import type { Kafka } from 'kafkajs';
import { type Offsets, type Received, readBetween } from './kafka.ts';

export interface Proof {
  readonly blocks: number;
  readonly transactions: number;
  /** Records of this run that are on the changes topic. */
  readonly applied: number;
  /** Of these, how many more than once, and how many behind a later one of the same key. */
  readonly repeated: number;
  readonly disordered: number;
  readonly lastChanges: readonly ShownChange[];
  readonly deadLetters: readonly ShownLetter[];
}

export interface ShownChange {
  readonly partition: number;
  readonly offset: bigint;
  readonly key: string;
  readonly value: string | null;
}

export interface ShownLetter {
  readonly position: string;
  readonly key: string;
  readonly code: string;
  /** The rule that refused it. */
  readonly rule: string;
  readonly reason: string;
}

type Ends = ReadonlyMap<string, Offsets>;

const SHOWN = 5;
const NONE: Offsets = new Map();

/** The topics that the proof is read from. */
export interface ProofTopics {
  /** What the ledger's positions name. */
  readonly source: string;
  readonly letters: readonly string[];
  readonly blocks: string;
  readonly transactions: string;
  readonly changes: string;
}

/** Reads what lies between `before` and `after`. */
export async function readProof(
  kafka: Kafka,
  { source, letters, blocks, transactions, changes }: ProofTopics,
  before: Ends,
  after: Ends,
): Promise<Proof> {
  const read = (topic: string) =>
    readBetween(kafka, topic, before.get(topic) ?? NONE, after.get(topic) ?? NONE);
  const changed = await read(changes);
  const own = countOwn(changed, source, before.get(source) ?? NONE);
  return {
    ...own,
    blocks: (await read(blocks)).length,
    transactions: (await read(transactions)).length,
    lastChanges: changed.slice(-SHOWN).map(shownChange),
    deadLetters: (await Promise.all(letters.map(read))).flat().map(shownLetter),
  };
}

/** Each change names the record it comes from: `<stream>/<topic>/<partition>/<offset>`. */
export function countOwn(
  changes: readonly Received[],
  source: string,
  before: Offsets,
): Pick<Proof, 'applied' | 'repeated' | 'disordered'> {
  const seen = new Set<string>();
  const lastOfKey = new Map<string, bigint>();
  let repeated = 0;
  let disordered = 0;
  for (const { key, headers } of changes) {
    const [, topic, partition = '', offset = ''] = (headers.shuttle_position ?? '').split('/');
    if (topic !== source || BigInt(offset) < (before.get(Number(partition)) ?? 0n)) {
      continue;
    }
    const position = `${partition}/${offset}`;
    repeated += seen.has(position) ? 1 : 0;
    seen.add(position);
    const name = key?.toString('hex') ?? '';
    disordered += (lastOfKey.get(name) ?? -1n) >= BigInt(offset) ? 1 : 0;
    lastOfKey.set(name, BigInt(offset));
  }
  return { applied: seen.size, repeated, disordered };
}

function shownChange({ partition, offset, key, value }: Received): ShownChange {
  return { partition, offset, key: String(key), value: value === null ? null : String(value) };
}

function shownLetter({ key, headers }: Received): ShownLetter {
  const header = (name: string): string => headers[name] ?? '?';
  const place = ['topic', 'partition', 'offset'].map((part) => header(`__connect.errors.${part}`));
  return {
    position: place.join('/'),
    key: key === null ? '(none)' : String(key),
    code: header('__shuttle.errors.code'),
    rule: headers['__shuttle.errors.rule'] ?? '',
    reason: header('__connect.errors.exception.message'),
  };
}
