/** What each kind of rule does to one document. */
import { describe, expect, test } from '@jest/globals';
import { cleanOne, problemsOf, refusalOf, stepOf, stepRefusal, TIMESTAMP } from './cleaning.ts';

describe('rename', () => {
  test('changes names at once, so that two may change places, and keeps the order', async () => {
    const document = await stepOf({ rename: { a: 'b', b: 'a', gone: 'x' } }, { a: 1, b: 2, c: 3 });
    expect(Object.entries(document)).toEqual([
      ['b', 1],
      ['a', 2],
      ['c', 3],
    ]);
  });

  test('reaches into lists by a pointer', async () => {
    const step = { rename: { '/lines/*/qty': 'quantity', '/a~1b': 'c' } };
    expect(await stepOf(step, { lines: [{ qty: 1 }, { qty: 2 }, 3], 'a/b': 0 })).toEqual({
      lines: [{ quantity: 1 }, { quantity: 2 }, 3],
      c: 0,
    });
  });

  test('never lets one member cover another', async () => {
    expect(await stepRefusal({ rename: { a: 'b' } }, { a: 1, b: 2 })).toEqual([
      'MEMBER_EXISTS',
      'Two members would be "b".',
    ]);
  });
});

test('trim takes white space off the ends, and collapses inner runs only when told to', async () => {
  const document = { a: ' x  y\u00a0', b: [{ c: '\tz\n' }], d: 1 };
  expect(await stepOf({ trim: { members: 'all' } }, document)).toEqual({
    a: 'x  y',
    b: [{ c: 'z' }],
    d: 1,
  });
  const step = { trim: { members: ['a'], collapse: true } };
  expect(await stepOf(step, document)).toMatchObject({ a: 'x y', b: [{ c: '\tz\n' }] });
});

test('drop takes members away', async () => {
  const step = { drop: { members: ['a', '/b/*/c'] } };
  expect(await stepOf(step, { a: 1, b: [{ c: 2, d: 3 }] })).toEqual({ b: [{ d: 3 }] });
});

test('mask leaves the last characters only of a text that is long enough to hide the rest', async () => {
  const members = ['a', 'b', 'c'];
  const document = { a: '0123456789', b: '123', c: null };
  const step = { mask: { members, keepLast: 4 } };
  expect(await stepOf(step, document)).toEqual({ a: '***6789', b: '***', c: null });
  expect(await stepOf({ mask: { members: ['a'] } }, { a: 'secret' })).toEqual({ a: '***' });
});

describe('nulls', () => {
  test('keeps the reason beside each null', async () => {
    const texts = { '': 'empty', 'N/A': 'not applicable' };
    const step = { nulls: { members: 'all', texts, patterns: ['See ASN-\\d+'] } };
    const document = { a: '', b: 'N/A', c: { d: 'See ASN-93' }, e: 'See ASN-93!', f: 0 };
    expect(await stepOf(step, document)).toEqual({
      a: null,
      aReason: 'empty',
      b: null,
      bReason: 'not applicable',
      c: { d: null, dReason: 'See ASN-93' },
      e: 'See ASN-93!',
      f: 0,
    });
  });

  test('never writes the reason over another member', async () => {
    const step = { nulls: { members: ['a'], texts: ['-'] } };
    const [code] = await stepRefusal(step, { a: '-', aReason: 1 });
    expect(code).toBe('MEMBER_EXISTS');
  });
});

describe('booleans', () => {
  const step = { booleans: { members: ['a'], true: ['TRUE', 'yes'], false: ['FALSE'] } };

  test('are what their texts say', async () => {
    expect(await stepOf(step, { a: 'yes' })).toEqual({ a: true });
    expect(await stepOf(step, { a: 'FALSE' })).toEqual({ a: false });
    expect(await stepOf(step, { a: true })).toEqual({ a: true });
    expect(await stepOf(step, { a: null })).toEqual({ a: null });
    expect((await stepRefusal(step, { a: 'true' }))[0]).toBe('BOOLEAN_UNKNOWN');
    const folded = { booleans: { ...step.booleans, ignoreCase: true } };
    expect(await stepOf(folded, { a: 'true' })).toEqual({ a: true });
  });

  test('may not have one text for both', () => {
    const booleans = { members: ['a'], true: ['x'], false: ['X'], ignoreCase: true };
    const steps = [{ rule: 'one', booleans }];
    expect(problemsOf({ name: 'n', version: 1, steps })).toEqual([
      'steps.0.booleans.false.0: "X" stands for true already',
    ]);
  });
});

