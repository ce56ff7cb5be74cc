/** JSON as documents are made of it, read without a silent change. */
import { RefusedError } from './refusal.ts';

export type Json = null | boolean | number | string | Json[] | JsonObject;

export interface JsonObject {
  [name: string]: Json;
}

/** Objects and lists inside each other; deeper ones are refused, as nobody writes them by hand. */
export const NESTING_MAX = 64;

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Objects, lists and members in one text. Each takes some hundred bytes of memory, however few it
 * took in the text: beyond this, a record of 64 MiB could take more than there is.
 */
export const VALUES_MAX = 2_000_000;

/** In characters; no number that is kept exactly is longer, but for zeros. */
export const NUMBER_LENGTH_MAX = 1_000;

/** Texts shorter than this cannot hold too many values. */
const COUNTED_FROM = VALUES_MAX;

/**
 * Reads JSON text, and refuses what a JavaScript value cannot hold as it stands: repeated members,
 * of which only the last would stay, and numbers that would be rounded.
 *
 * @throws RefusedError RECORD_TOO_LARGE, JSON_INVALID, JSON_AMBIGUOUS, NESTING_TOO_DEEP,
 *   NUMBER_INEXACT
 */
export function readJson(text: string): Json {
  checkValues([text]);
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (cause) {
    const position = /position (\d+)/.exec(String(cause))?.[1];
    const where = position === undefined ? '' : `, from character ${Number(position) + 1} on`;
    throw new RefusedError('JSON_INVALID', `The text is not JSON${where}.`);
  }
  checkTokens(text);
  return value;
}

/** @throws RefusedError RECORD_TOO_LARGE when the texts together hold more than VALUES_MAX */
export function checkValues(texts: readonly string[]): void {
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  if (length <= COUNTED_FROM) {
    return;
  }
  let left = VALUES_MAX;
  for (const text of texts) {
    left -= valuesIn(text);
    if (left < 0) {
      const sentence = `The record holds more than ${VALUES_MAX} values.`;
      throw new RefusedError('RECORD_TOO_LARGE', sentence);
    }
  }
}

/** Where a value begins, but for the first: behind a bracket or a comma outside of strings. */
const BEGINNINGS = /[[{,"]/g;

function valuesIn(text: string): number {
  let values = 0;
  BEGINNINGS.lastIndex = 0;
  for (let match = BEGINNINGS.exec(text); match !== null; match = BEGINNINGS.exec(text)) {
    if (match[0] === '"') {
      BEGINNINGS.lastIndex = stringEnd(text, match.index);
    } else {
      values += 1;
      if (values > VALUES_MAX) {
        break;
      }
    }
  }
  return values;
}

/** The characters that the passing of tokens looks at. */
const QUOTE = 0x22;
const MINUS = 0x2d;
const DIGITS = { first: 0x30, last: 0x39 };
const COLON = 0x3a;
const OPENING = { list: 0x5b, object: 0x7b };
const CLOSING = { list: 0x5d, object: 0x7d };

/** Objects (by the names of their members) and lists (null) that are open. */
type Open = (Set<string> | null)[];

/** Every text comes by here once it is known to be JSON: one pass, and nothing made but names. */
function checkTokens(text: string): void {
  const endOf = text.includes('\\') ? stringEnd : plainStringEnd;
  const open: Open = [];
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = checkString(text, at, endOf(text, at), open);
    } else if (code === MINUS || (code >= DIGITS.first && code <= DIGITS.last)) {
      at = checkNumber(text, at);
    } else {
      checkBracket(code, open);
      at += 1;
    }
  }
}

function checkBracket(code: number, open: Open): void {
  if (code === OPENING.object || code === OPENING.list) {
    open.push(code === OPENING.object ? new Set() : null);
    checkDepth(open.length);
  } else if (code === CLOSING.object || code === CLOSING.list) {
    open.pop();
  }
}

/** Checks the string between `at` and `end`, if it is a name. @returns the index behind it */
function checkString(text: string, at: number, end: number, open: Open): number {
  if (isName(text, end)) {
    const name = text.slice(at + 1, end - 1);
    checkName(name.includes('\\') ? (JSON.parse(`"${name}"`) as string) : name, open.at(-1));
  }
  return end;
}

/** Where no string of the text has an escape. */
const plainStringEnd = (text: string, at: number): number => text.indexOf('"', at + 1) + 1;

/** The index behind the string that starts at `at`. */
function stringEnd(text: string, at: number): number {
  let end = at + 1;
  while (end < text.length && text[end] !== '"') {
    end += text[end] === '\\' ? 2 : 1;
  }
  return end + 1;
}

/** Whether a colon follows, which only the names of members have behind them. */
function isName(text: string, end: number): boolean {
  let at = end;
  let code = text.charCodeAt(at);
  while (code === 0x20 || (code >= 0x09 && code <= 0x0d)) {
    at += 1;
    code = text.charCodeAt(at);
  }
  return code === COLON;
}

function checkDepth(depth: number): void {
  if (depth > NESTING_MAX) {
    const sentence = `Objects and lists are nested more than ${NESTING_MAX} deep.`;
    throw new RefusedError('NESTING_TOO_DEEP', sentence);
  }
}

function checkName(name: string, names: Set<string> | null | undefined): void {
  if (names?.has(name) === true || name === '__proto__') {
    const why = name === '__proto__' ? 'has a name that no document may use' : 'stands twice';
    throw new RefusedError('JSON_AMBIGUOUS', `The member ${shown(name)} ${why}.`);
  }
  names?.add(name);
}

/** Of a number behind its first character; an expression for it needs a stack as long as it is. */
const NUMBER_PARTS = new Set(Buffer.from('0123456789.eE+-'));

/** Checks the number that starts at `at`. @returns the index behind it */
function checkNumber(text: string, at: number): number {
  let end = at + 1;
  while (NUMBER_PARTS.has(text.charCodeAt(end))) {
    end += 1;
  }
  const token = text.slice(at, end);
  if (!isExact(token)) {
    const sentence = `The number ${shown(token)} has more digits than can be kept.`;
    throw new RefusedError('NUMBER_INEXACT', sentence);
  }
  return end;
}

/** Whether the text of a number and the number that JavaScript makes of it are the same. */
export function isExact(token: string): boolean {
  // So few digits are always kept.
  if (token.length < 16 && !/[eE]/.test(token)) {
    return true;
  }
  if (token.length > NUMBER_LENGTH_MAX) {
    return false;
  }
  const value = Number(token);
  return Number.isFinite(value) && plainDigits(token) === plainDigits(String(value));
}

/** Sign, digits without zeros at either end, and the power of ten behind them. */
function plainDigits(token: string): string {
  const [, sign, whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(token) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const kept = digits.replace(/0+$/, '');
  if (kept === '') {
    return '0';
  }
  const power = Number(exponent) - fraction.length + digits.length - kept.length;
  return `${sign}${kept}e${power}`;
}

const SHOWN_MAX = 80;

/** A value as a sentence quotes it: bounded, in JSON. */
export function shown(value: Json | undefined): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
}
