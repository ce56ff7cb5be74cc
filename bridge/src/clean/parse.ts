/** The documents that a raw record's bytes hold. */
import { type CsvOptions, type CsvRow, createCsvRows } from './csv.ts';
import { plainLineEnd, plainRows, plainText } from './csv-plain.ts';
import { epcisOfXml } from './epcis-xml.ts';
import { checkValues, isObject, type Json, type JsonObject, readJson } from './json.ts';
import { RefusedError } from './refusal.ts';
import type { Format } from './rules.ts';
import { readUtf8, withoutMark } from './utf8.ts';
import { readXml } from './xml.ts';

/** A record with more documents is refused, so that what one record costs stays bounded. */
export const DOCUMENTS_MAX = 10_000;

/** @throws RefusedError */
export function parseDocuments(bytes: Uint8Array, format: Format): JsonObject[] {
  switch (format.kind) {
    case 'json':
      return [parseObject(withoutMark(readUtf8(bytes)))];
    case 'jsonl':
      return parseLines(withoutMark(readUtf8(bytes)));
    case 'csv':
    case 'tsv':
      return parseRows(bytes, format);
    case 'xml':
      return [parseXml(withoutMark(readUtf8(bytes)))];
    case 'registry':
      throw new Error('Which schema a record has only a registry can tell.');
    case 'epcis':
      return parseEpcis(withoutMark(readUtf8(bytes)));
  }
}

function parseLines(text: string): JsonObject[] {
  const lines = bounded(text.split(/\r\n|\n|\r/).filter((line) => line.trim() !== ''));
  checkValues(lines);
  return lines.map(parseObject);
}

function parseXml(text: string): JsonObject {
  return epcisOfXml(readXml(text));
}

/** A document or event in XML or JSON, or a list of events. */
function parseEpcis(text: string): JsonObject[] {
  const start = text.trimStart()[0];
  if (start === '<') {
    return [parseXml(text)];
  }
  return start === '[' ? bounded(readList(text)).map(objectOnly) : [parseObject(text)];
}

function readList(text: string): readonly Json[] {
  const value = readJson(text);
  return Array.isArray(value) ? value : [value];
}

/** @throws RefusedError */
export function parseObject(text: string): JsonObject {
  return objectOnly(readJson(text));
}

function objectOnly(value: Json): JsonObject {
  if (!isObject(value)) {
    const what = Array.isArray(value) ? 'a list; several records are one a line' : 'not an object';
    throw new RefusedError('DOCUMENT_INVALID', `The JSON text is ${what}.`);
  }
  return value;
}

function parseRows(bytes: Uint8Array, format: Format): JsonObject[] {
  return plainDocuments(bytes, format) ?? parseAnyRows(bytes, format);
}

/** Lines that name columns, by their text; most records have the same one. */
const knownColumns = new Map<string, readonly string[]>();
const KNOWN_COLUMNS_MAX = 64;

/** Null when a row, or the line of the columns, is not as plain as most are. */
function plainDocuments(bytes: Uint8Array, format: Format): JsonObject[] | null {
  const text = plainText(bytes);
  const named = text === null ? null : namedColumns(text, format);
  const rows = named === null || text === null ? null : plainRows(text, named.end, named.options);
  if (named === null || rows === null || rows.length > DOCUMENTS_MAX) {
    return null;
  }
  const { columns } = named;
  const documents: JsonObject[] = [];
  for (const cells of rows) {
    if (cells.length !== columns.length) {
      return null;
    }
    const document: JsonObject = {};
    for (let index = 0; index < columns.length; index++) {
      document[columns[index] ?? ''] = cells[index] ?? '';
    }
    documents.push(document);
  }
  return documents;
}

/** The columns, and where the rows begin; null when the line that names them is not plain. */
function namedColumns(text: string, format: Format) {
  const options = csvOptions(format);
  if (format.columns !== undefined) {
    return { columns: format.columns, end: 0, options };
  }
  const end = plainLineEnd(text, options);
  const columns = end < 0 ? null : columnsOf(text.slice(0, end), options);
  return columns === null ? null : { columns, end, options };
}

