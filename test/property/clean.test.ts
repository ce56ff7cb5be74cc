/** Whatever a record holds, it is cleaned or refused with a reason: never a crash, never silence. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createCleaner } from '../../bridge/src/clean/cleaner.ts';
import { compileRules } from '../../bridge/src/clean/compile.ts';
import { isExact } from '../../bridge/src/clean/json.ts';
import { CLEAN_REFUSALS } from '../../bridge/src/clean/refusal.ts';
import { FORMATS } from '../../bridge/src/clean/rules.ts';

const { rules } = compileRules({
  name: 'all',
  version: 1,
  key: '/a',
  steps: [
    { rule: 'trim', trim: { members: 'all', collapse: true } },
    { rule: 'nulls', nulls: { members: 'all', texts: ['', '-'] } },
    { rule: 'rename', rename: { '/l/*/x': 'y' } },
    { rule: 'numbers', numbers: { members: ['n'], group: ',' } },
    { rule: 'dates', dates: { members: ['d'], formats: ['iso', 'd/M/yyyy'], zone: 'UTC' } },
    { rule: 'mask', mask: { members: ['m'], keepLast: 2 } },
    { rule: 'map', map: { to: 'j', expression: 'l.y' } },
  ],
});

const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value) ?? '');
const value = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.string({ unit: 'binary', maxLength: 60 }).map((text) => Buffer.from(text)),
  fc.json().map((text) => Buffer.from(text)),
  fc
    .record({
      a: fc.string(),
      n: fc.jsonValue(),
      d: fc.string(),
      m: fc.string(),
      l: fc.jsonValue(),
    })
    .map(bytesOf),
  fc
    .stringMatching(/^<ObjectEvent>(<epcList x="[^"]*"\/>|[a-z]+|<c>|<a:b\/>)*<\/ObjectEvent>$/)
    .map((text) => Buffer.from(text)),
  fc.stringMatching(/^a,n\r?\n("[^"]*"|[a-z]*),[\d,.]*\n?$/).map((text) => Buffer.from(text)),
);

describe('a raw record of any bytes', () => {
  test('is cleaned or refused, the same each time, and stays as it was', async () => {
    if (rules === null) {
      throw new Error('the rules are wrong');
    }
    const schema = { type: 'JSON', text: '{}', references: [] };
    for (const kind of FORMATS) {
      const cleaner = createCleaner(rules, { kind }, { find: async () => schema });
      await fc.assert(
        fc.asyncProperty(value, async (bytes) => {
          const before = Buffer.from(bytes);
          const raw = { key: null, value: bytes, headers: [], timestamp: 0, offset: 0n };
          const cleaned = await cleaner.clean(raw);
          const { documents, refused } = cleaned;
          expect(Buffer.from(bytes).equals(before)).toBe(true);
          expect(await cleaner.clean(raw)).toEqual(cleaned);
          expect(documents === null).toBe(refused !== null);
          if (refused !== null) {
            expect(Object.keys(CLEAN_REFUSALS)).toContain(refused.code);
            expect(refused.sentence).toMatch(/\.$/);
          }
          for (const { value: made } of documents ?? []) {
            JSON.parse(Buffer.from(made ?? []).toString());
          }
        }),
        { numRuns: 200 },
      );
    }
  });
});

test('a number of JavaScript is exact in its own words', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
      expect(isExact(String(number))).toBe(true);
    }),
  );
});
