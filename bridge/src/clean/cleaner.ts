/** One raw record to cleaned documents, or the reason why not: a pure function of both. */
import { checkKey } from '@shuttle/chaincode/documents';
import { DOCUMENT_BYTES_MAX, RECORD_REFUSALS } from '@shuttle/chaincode/wire';
import type { CompiledRules, CompiledStep, CompiledWindow } from './compile.ts';
import type { JsonObject } from './json.ts';
import { writeNew } from './members.ts';
import { DOCUMENTS_MAX, parseDocuments } from './parse.ts';
import { type CleanRefusalCode, type Refusal, RefusedError } from './refusal.ts';
import type { Format } from './rules.ts';
import type { RawRecord, StepResult } from './step.ts';
import { createWindow, type Effect } from './window.ts';
import { createRegisteredReader, type ReadRegistered, type SchemaSource } from './wire-schema.ts';

export interface CleanedDocument {
  readonly key: Uint8Array;
  /** Null deletes the key. */
  readonly value: Uint8Array | null;
}

/** What a rule made of one document: `after` holds several when it was split. */
export interface TraceEntry {
  readonly rule: string;
  readonly kind: string;
  readonly before: JsonObject | null;
  readonly after: readonly JsonObject[];
}

export type Cleaned =
  | {
      readonly documents: readonly CleanedDocument[];
      readonly refused: null;
      /** Documents that a rule has left out, because they stood before already. */
      readonly dropped: number;
    }
  | { readonly documents: null; readonly refused: Refusal };

/** Of one partition, or of one file: what it remembers is theirs. */
export interface Cleaner {
  /**
   * How many offsets the rules look back; 0 for rules that do not. A cleaner that goes on where
   * another one ended has to be given as many before, whose results are then of no interest.
   */
  readonly windowRecords: number;
  /**
   * All documents of the record, or none: a record is refused as a whole. Rejects for
   * defects of the cleaning only. With windows, records are given in the order of their offsets,
   * each when the one before is done.
   *
   * @param onTrace - told what each rule did, in order
   */
  clean(raw: RawRecord, onTrace?: (entry: TraceEntry) => void): Promise<Cleaned>;
  /** The same for documents that are read already; `raw` gives key and timestamp. */
  cleanParsed(
    read: () => readonly JsonObject[] | Promise<readonly JsonObject[]>,
    raw: RawRecord,
    onTrace?: (entry: TraceEntry) => void,
  ): Promise<Cleaned>;
}

/** Bytes of a raw record beyond which it is refused unread. */
export const RECORD_BYTES_MAX = 64 * 1024 * 1024;

type OnTrace = ((entry: TraceEntry) => void) | undefined;

/**
 * @param format - what a record's bytes are, where the rules do not say it
 * @param schemas - needed for the format `registry`
 */
export function createCleaner(
  rules: CompiledRules,
  format: Format,
  schemas?: SchemaSource,
): Cleaner {
  const own = rules.format ?? format;
  const readRegistered = schemas === undefined ? null : createRegisteredReader(schemas);
  const look = createLook(rules.windows);
  const cleaner: Cleaner = {
    windowRecords: rules.windowRecords,
    async clean(raw, onTrace) {
      const { key, value } = raw;
      if (value === null && key !== null && rules.deletes === 'pass') {
        return { documents: [{ key, value: null }], refused: null, dropped: 0 };
      }
      const read = () => readDocuments(bytesOf(value), own, readRegistered);
      return await cleaner.cleanParsed(read, raw, onTrace);
    },
    async cleanParsed(read, raw, onTrace) {
      const place = { rule: 'format', item: 0, isOne: true };
      try {
        const parsed = await read();
        place.isOne = parsed.length === 1;
        const ready: { item: number; document: JsonObject }[] = [];
        for (const [item, document] of parsed.entries()) {
          place.item = item;
          onTrace?.({ rule: 'format', kind: own.kind, before: null, after: [copy(document)] });
          const done = await runSteps(rules.before, document, raw, place, onTrace);
          ready.push(...done.map((one) => ({ item, document: one })));
          checkCount(ready.length);
        }
        const documents: CleanedDocument[] = [];
        let dropped = 0;
        const effects = look(
          raw.offset,
          ready.map(({ document }) => document),
        );
        for (const [index, { item, document }] of ready.entries()) {
          place.item = item;
          const kept = lookBack(rules.windows, document, effects[index] ?? [], place, onTrace);
          if (kept === null) {
            dropped += 1;
            continue;
          }
          for (const done of await runSteps(rules.after, kept, raw, place, onTrace)) {
            documents.push(await finish(rules, done, raw, place));
          }
          checkCount(documents.length);
        }
        return { documents, refused: null, dropped };
      } catch (error) {
        return { documents: null, refused: refusalOf(error, place) };
      }
    },
  };
  return cleaner;
}

