import { describe, expect, test } from '@jest/globals';
import { utcInstant } from '../../../chaincode/src/epcis/event.ts';

describe('utcInstant', () => {
  test.each([
    ['2026-03-01T09:30:00Z', '2026-03-01T09:30:00.000Z'],
    ['2026-03-01T09:30:00+00:00', '2026-03-01T09:30:00.000Z'],
    ['2026-03-01T09:30:00-00:00', '2026-03-01T09:30:00.000Z'],
    ['2026-03-01T09:30:00.123Z', '2026-03-01T09:30:00.123Z'],
    ['2026-03-01T09:30:00.123+00:00', '2026-03-01T09:30:00.123Z'],
    ['2026-03-01T09:30:00.1Z', '2026-03-01T09:30:00.100Z'],
    ['2026-03-01T09:30:00.123999Z', '2026-03-01T09:30:00.123Z'],
    ['2026-03-01T00:30:00.5+02:00', '2026-02-28T22:30:00.500Z'],
    ['2028-02-29T23:59:59-14:00', '2028-03-01T13:59:59.000Z'],
    ['1000-01-01T00:00:00Z', '1000-01-01T00:00:00.000Z'],
  ])('%s is %s', (text, instant) => {
    expect(utcInstant(text)).toBe(instant);
  });

  test.each([
    ['2026-03-01T09:30:00', 'no zone'],
    ['2026-03-01T09:30:00.123', 'no zone'],
    ['2026-03-01', 'no time'],
    ['2026-03-01Z', 'no time'],
    ['2026-03-01T09:30Z', 'no seconds'],
    ['2026-02-29T00:00:00Z', 'a day that the month does not have'],
    ['2026-02-29T00:00:00.000+00:00', 'a day that the month does not have'],
    ['2026-13-01T00:00:00Z', 'a month that there is not'],
    ['2026-03-01T24:00:00Z', 'an hour that there is not'],
    ['2026-03-01T23:59:60.000Z', 'a second that there is not'],
    ['0999-12-31T23:59:59Z', 'a year below 1000'],
    ['+002026-03-01T09:30:00Z', 'a year of six digits'],
    ['2026-3-01T009:30:00.000Z', 'digits in wrong places'],
    [' 2026-03-01T09:30:00Z', 'a space'],
    ['2026-03-01 09:30:00.000Z', 'a space for the T'],
    ['2026-03-01t09:30:00.000z', 'small letters'],
  ])('%s is none: %s', (text) => {
    expect(utcInstant(text)).toBeNull();
  });
});
