/** Texts to numbers, with grouping, decimal commas and units; no digit is lost without a word. */
import {
  compareDecimals,
  type Decimal,
  decimalText,
  isWhole,
  multiply,
  parseDecimal,
} from '../decimal.ts';
import { isExact, type Json, NUMBER_LENGTH_MAX, shown } from '../json.ts';
import {
  changeValues,
  compileMembers,
  MEMBERS_SCHEMA,
  type Members,
  type Slot,
  textOf,
  writeBeside,
} from '../members.ts';
import { RefusedError } from '../refusal.ts';
import { type Report, type StepKind, settings } from '../step.ts';

interface NumbersSettings {
  readonly members: Members;
  readonly decimal?: string;
  readonly group?: string;
  readonly exponent?: boolean;
  readonly leadingZeros?: boolean;
  readonly whole?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** Names of units, each with how many of `unit` it is. */
  readonly units?: Readonly<Record<string, number | string>>;
  /** The unit of the result. */
  readonly unit?: string;
  /** The unit of a number that has none. */
  readonly bareUnit?: string;
  readonly unitSuffix?: string;
  readonly as?: 'number' | 'text';
}

const BOOLEAN = { type: 'boolean', description: 'true or false' };
const TEXT = { type: 'string', minLength: 1, description: 'a text' };
const NUMBER = { type: 'number', description: 'a number' };

export const numbers: StepKind<NumbersSettings> = {
  about: 'makes numbers of texts, in one unit where units are given',
  schema: {
    ...settings(
      {
        members: MEMBERS_SCHEMA,
        decimal: { ...TEXT, maxLength: 1, description: 'one character, such as a comma' },
        group: { ...TEXT, maxLength: 1, description: 'one character, such as a comma' },
        exponent: BOOLEAN,
        leadingZeros: BOOLEAN,
        whole: BOOLEAN,
        min: NUMBER,
        max: NUMBER,
        units: {
          description: 'units, each with how many of the wanted unit it is',
          type: 'object',
          minProperties: 1,
          additionalProperties: { type: ['number', 'string'], description: 'a number' },
        },
        unit: TEXT,
        bareUnit: TEXT,
        unitSuffix: TEXT,
        as: { enum: ['number', 'text'], description: '"number" or "text"' },
      },
      ['members'],
    ),
    dependentRequired: { units: ['unit'], unit: ['units'], bareUnit: ['units'] },
  },
  compile: (given, report) => {
    const select = compileMembers(given.members);
    const factors = compileUnits(given, report);
    const readText = compileReader(given, report);
    const limits = { min: limitOf(given.min), max: limitOf(given.max) };
    return (document) =>
      changeValues(select, document, (value, slot) => {
        const found = foundIn(value, readText, slot);
        const factor = factors.get(found.unit);
        if (factor === undefined) {
          throw wrong(value, unitSentence(found.unit), slot);
        }
        const number = factor === ONE ? found.number : multiply(found.number, factor);
        checkLimits(number, given, limits, slot);
        if (given.unit !== undefined && given.unitSuffix !== undefined) {
          writeBeside(slot, given.unitSuffix, given.unit);
        }
        return valueOfDecimal(number, given.as ?? 'number', slot);
      });
  },
};

type ReadText = (text: string) => Found | null;

function foundIn(value: Json, readText: ReadText, slot: Slot): Found {
  if (typeof value === 'number') {
    const number = parseDecimal(String(value));
    return { number: number ?? ZERO, unit: '' };
  }
  const text = textOf(value, slot);
  const found = text.length > NUMBER_LENGTH_MAX ? null : readText(text);
  if (found === null) {
    throw wrong(value, 'is no number', slot);
  }
  return found;
}

interface Found {
  readonly number: Decimal;
  readonly unit: string;
}

const ZERO: Decimal = { digits: 0n, scale: 0 };
const ONE: Decimal = { digits: 1n, scale: 0 };
const escaped = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

