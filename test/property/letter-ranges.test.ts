import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Ranges } from '../../bridge/src/letters/ranges.ts';

const adds = fc.array(fc.tuple(fc.bigInt(0n, 80n), fc.bigInt(0n, 6n)), { maxLength: 40 });

test('ranges hold exactly the offsets that were added, in as few stretches as there are', () => {
  fc.assert(
    fc.property(adds, (all) => {
      const ranges = new Ranges();
      const model = new Set<bigint>();
      for (const [first, more] of all) {
        ranges.add(first, first + more);
        for (let offset = first; offset <= first + more; offset++) model.add(offset);
      }
      let stretches = 0;
      for (let offset = 0n; offset < 100n; offset++) {
        expect([offset, ranges.has(offset)]).toEqual([offset, model.has(offset)]);
        stretches += model.has(offset) && !model.has(offset - 1n) ? 1 : 0;
      }
      expect(ranges.texts()).toHaveLength(stretches);
    }),
  );
});

test('ranges are read back from their texts', () => {
  fc.assert(
    fc.property(adds, adds, (all, others) => {
      const ranges = new Ranges();
      for (const [first, more] of all) ranges.add(first, first + more);
      const back = new Ranges();
      expect(back.addTexts(ranges.texts())).toBe(true);
      expect(back.texts()).toEqual(ranges.texts());
      for (const [first, more] of others) {
        ranges.add(first, first + more);
        back.add(first, first + more);
      }
      expect(back.texts()).toEqual(ranges.texts());
    }),
  );
});

test.each([['5-3'], ['-1'], ['1-'], ['a'], [''], [7], [null], ['1-2-3']])(
  '%p is no range, and then nothing is added',
  (text) => {
    const ranges = new Ranges();
    expect(ranges.addTexts(['1', text])).toBe(false);
    expect(ranges.texts()).toEqual([]);
  },
);
