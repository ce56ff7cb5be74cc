/** What a rule file makes of one raw record. */
import { describe, expect, test } from '@jest/globals';
import { cleanedValue, cleanOne, refusalOf } from './cleaning.ts';

describe('a cleaned document', () => {
  test('says which rules and which version made it', async () => {
    const rules = { name: 'orders', version: '1.4', key: '/id', steps: [trimAll] };
    expect(await cleanOne(rules, '{"id": " 7 "}')).toEqual({
      documents: [{ key: '7', value: { id: '7', _cleaned: { rules: 'orders', version: '1.4' } } }],
    });
  });

  test('says it in the member that the rules name', async () => {
    const steps = [trimAll];
    expect(await cleanedValue({ steps, madeBy: 'by' }, '{"id":1}')).toEqual({
      id: 1,
      by: { rules: 'test', version: 1 },
    });
  });

  test('never loses a member to that one', async () => {
    expect(await refusalOf({ steps: [trimAll] }, '{"id":1,"_cleaned":2}')).toMatchObject({
      rule: 'madeBy',
      code: 'MEMBER_EXISTS',
    });
  });
});

const trimAll = { rule: 'tidy', trim: { members: 'all' } };

describe('a key', () => {
  const steps = [trimAll];

  test.each([
    ['/id', '{"id":"a"}', 'a'],
    ['/a/0/b', '{"a":[{"b":12}]}', '12'],
    [{ pointer: '/id', prefix: 'shipment/' }, '{"id":9}', 'shipment/9'],
    [{ expression: 'po & "/" & $string(line)' }, '{"po":"p","line":3}', 'p/3'],
    [{ expression: '$key & "!"' }, '{}', 'raw!'],
  ])('by %j of %s is %s', async (key, text, expected) => {
    const cleaned = await cleanOne({ key, steps }, text, { key: 'raw' });
    expect(cleaned.documents?.map((one) => one.key)).toEqual([expected]);
  });

  test("is the raw record's without a rule", async () => {
    const cleaned = await cleanOne({ steps }, '{}', { key: 'raw' });
    expect(cleaned.documents?.[0]?.key).toBe('raw');
  });

  test.each([
    ['/id', '{"id":""}', 'KEY_MISSING'],
    ['/id', '{"id":1.5}', 'KEY_MISSING'],
    ['/toString', '{}', 'KEY_MISSING'],
    ['/id', '{"id":"_x"}', 'KEY_INVALID'],
    ['/id', '{"id":"\\ud800"}', 'KEY_INVALID'],
    ['/id', `{"id":"${'x'.repeat(513)}"}`, 'KEY_INVALID'],
  ])('by %s of %s is refused with %s', async (key, text, code) => {
    expect(await refusalOf({ key, steps }, text)).toMatchObject({ rule: 'key', code });
  });
});

describe('bytes', () => {
  const steps = [trimAll];

  test.each([
    ['not JSON', '{"a":', 'JSON_INVALID'],
    ['JSON that is no object', '[1]', 'DOCUMENT_INVALID'],
    ['a repeated member', '{"a":1,"b":{"a":1},"a":2}', 'JSON_AMBIGUOUS'],
    ['a repeated member in two spellings', '{"a":1,"\\u0061":2}', 'JSON_AMBIGUOUS'],
    ['a number that would be rounded', '{"a":9007199254740993}', 'NUMBER_INEXACT'],
    ['a number that would be infinite', '{"a":1e400}', 'NUMBER_INEXACT'],
    ['a number that would be zero', '{"a":1e-400}', 'NUMBER_INEXACT'],
    ['a member that is no data', '{"__proto__":{}}', 'JSON_AMBIGUOUS'],
    ['too many levels', '{"a":'.repeat(65) + 1 + '}'.repeat(65), 'NESTING_TOO_DEEP'],
    ['wrong UTF-8', Buffer.from([0x7b, 0x22, 0xe9, 0x22, 0x7d]), 'ENCODING_INVALID'],
    ['nothing', null, 'VALUE_MISSING'],
  ])('that are %s are refused', async (_, value, code) => {
    expect(await refusalOf({ steps }, value)).toMatchObject({ rule: 'format', code });
  });

  test('of a wrong encoding are told with the first byte that is wrong', async () => {
    const bytes = Buffer.concat([Buffer.from('{"a":"\uFFFDé'), Buffer.from([0xc3, 0x28])]);
    const { sentence } = await refusalOf({ steps }, bytes);
    expect(sentence).toBe('Byte 11 is not UTF-8.');
    const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('{}', 'utf16le')]);
    expect((await refusalOf({ steps }, utf16)).sentence).toContain('it starts like UTF-16');
  });

  test('with strings of brackets, quotes and digits are read as JSON has them', async () => {
    const document = { 'a{"': '}:"\\', b: '9007199254740993', c: [0.1, 1.1e3, 12.5] };
    const text = JSON.stringify(document).replace('1100', '1.10e3');
    expect(await cleanedValue({ steps }, text)).toMatchObject(document);
  });

  test('of a cell keep even a mark that only the start of a file may have', async () => {
    const rules = { steps, format: 'csv' };
    const { documents } = await cleanOne(
      { ...rules, steps: [{ rule: 'm', drop: { members: ['x'] } }] },
      'a,b\n1,\uFEFF2\n',
      { key: 'k' },
    );
    expect(documents?.[0]?.value?.b).toBe('\uFEFF2');
  });

  test('that delete a key are passed when the rules say so', async () => {
    expect(await cleanOne({ steps, deletes: 'pass' }, null, { key: 'k' })).toEqual({
      documents: [{ key: 'k', value: null }],
    });
  });
});

describe('a record of several documents', () => {
  const rules = { key: '/id', format: 'csv', steps: [trimAll] };

  test('gives all of them', async () => {
    const { documents } = await cleanOne(rules, '\uFEFFid,n\r\n1, x \r\n2,"y\r\nz"');
    expect(documents?.map(({ key, value }) => [key, value?.n])).toEqual([
      ['1', 'x'],
      ['2', 'y\r\nz'],
    ]);
  });

  test('is refused as a whole, and tells which one it was', async () => {
    expect(await refusalOf(rules, 'id,n\n1,x\n_2,y\n')).toMatchObject({ rule: 'key', item: 1 });
    expect(await refusalOf(rules, 'id,n\n1,x\n2\n')).toMatchObject({
      rule: 'format',
      code: 'CSV_INVALID',
      sentence: 'Line 3: The row has 1 of 2 cells.',
    });
  });

  test.each(['jsonl', { kind: 'csv', columns: ['id'] }])('may be %j', async (format) => {
    const text = typeof format === 'string' ? '{"id":1}\n\n{"id":2}' : '1\n2\n';
    const { documents } = await cleanOne({ ...rules, format }, text);
    expect(documents?.map(({ key }) => key)).toEqual(['1', '2']);
  });
});

test('one rule file serves any number of records, and remembers none of them', async () => {
  const rules = { key: '/id', steps: [trimAll, { rule: 'm', map: { to: 't', expression: 'id' } }] };
  const texts = Array.from({ length: 20 }, (_, n) => `{"id":${n + 1}}`);
  const together = await Promise.all(texts.map((text) => cleanOne(rules, text)));
  expect(together.map(({ documents }) => documents?.[0]?.value?.t)).toEqual(
    texts.map((_, n) => n + 1),
  );
});