/** How many of the wanted unit each unit is; "" stands for a number without a unit. */
function compileUnits(
  { units, unit, bareUnit }: NumbersSettings,
  report: Report,
): ReadonlyMap<string, Decimal> {
  if (units === undefined || unit === undefined) {
    return new Map([['', ONE]]);
  }
  const factors = new Map<string, Decimal>([[unit, ONE]]);
  for (const [name, factor] of Object.entries(units)) {
    const exact = parseDecimal(String(factor));
    if (exact === null || exact.digits <= 0n) {
      report(['units', name], `${shown(factor)} is not a number above 0`);
    } else if (name === unit && compareDecimals(exact, ONE) !== 0) {
      report(['units', name], 'it is the wanted unit, so that it is 1 of it');
    } else {
      factors.set(name, exact);
    }
  }
  const bare = bareUnit === undefined ? undefined : factors.get(bareUnit);
  if (bareUnit !== undefined && bare === undefined) {
    report(['bareUnit'], `there is no unit ${shown(bareUnit)}`);
  }
  return bare === undefined ? factors : factors.set('', bare);
}

/** Reads "1.234,50 kg" as the rule writes numbers; null when a text is none. */
function compileReader(
  { decimal = '.', group, exponent = false, leadingZeros = false }: NumbersSettings,
  report: Report,
): ReadText {
  for (const [name, mark] of [
    ['decimal', decimal],
    ['group', group],
  ] as const) {
    if (mark !== undefined && /[\d+\-eE]/.test(mark)) {
      report([name], `${shown(mark)} is part of numbers itself`);
    }
  }
  if (group === decimal) {
    report(['group'], 'it is the same as decimal');
  }
  const plain = leadingZeros ? '\\d+' : '(?:0|[1-9]\\d*)';
  const whole =
    group === undefined ? plain : `(?:[1-9]\\d{0,2}(?:${escaped(group)}\\d{3})+|${plain})`;
  const power = exponent ? '(?:[eE][+-]?\\d{1,4})?' : '';
  const pattern = new RegExp(
    `^([+-]?${whole}(?:${escaped(decimal)}\\d+)?${power})(?:\\s*([\\p{L}\\p{S}%].*))?$`,
    'u',
  );
  return (text) => {
    const [, digits, unit = ''] = pattern.exec(text) ?? [];
    if (digits === undefined) {
      return null;
    }
    const bare = group === undefined ? digits : digits.replaceAll(group, '');
    const number = parseDecimal(bare.replace(decimal, '.'));
    return number === null ? null : { number, unit };
  };
}

function limitOf(limit: number | undefined): Decimal | null {
  return limit === undefined ? null : parseDecimal(String(limit));
}

function checkLimits(
  number: Decimal,
  { whole = false }: NumbersSettings,
  { min, max }: { readonly min: Decimal | null; readonly max: Decimal | null },
  slot: Slot,
): void {
  if (whole && !isWhole(number)) {
    throw wrong(decimalText(number), 'is not whole', slot);
  }
  if (min !== null && compareDecimals(number, min) < 0) {
    throw wrong(decimalText(number), `is below ${decimalText(min)}`, slot);
  }
  if (max !== null && compareDecimals(number, max) > 0) {
    throw wrong(decimalText(number), `is above ${decimalText(max)}`, slot);
  }
}

function valueOfDecimal(number: Decimal, as: 'number' | 'text', slot: Slot): Json {
  const text = decimalText(number);
  if (as === 'text') {
    return text;
  }
  if (!isExact(text)) {
    const sentence = `${shown(text)} has more digits than a number keeps; "as: text" keeps them.`;
    throw new RefusedError('NUMBER_INEXACT', sentence, slot.pointer);
  }
  return Number(text);
}

function unitSentence(unit: string): string {
  return unit === '' ? 'has no unit' : `has ${shown(unit)} behind its number`;
}

function wrong(value: Json, what: string, { pointer }: Slot): RefusedError {
  return new RefusedError('NUMBER_INVALID', `${shown(value)} ${what}.`, pointer);
}
