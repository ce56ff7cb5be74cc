/** The judge of the tests with real faults can find: each kind of defect, planted by seed. */
import { createHash } from 'node:crypto';
import { common } from '@hyperledger/fabric-protos';
import { describe, expect, it } from '@jest/globals';
import { differences, type Evidence } from '../../support/differences.ts';
import { randomBySeed } from '../../support/faults.ts';
import { headerHash, type PlainRecord, type PlainVersion } from '../../support/independent.ts';

const TOPIC = 'orders';
const RECORDS = 60;
const KEYS = 5;
const PARTITIONS = 3;
const BLOCKS = 12;
const SEEDS = Array.from({ length: 20 }, (_, seed) => seed);

/** Evidence that a test may change. */
type Case = {
  -readonly [Name in keyof Evidence]: Evidence[Name] extends readonly PlainRecord[]
    ? PlainRecord[]
    : Name extends 'histories'
      ? Map<string, PlainVersion[]>
      : Evidence[Name];
};

function record(fields: Partial<PlainRecord>): PlainRecord {
  const raw = { key: null, headers: {} };
  return { partition: 0, offset: 0n, key: null, value: null, headers: {}, raw, ...fields };
}

function source(n: number): PlainRecord {
  const number = n % KEYS;
  const key = `${TOPIC}/${number}`;
  const text = n % 13 === 12 ? `bad ${n}` : JSON.stringify({ n });
  const value = n % 7 === 6 ? null : Buffer.from(text);
  return record({ partition: number % PARTITIONS, offset: BigInt(n), key, value });
}

const isBad = ({ value }: PlainRecord): boolean => value?.toString().startsWith('bad') === true;

const letterOf = (bad: PlainRecord): PlainRecord => ({
  ...bad,
  headers: {
    '__connect.errors.partition': String(bad.partition),
    '__connect.errors.offset': String(bad.offset),
  },
});

const versionOf = ({ partition, offset, value }: PlainRecord): PlainVersion => ({
  partition,
  offset,
  document: value === null ? null : value.toString(),
  txId: `tx${offset}`,
});

function chain(salt: string): common.Block[] {
  const blocks: common.Block[] = [];
  for (let number = 0; number < BLOCKS; number++) {
    const envelopes = [`${salt} ${number} a`, `${salt} ${number} b`].map((each) =>
      Buffer.from(each),
    );
    const header = new common.BlockHeader();
    header.setNumber(number);
    header.setDataHash(createHash('sha256').update(Buffer.concat(envelopes)).digest());
    const before = blocks.at(-1);
    header.setPreviousHash(before === undefined ? '' : Buffer.from(headerHash(before), 'hex'));
    const data = new common.BlockData();
    data.setDataList(envelopes);
    const block = new common.Block();
    block.setHeader(header);
    block.setData(data);
    blocks.push(block);
  }
  return blocks;
}

const blockRecord = (block: common.Block, n: number): PlainRecord =>
  record({ offset: BigInt(n), value: Buffer.from(block.serializeBinary()) });

/** All as it has to be. */
function whole(): Case {
  const records = Array.from({ length: RECORDS }, (_, n) => source(n));
  const good = records.filter((each) => !isBad(each));
  const histories = new Map<string, PlainVersion[]>();
  for (const each of good) {
    const key = each.key ?? '';
    histories.set(key, [...(histories.get(key) ?? []), versionOf(each)]);
  }
  const blocks = chain('own');
  const transactions = Array.from({ length: 2 * BLOCKS }, (_, n) =>
    record({ offset: BigInt(n), headers: { ce_id: `tx${n}` } }),
  );
  return {
    topic: TOPIC,
    records,
    histories,
    letters: records.filter(isBad).map(letterOf),
    blocks: blocks.map(blockRecord),
    channel: { height: BigInt(BLOCKS), last: blocks[BLOCKS - 1] as common.Block },
    transactions,
    changes: good.map((each, n) => ({ ...each, partition: 0, offset: BigInt(n) })),
  };
}

type Pick = (below: number) => number;
type Plant = (of: Case, pick: Pick) => void;

function remove<T>(list: T[], pick: Pick): void {
  list.splice(pick(list.length), 1);
}

function repeat<T>(list: T[], pick: Pick): void {
  const at = pick(list.length);
  list.splice(at, 0, list[at] as T);
}

