/** A list in JSON, item by item: each with its own bytes and line, and wrong ones alone. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createJsonItems, startsList } from '../../../bridge/src/clean/json-items.ts';

/** Items as text, with the file given in pieces of this many bytes. */
function itemsOf(text: string, piece = 1_000_000) {
  const bytes = Buffer.from(text);
  const items = createJsonItems();
  const found = [];
  for (let at = 0; at < bytes.length; at += piece) {
    found.push(...items.push(bytes.subarray(at, at + piece), false));
  }
  found.push(...items.push(new Uint8Array(), true));
  return found.map(({ line, bytes: own, problem }) => [line, Buffer.from(own).toString(), problem]);
}

const CUT_OFF = 'The list has no end: the file may have been cut off.';

describe('items of a list', () => {
  test('keep their bytes and tell their lines', () => {
    const text = '\uFEFF\n[{"a": "]},\\"\\\\",\n "é": [1, {}]},\n\n 2 ,\n"x"]\n';
    expect(itemsOf(text)).toEqual([
      [2, '{"a": "]},\\"\\\\",\n "é": [1, {}]}', null],
      [5, '2 ', null],
      [6, '"x"', null],
    ]);
  });

  test('are the same in whatever pieces the file comes', () => {
    const text = '\uFEFF [ {"a":"\\\\\\"]"} ,\r\n[[1],2], "ü,\\u0022" , {"b":}} , ,3] x\n y';
    const whole = itemsOf(text);
    expect(whole).toHaveLength(7);
    for (let piece = 1; piece < 40; piece++) {
      expect(itemsOf(text, piece)).toEqual(whole);
    }
  });

  test('are those that a parser finds in any list', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.nat(3), (list, spaces) => {
        const items = itemsOf(JSON.stringify(list, null, spaces), 7);
        const parsed: unknown[] = items.map(([, text]) => JSON.parse(String(text)));
        expect(JSON.stringify(parsed)).toBe(JSON.stringify(list));
      }),
    );
  });

  test.each([
    ['[]', []],
    [' [ \n ] \n', []],
    ['[1', [[1, '1', CUT_OFF]]],
    [
      '[1,',
      [
        [1, '1', null],
        [1, '', CUT_OFF],
      ],
    ],
    ['[{"a":"x]', [[1, '{"a":"x]', CUT_OFF]]],
    [
      '[1,]',
      [
        [1, '1', null],
        [1, '', null],
      ],
    ],
    [
      '[,1]',
      [
        [1, '', null],
        [1, '1', null],
      ],
    ],
    [
      '[1]\n{"a":2}',
      [
        [1, '1', null],
        [2, '{"a":2}', 'There is text behind the end of the list.'],
      ],
    ],
    [
      '[{"a":1]},{"b":2}]',
      [
        [1, '{"a":1]}', null],
        [1, '{"b":2}', null],
      ],
    ],
  ])('of %j are told with what is wrong', (text, expected) => {
    expect(itemsOf(text)).toEqual(expected);
  });
});

test.each([
  ['[1]', true],
  ['\uFEFF \r\n\t[', true],
  ['{"a":[1]}', false],
  ['"["', false],
  ['', false],
])('%j starts a list: %s', (text, isList) => {
  expect(startsList(Buffer.from(text))).toBe(isList);
});