test('enumerations bring spellings to one, and refuse what is not listed', async () => {
  const step = { enumerations: { members: ['a'], values: { Air: ['by air'], Sea: [] } } };
  expect(await stepOf(step, { a: 'by air' })).toEqual({ a: 'Air' });
  expect(await stepOf(step, { a: 'Sea' })).toEqual({ a: 'Sea' });
  expect(await stepRefusal(step, { a: 'air' })).toEqual(['WORD_UNKNOWN', '"air" is not listed.']);
  expect((await stepRefusal(step, { a: 1 }))[0]).toBe('TYPE_WRONG');
});

describe('lookups', () => {
  const table = { NG: 'Nigeria', '7': { name: 'seven' } };

  test('write what the table says', async () => {
    const lookups = { from: 'code', to: 'country', table };
    expect(await stepOf({ lookups }, { code: 'NG' })).toMatchObject({ country: 'Nigeria' });
    expect(await stepOf({ lookups }, { code: 7 })).toMatchObject({ country: { name: 'seven' } });
    expect(await stepOf({ lookups }, { code: null })).toEqual({ code: null });
  });

  test('refuse, write null or leave out what is not there, as told', async () => {
    const lookups = { from: 'code', to: 'country', table };
    expect((await stepRefusal({ lookups }, { code: 'XX' }))[0]).toBe('WORD_UNKNOWN');
    const nothing = { lookups: { ...lookups, otherwise: 'null' } };
    expect(await stepOf(nothing, { code: 'toString' })).toMatchObject({ country: null });
    const out = { lookups: { ...lookups, otherwise: 'leave out' } };
    expect(await stepOf(out, { code: 'XX' })).toEqual({ code: 'XX' });
  });
});

describe('numbers', () => {
  const step = (settings: object) => ({ numbers: { members: ['n'], ...settings } });
  const german = { decimal: ',', group: '.' };
  const weight = { unit: 'kg', units: { g: '0.001', lb: 0.45359237 } };

  test.each([
    [{}, '12.50', 12.5],
    [{}, '-0.10', -0.1],
    [{}, 7, 7],
    [{ group: ',' }, '1,234,567.8', 1234567.8],
    [{ group: ',' }, '1234', 1234],
    [german, '1.234,5', 1234.5],
    [{ exponent: true }, '1.5E+03', 1500],
    [{ leadingZeros: true }, '007', 7],
    [{ whole: true }, '3.0', 3],
    [weight, '250 g', 0.25],
    [weight, '3lb', 1.36077711],
    [{ ...weight, bareUnit: 'g' }, '5', 0.005],
    [{ as: 'text' }, '9007199254740993.10', '9007199254740993.1'],
  ])('with %j of %j are %j', async (settings, n, expected) => {
    expect(await stepOf(step(settings), { n })).toEqual({ n: expected });
  });

  test.each([
    [{}, '1,234', 'is no number'],
    [{}, '', 'is no number'],
    [{}, '0x10', 'has "x10" behind its number'],
    [{}, '1e3', 'behind its number'],
    [{}, '007', 'is no number'],
    [{}, '12 kg', 'has "kg" behind its number'],
    [{}, '1.', 'is no number'],
    [{ group: ',' }, '1,23,456', 'is no number'],
    [{ group: ',' }, '12,34', 'is no number'],
    [german, '1.5', 'is no number'],
    [{ whole: true }, '3.5', 'is not whole'],
    [{ min: 0 }, '-1', 'is below 0'],
    [{ max: 10 }, '10.01', 'is above 10'],
    [weight, '5', 'has no unit'],
    [weight, '5 oz', 'has "oz" behind its number'],
  ])('with %j are refused: %j', async (settings, n, sentence) => {
    expect(await stepRefusal(step(settings), { n })).toEqual([
      'NUMBER_INVALID',
      expect.stringContaining(sentence),
    ]);
  });

  test('never lose a digit', async () => {
    expect((await stepRefusal(step({}), { n: '0.12345678901234567891' }))[0]).toBe(
      'NUMBER_INEXACT',
    );
  });

  test('may tell their unit beside them', async () => {
    const settings = { ...weight, unitSuffix: 'Unit' };
    expect(await stepOf(step(settings), { n: '1 kg' })).toEqual({ n: 1, nUnit: 'kg' });
  });
});

