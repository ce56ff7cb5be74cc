/**
 * The cells of rows in which nothing is wrong, fast: a topic's record is one row behind the line
 * that names its columns, and setting up a parser for each costs more than all the rules. Whatever
 * is not plain is left to csv.ts, which says what is wrong with it; a test holds both together.
 */
import { isUtf8 } from 'node:buffer';
import { CSV_CELLS_MAX, CSV_ROW_BYTES_MAX, type CsvOptions } from './csv.ts';
import { withoutMark } from './utf8.ts';

/** The text of rows; null when it is not plain. */
export function plainText(bytes: Uint8Array): string | null {
  return bytes.length > CSV_ROW_BYTES_MAX || bytes.includes(0) || !isUtf8(bytes)
    ? null
    : withoutMark(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
}

/**
 * Where the first line ends, when nothing can stand in it but cells without quotes; -1 otherwise.
 * What the same text was read as before, it is again.
 */
export function plainLineEnd(text: string, { quote }: CsvOptions): number {
  const end = text.indexOf('\n');
  const quoted = end < 0 ? 0 : text.indexOf(quote);
  return end <= 0 || (quoted >= 0 && quoted < end) ? -1 : end;
}

/** Rows of cells from a position on, blank lines left out. Null when they are not plain. */
export function plainRows(
  text: string,
  from: number,
  { delimiter, quote }: CsvOptions,
): string[][] | null {
  const rows: string[][] = [];
  for (let at = from; at < text.length; ) {
    if (isLineEnd(text, at)) {
      at += 1;
      continue;
    }
    const cells: string[] = [];
    const end = readRow(text, at, delimiter, quote, cells);
    if (end < 0 || cells.length > CSV_CELLS_MAX) {
      return null;
    }
    rows.push(cells);
    at = end;
  }
  return rows;
}

const LINE_FEED = 0x0a;
const RETURN = 0x0d;

function isLineEnd(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === LINE_FEED || code === RETURN;
}

/** Adds the cells of the row at `at`. @returns where its line ends, or -1 when it is not plain */
function readRow(
  text: string,
  from: number,
  delimiter: string,
  quote: string,
  cells: string[],
): number {
  for (let at = from; ; at += delimiter.length) {
    const end = text.startsWith(quote, at)
      ? readQuoted(text, at, quote, cells)
      : readBare(text, at, delimiter, quote, cells);
    if (end < 0 || end >= text.length || isLineEnd(text, end)) {
      return end;
    }
    if (!text.startsWith(delimiter, end)) {
      return -1;
    }
    at = end;
  }
}

function readQuoted(text: string, at: number, quote: string, cells: string[]): number {
  const end = quotedEnd(text, at, quote);
  if (end >= 0) {
    cells.push(text.slice(at + 1, end - 1).replaceAll(quote + quote, quote));
  }
  return end;
}

function readBare(
  text: string,
  at: number,
  delimiter: string,
  quote: string,
  cells: string[],
): number {
  const end = bareEnd(text, at, delimiter);
  const cell = text.slice(at, end);
  cells.push(cell);
  return cell.includes(quote) ? -1 : end;
}

/** Behind the closing quote; two quotes stand for one. -1 when there is none. */
function quotedEnd(text: string, from: number, quote: string): number {
  for (let at = text.indexOf(quote, from + 1); at >= 0; at = text.indexOf(quote, at + 2)) {
    if (!text.startsWith(quote, at + 1)) {
      return at + 1;
    }
  }
  return -1;
}

function bareEnd(text: string, from: number, delimiter: string): number {
  let at = from;
  while (at < text.length && !isLineEnd(text, at) && !text.startsWith(delimiter, at)) {
    at += 1;
  }
  return at;
}