function readDocuments(
  bytes: Uint8Array,
  format: Format,
  readRegistered: ReadRegistered | null,
): readonly JsonObject[] | Promise<readonly JsonObject[]> {
  if (format.kind !== 'registry') {
    return parseDocuments(bytes, format);
  }
  if (readRegistered === null) {
    throw new Error('The rules need a schema registry, and the cleaner was made without one.');
  }
  return readRegistered(bytes).then((document) => [document]);
}

/** Where the cleaning is, for the refusal. */
interface Place {
  rule: string;
  item: number;
  isOne: boolean;
}

function bytesOf(value: Uint8Array | null): Uint8Array {
  if (value === null) {
    throw new RefusedError('VALUE_MISSING', 'The record has no value.');
  }
  if (value.length > RECORD_BYTES_MAX) {
    const sentence = `The record has ${value.length} bytes; ${RECORD_BYTES_MAX} are the limit.`;
    throw new RefusedError('RECORD_TOO_LARGE', sentence);
  }
  return value;
}

/** What the rules that look back will do to each document: all decided before any is done. */
function createLook(windows: readonly CompiledWindow[]) {
  const memories = windows.map(({ window }) => createWindow(window));
  return (offset: bigint, documents: readonly JsonObject[]): (readonly (Effect | null)[])[] => {
    const byRule = memories.map((memory) => memory.pass(offset, documents));
    return documents.map((_, index) => byRule.map((effects) => effects[index] ?? null));
  };
}

/** Null when a rule drops the document. */
function lookBack(
  windows: readonly CompiledWindow[],
  document: JsonObject,
  effects: readonly (Effect | null)[],
  place: Place,
  onTrace: OnTrace,
): JsonObject | null {
  let kept: JsonObject | null = document;
  for (const [index, { rule, kind }] of windows.entries()) {
    if (kept !== null) {
      place.rule = rule;
      const before = onTrace === undefined ? null : copy(kept);
      const effect = effects[index] ?? null;
      kept = effect === null ? kept : effect(kept);
      onTrace?.({ rule, kind, before, after: kept === null ? [] : [copy(kept)] });
    }
  }
  return kept;
}

/** Most rules answer at once; only those that do not are waited for. */
async function runSteps(
  steps: readonly CompiledStep[],
  document: JsonObject,
  raw: RawRecord,
  place: Place,
  onTrace: OnTrace,
): Promise<readonly JsonObject[]> {
  let documents: readonly JsonObject[] = [document];
  for (const { rule, kind, run } of steps) {
    place.rule = rule;
    const next: JsonObject[] = [];
    for (const one of documents) {
      const before = onTrace === undefined ? null : copy(one);
      const result = run(one, raw);
      const made: StepResult = result instanceof Promise ? await result : (result as StepResult);
      if (Array.isArray(made)) {
        next.push(...(made as JsonObject[]));
      } else {
        next.push(made as JsonObject);
      }
      onTrace?.({ rule, kind, before, after: [made as JsonObject].flat().map(copy) });
      checkCount(next.length);
    }
    documents = next;
  }
  return documents;
}

async function finish(
  { name, version, madeBy, findKey }: CompiledRules,
  document: JsonObject,
  raw: RawRecord,
  place: Place,
): Promise<CleanedDocument> {
  place.rule = 'key';
  const found = findKey?.(document, raw) ?? null;
  const text = found instanceof Promise ? await found : found;
  const key = text === null ? raw.key : keyBytes(text);
  if (key === null) {
    const sentence = 'The rules name no key, and the record has none.';
    throw new RefusedError('KEY_MISSING', sentence);
  }
  const fault = checkKey(key);
  if (fault !== null) {
    throw new RefusedError('KEY_INVALID', RECORD_REFUSALS[fault]);
  }
  place.rule = 'madeBy';
  writeNew(document, madeBy, { rules: name, version }, `/${madeBy}`);
  const value = Buffer.from(JSON.stringify(document));
  if (value.length > DOCUMENT_BYTES_MAX) {
    throw new RefusedError('RECORD_TOO_LARGE', RECORD_REFUSALS.VALUE_TOO_LARGE);
  }
  return { key, value };
}

function keyBytes(text: string): Uint8Array {
  if (/\p{Surrogate}/u.test(text)) {
    throw new RefusedError('KEY_INVALID', RECORD_REFUSALS.KEY_NOT_UTF8);
  }
  return Buffer.from(text);
}

function checkCount(count: number): void {
  if (count > DOCUMENTS_MAX) {
    const sentence = `The record makes more than ${DOCUMENTS_MAX} documents.`;
    throw new RefusedError('DOCUMENTS_TOO_MANY', sentence);
  }
}

function refusalOf(error: unknown, { rule, item, isOne }: Place): Refusal {
  if (!(error instanceof RefusedError)) {
    throw error;
  }
  const code: CleanRefusalCode = error.code;
  return {
    rule,
    code,
    sentence: error.message,
    ...(error.pointer === undefined ? {} : { pointer: error.pointer }),
    ...(isOne ? {} : { item }),
  };
}

const copy = (document: JsonObject): JsonObject => structuredClone(document);
