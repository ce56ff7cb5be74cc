/** The records of a file to clean, one after the other, in bounded memory. */
import { createReadStream, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { type Cleaned, type Cleaner, RECORD_BYTES_MAX, type TraceEntry } from '../clean/cleaner.ts';
import { type CsvRow, createCsvRows } from '../clean/csv.ts';
import type { JsonObject } from '../clean/json.ts';
import { createJsonItems, type JsonItem, startsList } from '../clean/json-items.ts';
import {
  csvOptions,
  parseDocuments,
  parseObject,
  readColumns,
  rowDocument,
} from '../clean/parse.ts';
import { RefusedError } from '../clean/refusal.ts';
import { FORMATS, type Format, type FormatName } from '../clean/rules.ts';
import type { RawRecord } from '../clean/step.ts';
import { readUtf8, withoutMark } from '../clean/utf8.ts';
import { ShuttleError } from '../errors.ts';

/** A row, a line, an item of a list, or a whole file. */
export interface InputRecord {
  /** Where it starts, from 1. */
  readonly line: number;
  readonly bytes: Uint8Array;
  /** The line that names the columns of a row, where the file has one. */
  readonly header?: Uint8Array;
  /** Null: only a schema registry tells how. @throws RefusedError */
  readonly read: (() => readonly JsonObject[]) | null;
}

export interface Input {
  readonly format: Format;
  readonly bytesTotal: number;
  /** When the file was last written, in ms since the epoch. */
  readonly changedMs: number;
  /** Bytes that were read so far. */
  readonly bytesRead: () => number;
  readonly records: () => AsyncIterable<InputRecord>;
}

/** Cleans one record of a file. */
export async function cleanInput(
  cleaner: Cleaner,
  { read }: InputRecord,
  raw: RawRecord,
  onTrace?: (entry: TraceEntry) => void,
): Promise<Cleaned> {
  return read === null
    ? await cleaner.clean(raw, onTrace)
    : await cleaner.cleanParsed(read, raw, onTrace);
}

/** @throws ShuttleError FILE_UNREADABLE, USAGE when nothing says what the file holds */
export async function openInput(file: string, cwd: string, own: Format | null): Promise<Input> {
  const path = resolve(cwd, file);
  const format = own ?? { kind: formatOf(file) };
  const { size: bytesTotal, mtimeMs } = await statOf(path, file);
  let bytesRead = 0;
  async function* chunks(): AsyncIterable<Uint8Array> {
    for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
      bytesRead += (chunk as Uint8Array).length;
      yield chunk as Uint8Array;
    }
  }
  const records = () => READERS[format.kind](chunks(), format);
  const changedMs = Math.floor(mtimeMs);
  return { format, bytesTotal, changedMs, bytesRead: () => bytesRead, records };
}

function formatOf(file: string): FormatName {
  const extension = extname(file).slice(1).toLowerCase();
  const found = FORMATS.find((name) => name === extension);
  if (found === undefined) {
    const message = `Neither the rules nor the name "${file}" say which format the file has.`;
    throw new ShuttleError('USAGE', message, { at: { formats: FORMATS.join(', ') } });
  }
  return found;
}

async function statOf(path: string, file: string): Promise<Stats> {
  try {
    const found = await stat(path);
    if (!found.isDirectory()) {
      return found;
    }
    throw new TypeError('It is a folder.');
  } catch (cause) {
    throw new ShuttleError('FILE_UNREADABLE', `${file} cannot be read.`, { cause, at: { path } });
  }
}

type Chunks = AsyncIterable<Uint8Array>;

