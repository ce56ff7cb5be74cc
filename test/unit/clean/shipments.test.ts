/** The preset for shipment rows: every cell comes out as it was, or the row is refused. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import type { JsonObject } from '../../../bridge/src/clean/json.ts';
import { runCommand } from '../../support/fake-shuttle.ts';
import { because, DATA, isThere } from '../../support/real-data.ts';
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts';

const ROWS = join(DATA, 'shipments/scms-shipments.csv');
const maybe = isThere ? it : it.skip;

type Cells = Readonly<Record<string, string>>;

/** Column, member, and the cell that a cleaned value must have come from. */
const COLUMNS: readonly (readonly [string, string, (value: unknown, cell: string) => string])[] = [
  ['id', 'id', text],
  ['project code', 'projectCode', text],
  ['pq #', 'priceQuote', text],
  ['po / so #', 'order', text],
  ['asn/dn #', 'shippingNotice', text],
  ['country', 'country', text],
  ['managed by', 'managedBy', text],
  ['fulfill via', 'fulfilledVia', text],
  ['vendor inco term', 'incoTerm', text],
  ['shipment mode', 'mode', text],
  ['pq first sent to client date', 'quoteSent', slashes],
  ['po sent to vendor date', 'orderSent', slashes],
  ['scheduled delivery date', 'deliveryScheduled', months],
  ['delivered to client date', 'delivered', months],
  ['delivery recorded date', 'deliveryRecorded', months],
  ['product group', 'productGroup', text],
  ['sub classification', 'productClass', text],
  ['vendor', 'vendor', text],
  ['item description', 'item', text],
  ['molecule/test type', 'molecule', text],
  ['brand', 'brand', text],
  ['dosage', 'dosage', text],
  ['dosage form', 'dosageForm', text],
  ['unit of measure (per pack)', 'unitsPerPack', decimal],
  ['line item quantity', 'packs', decimal],
  ['line item value', 'valueUsd', decimal],
  ['pack price', 'packPriceUsd', decimal],
  ['unit price', 'unitPriceUsd', decimal],
  ['manufacturing site', 'manufacturingSite', text],
  ['first line designation', 'isFirstLine', (value) => (value === true ? 'TRUE' : 'FALSE')],
  ['weight (kilograms)', 'weightKg', decimal],
  ['freight cost (usd)', 'freightUsd', decimal],
  ['line item insurance (usd)', 'insuranceUsd', decimal],
];

function text(value: unknown): string {
  return value as string;
}