describe('map', () => {
  test('makes a new document, or several', async () => {
    const steps = [{ rule: 'm', map: { expression: 'lines.{"id": $$.id & "/" & n, "n": n}' } }];
    const text = '{"id":"a","lines":[{"n":1},{"n":2}]}';
    const { documents } = await cleanOne({ key: '/id', steps }, text);
    expect(documents?.map(({ key, value }) => [key, value?.n])).toEqual([
      ['a/1', 1],
      ['a/2', 2],
    ]);
  });

  test('writes one member, or leaves it out where the expression finds nothing', async () => {
    const step = { map: { to: 'sum', expression: '$sum(lines.n)' } };
    expect(await stepOf(step, { lines: [{ n: 1 }, { n: 2 }] })).toMatchObject({ sum: 3 });
    const nothing = { map: { to: 'a', expression: 'gone' } };
    expect(await stepOf(nothing, { a: 1, b: 2 })).toEqual({ b: 2 });
  });

  test('never lets a record vanish', async () => {
    for (const expression of ['[]', 'gone', '1', '[{}, 1]']) {
      expect((await stepRefusal({ map: { expression } }, {}))[0]).toBe('EXPRESSION_FAILED');
    }
  });

  test('knows no clock but the record, and no chance', async () => {
    const iso = new Date(TIMESTAMP).toISOString();
    const at = (expression: string) => stepOf({ map: { to: 'x', expression } }, {});
    expect(await at('$now()')).toEqual({ x: iso });
    expect(await at('$millis()')).toEqual({ x: TIMESTAMP });
    expect(await at('$eval("$now()")')).toEqual({ x: iso });
    expect(await at('$fromMillis($toMillis("10:00", "[H01]:[m01]"))')).toEqual({
      x: `${iso.slice(0, 10)}T10:00:00.000Z`,
    });
    const refused = (expression: string) => stepRefusal({ map: { to: 'x', expression } }, {});
    expect((await refused('$random()'))[0]).toBe('EXPRESSION_FAILED');
    expect((await refused('$shuffle([1,2])'))[0]).toBe('EXPRESSION_FAILED');
  });

  test.each([
    ['a loop without an end', '($f := function($n) { $f($n + 1) }; $f(0))'],
    ['calls too deep', '($f := function($n) { 1 + $f($n + 1) }; $f(0))'],
    ['too long a list', '[1..10000000]'],
    ['much work', '$sum([1..90000].($ * $ + $ * $))'],
  ])('with %s is refused, on every machine after the same steps', async (_, expression) => {
    const [code] = await stepRefusal({ map: { to: 'x', expression } }, {});
    expect(code).toBe('EXPRESSION_TOO_LONG');
  });

  test.each(['1/0', '$string', '$number("x")', 'a.b.$uppercase(1)'])(
    'that gives no JSON is refused: %s',
    async (expression) => {
      const step = { map: { to: 'x', expression } };
      expect((await stepRefusal(step, { a: { b: 1 } }))[0]).toBe('EXPRESSION_FAILED');
    },
  );

  test('that is no JSONata is told when the rules are read', () => {
    const steps = [{ rule: 'one', map: { expression: 'a.(b' } }];
    expect(problemsOf({ name: 'n', version: 1, steps })).toEqual([
      expect.stringMatching(/^steps\.0\.map\.expression: this is not JSONata at character \d/),
    ]);
  });
});

describe('plausibility', () => {
  const order = { plausibility: { order: [['ordered', 'sent', 'delivered']] } };

  test('compares a date with a time by whole days, since a date has no zone', async () => {
    const late = { ordered: '2026-05-03', delivered: '2026-05-02T22:30:00.000Z' };
    expect(await stepOf(order, late)).toEqual(late);
    const wrong = { ordered: '2026-05-03', delivered: '2026-05-01T22:30:00.000Z' };
    expect((await stepRefusal(order, wrong))[0]).toBe('IMPLAUSIBLE');
  });

  test('compares dates by their days, times by their moments, numbers by their values', async () => {
    const fine = [
      { ordered: '2014-05-01', sent: null, delivered: '2014-05-01T00:30:00.000Z' },
      { ordered: '2014-05-01T10:00:00.000Z', delivered: '2014-05-01' },
      { ordered: 1, sent: 2, delivered: 2 },
      {},
    ];
    for (const document of fine) {
      expect(await stepOf(order, document)).toEqual(document);
    }
    expect(await stepRefusal(order, { ordered: '2014-05-02', delivered: '2014-05-01' })).toEqual([
      'IMPLAUSIBLE',
      '"delivered" is "2014-05-01", and "ordered", which comes before it, "2014-05-02".',
    ]);
    expect((await stepRefusal(order, { ordered: '2/5/14', sent: '3/5/14' }))[0]).toBe('TYPE_WRONG');
  });

  test('measures the future by the record, not by the machine', async () => {
    const step = { plausibility: { notFuture: ['at'], futureMs: 1_000 } };
    const at = (ms: number) => ({ at: new Date(TIMESTAMP + ms).toISOString() });
    expect(await stepOf(step, at(1_000))).toEqual(at(1_000));
    expect((await stepRefusal(step, at(1_001)))[0]).toBe('IMPLAUSIBLE');
  });

  test('notes doubts instead of refusing when told to', async () => {
    const step = { plausibility: { ...order.plausibility, doubts: 'doubts' } };
    const document = await stepOf(step, { ordered: 3, sent: 2, delivered: 1 });
    expect(document.doubts).toHaveLength(2);
    expect(await stepOf(step, { ordered: 1, delivered: 1 })).not.toHaveProperty('doubts');
  });
});

