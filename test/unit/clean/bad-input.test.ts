/** Whatever somebody sends, it is refused with its reason, soon and in bounded memory. */
import { describe, expect, it, test } from '@jest/globals';
import { RECORD_BYTES_MAX } from '../../../bridge/src/clean/cleaner.ts';
import { CSV_CELLS_MAX, CSV_ROW_BYTES_MAX } from '../../../bridge/src/clean/csv.ts';
import { VALUES_MAX } from '../../../bridge/src/clean/json.ts';
import { XML_NODES_MAX } from '../../../bridge/src/clean/xml.ts';
import { cleanedValue, refusalOf, stepRefusal } from './cleaning.ts';

const steps = [{ rule: 'tidy', trim: { members: 'all' } }];
const HUGE = 50_000_000;
const MANY = 5_000_000;
const SOON_MS = 20_000;

const xml = (inside: string) =>
  `<ObjectEvent><eventTime>2026-01-01T00:00:00Z</eventTime>${inside}</ObjectEvent>`;

type Case = readonly [what: string, format: string, text: () => string, code: string];

const CASES: readonly Case[] = [
  ['a document of 50 MB', 'json', () => `{"a":"${'x'.repeat(HUGE)}"}`, 'RECORD_TOO_LARGE'],
  ['a text of 50 MB in XML', 'xml', () => element('x'.repeat(HUGE)), 'RECORD_TOO_LARGE'],
  ['a cell of 50 MB', 'csv', () => `a,b\n1,${'x'.repeat(HUGE)}\n`, 'CSV_INVALID'],
  ['a quoted cell of 50 MB', 'csv', () => `a,b\n1,"${'x'.repeat(HUGE)}"\n`, 'CSV_INVALID'],
  [
    'a record beyond all bounds',
    'json',
    () => 'x'.repeat(RECORD_BYTES_MAX + 1),
    'RECORD_TOO_LARGE',
  ],
  ['millions of objects', 'json', () => `{"a":[${'{},'.repeat(MANY)}1]}`, 'RECORD_TOO_LARGE'],
  [
    'lines of as many',
    'jsonl',
    () => `{"a":[${'[],'.repeat(9e5)}1]}\n`.repeat(3),
    'RECORD_TOO_LARGE',
  ],
  ['lists millions deep', 'json', () => `{"a":${'['.repeat(MANY)}`, 'RECORD_TOO_LARGE'],
  ['lists a bit less deep', 'json', () => nested(1_000_000), 'NESTING_TOO_DEEP'],
  ['a number of 5 million digits', 'json', () => `{"a":1${'0'.repeat(MANY)}1}`, 'NUMBER_INEXACT'],
  ['a number of endless zeros', 'json', () => `{"a":0.${'0'.repeat(MANY)}1}`, 'NUMBER_INEXACT'],
  ['an exponent beyond reason', 'json', () => '{"a":1e999999999}', 'NUMBER_INEXACT'],
  ['millions of empty elements', 'xml', () => element('<a/>'.repeat(MANY)), 'XML_TOO_LARGE'],
  ['as many attributes', 'xml', () => `<a ${manyAttributes()}/>`, 'XML_TOO_LARGE'],
  ['a name of 5 MB', 'xml', () => `<${'x'.repeat(MANY)}/>`, 'DOCUMENT_INVALID'],
  ['a comment without an end', 'xml', () => `<!--${'x'.repeat(MANY)}`, 'XML_INVALID'],
  ['a quote without an end', 'csv', () => `a,b\n1,"${'x\n'.repeat(9_000)}`, 'CSV_INVALID'],
  ['a row of a million commas', 'csv', () => `a,b\n${','.repeat(1_000_000)}\n`, 'CSV_INVALID'],
  ['columns without end', 'csv', () => ','.repeat(MANY), 'CSV_INVALID'],
];

const element = (inside: string) => xml(`<action>${inside}</action>`);
const nested = (depth: number) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;

function manyAttributes(): string {
  return Array.from({ length: XML_NODES_MAX + 1 }, (_, n) => `a${n}=""`).join(' ');
}

describe('a record that is too much', () => {
  it.each(CASES)(
    'is refused: %s',
    async (_, format, text, code) => {
      const refusal = await refusalOf({ format, steps }, text());
      expect([refusal.code, refusal.sentence.length < 400]).toEqual([code, true]);
    },
    SOON_MS,
  );

  it('is refused beyond its bounds only', async () => {
    const many = `{"a":[${'1,'.repeat(100_000)}1]}`;
    expect(await cleanedValue({ steps }, many)).toMatchObject({ a: { length: 100_001 } });
    const wide = Array.from({ length: CSV_CELLS_MAX }, (_, n) => `c${n}`).join(',');
    const found = await cleanedValue(
      { format: 'csv', steps },
      `${wide}\n${'1,'.repeat(CSV_CELLS_MAX - 1)}1\n`,
    );
    expect(found).toMatchObject({ c0: '1', c9999: '1' });
    const long = 'x'.repeat(CSV_ROW_BYTES_MAX - 100);
    const pads = [{ rule: 'short', drop: { members: ['b'] } }];
    expect(await cleanedValue({ format: 'csv', steps: pads }, `a,b\n1,${long}\n`)).toMatchObject({
      a: '1',
    });
    expect(VALUES_MAX).toBeGreaterThan(1_000_000);
  });
});

