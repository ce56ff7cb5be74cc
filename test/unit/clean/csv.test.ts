/** Rows of CSV: any line ends, their own bytes, and wrong ones alone. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createCsvRows } from '../../../bridge/src/clean/csv.ts';

const COMMA = { delimiter: ',', quote: '"' };

/** Rows as text, with the file given in pieces of this many bytes. */
function rowsOf(text: string | Buffer, piece = 1_000_000, options = COMMA) {
  const bytes = Buffer.from(text as string);
  const rows = createCsvRows(options);
  const found = [];
  for (let at = 0; at < bytes.length; at += piece) {
    for (const row of rows.push(bytes.subarray(at, at + piece), false)) {
      found.push(row);
    }
  }
  found.push(...rows.push(new Uint8Array(), true));
  return found.map(({ line, bytes: own, cells, problem }) => ({
    line,
    bytes: Buffer.from(own).toString(),
    cells: cells?.map((cell) => Buffer.from(cell).toString()) ?? problem,
  }));
}

describe('rows', () => {
  test.each(['\n', '\r\n', '\r'])('end with %j, and keep their line and bytes', (end) => {
    const text = ['a,b', '1,"x', 'y"', '', 'é,ü'].join(end);
    expect(rowsOf(text)).toEqual([
      { line: 1, bytes: `a,b${end}`, cells: ['a', 'b'] },
      { line: 2, bytes: `1,"x${end}y"${end}`, cells: ['1', `x${end}y`] },
      { line: 5, bytes: 'é,ü', cells: ['é', 'ü'] },
    ]);
  });

  test('are the same in whatever pieces the file comes', () => {
    const text = '\uFEFFa,b\r\n1,"x ""y"" \r\nz"\r\n\r\nbad,"q" \n2,é\r3,4\n5,"open\n6,7';
    const whole = rowsOf(text);
    for (let piece = 1; piece < 40; piece++) {
      expect(rowsOf(text, piece)).toEqual(whole);
    }
  });

  test('with a byte order mark have none in the first cell', () => {
    expect(rowsOf('\uFEFFa,b\n')[0]?.cells).toEqual(['a', 'b']);
  });

  test('may have a delimiter of several bytes', () => {
    expect(rowsOf('a§b\n', 1, { delimiter: '§', quote: '"' })[0]?.cells).toEqual(['a', 'b']);
  });

  test('with a wrong quote are refused alone: the rows behind them stay', () => {
    expect(rowsOf('a,b\n1,"x"y\n2,3\n4,x"y\n5,6\n')).toEqual([
      { line: 1, bytes: 'a,b\n', cells: ['a', 'b'] },
      { line: 2, bytes: '1,"x"y\n', cells: 'A quote stands in the middle of a cell.' },
      { line: 3, bytes: '2,3\n', cells: ['2', '3'] },
      { line: 4, bytes: '4,x"y\n', cells: 'A quote stands in the middle of a cell.' },
      { line: 5, bytes: '5,6\n', cells: ['5', '6'] },
    ]);
  });

  test('with a quote that is never closed are refused alone, in bounded memory', () => {
    const row = `${'2'.repeat(1022)},3\n`;
    const rows = rowsOf(`1,"x\n${row.repeat(3_000)}`, 256 * 1024);
    const cells = 'The row has more than 1048576 bytes; maybe a quote is never closed.';
    expect(rows[0]).toMatchObject({ line: 1, cells });
    expect(rows).toHaveLength(3_001);
    expect(rows.at(-1)).toMatchObject({ line: 3_001, bytes: row });
  });

  test('lose no byte, whatever the bytes are', () => {
    const piece = fc.constantFrom('a', ',', '"', '\n', '\r', '\r\n', 'é', ' ', '""');
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 40 }),
        fc.integer({ min: 1, max: 9 }),
        (parts, n) => {
          const text = parts.join('');
          const together = rowsOf(text, n).map(({ bytes }) => bytes);
          const bare = (all: string) => all.replaceAll(/[\r\n]/g, '');
          expect(bare(together.join(''))).toBe(bare(text));
        },
      ),
      { numRuns: 300 },
    );
  });
});