/** Null when the names are not to be used. */
function columnsOf(line: string, options: CsvOptions): readonly string[] | null {
  const name = `${options.delimiter}\n${line}`;
  const known = knownColumns.get(name);
  if (known !== undefined) {
    return known;
  }
  const [cells, ...others] = plainRows(line, 0, options) ?? [];
  const isUsable =
    cells !== undefined &&
    others.length === 0 &&
    new Set(cells).size === cells.length &&
    !(cells.includes('') || cells.includes('__proto__'));
  if (!isUsable) {
    return null;
  }
  if (knownColumns.size >= KNOWN_COLUMNS_MAX) {
    knownColumns.clear();
  }
  knownColumns.set(name, cells);
  return cells;
}

/** By a parser that says what is wrong. */
export function parseAnyRows(bytes: Uint8Array, format: Format): JsonObject[] {
  const rows = createCsvRows(csvOptions(format)).push(bytes, true);
  const [first, ...others] = rows;
  const named = format.columns;
  if (named === undefined && first === undefined) {
    throw new RefusedError('CSV_INVALID', 'There is no line that names the columns.');
  }
  const columns = named ?? (first === undefined ? [] : readColumns(first));
  return bounded(named === undefined ? others : rows).map((row) => inRow(row, columns));
}

function bounded<T>(items: readonly T[]): readonly T[] {
  if (items.length > DOCUMENTS_MAX) {
    const sentence = `The record holds ${items.length} documents; ${DOCUMENTS_MAX} are the limit.`;
    throw new RefusedError('DOCUMENTS_TOO_MANY', sentence);
  }
  return items;
}

export function csvOptions(format: Format) {
  const delimiter = format.delimiter ?? (format.kind === 'tsv' ? '\t' : ',');
  return { delimiter, quote: format.quote ?? '"' };
}

/** The names of the columns. @throws RefusedError CSV_INVALID, ENCODING_INVALID */
export function readColumns(row: CsvRow): string[] {
  const columns = cellsOf(row).map(cellText);
  const repeated = columns.find((name, index) => columns.indexOf(name) !== index);
  if (repeated !== undefined || columns.includes('') || columns.includes('__proto__')) {
    const what = repeated === undefined ? 'a column has no name' : `"${repeated}" stands twice`;
    throw new RefusedError('CSV_INVALID', `Line ${row.line} names the columns, and ${what}.`);
  }
  return columns;
}

/** A row of several: its line is in the sentence. */
function inRow(row: CsvRow, columns: readonly string[]): JsonObject {
  return prefixed(`Line ${row.line}: `, () => rowDocument(row, columns));
}

/** @throws RefusedError CSV_INVALID, ENCODING_INVALID; it does not tell the line */
export function rowDocument(row: CsvRow, columns: readonly string[]): JsonObject {
  const cells = cellsOf(row);
  if (cells.length !== columns.length) {
    const sentence = `The row has ${cells.length} of ${columns.length} cells.`;
    throw new RefusedError('CSV_INVALID', sentence);
  }
  const document: JsonObject = {};
  for (const [index, name] of columns.entries()) {
    const cell = cells[index] ?? new Uint8Array();
    document[name] = prefixed(`Column "${name}": `, () => cellText(cell));
  }
  return document;
}

/** A byte that is zero is no text: it is there where UTF-16 was written without saying so. */
function cellText(cell: Uint8Array): string {
  const text = readUtf8(cell);
  const at = cell.indexOf(0);
  if (at >= 0) {
    const sentence = `Byte ${at} is zero, which no text has; UTF-16 looks so.`;
    throw new RefusedError('ENCODING_INVALID', sentence);
  }
  return text;
}

function prefixed<T>(prefix: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof RefusedError
      ? new RefusedError(error.code, `${prefix}${error.message}`, error.pointer)
      : error;
  }
}

function cellsOf({ cells, problem }: CsvRow): readonly Uint8Array[] {
  if (cells === null) {
    throw new RefusedError('CSV_INVALID', problem ?? 'The row cannot be read.');
  }
  return cells;
}