function swap<T>(list: T[], pick: Pick): void {
  const at = pick(list.length - 1);
  list.splice(at, 2, list[at + 1] as T, list[at] as T);
}

function change<T>(list: T[], pick: Pick, how: (each: T) => Partial<T>): void {
  const at = pick(list.length);
  const each = list[at] as T;
  list[at] = { ...each, ...how(each) };
}

const anyHistory = ({ histories }: Case, pick: Pick): PlainVersion[] =>
  [...histories.values()][pick(histories.size)] ?? [];

const otherValue = () => ({ value: Buffer.from('{"other":1}') });

/** Two changes of one key in the other order. */
function swapChanges({ changes }: Case, pick: Pick): void {
  const at = pick(changes.length);
  const isOfKey = ({ key }: PlainRecord): boolean => key === changes[at]?.key;
  const other = changes.findIndex((each, n) => n !== at && isOfKey(each));
  [changes[at], changes[other]] = [changes[other] as PlainRecord, changes[at] as PlainRecord];
}

function changedEnvelope(of: Case, pick: Pick): void {
  const at = pick(BLOCKS);
  const block = common.Block.deserializeBinary(of.blocks[at]?.value as Buffer);
  block.getData()?.setDataList([Buffer.from('forged'), Buffer.from('forged too')]);
  of.blocks[at] = blockRecord(block, at);
}

const DEFECTS: Readonly<Record<string, Plant>> = {
  'a record missing on the topic': (of, pick) => remove(of.records, pick),
  'a version missing in a history': (of, pick) => remove(anyHistory(of, pick), pick),
  'a version twice in a history': (of, pick) => repeat(anyHistory(of, pick), pick),
  'two versions in the other order': (of, pick) => swap(anyHistory(of, pick), pick),
  'another document': (of, pick) => {
    change(anyHistory(of, pick), pick, () => ({ document: '{"other":1}' }));
  },
  'a version of another record': (of, pick) => {
    change(anyHistory(of, pick), pick, ({ offset }) => ({ offset: offset + 1n }));
  },
  'a refused record on the ledger': (of, pick) => {
    const bad = of.records.filter(isBad);
    const each = bad[pick(bad.length)] as PlainRecord;
    of.histories.get(each.key ?? '')?.push(versionOf(each));
  },
  'a letter missing': (of, pick) => remove(of.letters, pick),
  'a letter with other bytes': (of, pick) => change(of.letters, pick, otherValue),
  'a letter of a record that was not refused': (of, pick) => {
    const good = of.records.filter((each) => !isBad(each));
    of.letters.push(letterOf(good[pick(good.length)] as PlainRecord));
  },
  'a block missing': (of, pick) => remove(of.blocks, pick),
  'a block twice': (of, pick) => repeat(of.blocks, pick),
  'two blocks in the other order': (of, pick) => swap(of.blocks, pick),
  'a block with other transactions': changedEnvelope,
  'blocks of another channel': (of) => {
    of.blocks = chain('other').map(blockRecord);
  },
  'a transaction missing': (of, pick) => remove(of.transactions, pick),
  'a transaction twice': (of, pick) => repeat(of.transactions, pick),
  'one transaction in the place of another': (of, pick) => {
    remove(of.transactions, pick);
    repeat(of.transactions, pick);
  },
  'a change missing': (of, pick) => remove(of.changes, pick),
  'a change twice': (of, pick) => repeat(of.changes, pick),
  'two changes of a key in the other order': swapChanges,
  'another value in a change': (of, pick) => change(of.changes, pick, otherValue),
  'a change of a key that no record has': (of, pick) => {
    change(of.changes, pick, () => ({ key: `${TOPIC}/unheard-of` }));
    of.changes.push(record({ key: `${TOPIC}/other`, value: Buffer.from('{}') }));
  },
};

describe('the judge', () => {
  it('finds nothing where all is well, and where a letter came twice', () => {
    expect(differences(whole(), RECORDS)).toEqual([]);
    const again = whole();
    repeat(again.letters, () => 1);
    expect(differences(again, RECORDS)).toEqual([]);
  });

  it.each(Object.entries(DEFECTS))('finds %s, wherever it is', (_, plant) => {
    const missed = SEEDS.filter((seed) => {
      const of = whole();
      const random = randomBySeed(seed);
      plant(of, (below) => Math.floor(random() * below));
      return differences(of, RECORDS).length === 0;
    });
    expect(missed).toEqual([]);
  });
});
