/** Compares topic, ledger and outbound topics by readers that share no code with the bridge. */
import { common } from '@hyperledger/fabric-protos';
import type { World } from '../support/e2e-world.ts';
import {
  findBlockFaults,
  type PlainRecord,
  readAtLeast,
  readTopic,
} from '../support/independent.ts';

type Versions = Map<string, string[]>;

const isGood = ({ value }: PlainRecord): boolean =>
  value === null || !value.toString().startsWith('bad ');

/** Everything that is not as it has to be, in words; empty when all is well. */
export async function findDifferences(
  world: World,
  topic: string,
  count: number,
): Promise<string[]> {
  const records = await readTopic(world.kafka, topic);
  const good = records.filter(isGood);
  return [
    ...(records.length === count ? [] : [`${records.length} of ${count} records on the topic`]),
    ...(await onTheLedger(world, good)),
    ...(await amongTheDeadLetters(
      world,
      topic,
      records.filter((r) => !isGood(r)),
    )),
    ...(await onTheOutboundTopics(world, topic, good)),
  ];
}

/** Each key's history is its records, each once, in their order. */
async function onTheLedger(world: World, good: readonly PlainRecord[]): Promise<string[]> {
  const faults: string[] = [];
  const expected = versionsOf(good, (r) => `${r.partition}/${r.offset} ${textOf(r)}`);
  for (const [key, versions] of expected) {
    const found = await world.ledger.history(key);
    const told = found.map((v) => `${v.partition}/${v.offset} ${v.document ?? 'deleted'}`);
    faults.push(...compare(`history of ${key}`, versions, told));
  }
  return faults;
}

/** At least one letter for each refused record, with its bytes, and none beside. */
async function amongTheDeadLetters(
  world: World,
  topic: string,
  bad: readonly PlainRecord[],
): Promise<string[]> {
  const letters = await readAtLeast(world.kafka, `${topic}.dead-letters`, bad.length);
  const told = letters.map((letter) => {
    const { headers: h } = letter;
    const position = `${h['__connect.errors.partition']}/${h['__connect.errors.offset']}`;
    return `${position} ${letter.key} ${textOf(letter)}`;
  });
  const expected = bad.map((r) => `${r.partition}/${r.offset} ${r.key} ${textOf(r)}`);
  return compare('dead letters', expected.sort(), [...new Set(told)].sort());
}

async function onTheOutboundTopics(
  world: World,
  topic: string,
  good: readonly PlainRecord[],
): Promise<string[]> {
  const height = await world.ledger.height();
  const blocks = await readAtLeast(world.kafka, 'shuttle.mychannel.blocks', Number(height));
  const faults = await findBlockFaults(blocks, world.ledger, height);
  const held = blocks.reduce((sum, block) => sum + transactionsIn(block), 0);
  const transactions = await readAtLeast(world.kafka, 'shuttle.mychannel.transactions', held);
  const ids = new Set(transactions.map(({ headers }) => headers.ce_id));
  if (ids.size !== transactions.length || transactions.length !== held) {
    faults.push(`${transactions.length} transactions, ${ids.size} ids, ${held} in blocks`);
  }
  const changes = (await readTopic(world.kafka, 'shuttle.mychannel.changes')).filter(({ key }) =>
    key?.startsWith(`${topic}/`),
  );
  const expected = versionsOf(good, textOf);
  const told = versionsOf(changes, textOf);
  for (const [key, versions] of expected) {
    faults.push(...compare(`changes of ${key}`, versions, told.get(key) ?? []));
  }
  return faults;
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