async function* fileRows(chunks: Chunks, format: Format): AsyncIterable<InputRecord> {
  const rows = createCsvRows(csvOptions(format));
  let columns = format.columns;
  let header: { readonly header?: Uint8Array } = {};
  const recordsOf = function* (found: readonly CsvRow[]): Iterable<InputRecord> {
    for (const row of found) {
      if (columns === undefined) {
        columns = columnsOf(row);
        header = { header: row.bytes };
      } else {
        const names = columns;
        const read = () => [rowDocument(row, names)];
        yield { ...header, line: row.line, bytes: row.bytes, read };
      }
    }
  };
  for await (const chunk of chunks) {
    yield* recordsOf(rows.push(chunk, false));
    const { length, line } = rows.pending();
    refuseLong(length, line);
  }
  yield* recordsOf(rows.push(new Uint8Array(), true));
}

function columnsOf(row: CsvRow): string[] {
  try {
    return readColumns(row);
  } catch (error) {
    // Without names for the columns no row can be read, so that none is refused one by one.
    throw error instanceof RefusedError ? new ShuttleError('INPUT_INVALID', error.message) : error;
  }
}

const LINE_FEED = 0x0a;

/** Lines that end with LF or CR LF; blank ones are passed over. */
async function* fileLines(chunks: Chunks): AsyncIterable<InputRecord> {
  let line = 0;
  let rest: Buffer = Buffer.alloc(0);
  const record = (bytes: Buffer): InputRecord[] => {
    line += 1;
    const own = Buffer.from(bytes);
    const isBlank = own.toString('latin1').trim() === '';
    return isBlank
      ? []
      : [{ line, bytes: own, read: () => [parseObject(withoutMark(readUtf8(own)))] }];
  };
  for await (const chunk of chunks) {
    rest = Buffer.concat([rest, chunk]);
    let from = 0;
    for (let at = rest.indexOf(LINE_FEED); at >= 0; at = rest.indexOf(LINE_FEED, from)) {
      yield* record(rest.subarray(from, at + 1));
      from = at + 1;
    }
    rest = rest.subarray(from);
    refuseLong(rest.length, line + 1);
  }
  yield* record(rest);
}

async function* wholeFile(chunks: Chunks, format: Format): AsyncIterable<InputRecord> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    pieces.push(chunk);
    length += chunk.length;
    refuseLong(length, 1);
  }
  const bytes = Buffer.concat(pieces);
  const isRegistered = format.kind === 'registry';
  yield { line: 1, bytes, read: isRegistered ? null : () => parseDocuments(bytes, format) };
}

function refuseLong(length: number, line: number): void {
  if (length > RECORD_BYTES_MAX) {
    const sentence = `The record at line ${line} has more than ${RECORD_BYTES_MAX} bytes.`;
    throw new ShuttleError('INPUT_INVALID', sentence);
  }
}

/** A list is read item by item, each a record of its own; anything else is one record. */
async function* jsonFile(chunks: Chunks, format: Format): AsyncIterable<InputRecord> {
  const parts = chunks[Symbol.asyncIterator]();
  const first = await parts.next();
  const start: Uint8Array = first.done === true ? new Uint8Array() : first.value;
  async function* all(): Chunks {
    yield start;
    yield* { [Symbol.asyncIterator]: () => parts };
  }
  yield* startsList(start) ? listItems(all()) : wholeFile(all(), format);
}

async function* listItems(chunks: Chunks): AsyncIterable<InputRecord> {
  const items = createJsonItems();
  const record = ({ line, bytes, problem }: JsonItem): InputRecord => ({
    line,
    bytes,
    read: () => {
      if (problem !== null) {
        throw new RefusedError('JSON_INVALID', problem);
      }
      return [parseObject(readUtf8(bytes))];
    },
  });
  for await (const chunk of chunks) {
    yield* items.push(chunk, false).map(record);
    const { length, line } = items.pending();
    refuseLong(length, line);
  }
  yield* items.push(new Uint8Array(), true).map(record);
}

const READERS: Readonly<Record<FormatName, typeof wholeFile>> = {
  registry: wholeFile,
  json: jsonFile,
  jsonl: fileLines,
  csv: fileRows,
  tsv: fileRows,
  xml: wholeFile,
  epcis: jsonFile,
};
