/** The key of a cleaned document. */
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
  const { pointer, prefix = '' } = typeof rule === 'string' ? { pointer: rule } : rule;
  const path = splitMember(pointer);
  return (document) => {
    const found = path.reduce<Json | undefined>(child, document);
    return `${prefix}${keyText(found, `${pointer} holds`)}`;
  };
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
