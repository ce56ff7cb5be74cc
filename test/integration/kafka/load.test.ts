/** shuttle load on a real broker: each record of a file once, whoever is killed in the middle. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { killLeftovers, runShuttle, startShuttle } from '../../support/cli.ts';
import { readAtLeast } from '../../support/independent.ts';
import { startTestBroker, type TestBroker } from '../../support/kafka-broker.ts';
import { createTemporaryFolder } from '../../support/temporary-folder.ts';

const MINUTE = 60_000;

let broker: TestBroker;
const folder = createTemporaryFolder();

beforeAll(async () => {
  broker = await startTestBroker({ portOffset: 5_509 });
}, MINUTE);

afterEach(() => killLeftovers());

afterAll(async () => {
  await broker.stop();
  folder.remove();
}, MINUTE);

const settings = () => ({ SHUTTLE_KAFKA__BROKERS: broker.brokers.join(',') });
const load = (args: readonly string[]) => runShuttle(['load', ...args], settings(), folder.path);

function write(name: string, rows: number): void {
  const lines = Array.from({ length: rows }, (_, n) => `${n};"row ${n}\nof two lines"`);
  writeFileSync(join(folder.path, name), `id;text\r\n${lines.join('\r\n')}`);
}

const RULES = `
name: rows
version: 1
format: { kind: csv, delimiter: ';' }
key: /id
steps:
  - rule: text
    trim: { members: [text] }
`;

describe('shuttle load', () => {
  it(
    'goes on exactly where it was killed, and has nothing left to do at the end',
    async () => {
      const topic = await broker.topic(3);
      write('killed.csv', 120_000);
      writeFileSync(join(folder.path, 'rules.yaml'), RULES);
      const args = ['killed.csv', '--topic', topic, '--rules', 'rules.yaml', '--key', '/id'];
      let kills = 0;
      for (let at = 1n; kills < 3; at += 15_000n) {
        const running = startShuttle(['load', ...args], settings(), folder.path);
        // Killed when it has come so far, as the group of the load tells.
        while ((await loaded(topic, 'killed.csv')) < at && running.process.exitCode === null) {
          await new Promise((resolve) => setImmediate(resolve));
        }
        expect(running.process.exitCode).toBeNull();
        running.process.kill('SIGKILL');
        await running.ended;
        kills += 1;
      }
      const last = await load([...args, '--json']);
      const summary = JSON.parse(last.stdout) as { records: number; before: number };
      expect([last.code, summary.records + summary.before]).toEqual([0, 120_000]);
      expect(summary.before).toBeGreaterThan(30_000);
      const found = await readAtLeast(broker.plain, topic, 120_000);
      const keys = found.map(({ key }) => Number(key)).sort((a, b) => a - b);
      expect(keys).toEqual(Array.from({ length: 120_000 }, (_, n) => n));
      const one = found.find(({ key }) => key === '77');
      expect(String(one?.value)).toBe('id;text\r\n77;"row 77\nof two lines"\r\n');
      const again = JSON.parse((await load([...args, '--json'])).stdout);
      expect(again).toMatchObject({ records: 0, before: 120_000, isComplete: true });
    },
    2 * MINUTE,
  );

  it(
    'refuses a file that has changed since, and loads it under another name',
    async () => {
      const topic = await broker.topic(2);
      write('changed.csv', 20);
      writeFileSync(join(folder.path, 'rules.yaml'), RULES);
      const rules = ['--rules', 'rules.yaml'];
      expect((await load(['changed.csv', ...rules, '--topic', topic])).code).toBe(0);
      appendFileSync(join(folder.path, 'changed.csv'), '\r\n20;more');
      const refused = await load(['changed.csv', ...rules, '--topic', topic]);
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('FILE_CHANGED')]);
      const named = await load(['changed.csv', ...rules, '--topic', topic, '--as', 'second']);
      expect([named.code, named.stdout]).toEqual([
        0,
        expect.stringMatching(/^Loaded: 21 records /),
      ]);
      expect(await readAtLeast(broker.plain, topic, 41)).toHaveLength(41);
    },
    MINUTE,
  );

  it(
    'makes records that shuttle clean reads by the rules of the file',
    async () => {
      const from = await broker.topic(2);
      write('cleaned.csv', 50);
      writeFileSync(join(folder.path, 'rules.yaml'), RULES);
      const rules = ['--rules', 'rules.yaml'];
      expect((await load(['cleaned.csv', '--topic', from, ...rules])).code).toBe(0);
      const topics = ['--from', from, '--to', `${from}.cleaned`];
      const cleaned = await runShuttle(
        ['clean', '--until-end', '--json', ...topics, ...rules],
        settings(),
        folder.path,
      );
      expect(JSON.parse(cleaned.stdout)).toMatchObject({ cleaned: 50, refused: 0 });
      const found = await readAtLeast(broker.plain, `${from}.cleaned`, 50);
      expect(found.map(({ key }) => Number(key)).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 50 }, (_, n) => n),
      );
    },
    MINUTE,
  );

  it(
    'stops at a record that the topic does not take, and says where it stands',
    async () => {
      const topic = await broker.topic(1, { 'max.message.bytes': '1000000' });
      const lines = ['{"a":1}', JSON.stringify({ a: 'x'.repeat(1_200_000) })];
      writeFileSync(join(folder.path, 'large.jsonl'), lines.join('\n'));
      const { code, stderr } = await load(['large.jsonl', '--topic', topic]);
      expect([code, stderr]).toEqual([2, expect.stringContaining('The record at line 2')]);
    },
    MINUTE,
  );
});

/** Records that are on the topic, as the group of the load tells. */
async function loaded(topic: string, name: string): Promise<bigint> {
  const groupId = `load/${topic}/${name}`;
  const found = await broker.admin.fetchOffsets({ groupId, topics: [topic] });
  return BigInt(found[0]?.partitions.find(({ partition }) => partition === 0)?.offset ?? -1);
}
