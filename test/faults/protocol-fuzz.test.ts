/**
 * Random bytes as keys, values and headers, through a real broker and a real ledger: each record is
 * on the ledger as it was, or a dead letter as it was, and which of the two is no surprise.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { IHeaders, Message } from 'kafkajs';
import { killLeftovers, runShuttle, type Settings } from '../support/cli.ts';
import {
  createTopic,
  createWorld,
  MINUTE_MS,
  produceAll,
  type World,
} from '../support/e2e-world.ts';
import { faultSeed, SHORT } from '../support/faults.ts';
import { type PlainRecord, readAtLeast, readTopic } from '../support/independent.ts';

const RECORDS = SHORT ? 2_000 : 10_000;
const PARTITIONS = 3;
const TOPIC = 'fuzz';

let world: World;

beforeAll(async () => {
  world = await createWorld(21_718);
}, 10 * MINUTE_MS);

afterAll(async () => {
  killLeftovers();
  await world?.close();
}, 2 * MINUTE_MS);

const bytes = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const utf8 = (text: string): Buffer => Buffer.from(text);
const json = fc.jsonValue().map((value) => utf8(JSON.stringify(value)));

const key = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }).map(utf8) },
  { weight: 2, arbitrary: fc.nat(50).map((n) => utf8(`few/${n}`)) },
  { weight: 2, arbitrary: bytes(20) },
  { weight: 1, arbitrary: fc.constantFrom('', '_k', '\u0000k', 'k\u0000', '\ufffe').map(utf8) },
  { weight: 1, arbitrary: fc.integer({ min: 500, max: 520 }).map((n) => utf8('k'.repeat(n))) },
  { weight: 1, arbitrary: fc.constant(null) },
);

const value = fc.oneof(
  { weight: 4, arbitrary: json },
  { weight: 2, arbitrary: bytes(60) },
  // One byte of a valid document changed.
  {
    weight: 3,
    arbitrary: fc.tuple(json, fc.nat(), fc.nat(255)).map(([valid, at, byte]) => {
      valid[at % Math.max(1, valid.length)] = byte;
      return valid;
    }),
  },
  { weight: 1, arbitrary: fc.constant(null) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('', ' 1 ', '\ufeff1', '1e400', '-0', '{"a":1,"a":2}', '01', '"\\ud800"', 'nul')
      .map(utf8),
  },
  { weight: 1, arbitrary: fc.nat(400).map((n) => utf8(`${'['.repeat(n)}${']'.repeat(n)}`)) },
);

const headers = fc
  .dictionary(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.oneof(bytes(30), fc.array(bytes(5), { minLength: 2, maxLength: 3 })),
    { maxKeys: 4 },
  )
  // kafkajs, and so the independent reader, mistakes these names for members of all objects.
  .filter((found) => Object.getOwnPropertyNames(found).every((name) => !(name in {})));

const message: fc.Arbitrary<Message> = fc.record({
  key,
  value,
  headers,
  partition: fc.nat(PARTITIONS - 1),
  timestamp: fc.integer({ min: 0, max: 4_000_000_000_000 }).map(String),
});

/** What must become of a record, by the rules as docs/formats.md tells them. */
function refusalOf({ raw, value: found }: PlainRecord): string | null {
  const name = raw.key === null ? null : text(raw.key);
  if (raw.key === null) return 'KEY_MISSING';
  if (raw.key.length === 0) return 'KEY_EMPTY';
  if (raw.key.length > 512) return 'KEY_TOO_LONG';
  if (name === null) return 'KEY_NOT_UTF8';
  if (name.startsWith('_') || name.startsWith('\u0000')) return 'KEY_RESERVED';
  return found === null ? null : valueRefusal(found);
}

function valueRefusal(found: Buffer): string | null {
  const document = text(found);
  if (document === null) return 'VALUE_NOT_UTF8';
  try {
    JSON.parse(document);
    return null;
  } catch {
    return 'VALUE_NOT_JSON';
  }
}

function text(raw: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
  } catch {
    return null;
  }
}

const positionOf = ({ partition, offset }: { partition: number; offset: bigint }): string =>
  `${partition}/${offset}`;

/** Bytes as text that is equal only for equal bytes. */
const hex = (raw: Buffer | null): string => raw?.toString('hex') ?? 'null';

