/** The clean stage with rules that need more than the record: a registry, and those before it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import avro, { type Schema } from 'avsc';
import { createReader } from '../../../bridge/src/kafka/reader.ts';
import { scan } from '../../../bridge/src/kafka/scan.ts';
import { ensureCleanTopics } from '../../../bridge/src/kafka/topics.ts';
import { type Ended, killLeftovers, startShuttle } from '../../support/cli.ts';
import { testClock } from '../../support/fakes.ts';
import { startTestBroker, type TestBroker } from '../../support/kafka-broker.ts';
import { registered, startRegistry } from '../../support/schema-registry.ts';
import { createTemporaryFolder } from '../../support/temporary-folder.ts';

const MINUTE = 60_000;

let broker: TestBroker;
const folder = createTemporaryFolder();

beforeAll(async () => {
  broker = await startTestBroker({ portOffset: 6_400 });
}, MINUTE);

afterEach(() => killLeftovers());

afterAll(async () => {
  await broker.stop();
  folder.remove();
}, MINUTE);

async function produce(topic: string, values: readonly (Buffer | object)[]) {
  const messages = values.map((value) => ({
    partition: 0,
    key: 'raw',
    value: Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value)),
  }));
  await broker.producer.send({ topic, messages });
}

/** Up to the end of the topic as it is now. */
async function clean(
  { from, to }: { readonly from: string; readonly to: string },
  settings: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const all = {
    SHUTTLE_KAFKA__BROKERS: broker.brokers.join(','),
    SHUTTLE_KAFKA__SESSION_TIMEOUT_MS: '6000',
    SHUTTLE_LOG__FORMAT: 'json',
    ...settings,
  };
  const args = ['clean', '--rules', 'rules.yaml', '--from', from, '--to', to];
  return await startShuttle([...args, '--until-end', '--json'], all, folder.path).ended;
}

async function topics(name = '') {
  const from = name === '' ? await broker.topic(1) : name;
  const to = `${from}.cleaned${name === '' ? '' : '-again'}`;
  await ensureCleanTopics(broker.client(), { from, to });
  return { from, to };
}

/** All committed records of a topic, once there are so many. */
async function recordsOf(topic: string, atLeast: number) {
  const reader = createReader(broker.client());
  try {
    for (;;) {
      const found = [];
      for (const { partition, logStart, logEnd } of await reader.ends([topic])) {
        for await (const records of scan(reader, { topic, partition }, logStart, logEnd)) {
          found.push(...records);
        }
      }
      if (found.length >= atLeast) {
        return found.map(({ value, headers }) => ({
          value: String(value),
          headers: Object.fromEntries(headers.map((each) => [each.name, String(each.value)])),
        }));
      }
      await testClock.sleep(100);
    }
  } finally {
    await reader.close();
  }
}

describe('records with the numbers of their schemas', () => {
  const ORDER: Schema = {
    type: 'record',
    name: 'Order',
    fields: [
      { name: 'id', type: 'string' },
      { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
    ],
  } as Schema;

  it(
    'are waited for while the registry is away, and read or refused by what it says',
    async () => {
      const registry = await startRegistry({
        '/schemas/ids/1': { schema: JSON.stringify(ORDER) },
        '/schemas/ids/2': { schema: '{"required": ["id"]}', schemaType: 'JSON' },
      });
      registry.failures.push(503, 503, 503);
      const rules = 'name: r\nversion: 1\nformat: registry\nkey: /id\nsteps:\n';
      writeFileSync(
        join(folder.path, 'rules.yaml'),
        `${rules}  - { rule: t, trim: { members: all } }\n`,
      );
      const at = await topics();
      const payload = avro.Type.forSchema(ORDER).toBuffer({ id: 'a', at: 0 });
      await produce(at.from, [
        registered(1, payload),
        registered(2, '{"id": "b"}'),
        registered(2, '{}'),
        registered(3, ''),
        Buffer.from('{"id": "c"}'),
        registered(1, payload.subarray(1)),
      ]);
      const ended = await clean(at, { SHUTTLE_CLEAN__REGISTRY__URL: registry.url });
      await registry.close();
      expect([ended.code, ended.code === 0 ? '' : ended.stderr]).toEqual([0, '']);
      expect(JSON.parse(ended.stdout)).toMatchObject({ recordsRead: 6, cleaned: 2, refused: 4 });
      expect(ended.stderr).toContain('lost the schema registry, waiting');
      expect(ended.stderr).toContain('reached the schema registry again');
      expect(registry.asked.filter((path) => path === '/schemas/ids/2')).toHaveLength(1);
      const cleaned = await recordsOf(at.to, 2);
      expect(cleaned.map(({ value }) => JSON.parse(value) as unknown)).toMatchObject([
        { id: 'a', at: '1970-01-01T00:00:00.000Z' },
        { id: 'b' },
      ]);
      const letters = await recordsOf(`${at.from}.dead-letters`, 4);
      expect(letters.map(({ headers }) => headers['__shuttle.errors.code'])).toEqual([
        'SCHEMA_VIOLATED',
        'SCHEMA_UNKNOWN',
        'SCHEMA_ID_MISSING',
        expect.stringMatching(/^(?:AVRO|ENCODING)_INVALID$/),
      ]);
    },
    MINUTE,
  );
});

describe('rules that look back', () => {
  it(
    'decide the same whether the stage ran through or began anew at any record',
    async () => {
      const rules = `name: r
version: 1
key: /id
steps:
  - rule: shared
    references: { members: [kg], pattern: 'see (\\d+)', key: id, window: 12 }
  - rule: once
    duplicates: { members: [order], window: 10 }
`;
      writeFileSync(join(folder.path, 'rules.yaml'), rules);
      const at = await topics();
      // Three orders of eight are one, also where a run ends; two weights of three stand elsewhere.
      const values = Array.from({ length: 60 }, (_, n) => ({
        id: String(n),
        kg: n % 3 === 0 ? n : `see ${n - (n % 3)}`,
        order: `o${n % 8 < 3 ? n - (n % 8) : n}`,
      }));
      for (let from = 0; from < values.length; from += 20) {
        await produce(at.from, values.slice(from, from + 20));
        const { code, stderr } = await clean(at);
        expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
      }
      const through = await topics(at.from);
      expect((await clean(through)).code).toBe(0);
      const refused = values.length - new Set(values.map(({ order }) => order)).size;
      const kept = values.length - refused;
      const [inParts, whole, letters] = await Promise.all([
        recordsOf(at.to, kept),
        recordsOf(through.to, kept),
        recordsOf(`${at.from}.dead-letters`, 2 * refused),
      ]);
      expect(inParts.map(({ value }) => value)).toEqual(whole.map(({ value }) => value));
      expect(inParts).toHaveLength(kept);
      const reasons = letters.map(({ headers }) => headers['__connect.errors.exception.message']);
      expect(reasons.slice(0, refused)).toEqual(reasons.slice(refused));
      expect(reasons[0]).toContain('stood at offset 0 already');
      expect(inParts.filter(({ value }) => value.includes('kgFrom')).length).toBeGreaterThan(20);
    },
    2 * MINUTE,
  );
});
