/** The preset for recalls: every text stays as it was told, and nothing beside it is guessed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { createCleaner } from '../../../bridge/src/clean/cleaner.ts';
import type { JsonObject } from '../../../bridge/src/clean/json.ts';
import { loadRules } from '../../../bridge/src/config/rule-file.ts';
import { because, DATA, isThere } from '../../support/real-data.ts';
import { TIMESTAMP } from './cleaning.ts';

const maybe = isThere ? it : it.skip;
const cleaner = createCleaner(loadRules('preset:recalls', '.'), { kind: 'json' });

type Told = Readonly<Record<string, string>>;

async function clean(told: object) {
  const value = Buffer.from(JSON.stringify(told));
  const raw = { key: null, value, headers: [], timestamp: TIMESTAMP, offset: 0n };
  const { documents, refused } = await cleaner.clean(raw);
  const [first] = documents ?? [];
  return {
    refused,
    key: String(first?.key),
    value: JSON.parse(String(first?.value ?? 'null')) as JsonObject,
  };
}

/** Member of the report, member of the document, and the text that a value must have come from. */
const MEMBERS: readonly (readonly [string, string, (value: unknown) => unknown])[] = [
  ['product-description', 'product', (value) => value],
  ['recalling-firm', 'firm', (value) => value],
  ['reason-for-recall', 'reason', (value) => value],
  ['code-info', 'codes', (value) => value],
  ['product-quantity', 'quantityTold', (value) => value],
  ['distribution-pattern', 'distribution', (value) => value],
  ['product-type', 'productType', (value) => value],
  ['classification', 'classification', (value) => `Class ${value as string}`],
  [
    'report-date',
    'reported',
    (value) => (value as string).replace(/^(\d{4})-(\d\d)-(\d\d)$/, '$2/$3/$1'),
  ],
];

/** The report that the document must have been. */
function toldBy(document: JsonObject): Told {
  const found = MEMBERS.filter(([, member]) => document[member] !== undefined);
  return Object.fromEntries(
    found.map(([name, member, back]) => [
      name,
      document[member] === null ? document[`${member}Reason`] : back(document[member]),
    ]),
  ) as Told;
}

const FINE = {
  'code-info': 'Lot # 77-A, Lot # 77-B; 78.',
  classification: 'Class I',
  'distribution-pattern': 'NC, GA',
  'product-quantity': 'Approx. 1,200 Cases.',
  'report-date': '02/29/2012',
  'product-description': ' 1) Oat bars. Recall # F-0001-2012; 2) Nut bars, Recall #F-0002-2012 ',
  'recalling-firm': 'A firm, by letter.',
  'reason-for-recall': 'Undeclared nuts.',
  'product-type': 'Food',
};

describe('a recall', () => {
  it('keeps its texts to the last sign, beside what they say for programs', async () => {
    const { key, value } = await clean(FINE);
    expect(key).toBe('recall/F-0001-2012');
    expect(toldBy(value)).toEqual(FINE);
    expect(value).toMatchObject({
      recallNumbers: ['F-0001-2012', 'F-0002-2012'],
      reported: '2012-02-29',
      classification: 'I',
      quantity: { amount: 1_200, unit: 'cases', isAbout: true },
      lots: ['77-A', '77-B', '78'],
      units: null,
      states: ['NC', 'GA'],
      isNationwide: false,
    });
  });

  it.each([
    ['code-info', 'Unit: 006LT46267', { units: ['006LT46267'], lots: null }],
    ['code-info', 'Lot 12, use by 5/6/2011', { lots: null, units: null }],
    ['code-info', 'Lot Number: 1 thru 9', { lots: null, units: null }],
    ['code-info', '1) Units: 1, 2; 2) Unit: 3', { lots: null, units: null }],
    ['code-info', 'All lots', { lots: null, units: null }],
    ['product-quantity', '1 unit', { quantity: { amount: 1, unit: 'unit', isAbout: false } }],
    ['product-quantity', 'Unknown', { quantityTold: null, quantityToldReason: 'Unknown' }],
    ['distribution-pattern', 'Nationwide and PR', { isNationwide: true, states: null }],
    ['distribution-pattern', 'OH, Canada', { isNationwide: false, states: null }],
  ])('with "%s" as "%s" says no more than it tells', async (name, text, expected) => {
    const told = { ...FINE, [name]: text };
    const { value } = await clean(told);
    expect(value).toMatchObject(expected);
    expect(toldBy(value)).toEqual(told);
  });

  it.each(['19 units and 20 cases', '2,28 cases', '2 cases (40 packs)', 'a few'])(
    'of "%s" tells no quantity but its text',
    async (text) => {
      const { value } = await clean({ ...FINE, 'product-quantity': text });
      expect([value.quantity, value.quantityTold]).toEqual([undefined, text]);
    },
  );

  it('without a number is known by what it says', async () => {
    const told = { ...FINE, 'product-description': 'Oat bars' };
    const { key } = await clean(told);
    expect(key).toMatch(/^recall\/[0-9a-f]{64}$/);
    expect((await clean({ ...told, 'report-date': '03/01/2012' })).key).toBe(key);
    expect((await clean({ ...told, 'reason-for-recall': 'Nuts.' })).key).not.toBe(key);
  });

  it.each([
    ['told', { 'recalling-firm': undefined }],
    ['told', { 'product-quantity': 12 }],
    ['report-dates', { 'report-date': '02/30/2012' }],
    ['report-dates', { 'report-date': '2012-02-29' }],
    ['classes', { classification: 'Class IV' }],
    ['product-types', { 'product-type': 'Toys' }],
    ['not-tomorrow', { 'report-date': '02/28/2031' }],
  ])('is refused by the rule "%s" with %j', async (rule, change) => {
    expect((await clean({ ...FINE, ...change })).refused).toMatchObject({ rule });
  });

  maybe(`of the FDA's comes out text by text as it went in, 72 of 73${because}`, async () => {
    const files = ['ucm308307.jsonl', 'one-recall.json'];
    const texts = files.map((name) => readFileSync(join(DATA, 'recalls', name), 'utf8'));
    const [lines = '', one = ''] = texts;
    const told = [...lines.split('\n').filter((line) => line.trim() !== ''), one].map(
      (text) => JSON.parse(text) as Told,
    );
    const cleaned = await Promise.all(told.map(clean));
    expect(told).toHaveLength(73);
    expect(
      cleaned.filter(({ refused }) => refused === null).map(({ value }) => toldBy(value)),
    ).toEqual(told.filter((_, index) => cleaned[index]?.refused === null));
    expect(cleaned.flatMap(({ refused }) => refused?.sentence ?? [])).toEqual([
      'The document lacks "recalling-firm".',
    ]);
    expect(new Set(cleaned.map(({ key }) => key)).size).toBe(73);
    const count = (name: string) =>
      cleaned.filter(({ value }) => (value?.[name] ?? null) !== null).length;
    expect(['quantity', 'lots', 'units', 'states'].map(count)).toEqual([65, 5, 34, 40]);
  });
});
