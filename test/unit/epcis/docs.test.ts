/** docs/tracing.md shows what the commands answer about the story of the tests. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { createCleaner } from '../../../bridge/src/clean/cleaner.ts';
import { loadRules } from '../../../bridge/src/config/rule-file.ts';
import { yoghurtStory } from '../../support/epcis-story.ts';
import { evaluateOn, MemoryEventStore } from '../../support/event-store.ts';
import { runCommand } from '../../support/fake-shuttle.ts';
import { ROOT } from '../../support/sources.ts';

const page = readFileSync(join(ROOT, 'docs/tracing.md'), 'utf8');
const store = new MemoryEventStore();

beforeAll(async () => {
  const cleaner = createCleaner(loadRules('preset:epcis', '.'), { kind: 'json' });
  for (const [n, text] of yoghurtStory().documents.entries()) {
    const place = { key: null, headers: [], timestamp: Date.now(), offset: BigInt(n) };
    const raw = { ...place, value: Buffer.from(text) };
    for (const { key, value } of (await cleaner.clean(raw)).documents ?? []) {
      store.put(Buffer.from(key).toString(), JSON.parse(String(value)));
    }
  }
});

const SHOWN = [
  ['trace', '(01)09506000134352(21)C5'],
  ['item', '(01)09506000134352(21)C0'],
  ['recall', '(01)09506000999999(10)M1'],
] as const;

test.each(SHOWN)('what `shuttle %s %s` prints is on the page', async (...args) => {
  const { code, stdout } = await runCommand(args, { ledger: { evaluate: evaluateOn(store) } });
  expect(code).toBe(0);
  expect(page).toContain(`$ shuttle ${args[0]} '${args[1]}'\n`);
  // Of a long table the page has the beginning.
  const lines = stdout.split('\n');
  const beginning = args[0] === 'recall' ? lines.slice(0, 6) : lines;
  expect(page).toContain(beginning.join('\n').trimEnd());
});