describe('validate', () => {
  const schema = {
    type: 'object',
    required: ['id'],
    properties: { id: { type: 'string' }, lines: { type: 'array', items: { enum: [1, 2] } } },
    additionalProperties: false,
  };
  const step = { validate: { schema } };

  test('takes only what fits, and says where it does not', async () => {
    expect(await stepOf(step, { id: 'a', lines: [1] })).toEqual({ id: 'a', lines: [1] });
    expect(await stepRefusal(step, {})).toEqual(['SCHEMA_VIOLATED', 'The document lacks "id".']);
    expect(await stepRefusal(step, { id: 1 })).toEqual([
      'SCHEMA_VIOLATED',
      '/id is 1: it must be string.',
    ]);
    expect((await stepRefusal(step, { id: 'a', x: 1 }))[1]).toBe('There should be no "x".');
    const steps = [{ rule: 'one', ...step }];
    expect(await refusalOf({ steps }, '{"id":"a","lines":[1,3]}')).toEqual({
      rule: 'one',
      code: 'SCHEMA_VIOLATED',
      sentence: '/lines/1 is 3: it must be one of 1, 2.',
      pointer: '/lines/1',
    });
  });

  test.each([
    [{ type: 'strin' }],
    [{ propertees: {} }],
    [{ type: 'string', format: 'date' }],
    [{ $ref: 'https://example.com/x' }],
  ])('refuses a schema that would not check what it says: %j', (wrong) => {
    const steps = [{ rule: 'one', validate: { schema: wrong } }];
    expect(problemsOf({ name: 'n', version: 1, steps })).toEqual([
      expect.stringContaining('it is no JSON Schema that can be used'),
    ]);
  });
});

describe('a rule file', () => {
  const fine = { name: 'n', version: 1, steps: [{ rule: 'a', trim: { members: 'all' } }] };

  test.each([
    [null, ': null'],
    [{ ...fine, version: undefined }, '"version"'],
    [{ ...fine, steps: [] }, 'steps'],
    [{ ...fine, steps: [{ trim: { members: 'all' } }] }, 'steps.0: "rule" is missing'],
    [{ ...fine, steps: [{ rule: 'a' }] }, 'steps.0: a rule has one kind'],
    [{ ...fine, steps: [{ rule: 'a', trim: { members: 'all' }, drop: {} }] }, 'one kind'],
    [{ ...fine, steps: [...fine.steps, ...fine.steps] }, 'steps.1.rule: there is another rule "a"'],
    [{ ...fine, steps: [{ rule: 'key', trim: { members: 'all' } }] }, 'another rule "key"'],
    [{ ...fine, steps: [{ rule: 'a', trim: { members: ['/a/*'] } }] }, 'steps.0.trim.members'],
    [{ ...fine, key: 'id' }, 'key: "id" is not a JSON Pointer'],
    [{ ...fine, key: { expression: '(' } }, 'key.expression: this is not JSONata'],
    [{ ...fine, format: 'xls' }, 'format: "xls" is not one of json, jsonl, csv, tsv'],
    [{ ...fine, madeBy: '__proto__' }, 'madeBy'],
    [{ ...fine, steps: [{ rule: 'a', nulls: { members: 'all', patterns: ['('] } }] }, 'patterns.0'],
  ])('of %j is not valid: %s', (file, sentence) => {
    expect(problemsOf(file).join('\n')).toContain(sentence);
  });
});
