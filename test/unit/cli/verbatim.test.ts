import { describe, expect, test } from '@jest/globals';
import { rawItems, rawMembers } from '../../../bridge/src/cli/verbatim.ts';

describe('cutting JSON text', () => {
  test('members keep their raw text', () => {
    const members = rawMembers('{"a" : [1, {"b":"}"}] , "c":1e400,"d\\"":"\\\\","e":{ } }');
    expect([...members]).toEqual([
      ['a', '[1, {"b":"}"}]'],
      ['c', '1e400'],
      ['d"', '"\\\\"'],
      ['e', '{ }'],
    ]);
  });

  test('items keep their raw text', () => {
    expect(rawItems('[ {"a":[1,2]} ,"x,]" , -0.10 ]')).toEqual(['{"a":[1,2]}', '"x,]"', '-0.10']);
    expect([rawItems('[]'), rawItems('[ ]'), rawMembers('{}').size]).toEqual([[], [], 0]);
  });

  test('a document of a megabyte is cut in time', () => {
    const document = JSON.stringify('x"\\'.repeat(300_000));
    expect(rawMembers(`{"document":${document}}`).get('document')).toBe(document);
  });
});
