/**
 * JSONata, pure and bounded: the same record always gives the same result, on every machine, and no
 * expression runs forever. (Its own time limit is a wall clock's, so it is not used.)
 */
import { isUtf8 } from 'node:buffer';
import jsonata from 'jsonata';
import { isObject, type Json, NESTING_MAX, shown } from './json.ts';
import { compilePattern, LinearRegExp } from './pattern.ts';
import { RefusedError } from './refusal.ts';
import type { RawRecord, Report } from './step.ts';

/** Parts of an expression that are evaluated for one document. */
export const EVALUATIONS_MAX = 200_000;
/** Calls inside each other. */
export const CALLS_DEEP_MAX = 100;
/** Items of a list that an expression makes. */
export const ITEMS_MAX = 100_000;

/** The result as plain JSON; undefined when the expression finds nothing. */
export type Expression = (input: Json, raw: RawRecord) => Promise<Json | undefined>;

/** What JSONata tells its hook; `base` is one object for each evaluation. */
interface Frame {
  readonly base: { timestamp: Date; evaluations?: number };
  lookup(name: string): unknown;
}

const ENTRY_HOOK = Symbol.for('jsonata.__evaluate_entry');
const TIMESTAMP = 'shuttle_timestamp';

/** Its regular expressions are ours, which take no longer than the text is long. */
const OPTIONS = {
  stack: CALLS_DEEP_MAX,
  sequence: ITEMS_MAX,
  RegexEngine: LinearRegExp as unknown as RegExpConstructor,
};

/** Codes with which JSONata says that a bound was met. */
const BOUND_CODES = ['D1011', 'D2014', 'D2015'];

/** Null, and a report, when the text is no expression. */
export function compileExpression(
  text: string,
  path: readonly (string | number)[],
  report: Report,
): Expression | null {
  let compiled: jsonata.Expression;
  try {
    compiled = jsonata(text, OPTIONS);
  } catch (error) {
    const { message, position } = error as Partial<jsonata.JsonataError>;
    report(path, `this is not JSONata at character ${(position ?? 0) + 1}: ${message ?? ''}`);
    return null;
  }
  const patterns = patternsOf(compiled.ast());
  if (patterns.some((pattern) => compilePattern(pattern.source, path, report) === null)) {
    return null;
  }
  // The type knows names only, though the hook is looked up by a symbol.
  compiled.assign(ENTRY_HOOK as unknown as string, (_: unknown, __: unknown, frame: Frame) =>
    countEvaluation(frame),
  );
  return async (input, raw) => {
    try {
      const found: unknown = await compiled.evaluate(input, bindings(raw));
      return found === undefined ? undefined : plain(found, 0);
    } catch (error) {
      throw error instanceof RefusedError ? error : refusalOf(error);
    }
  };
}

/** Every regular expression in an expression. */
function patternsOf(node: unknown, seen = new Set<unknown>()): RegExp[] {
  if (node instanceof RegExp) {
    return [node];
  }
  if (typeof node !== 'object' || node === null || seen.has(node)) {
    return [];
  }
  seen.add(node);
  return Object.values(node).flatMap((inner) => patternsOf(inner, seen));
}

function countEvaluation(frame: Frame): void {
  const { base } = frame;
  if (base.evaluations === undefined) {
    // Pictures without a date take today's from here: the record's day instead.
    base.timestamp = new Date(Number(frame.lookup(TIMESTAMP)));
  }
  base.evaluations = (base.evaluations ?? 0) + 1;
  if (base.evaluations > EVALUATIONS_MAX) {
    const sentence = `The expression took more than ${EVALUATIONS_MAX} steps.`;
    throw new RefusedError('EXPRESSION_TOO_LONG', sentence);
  }
}

function bindings({ timestamp, key }: RawRecord): Record<string, unknown> {
  const impure = (name: string) => () => {
    const sentence = `$${name} gives another result each time; rules may not use it.`;
    throw new RefusedError('EXPRESSION_FAILED', sentence);
  };
  return {
    [TIMESTAMP]: timestamp,
    now: () => new Date(timestamp).toISOString(),
    millis: () => timestamp,
    random: impure('random'),
    shuffle: impure('shuffle'),
    // A key that is no text would come out as another one.
    key: key !== null && isUtf8(key) ? Buffer.from(key).toString('utf8') : undefined,
  };
}

function refusalOf(error: unknown): RefusedError {
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  if (BOUND_CODES.includes(code ?? '')) {
    const sentence = `The expression met a bound: ${message ?? code}`;
    return new RefusedError('EXPRESSION_TOO_LONG', sentence);
  }
  return new RefusedError('EXPRESSION_FAILED', `The expression failed: ${message ?? code}`);
}

/** A copy without what JSONata hangs on its lists, and without what JSON cannot say. */
function plain(value: unknown, depth: number): Json {
  if (depth > NESTING_MAX) {
    throw new RefusedError('NESTING_TOO_DEEP', 'The expression made too deep a value.');
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') {
    return value;
  }
  if (typeof value === 'number' && Number.isFinite(value)) {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map((item) => plain(item, depth + 1));
  }
  if (typeof value === 'object' && isObject(value as Json)) {
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
    if (Object.hasOwn(value, '__proto__')) {
      throw new RefusedError('EXPRESSION_FAILED', 'The expression made a member __proto__.');
    }
    return Object.fromEntries(entries.map(([name, inner]) => [name, plain(inner, depth + 1)]));
  }
  const what = typeof value === 'number' ? shown(String(value)) : `a ${typeof value}`;
  throw new RefusedError('EXPRESSION_FAILED', `The expression gave ${what}, which JSON has not.`);
}
