/** Rules that look back: a window is a function of the last offsets, and of nothing else. */
import { describe, expect, it } from '@jest/globals';
import { type Cleaner, createCleaner } from '../../../bridge/src/clean/cleaner.ts';
import type { JsonObject } from '../../../bridge/src/clean/json.ts';
import { WINDOW_RECORDS_MAX } from '../../../bridge/src/clean/window.ts';
import { compiled, problemsOf, TIMESTAMP } from './cleaning.ts';

const cleanerOf = (...steps: object[]) =>
  createCleaner(compiled({ key: '/id', format: 'jsonl', steps }), { kind: 'json' });

/** What came of a record: its documents without who made them, or the code and the sentence. */
async function given(cleaner: Cleaner, offset: number, ...documents: object[]) {
  const value = Buffer.from(documents.map((each) => JSON.stringify(each)).join('\n'));
  const raw = { key: null, value, headers: [], timestamp: TIMESTAMP, offset: BigInt(offset) };
  const cleaned = await cleaner.clean(raw);
  return cleaned.refused === null
    ? cleaned.documents.map(({ value: bytes }) => {
        const { _cleaned, ...others } = JSON.parse(String(bytes)) as JsonObject;
        return others;
      })
    : `${cleaned.refused.code} ${cleaned.refused.sentence}`;
}

const references = (changes: object = {}) => ({
  rule: 'shared',
  references: { members: ['kg'], pattern: 'see (\\d+)', key: 'id', window: 3, ...changes },
});

describe('a reference', () => {
  it('takes over what an earlier record says, and tells where it came from', async () => {
    const cleaner = cleanerOf(references());
    await given(cleaner, 7, { id: '1', kg: 12 });
    expect(await given(cleaner, 8, { id: '2', kg: 'see 1' })).toEqual([
      { id: '2', kg: 12, kgReason: 'see 1', kgFrom: { name: '1', offset: '7' } },
    ]);
  });

  it('leaves the own value empty where the taken one has a member of its own', async () => {
    const cleaner = cleanerOf(references({ valueSuffix: 'Shared' }));
    await given(cleaner, 7, { id: 1, kg: 'as text' });
    expect(await given(cleaner, 8, { id: 2, kg: 'see 1' })).toEqual([
      {
        id: 2,
        kg: null,
        kgShared: 'as text',
        kgReason: 'see 1',
        kgFrom: { name: '1', offset: '7' },
      },
    ]);
  });

  it.each([
    ['nowhere', [], 1],
    ['in a later record', [{ id: '9', kg: 1 }], 8],
    ['in one too far back', [{ id: '1', kg: 1 }], 4],
    ['in one that has no value', [{ id: '1', kg: null }], 1],
    ['in one that only refers itself', [{ id: '1', kg: 'see 5' }], 1],
  ])('to what stands %s is null with the text as its reason', async (_, documents, distance) => {
    const cleaner = cleanerOf(references());
    await given(cleaner, 10, ...documents);
    expect(await given(cleaner, 10 + distance, { id: '2', kg: 'see 1' })).toEqual([
      { id: '2', kg: null, kgReason: 'see 1' },
    ]);
  });

  it('that is not found is refused when the rules say so', async () => {
    const cleaner = cleanerOf(references({ otherwise: 'refuse' }));
    expect(await given(cleaner, 10, { id: '2', kg: 'see 1' })).toBe(
      'REFERENCE_UNKNOWN "see 1" names "1", ' +
        'and no record of that name within the last 3 tells a value.',
    );
  });

  it('finds the latest of several, and earlier documents of its own record', async () => {
    const cleaner = cleanerOf(references());
    await given(cleaner, 10, { id: '1', kg: 1 });
    const [, second, third] = (await given(
      cleaner,
      11,
      { id: '1', kg: 2 },
      { id: '2', kg: 'see 1' },
      { id: '3', kg: 'see 4' },
      { id: '4', kg: 4 },
    )) as JsonObject[];
    expect(second).toMatchObject({ kg: 2, kgFrom: { offset: '11' } });
    expect(third).toMatchObject({ kg: null });
  });

  it('finds a record that was refused for what stands behind the window', async () => {
    const numbers = { rule: 'n', numbers: { members: ['count'], whole: true } };
    const cleaner = cleanerOf(references(), numbers);
    expect(await given(cleaner, 1, { id: '1', kg: 5, count: 'x' })).toContain('NUMBER_INVALID');
    expect(await given(cleaner, 2, { id: '2', kg: 'see 1' })).toMatchObject([{ kg: 5 }]);
  });
});