describe('a text in another encoding', () => {
  const texts: readonly (readonly [string, string])[] = [
    ['json', '{"a":"é"}'],
    ['jsonl', '{"a":"é"}\n{"a":"b"}'],
    ['csv', 'a,b\n1,é\n'],
    ['tsv', 'a\tb\n1\té\n'],
    ['xml', xml('<x>é</x>')],
    ['epcis', '{"type":"é"}'],
  ];
  const bigEndian = (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le').swap16();

  test.each(texts)(
    'of %s is refused, and UTF-16 is named where it says so',
    async (format, text) => {
      const sentences = [
        (await refusalOf({ format, steps }, Buffer.from(text, 'latin1'))).sentence,
        (await refusalOf({ format, steps }, Buffer.from(`\uFEFF${text}`, 'utf16le'))).sentence,
        (await refusalOf({ format, steps }, bigEndian(text))).sentence,
      ];
      expect(sentences[0]).toMatch(/is not UTF-8\.$/);
      expect(sentences[1]).toContain('it starts like UTF-16');
      expect(sentences[2]).toContain('it starts like UTF-16');
    },
  );

  test.each(texts)('of %s is refused in UTF-16 that does not say so', async (format, text) => {
    const bytes = Buffer.from(text.replaceAll('é', 'e'), 'utf16le');
    expect(await refusalOf({ format, steps }, bytes)).toMatchObject({ rule: 'format' });
  });

  test.each([
    ['json', '\uFEFF{"a":"é"}'],
    ['jsonl', '\uFEFF{"a":"é"}\n'],
    ['csv', '\uFEFFa\né\n'],
    ['tsv', '\uFEFFa\né\n'],
  ])('is UTF-8 with a mark at its start too: %s', async (format, text) => {
    expect(await cleanedValue({ format, steps }, text)).toMatchObject({ a: 'é' });
  });
});

describe('characters that are no text', () => {
  it('are refused by JSON and XML, and kept as they are where they are escaped', async () => {
    expect(await refusalOf({ steps }, '{"a":"\u0001"}')).toMatchObject({ code: 'JSON_INVALID' });
    expect(await cleanedValue({ steps }, '{"a":"x\\u0001"}')).toMatchObject({ a: 'x\u0001' });
    const cells = await cleanedValue(
      { format: 'csv', steps: [{ rule: 'd', drop: { members: ['b'] } }] },
      'a,b\nx\u0001,1\n',
    );
    expect(cells).toMatchObject({ a: 'x\u0001' });
  });

  it('are refused in CSV where they are zero, by column', async () => {
    const { code, sentence } = await refusalOf({ format: 'csv', steps }, 'a,b\n1,x\u0000\n');
    expect(code).toBe('ENCODING_INVALID');
    expect(sentence).toContain('Column "b": Byte 1 is zero');
  });
});

describe('names that mean something to JavaScript', () => {
  test.each(['constructor', 'toString', 'hasOwnProperty', 'valueOf', 'length'])(
    'are names as any other: %s',
    async (name) => {
      expect(await cleanedValue({ steps }, `{"${name}":" x "}`)).toMatchObject({ [name]: 'x' });
      const csv = { format: 'csv', steps };
      expect(await cleanedValue(csv, `${name},b\n x ,1\n`)).toMatchObject({ [name]: 'x' });
      const missing = [{ rule: 't', booleans: { members: [name], true: ['x'], false: ['y'] } }];
      expect(await cleanedValue({ steps: missing }, '{"a":1}')).toMatchObject({ a: 1 });
    },
  );

  test.each([
    ['json', '{"__proto__":{"x":1}}'],
    ['json', '{"a":{"\\u005f_proto__":1}}'],
    ['jsonl', '{"a":1}\n{"__proto__":1}'],
    ['csv', '__proto__,b\n1,2\n'],
    ['xml', xml('<__proto__>x</__proto__>')],
    ['xml', xml('<e:x xmlns:e="urn:e"><__proto__>y</__proto__></e:x>')],
  ])('are refused where they would do something: %s %s', async (format, text) => {
    expect(await refusalOf({ format, steps }, text)).toMatchObject({ rule: 'format' });
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });
});

test('a cell of endless digits, units or blanks is no number and no date, soon', async () => {
  const numbers = { numbers: { members: ['x'], group: ',', unit: 'kg', units: { g: 0.001 } } };
  for (const cell of [
    '9'.repeat(5_000_000),
    `1${' '.repeat(5_000_000)}x`,
    '1,'.repeat(2_000_000),
  ]) {
    expect((await stepRefusal(numbers, { x: cell }))[0]).toBe('NUMBER_INVALID');
    const dates = { dates: { members: ['x'], formats: ['iso', 'd/M/yyyy'] } };
    expect((await stepRefusal(dates, { x: cell }))[0]).toBe('DATE_INVALID');
  }
});

test('a word of megabytes is told from the words that are known, soon', async () => {
  const word = 'x'.repeat(5_000_000);
  const of = { vocabulary: { members: ['x'], of: 'bizStep' } };
  const [code, sentence] = await stepRefusal(of, { x: word });
  expect([code, sentence.length < 400]).toEqual(['WORD_UNKNOWN', true]);
  const identifiers = { identifiers: { members: ['x'], others: 'refuse' } };
  expect((await stepRefusal(identifiers, { x: word }))[0]).toBe('IDENTIFIER_INVALID');
});
