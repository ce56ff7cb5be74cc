/** Cleaning one record in a test. */
import { createCleaner, type TraceEntry } from '../../../bridge/src/clean/cleaner.ts';
import { type CompiledRules, compileRules } from '../../../bridge/src/clean/compile.ts';
import type { JsonObject } from '../../../bridge/src/clean/json.ts';
import type { Refusal } from '../../../bridge/src/clean/refusal.ts';

/** When the records of these tests were written. */
export const TIMESTAMP = Date.UTC(2026, 10, 21, 12);

type RawText = string | Uint8Array | null;

export function compiled(rules: object): CompiledRules {
  const compilation = compileRules({ name: 'test', version: 1, ...rules });
  if (compilation.rules === null) {
    throw new Error(JSON.stringify(compilation.problems));
  }
  return compilation.rules;
}

/** Sentences of what is wrong with a rule file, each with its path. */
export function problemsOf(rules: unknown): string[] {
  return compileRules(rules).problems.map(({ path, sentence }) => `${path.join('.')}: ${sentence}`);
}

export interface CleanedText {
  readonly documents?: readonly { readonly key: string; readonly value: JsonObject | null }[];
  readonly refused?: Refusal;
}

export async function cleanOne(
  rules: object,
  value: RawText,
  { key, onTrace }: { key?: string; onTrace?: (entry: TraceEntry) => void } = {},
): Promise<CleanedText> {
  const raw = {
    key: key === undefined ? null : Buffer.from(key),
    value: typeof value === 'string' ? Buffer.from(value) : value,
    headers: [],
    timestamp: TIMESTAMP,
    offset: 0n,
  };
  const cleaner = createCleaner(compiled(rules), { kind: 'json' });
  const { documents, refused } = await cleaner.clean(raw, onTrace);
  if (refused !== null) {
    return { refused };
  }
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
  return {
    documents: documents.map((document) => ({
      key: text(document.key),
      value: document.value === null ? null : (JSON.parse(text(document.value)) as JsonObject),
    })),
  };
}

/** The document that comes of a record. */
export async function cleanedValue(rules: object, value: RawText): Promise<JsonObject> {
  const { documents, refused } = await cleanOne(rules, value, { key: 'k' });
  const [first] = documents ?? [];
  if (first?.value === undefined || first.value === null) {
    throw new Error(`refused: ${JSON.stringify(refused)}`);
  }
  return first.value;
}

/** The document that one rule makes of another, without the member that says who made it. */
export async function stepOf(step: object, document: object): Promise<JsonObject> {
  const steps = [{ rule: 'one', ...step }];
  const { _cleaned, ...others } = await cleanedValue({ steps }, JSON.stringify(document));
  return others;
}

/** Why a record is refused. */
export async function refusalOf(rules: object, value: RawText): Promise<Refusal> {
  const { documents, refused } = await cleanOne(rules, value, { key: 'k' });
  if (refused === undefined) {
    throw new Error(`not refused: ${JSON.stringify(documents)}`);
  }
  return refused;
}

/** Code and sentence with which one rule refuses a document. */
export async function stepRefusal(step: object, document: object): Promise<[string, string]> {
  const steps = [{ rule: 'one', ...step }];
  const { code, sentence } = await refusalOf({ steps }, JSON.stringify(document));
  return [code, sentence];
}
