/** A document of XML with any bytes changed is cleaned or refused with a reason, never a crash. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createCleaner } from '../../../bridge/src/clean/cleaner.ts';
import { CLEAN_REFUSALS } from '../../../bridge/src/clean/refusal.ts';
import { loadRules } from '../../../bridge/src/config/rule-file.ts';
import { fuzzRuns } from '../../support/fuzz.ts';
import { ROOT } from '../../support/sources.ts';

const receipt = readFileSync(join(ROOT, 'examples/cleaning/receipt.xml'));

const piece = fc.oneof(
  fc.uint8Array({ maxLength: 4 }),
  fc
    .constantFrom('<', '>', '&amp;', '&#0;', '<!--', ']]>', '<a/>', '</epc>', ' x="1"', '__proto__')
    .map((text) => Uint8Array.from(Buffer.from(text))),
);
const change = fc.record({ at: fc.nat(receipt.length), length: fc.nat(12), piece });

function changed(changes: readonly { at: number; length: number; piece: Uint8Array }[]): Buffer {
  return changes.reduce<Buffer>(
    (bytes, each) =>
      Buffer.concat([
        bytes.subarray(0, each.at),
        each.piece,
        bytes.subarray(each.at + each.length),
      ]),
    receipt,
  );
}

test('a changed document is cleaned or refused, the same each time', async () => {
  const rules = loadRules('preset:epcis', '.');
  const cleaner = createCleaner(rules, { kind: 'epcis' });
  let cleaned = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 3 }), async (changes) => {
      const raw = { key: null, value: changed(changes), headers: [], timestamp: 2e12, offset: 0n };
      const made = await cleaner.clean(raw);
      expect(await cleaner.clean(raw)).toEqual(made);
      cleaned += made.refused === null ? 1 : 0;
      if (made.refused !== null) {
        expect(Object.keys(CLEAN_REFUSALS)).toContain(made.refused.code);
        expect(made.refused.sentence).toMatch(/^[^\n]{1,600}[.?]$/);
      }
    }),
    { numRuns: fuzzRuns(300) },
  );
  expect(cleaned).toBeGreaterThan(5);
});
