/**
 * CSV and TSV, row by row, from pieces of a file: each row with its own bytes and its line, and a
 * row that is wrong never takes the ones behind it with it.
 *
 * The bytes are parsed as Latin-1, in which every byte is one character: positions are bytes, the
 * cells' bytes are exact, and a wrong encoding is told for the cell that has it.
 */
import { CsvError, parse } from 'csv-parse/sync';

export interface CsvOptions {
  readonly delimiter: string;
  readonly quote: string;
}

/** A row of the file; `bytes` with its line end. */
export interface CsvRow {
  /** Counted from 1. */
  readonly line: number;
  readonly bytes: Uint8Array;
  /** Each as bytes; null when the row is wrong, and then `problem` says how. */
  readonly cells: readonly Uint8Array[] | null;
  readonly problem: string | null;
}

export interface CsvRows {
  /** The rows that are complete with these bytes; at the end, all that are left. */
  push(bytes: Uint8Array, end: boolean): CsvRow[];
  /** Bytes that are kept until the row that they begin is complete, and its line. */
  pending(): { readonly length: number; readonly line: number };
}

/** A row longer than this is refused: somebody forgot a quote, or it is no CSV. */
export const CSV_ROW_BYTES_MAX = 1024 * 1024;
/** Cells of one row: each takes far more memory than its comma took in the file. */
export const CSV_CELLS_MAX = 10_000;

const LINE_ENDS = ['\r\n', '\n', '\r'];
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** @param options - each of one character or more */
export function createCsvRows(options: CsvOptions): CsvRows {
  let rest: Buffer = Buffer.alloc(0);
  let line = 1;
  let isStart = true;
  /** The next line alone is wrong: the rows behind it are read as if it were not there. */
  const takeLine = (problem: string): CsvRow => {
    const blank = blankLines(rest);
    line += blank.lines;
    rest = rest.subarray(blank.length);
    const wrong = rest.subarray(0, lineLength(rest));
    const row = { line, bytes: Buffer.from(wrong), cells: null, problem };
    line += 1;
    rest = rest.subarray(wrong.length);
    return row;
  };
  const begin = (bytes: Uint8Array, end: boolean): void => {
    rest = Buffer.concat([rest, bytes]);
    if (isStart && (end || rest.length >= BYTE_ORDER_MARK.length)) {
      rest = rest.subarray(startsWithMark(rest) ? BYTE_ORDER_MARK.length : 0);
      isStart = false;
    }
  };
  return {
    push(bytes, end) {
      begin(bytes, end);
      const rows: CsvRow[] = [];
      while (!isStart) {
        const { parsed, stuck } = parseBlock(rest, end, options, line);
        for (const row of parsed.rows) {
          rows.push(row);
        }
        line = parsed.line;
        rest = rest.subarray(parsed.length);
        if (stuck === null) {
          break;
        }
        rows.push(takeLine(stuck));
      }
      // A copy lets go of what was taken; where nothing was, there is nothing to let go of.
      rest = rest.byteLength === rest.buffer.byteLength ? rest : Buffer.from(rest);
      return rows;
    },
    pending: () => ({ length: rest.length, line }),
  };
}

function startsWithMark(bytes: Buffer): boolean {
  return bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
}

interface Block {
  readonly parsed: {
    readonly rows: readonly CsvRow[];
    /** Bytes that the rows took, and the line behind them. */
    readonly length: number;
    readonly line: number;
  };
  /** Why the row behind them cannot be read; null when more bytes may complete it. */
  readonly stuck: string | null;
}

/** Rows up to the last line end, since behind it a row may be incomplete. */
function parseBlock(rest: Buffer, end: boolean, options: CsvOptions, firstLine: number): Block {
  const block = end ? rest : rest.subarray(0, lastLineEnd(rest));
  const rows: CsvRow[] = [];
  let length = 0;
  let line = firstLine;
  const take = (cells: readonly string[], to: number): null => {
    const whole = block.subarray(length, to);
    const blank = blankLines(whole);
    line += blank.lines;
    const bytes = Buffer.from(whole.subarray(blank.length));
    const isWide = cells.length > CSV_CELLS_MAX;
    const problem = isWide ? `The row has more than ${CSV_CELLS_MAX} cells.` : null;
    rows.push({ line, bytes, cells: isWide ? null : cells.map(toBytes), problem });
    line += countLines(bytes);
    length = to;
    return null;
  };
  try {
    parse(block, {
      encoding: 'latin1',
      ...toLatin1(options),
      escape: toLatin1(options).quote,
      record_delimiter: LINE_ENDS,
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: CSV_ROW_BYTES_MAX,
      on_record: (cells: unknown, { bytes }) => take(cells as string[], bytes),
    });
    line += countLines(block.subarray(length));
    return { parsed: { rows, length: block.length, line }, stuck: null };
  } catch (error) {
    if (!(error instanceof CsvError)) {
      throw error;
    }
    const isOpen = error.code === 'CSV_QUOTE_NOT_CLOSED';
    const mayClose = isOpen && !end && rest.length - length <= CSV_ROW_BYTES_MAX;
    return { parsed: { rows, length, line }, stuck: mayClose ? null : problemOf(error.code) };
  }
}

function problemOf(code: string): string {
  if (code === 'CSV_MAX_RECORD_SIZE') {
    return `The row has more than ${CSV_ROW_BYTES_MAX} bytes; maybe a quote is never closed.`;
  }
  return code === 'CSV_QUOTE_NOT_CLOSED'
    ? 'A quote is opened and never closed.'
    : 'A quote stands in the middle of a cell.';
}

function toLatin1({ delimiter, quote }: CsvOptions): CsvOptions {
  const bytes = (text: string) => Buffer.from(text).toString('latin1');
  return { delimiter: bytes(delimiter), quote: bytes(quote) };
}

function toBytes(cell: string): Uint8Array {
  return Buffer.from(cell, 'latin1');
}

/** Behind the last line end; one that may be the first half of CR LF does not count. */
function lastLineEnd(bytes: Buffer): number {
  const within = bytes.subarray(0, Math.max(0, bytes.length - 1));
  const afterReturn = within.lastIndexOf('\r') + 1;
  const isPair = bytes[afterReturn] === 0x0a;
  return Math.max(bytes.lastIndexOf('\n') + 1, afterReturn + (isPair ? 1 : 0));
}

function lineLength(bytes: Buffer): number {
  const at = bytes.findIndex((byte) => byte === 0x0a || byte === 0x0d);
  if (at < 0) {
    return bytes.length;
  }
  return at + (bytes[at] === 0x0d && bytes[at + 1] === 0x0a ? 2 : 1);
}

/** Line ends; CR LF is one. */
function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = 0; at < bytes.length; at++) {
    const isPair = bytes[at] === 0x0d && bytes[at + 1] === 0x0a;
    lines += bytes[at] === 0x0a || (bytes[at] === 0x0d && !isPair) ? 1 : 0;
  }
  return lines;
}

function blankLines(bytes: Buffer): { readonly length: number; readonly lines: number } {
  let length = 0;
  while (bytes[length] === 0x0a || bytes[length] === 0x0d) {
    length++;
  }
  return { length, lines: countLines(bytes.subarray(0, length)) };
}
