/** The fast way to read an instant gives what the library gives, or leaves it to that. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DateTime } from 'luxon';
import { plainInstant } from '../../../bridge/src/clean/steps/dates.ts';

const two = (max: number) => fc.nat({ max }).map((n) => String(n).padStart(2, '0'));
const year = fc.nat({ max: 9_999 }).map((n) => String(n).padStart(4, '0'));
const fraction = fc.oneof(
  fc.constant(''),
  fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 4 }).map((all) => `.${all.join('')}`),
);
const offset = fc.oneof(
  fc.constantFrom('Z', '', '+00:00', '-00:00', '-05:00', '+13:59', '+14:00', '+0530', 'z'),
  fc.tuple(fc.constantFrom('+', '-'), two(20), two(70)).map(([sign, h, m]) => `${sign}${h}:${m}`),
);
const texts = fc
  .tuple(year, two(13), two(32), two(25), two(61), two(61), fraction, offset)
  .map(([y, mo, d, h, mi, s, f, o]) => `${y}-${mo}-${d}T${h}:${mi}:${s}${f}${o}`);

test('a plain instant is read as the library reads it', () => {
  let plain = 0;
  fc.assert(
    fc.property(texts, (text) => {
      const found = plainInstant(text);
      if (found !== null) {
        plain += 1;
        const moment = DateTime.fromISO(text, { setZone: true });
        expect(moment.isValid).toBe(true);
        expect(found).toEqual({ text: moment.toUTC().toISO(), offset: moment.toFormat('ZZ') });
      }
    }),
    { numRuns: 20_000 },
  );
  expect(plain).toBeGreaterThan(2_000);
});
