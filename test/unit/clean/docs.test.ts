/** docs/cleaning.md shows what the commands do. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { KINDS } from '../../../bridge/src/clean/kinds.ts';
import { runCommand } from '../../support/fake-shuttle.ts';
import { ROOT } from '../../support/sources.ts';

const page = readFileSync(join(ROOT, 'docs/cleaning.md'), 'utf8');
const cwd = join(ROOT, 'examples/cleaning');

test('the files of the example are on the page', () => {
  for (const name of ['orders.csv', 'orders.yaml', 'receipt.xml']) {
    expect(page).toContain(readFileSync(join(cwd, name), 'utf8'));
  }
});

test.each([
  'clean --file orders.csv --rules orders.yaml',
  'clean explain --rules orders.yaml --file orders.csv --line 2',
  'clean check --rules orders.yaml',
])('what `shuttle %s` prints is on the page', async (command) => {
  const { stdout, stderr } = await runCommand(command.split(' '), { cwd });
  expect(stdout).not.toBe('');
  expect(page).toContain(stdout);
  expect(page).toContain(stderr);
});

test('a receipt is known by one key, told in XML as on the page or in JSON', async () => {
  const [xml, json] = await Promise.all(
    ['receipt.xml', 'receipt.jsonl'].map((file) =>
      runCommand(['clean', '--file', file, '--rules', 'preset:epcis'], { cwd }),
    ),
  );
  expect(page).toContain(xml?.stdout);
  const keys = [xml, json].map((each) => (JSON.parse(each?.stdout ?? '') as { key: string }).key);
  expect(keys).toEqual([keys[0], keys[0]]);
});

test('every kind of rule is on the page, with each of its settings', () => {
  for (const [kind, { schema }] of Object.entries(KINDS)) {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${kind}\` |`)) ?? '';
    const names = Object.keys((schema.properties as object | undefined) ?? {});
    expect([kind, names.filter((name) => !row.includes(`\`${name}\``))]).toEqual([kind, []]);
    expect([kind, row === '']).toEqual([kind, false]);
  }
});