const duplicates = (changes: object = {}) => ({
  rule: 'once',
  duplicates: { members: ['order', 'line'], window: 3, ...changes },
});

describe('a duplicate', () => {
  const first = { id: 1, order: 'a', line: 1 };

  it('is refused with the place of the one before, however often it comes', async () => {
    const cleaner = cleanerOf(duplicates());
    expect(await given(cleaner, 5, first)).toHaveLength(1);
    const again = { ...first, id: 2 };
    expect(await given(cleaner, 8, again)).toBe(
      'DUPLICATE The same content stood at offset 5 already.',
    );
    expect(await given(cleaner, 11, again)).toContain('at offset 8 already');
    expect(await given(cleaner, 15, again)).toHaveLength(1);
  });

  it('is dropped when the rules say so, and counted', async () => {
    const cleaner = cleanerOf(duplicates({ repeated: 'drop' }));
    const text = [first, { ...first, line: 2 }, first].map((each) => JSON.stringify(each));
    const raw = { key: null, headers: [], timestamp: TIMESTAMP, offset: 0n };
    const cleaned = await cleaner.clean({ ...raw, value: Buffer.from(text.join('\n')) });
    expect(cleaned).toMatchObject({ refused: null, dropped: 1 });
    expect(cleaned.documents).toHaveLength(2);
  });

  it('names the document where a record holds several', async () => {
    const cleaner = cleanerOf(duplicates());
    await given(cleaner, 0, { id: 0, order: 'b' }, first);
    expect(await given(cleaner, 1, first)).toContain('at offset 0 already, in its document 2.');
  });

  it('is one by all members, but for those that do not count', async () => {
    const cleaner = cleanerOf(duplicates({ members: 'all', without: ['id'] }));
    await given(cleaner, 0, { id: 1, a: { b: [1, 2] }, c: 3 });
    expect(await given(cleaner, 1, { id: 2, c: 3, a: { b: [1, 2] } })).toContain('DUPLICATE');
    expect(await given(cleaner, 2, { id: 2, c: 3, a: { b: [2, 1] } })).toHaveLength(1);
  });

  it('is none where none of the members is there', async () => {
    const cleaner = cleanerOf(duplicates());
    await given(cleaner, 0, { id: 1 });
    expect(await given(cleaner, 1, { id: 1 })).toHaveLength(1);
  });

  it('is told by what came in, not by what other rules took over', async () => {
    const cleaner = cleanerOf(references(), duplicates({ members: ['kg'] }));
    await given(cleaner, 0, { id: '1', kg: 5 });
    expect(await given(cleaner, 1, { id: '2', kg: 'see 1' })).toMatchObject([{ kg: 5 }]);
    expect(await given(cleaner, 2, { id: '3', kg: 'see 1' })).toContain('DUPLICATE');
  });
});

describe('a window', () => {
  it('is as large as the largest of its rules', () => {
    expect(cleanerOf({ rule: 'x', drop: { members: ['x'] } }).windowRecords).toBe(0);
    expect(cleanerOf(references({ window: 70 }), duplicates()).windowRecords).toBe(70);
  });

  it('holds no more documents than it has offsets', async () => {
    const cleaner = cleanerOf(duplicates({ members: 'all' }));
    await given(cleaner, 0, ...[1, 2, 3, 4].map((id) => ({ id })));
    expect(await given(cleaner, 1, { id: 1 })).toHaveLength(1);
    expect(await given(cleaner, 2, { id: 4 })).toContain('DUPLICATE');
  });

  it('goes forward only', async () => {
    const cleaner = cleanerOf(duplicates());
    await given(cleaner, 5, { id: 1 });
    await expect(given(cleaner, 5, { id: 1 })).rejects.toThrow('windows go forward only');
  });

  it.each([
    [[references({ window: 0 })], 'window'],
    [[references({ window: WINDOW_RECORDS_MAX + 1 })], 'a number of records from 1 to 100000'],
    [[references({ pattern: 'see \\d+' })], 'no group (...) for the name of the other record'],
    [[references({ pattern: '(' })], 'is not a regular expression'],
    [
      [references(), { rule: 'x', drop: { members: ['x'] } }, duplicates()],
      'steps.2: "x" stands between rules that look back, which have to stand together',
    ],
  ])('has bounds that the rule file is held to: %#', (steps, sentence) => {
    expect(problemsOf({ name: 'n', version: 1, steps }).join('\n')).toContain(sentence);
  });
});