const hexHeaders = (found: IHeaders): string =>
  JSON.stringify(
    Object.entries(found).map(([name, held]) => [
      name,
      (Array.isArray(held) ? held : [held]).map((each) => Buffer.from(each ?? '').toString('hex')),
    ]),
  );

/** The letter's headers without those that say why. */
const ownHeaders = (found: IHeaders): IHeaders =>
  Object.fromEntries(
    Object.entries(found).filter(([name]) => !/^__(?:connect|shuttle)\.errors\./.test(name)),
  );

const whole = (record: PlainRecord): string =>
  [hex(record.raw.key), hex(record.value), hexHeaders(ownHeaders(record.raw.headers))].join(' ');

async function shuttle(args: readonly string[], settings: Settings = {}) {
  const all = { ...world.settings, SHUTTLE_LOG__LEVEL: 'warn', ...settings };
  const { code, stdout, stderr } = await runShuttle([...args, '--json'], all, world.dir);
  expect([code, stdout.slice(0, 2_000), stderr]).toEqual([0, expect.anything(), '']);
  return JSON.parse(stdout) as unknown;
}

describe(`${RECORDS} records of random bytes`, () => {
  it(
    'are each on the ledger or a dead letter, byte for byte, as the rules say',
    async () => {
      // Their timestamps are of all years, by which a broker refuses them or throws them away.
      await createTopic(world.kafka, TOPIC, PARTITIONS, {
        'retention.ms': '-1',
        'message.timestamp.after.max.ms': '9223372036854775807',
      });
      const seed = faultSeed();
      await produceAll(world.kafka, TOPIC, fc.sample(message, { seed, numRuns: RECORDS }));
      const records = await readTopic(world.kafka, TOPIC);
      expect(records).toHaveLength(RECORDS);
      const refused = records.filter((record) => refusalOf(record) !== null);
      const accepted = records.filter((record) => refusalOf(record) === null);
      // Never vacuous.
      expect(Math.min(refused.length, accepted.length)).toBeGreaterThan(RECORDS / 5);

      const run = await shuttle(['ingest', '--until-end'], { SHUTTLE_INGEST__TOPICS: TOPIC });
      expect(run).toMatchObject({
        ingest: { recordsRead: RECORDS, applied: accepted.length, rejected: refused.length },
      });
      await expectLetters(refused);
      await expectHistories(accepted);
    },
    10 * MINUTE_MS,
  );

  it(
    'are published and found equal by the comparison',
    async () => {
      await shuttle(['publish', '--until-end']);
      const report = await shuttle(['reconcile', '--source', TOPIC, '--complete']);
      expect(report).toMatchObject({ recordsRead: RECORDS, findingCount: 0, pending: 0 });
    },
    5 * MINUTE_MS,
  );
});

async function expectLetters(refused: readonly PlainRecord[]): Promise<void> {
  const letters = await readAtLeast(world.kafka, `${TOPIC}.dead-letters`, refused.length);
  const found = letters.map((letter) => {
    const { headers: h } = letter;
    const position = `${h['__connect.errors.partition']}/${h['__connect.errors.offset']}`;
    return `${position} ${h['__shuttle.errors.code']} ${whole(letter)}`;
  });
  const expected = refused.map((r) => `${positionOf(r)} ${refusalOf(r)} ${whole(r)}`);
  expect(found.sort()).toEqual(expected.sort());
}

async function expectHistories(accepted: readonly PlainRecord[]): Promise<void> {
  const expected = new Map<string, string[]>();
  for (const record of accepted) {
    const name = text(record.raw.key ?? Buffer.alloc(0)) ?? '';
    const document =
      record.value === null ? 'deleted' : JSON.stringify(JSON.parse(text(record.value) ?? ''));
    expected.set(name, [...(expected.get(name) ?? []), `${positionOf(record)} ${document}`]);
  }
  for (const [name, versions] of expected) {
    const found = await world.ledger.history(name);
    const told = found.map((version) => `${positionOf(version)} ${version.document ?? 'deleted'}`);
    // A key may stand in several partitions; the ledger orders those.
    expect([name, told.sort()]).toEqual([name, versions.sort()]);
  }
}
