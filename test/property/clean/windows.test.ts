/** A cleaner that was begun anew within the window goes on as the one that never stopped. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Cleaned, createCleaner } from '../../../bridge/src/clean/cleaner.ts';
import { compileRules } from '../../../bridge/src/clean/compile.ts';

const compile = (window: number) => {
  const { rules } = compileRules({
    name: 'looking-back',
    version: 1,
    format: 'jsonl',
    key: '/id',
    steps: [
      { rule: 'known', enumerations: { members: ['mode'], values: ['air', 'sea'] } },
      {
        rule: 'shared',
        references: {
          members: ['kg', 'usd'],
          pattern: 'see (\\d+)',
          key: 'id',
          window,
        },
      },
      { rule: 'once', duplicates: { members: ['id', 'kg'], window: Math.ceil(window / 2) } },
      { rule: 'twice', duplicates: { members: ['usd'], window, repeated: 'drop' } },
      { rule: 'numbers', numbers: { members: ['kg'], min: 1 } },
    ],
  });
  if (rules === null) {
    throw new Error('the rules are wrong');
  }
  return rules;
};

const id = fc.integer({ min: 0, max: 9 });
const own = fc.integer({ min: 0, max: 30 }).map(String);
const document = fc.record({
  id: id.map(String),
  kg: fc.oneof(
    own,
    id.map((other) => `see ${other}`),
  ),
  usd: own,
  mode: fc.oneof({ weight: 9, arbitrary: fc.constant('air') }, fc.constant('rocket')),
});
const record = fc.record({
  gap: fc.integer({ min: 1, max: 3 }),
  documents: fc.array(document, { minLength: 1, maxLength: 3 }),
});

const textOf = ({ documents, refused }: Cleaned): unknown =>
  refused ?? documents?.map(({ key, value }) => [String(key), String(value)]);

test('from any offset on, after the last offsets of its window and no more', async () => {
  let refused = 0;
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(record, { minLength: 1, maxLength: 60, size: 'max' }),
      fc.integer({ min: 1, max: 30 }),
      fc.nat(),
      async (records, window, at) => {
        const rules = compile(window);
        let offset = -1n;
        const raws = records.map(({ gap, documents }) => {
          offset += BigInt(gap);
          const value = Buffer.from(documents.map((each) => JSON.stringify(each)).join('\n'));
          return { key: null, value, headers: [], timestamp: 0, offset };
        });
        const whole = createCleaner(rules, { kind: 'json' });
        const expected: unknown[] = [];
        for (const raw of raws) {
          expected.push(textOf(await whole.clean(raw)));
        }
        const from = at % raws.length;
        const next = raws[from]?.offset ?? 0n;
        const anew = createCleaner(rules, { kind: 'json' });
        const got: unknown[] = [];
        for (const raw of raws.filter((each) => each.offset >= next - BigInt(anew.windowRecords))) {
          got.push(textOf(await anew.clean(raw)));
        }
        expect(got.slice(got.length - (raws.length - from))).toEqual(expected.slice(from));
        refused += expected.filter((each) => !Array.isArray(each)).length;
        taken += expected.filter((each) => JSON.stringify(each).includes('kgFrom')).length;
      },
    ),
    { numRuns: 300 },
  );
  expect(refused).toBeGreaterThan(100);
  expect(taken).toBeGreaterThan(100);
});
