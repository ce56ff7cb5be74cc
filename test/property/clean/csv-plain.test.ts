/** The fast way through rows gives what the parser gives, or leaves them to it. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { plainRows } from '../../../bridge/src/clean/csv-plain.ts';
import { parseAnyRows, parseDocuments } from '../../../bridge/src/clean/parse.ts';
import type { Format } from '../../../bridge/src/clean/rules.ts';

const pieces = fc.constantFrom(
  'a',
  'é',
  '😀',
  ',',
  ';',
  '"',
  '""',
  '\n',
  '\r\n',
  '\r',
  ' ',
  '\ufeff',
  '\0',
);
const texts = fc.array(pieces, { maxLength: 24 }).map((parts) => parts.join(''));
const formats = fc.constantFrom<Format>(
  { kind: 'csv' },
  { kind: 'csv', delimiter: ';' },
  { kind: 'csv', delimiter: 'é', quote: "'" },
  { kind: 'csv', columns: ['x', 'y'] },
);

const outcome = (parse: () => unknown): unknown => {
  try {
    return parse();
  } catch (error) {
    return String(error);
  }
};

describe('rows that are plain', () => {
  it('are read as the parser reads them', () => {
    fc.assert(
      fc.property(texts, formats, (text, format) => {
        const bytes = Buffer.from(text);
        expect(outcome(() => parseDocuments(bytes, format))).toEqual(
          outcome(() => parseAnyRows(bytes, format)),
        );
      }),
      { numRuns: 6_000 },
    );
  });

  it('are most rows', () => {
    const options = { delimiter: ',', quote: '"' };
    expect(plainRows('a,b\r\n1,"x, ""y""\nz"\r\n', 0, options)).toEqual([
      ['a', 'b'],
      ['1', 'x, "y"\nz'],
    ]);
  });
});