/** 2014-09-11 was 9/11/2014. */
function slashes(value: unknown): string {
  const [year, month, day] = (value as string).split('-');
  return `${Number(month)}/${Number(day)}/${year}`;
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** 2006-06-02 was 2-Jun-06; of another century it was nothing. */
function months(value: unknown): string {
  const [year = '', month, day] = (value as string).split('-');
  const century = year.slice(0, 2) === '20' ? '' : year;
  return `${Number(day)}-${MONTHS[Number(month) - 1]}-${century}${year.slice(2)}`;
}

/** The cell itself where it is the same number, however many zeros it ends with. */
function decimal(value: unknown, cell: string): string {
  const short = cell.includes('.') ? cell.replace(/\.?0+$/, '') : cell;
  return String(value) === short ? cell : String(value);
}

/** What the cells must have been, read back from the cleaned document. */
function cellsOf(document: JsonObject, cells: Cells): Cells {
  const found = COLUMNS.map(([column, member, back]) => {
    const value = document[member];
    const reason = document[`${member}Reason`] as string | undefined;
    const missing = reason === 'empty' ? '' : (reason ?? 'null without a reason');
    return [column, value === null ? missing : back(value, cells[column] ?? '')];
  });
  return Object.fromEntries(found) as Cells;
}

function membersOf(document: JsonObject): string[] {
  return Object.keys(document).filter(
    (name) => !/(?:Reason|Shared|From)$/.test(name) && name !== 'doubts',
  );
}

let folder: TemporaryFolder;
beforeAll(() => {
  folder = createTemporaryFolder();
});
afterAll(() => folder.remove());

interface Letter {
  readonly line: number;
  readonly rule: string;
  readonly code: string;
  readonly text: string;
}

let cleanings = 0;

/** Cleans a file by the preset, into files of its own. */
async function cleanFile(file: string) {
  const { path: cwd } = folder;
  const [out, letters] = [`out-${++cleanings}.jsonl`, `refused-${cleanings}.jsonl`];
  const args = ['clean', '--file', file, '--rules', 'preset:shipments', '--out', out];
  const { code } = await runCommand([...args, '--refused', letters], { cwd });
  expect(code).toBe(0);
  const lines = <T>(name: string) =>
    readFileSync(join(cwd, name), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as T);
  return {
    documents: lines<{ key: string; value: JsonObject }>(out),
    refused: lines<Letter>(letters),
  };
}

const HEADER = COLUMNS.map(([column]) => column).join(',');
const FINE =
  '7,100-XX-T01,PQ-5,PO-6,N-7,Utopia,Office,Direct Drop,EXW,Air,9/11/2014,12/2/2014,' +
  '1-Feb-15,2-Feb-15,3-Feb-15,KITS,Test,"Maker, Inc.",Kit,Kit,Own,,Test kit,30,19,551.50,' +
  '29,0.97,Site,TRUE,See ASN-93 (ID#:1281),Invoiced Separately,0';

describe('shipment rows', () => {
  maybe(
    `of a real history come out cell by cell as they went in${because}`,
    async () => {
      const rows = parse(readFileSync(ROWS), { columns: true, bom: true }) as Cells[];
      expect(rows).toHaveLength(7_689);
      const { documents, refused } = await cleanFile(ROWS);
      expect(documents.length + refused.length).toBe(rows.length);
      const byId = new Map(rows.map((row) => [row.id, row]));
      const changed = documents.filter(({ key, value }) => {
        const cells = byId.get(value.id as string) ?? {};
        byId.delete(cells.id);
        const back = cellsOf(value, cells);
        return (
          key !== `shipment/${cells.id}` || Object.keys(cells).some((at) => back[at] !== cells[at])
        );
      });
      expect(changed).toEqual([]);
      expect(byId.size).toBe(refused.length);
      const doubtful = documents.filter(({ value }) => 'doubts' in value);
      expect([refused.length, doubtful.length]).toEqual([0, 5]);
      const shared = ['weightKgShared', 'freightUsdShared'];
      const taken = documents.flatMap(({ value }) => shared.map((member) => value[member]));
      const known = taken.filter((value) => value !== undefined);
      expect(known).toHaveLength(2_692);
      expect(known.filter((value) => value !== null)).toHaveLength(2_572);
    },
    60_000,
  );

  it('keep every word that stands for a missing value as its reason', async () => {
    folder.write('rows.csv', `${HEADER}\r\n${FINE}\r\n`);
    const { documents } = await cleanFile('rows.csv');
    const [document] = documents;
    expect(document?.key).toBe('shipment/7');
    const cells = (parse(`${HEADER}\n${FINE}`, { columns: true }) as Cells[])[0] ?? {};
    expect(cellsOf(document?.value ?? {}, cells)).toEqual(cells);
    expect(membersOf(document?.value ?? {})).toEqual([
      ...COLUMNS.map(([, member]) => member),
      '_cleaned',
    ]);
    expect(document?.value).toMatchObject({
      dosage: null,
      dosageReason: 'empty',
      weightKg: null,
      weightKgReason: 'See ASN-93 (ID#:1281)',
      freightUsdReason: 'Invoiced Separately',
      valueUsd: 551.5,
      deliveryScheduled: '2015-02-01',
    });
  });

  it('take a shared weight over from a line before, and not as their own', async () => {
    const first = FINE.replace('See ASN-93 (ID#:1281)', '43.5').replace('7,', '1281,');
    folder.write('rows.csv', `${HEADER}\n${first}\n${FINE}\n`);
    const { documents } = await cleanFile('rows.csv');
    expect(documents.map(({ value }) => value)).toMatchObject([
      { weightKg: 43.5 },
      {
        weightKg: null,
        weightKgReason: 'See ASN-93 (ID#:1281)',
        weightKgShared: 43.5,
        weightKgFrom: { name: '1281', offset: '0' },
      },
    ]);
  });

  it.each([
    ['an unknown mode', ',Air,', ',Rocket,', 'modes', 'WORD_UNKNOWN'],
    ['a day that no month has', '1-Feb-15', '31-Feb-15', 'dates-with-months', 'DATE_INVALID'],
    ['another style of date', '1-Feb-15', '2015-02-01', 'dates-with-months', 'DATE_INVALID'],
    ['another word in a date', '9/11/2014', 'soon', 'dates-with-slashes', 'DATE_INVALID'],
    ['half a pack', ',19,', ',19.5,', 'counts', 'NUMBER_INVALID'],
    ['a weight below nothing', 'See ASN-93 (ID#:1281)', '-1', 'amounts', 'NUMBER_INVALID'],
    ['a word for a weight', 'See ASN-93 (ID#:1281)', 'heavy', 'amounts', 'NUMBER_INVALID'],
    ['a word for a truth', 'TRUE', 'true', 'first-line', 'BOOLEAN_UNKNOWN'],
    ['an open quote', '"Maker, Inc."', '"Maker', 'format', 'CSV_INVALID'],
    ['a cell too many', ',Own,', ',Own,,', 'format', 'CSV_INVALID'],
  ])('with %s are refused, with the rule and their bytes', async (_, from, to, rule, code) => {
    const wrong = FINE.replace(from, to);
    folder.write('rows.csv', `${HEADER}\n${wrong}\n${FINE}\n`);
    const { documents, refused } = await cleanFile('rows.csv');
    expect(documents.map(({ key }) => key)).toEqual(['shipment/7']);
    expect(refused).toMatchObject([{ line: 2, rule, code, text: `${wrong}\n` }]);
  });
});
