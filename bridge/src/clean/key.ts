/** The key of a cleaned document. */
import { createHash } from 'node:crypto';
import { compileExpression } from './expression.ts';
import { isObject, type Json, type JsonObject } from './json.ts';
import { splitMember } from './members.ts';
import { RefusedError } from './refusal.ts';
import type { KeyRule } from './rules.ts';
import type { RawRecord, Report } from './step.ts';

/** @throws RefusedError KEY_MISSING when there is none, and what an expression refuses */
export type FindKey = (document: JsonObject, raw: RawRecord) => string | Promise<string>;

/** Null when the rules leave the key to the raw record. */
export function compileKey(rule: KeyRule | undefined, report: Report): FindKey | null {
  if (rule === undefined) {
    return null;
  }
  if (typeof rule === 'object' && 'expression' in rule) {
    const evaluate = compileExpression(rule.expression, ['expression'], report);
    return async (document, raw) =>
      keyText(await evaluate?.(document, raw), 'The expression gives');
  }
  const {
    pointer,
    prefix = '',
    otherwiseHash,
  } = typeof rule === 'string' ? { pointer: rule } : rule;
  const path = splitMember(pointer);
  return (document) => {
    const found = path.reduce<Json | undefined>(child, document);
    const text =
      found === undefined && otherwiseHash !== undefined
        ? contentHash(document, otherwiseHash.without ?? [])
        : keyText(found, `${pointer} holds`);
    return `${prefix}${text}`;
  };
}

/**
 * SHA-256 (hex) of the document as JSON without spaces, with members in one order whatever theirs
 * was, and without some of them. A list in another order is another content.
 */
export function contentHash(document: JsonObject, without: readonly string[]): string {
  const members = Object.entries(document).filter(([name]) => !without.includes(name));
  const text = JSON.stringify(sorted(Object.fromEntries(members)));
  return createHash('sha256').update(text).digest('hex');
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) {
    return value.map(sorted);
  }
  return isObject(value)
    ? Object.fromEntries(
        Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, inner]) => [name, sorted(inner)]),
      )
    : value;
}

function child(value: Json | undefined, name: string): Json | undefined {
  if (Array.isArray(value)) {
    return /^(?:0|[1-9][0-9]*)$/.test(name) ? value[Number(name)] : undefined;
  }
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** Only a text that is not empty or a whole number is a key. */
export function keyText(value: Json | undefined, from: string): string {
  if (typeof value === 'string' && value !== '') {
    return value;
  }
  if (typeof value === 'number' && Number.isSafeInteger(value)) {
    return String(value);
  }
  throw new RefusedError('KEY_MISSING', `${from} neither a text nor a whole number.`);
}
