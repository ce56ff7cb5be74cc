/** Compares topic, ledger and outbound topics by readers that share no code with the bridge. */
import { common } from '@hyperledger/fabric-protos';
import type { World } from './e2e-world.ts';
import {
  findBlockFaults,
  type PlainRecord,
  type PlainVersion,
  readAtLeast,
  readTopic,
} from './independent.ts';

type Versions = Map<string, string[]>;

/** Everything that was read of a topic and of what became of it. */
export interface Evidence {
  readonly topic: string;
  readonly records: readonly PlainRecord[];
  readonly histories: ReadonlyMap<string, readonly PlainVersion[]>;
  readonly letters: readonly PlainRecord[];
  readonly blocks: readonly PlainRecord[];
  /** How many blocks the channel has, and its own copy of the last of them. */
  readonly channel: { readonly height: bigint; readonly last: common.Block };
  readonly transactions: readonly PlainRecord[];
  readonly changes: readonly PlainRecord[];
}

const isGood = ({ value }: PlainRecord): boolean =>
  value === null || !value.toString().startsWith('bad ');

/** Everything that is not as it has to be, in words; empty when all is well. */
export async function findDifferences(
  world: World,
  topic: string,
  count: number,
): Promise<string[]> {
  return differences(await gather(world, topic), count);
}

async function gather({ kafka, ledger }: World, topic: string): Promise<Evidence> {
  const records = await readTopic(kafka, topic);
  const histories = new Map<string, readonly PlainVersion[]>();
  for (const key of new Set(records.map((record) => record.key ?? ''))) {
    histories.set(key, await ledger.history(key));
  }
  const bad = records.filter((record) => !isGood(record));
  const letters = await readAtLeast(kafka, `${topic}.dead-letters`, bad.length);
  const height = await ledger.height();
  const blocks = await readAtLeast(kafka, 'shuttle.mychannel.blocks', Number(height));
  const held = blocks.reduce((sum, block) => sum + transactionsIn(block), 0);
  return {
    topic,
    records,
    histories,
    letters,
    blocks,
    channel: { height, last: await ledger.block(height - 1n) },
    transactions: await readAtLeast(kafka, 'shuttle.mychannel.transactions', held),
    changes: await readTopic(kafka, 'shuttle.mychannel.changes'),
  };
}

/** What does not agree, in words. */
export function differences(evidence: Evidence, count: number): string[] {
  const { records } = evidence;
  return [
    ...(records.length === count ? [] : [`${records.length} of ${count} records on the topic`]),
    ...onTheLedger(evidence),
    ...amongTheDeadLetters(evidence),
    ...findBlockFaults(evidence.blocks, evidence.channel),
    ...amongTheTransactions(evidence),
    ...amongTheChanges(evidence),
  ];
}

/** Each key's history is its records, each once, in their order. */
function onTheLedger({ records, histories }: Evidence): string[] {
  const expected = versionsOf(
    records.filter(isGood),
    (r) => `${r.partition}/${r.offset} ${textOf(r)}`,
  );
  return [...histories].flatMap(([key, found]) => {
    const told = found.map((v) => `${v.partition}/${v.offset} ${v.document ?? 'deleted'}`);
    return compare(`history of ${key}`, expected.get(key) ?? [], told);
  });
}

/** At least one letter for each refused record, with its bytes, and none beside. */
function amongTheDeadLetters({ records, letters }: Evidence): string[] {
  const told = letters.map((letter) => {
    const { headers: h } = letter;
    const position = `${h['__connect.errors.partition']}/${h['__connect.errors.offset']}`;
    return `${position} ${letter.key} ${textOf(letter)}`;
  });
  const bad = records.filter((record) => !isGood(record));
  const expected = bad.map((r) => `${r.partition}/${r.offset} ${r.key} ${textOf(r)}`);
  return compare('dead letters', expected.sort(), [...new Set(told)].sort());
}

function amongTheTransactions({ blocks, transactions }: Evidence): string[] {
  const held = blocks.reduce((sum, block) => sum + transactionsIn(block), 0);
  const ids = new Set(transactions.map(({ headers }) => headers.ce_id));
  return ids.size === transactions.length && transactions.length === held
    ? []
    : [`${transactions.length} transactions, ${ids.size} ids, ${held} in blocks`];
}

function amongTheChanges({ topic, records, changes }: Evidence): string[] {
  const expected = versionsOf(records.filter(isGood), textOf);
  const told = versionsOf(
    changes.filter(({ key }) => key?.startsWith(`${topic}/`)),
    textOf,
  );
  const keys = new Set([...expected.keys(), ...told.keys()]);
  return [...keys].flatMap((key) =>
    compare(`changes of ${key}`, expected.get(key) ?? [], told.get(key) ?? []),
  );
}

function transactionsIn({ value }: PlainRecord): number {
  const block = common.Block.deserializeBinary(value ?? new Uint8Array());
  return block.getData()?.getDataList().length ?? 0;
}

const textOf = ({ value }: PlainRecord): string => (value === null ? 'deleted' : String(value));

function versionsOf(records: readonly PlainRecord[], show: (r: PlainRecord) => string): Versions {
  const versions: Versions = new Map();
  for (const record of records) {
    const key = record.key ?? '';
    const known = versions.get(key);
    if (known === undefined) {
      versions.set(key, [show(record)]);
    } else {
      known.push(show(record));
    }
  }
  return versions;
}

/** The first difference of two lists, if there is one. */
function compare(what: string, expected: readonly string[], found: readonly string[]): string[] {
  const at = expected.findIndex((each, index) => each !== found[index]);
  if (at < 0 && expected.length === found.length) {
    return [];
  }
  const index = at < 0 ? expected.length : at;
  const sizes = `${found.length} of ${expected.length}`;
  return [`${what}: ${sizes}; at ${index} ${found[index]} instead of ${expected[index]}`];
}
