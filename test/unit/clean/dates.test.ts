/** Dates become ISO 8601 without a guess. */
import { describe, expect, test } from '@jest/globals';
import { problemsOf, stepOf, stepRefusal } from './cleaning.ts';

const rule = (settings: object) => ({ dates: { members: ['at'], ...settings } });

describe('a date', () => {
  test.each([
    [{ formats: ['d-MMM-yy'], twoDigitYearsFrom: 1970 }, '2-Jun-06', '2006-06-02'],
    [{ formats: ['d-MMM-yy'], twoDigitYearsFrom: 1970 }, '2-jun-70', '1970-06-02'],
    [{ formats: ['d-MMM-yy'], twoDigitYearsFrom: 1900 }, '2-Jun-06', '1906-06-02'],
    [{ formats: ['M/d/yyyy'] }, '9/11/2014', '2014-09-11'],
    [{ formats: ['d. MMMM yyyy'] }, '2. March 2014', '2014-03-02'],
    [{ formats: ['iso'] }, '2014-02-28', '2014-02-28'],
    [{ formats: ['M/d/yyyy', 'd/M/yyyy'] }, '5/5/2014', '2014-05-05'],
    [{ formats: ['M/d/yyyy', 'd/M/yyyy'] }, '25/5/2014', '2014-05-25'],
    [{ formats: ['d/M/yyyy', 'M/d/yyyy'], ambiguous: 'first' }, '9/11/2014', '2014-11-09'],
  ])('by %j of %s is %s: without a time it gets none', async (settings, at, expected) => {
    expect(await stepOf(rule(settings), { at })).toEqual({ at: expected });
  });

  test.each([
    [{ formats: ['M/d/yyyy'] }, '25/5/2014', 'DATE_INVALID'],
    [{ formats: ['M/d/yyyy'] }, '2/29/2014', 'DATE_INVALID'],
    [{ formats: ['M/d/yyyy'] }, ' 2/2/2014', 'DATE_INVALID'],
    [{ formats: ['iso'] }, '2014-02-29', 'DATE_INVALID'],
    [{ formats: ['iso'] }, '2014-W05', 'DATE_INVALID'],
    [{ formats: ['iso'] }, '2014-01-01T10:00:00', 'DATE_INVALID'],
    [{ formats: ['d/M/yy'], twoDigitYearsFrom: 2001 }, '29/2/00', 'DATE_INVALID'],
    [{ formats: ['M/d/yyyy', 'd/M/yyyy'] }, '9/11/2014', 'DATE_AMBIGUOUS'],
    [{ formats: ['epochSeconds'] }, '-1', 'DATE_INVALID'],
    [{ formats: ['epochMillis'] }, '999999999999999', 'DATE_INVALID'],
  ])('by %j is not %s: %s', async (settings, at, code) => {
    expect(await stepRefusal(rule(settings), { at })).toEqual([code, expect.anything()]);
  });
});

describe('a time', () => {
  const formats = ['yyyy-MM-dd HH:mm'];

  test.each([
    [{ formats: ['iso'] }, '2014-05-01T10:00:00+02:00', '2014-05-01T08:00:00.000Z', '+02:00'],
    [{ formats: ['iso'] }, '2014-05-01T10:00Z', '2014-05-01T10:00:00.000Z', '+00:00'],
    [
      { formats: ['yyyy-MM-dd HH:mm ZZ'] },
      '2014-05-01 10:00 -03:30',
      '2014-05-01T13:30:00.000Z',
      '-03:30',
    ],
    [{ formats, zone: '+02:00' }, '2014-05-01 10:00', '2014-05-01T08:00:00.000Z', '+02:00'],
    [{ formats, zone: 'Africa/Lagos' }, '2014-05-01 10:00', '2014-05-01T09:00:00.000Z', '+01:00'],
    [
      { formats: ["M/d/yyyy 'at' h:mm a"], zone: 'UTC' },
      '5/1/2014 at 3:04 PM',
      '2014-05-01T15:04:00.000Z',
      '+00:00',
    ],
  ])('by %j of %s is UTC, with the offset beside it', async (settings, at, utc, offset) => {
    expect(await stepOf(rule(settings), { at })).toEqual({ at: utc, atOffset: offset });
  });

  test('of a number of seconds or milliseconds has no offset', async () => {
    const at = '2014-05-01T08:00:00.000Z';
    expect(await stepOf(rule({ formats: ['epochSeconds'] }), { at: 1398931200 })).toEqual({ at });
    expect(await stepOf(rule({ formats: ['epochMillis'] }), { at: '1398931200000' })).toEqual({
      at,
    });
  });

  test('that the clocks left out is refused', async () => {
    const settings = { formats, zone: 'Europe/Berlin' };
    const [code] = await stepRefusal(rule(settings), { at: '2014-03-30 02:30' });
    expect(code).toBe('DATE_INVALID');
  });

  test('that stood on the clocks twice is refused', async () => {
    const settings = { formats, zone: 'Europe/Berlin' };
    const [code, sentence] = await stepRefusal(rule(settings), { at: '2014-10-26 02:30' });
    expect([code, sentence]).toEqual(['DATE_AMBIGUOUS', expect.stringContaining('twice')]);
  });
});

test.each([
  [{ formats: ['d-MMM-yy'] }, 'twoDigitYearsFrom says which they are'],
  [{ formats: ['yyyy-MM-dd HH:mm'] }, 'zone says where it is'],
  [{ formats: ['yyyy-MM'] }, 'lacks the year, the month or the day'],
  [{ formats: ['YYYY-MM-DD'] }, 'is no format'],
  [{ formats: ['iso'], zone: 'Mars/Phobos' }, '"Mars/Phobos" is no zone'],
])('settings %j are not valid: %s', (settings, sentence) => {
  const steps = [{ rule: 'one', ...rule(settings) }];
  expect(problemsOf({ name: 'n', version: 1, steps })).toEqual([expect.stringContaining(sentence)]);
});
