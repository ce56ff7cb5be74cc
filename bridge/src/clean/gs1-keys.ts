/**
 * The keys of GS1 by their application identifier (AI): what a value looks like, which digit checks
 * it, and what makes it one lot or one item. Source: GS1 General Specifications, section 3 (AIs)
 * and 7.9 (check digits); GS1 Digital Link URI Syntax, section 4 (keys and their qualifiers).
 */

/** A qualifier narrows a key: the lot of a GTIN, its serial, the extension of a GLN. */
export interface Qualifier {
  readonly ai: string;
  readonly value: string;
}

export const IDENTIFIER_REFUSALS = {
  TOO_LONG: 'The text is longer than any identifier.',
  EMPTY: 'There is no identifier.',
  CHECK_DIGIT: 'A digit is wrong: the check digit does not match.',
  VALUE: 'The value has a length or characters that the identifier cannot have.',
  PREFIX: 'The company prefix and the reference do not have the right length together.',
  QUALIFIER: 'A lot, serial or extension does not belong to the key, or contradicts another.',
  SEVERAL: 'The text names more than one thing.',
  PATTERN: 'The text is a pattern of many things, not an identifier of one.',
  FORM: 'The text begins as an identifier, but does not go on as one.',
} as const;

export type IdentifierRefusalCode = keyof typeof IDENTIFIER_REFUSALS;

export interface RefusedIdentifier {
  readonly kind: 'refused';
  readonly code: IdentifierRefusalCode;
  /** One sentence with the case. */
  readonly reason: string;
}

interface KeyKind {
  readonly name: string;
  readonly pattern: RegExp;
  /** What the pattern asks for, in words. */
  readonly shape: string;
  /** The check digit is the last one of so many characters. */
  readonly checked?: number;
  /** What narrows it, most exact first: only the first that is there belongs to the identity. */
  readonly qualifiers: readonly string[];
}

/** GS1 AI encodable character set 82, General Specifications figure 7.11-1. */
const CHARACTERS_82 = '!"%&\'()*+,\\-./0-9:;<=>?A-Z_a-z';

const digits = (count: number): Pick<KeyKind, 'pattern' | 'shape' | 'checked'> => ({
  pattern: new RegExp(`^\\d{${count}}$`),
  shape: `${count} digits`,
  checked: count,
});

const followed = (count: number, more: string, most: number, zero = ''): RegExp =>
  new RegExp(`^${zero}\\d{${count}}[${more}]{0,${most}}$`);

const KEYS: ReadonlyMap<string, KeyKind> = new Map<string, KeyKind>([
  ['00', { name: 'SSCC', ...digits(18), qualifiers: [] }],
  ['01', { name: 'GTIN', ...digits(14), qualifiers: ['235', '21', '10', '22'] }],
  [
    '253',
    {
      name: 'GDTI',
      pattern: followed(13, CHARACTERS_82, 17),
      shape: '13 digits and a serial of at most 17 characters',
      checked: 13,
      qualifiers: [],
    },
  ],
  [
    '255',
    {
      name: 'GCN',
      pattern: followed(13, '0-9', 12),
      shape: '13 digits and a serial of at most 12 digits',
      checked: 13,
      qualifiers: [],
    },
  ],
  ['401', { name: 'GINC', ...companyOwn(30), qualifiers: [] }],
  ['402', { name: 'GSIN', ...digits(17), qualifiers: [] }],
  ['414', { name: 'GLN', ...digits(13), qualifiers: ['254'] }],
  ['417', { name: 'party GLN', ...digits(13), qualifiers: [] }],
  [
    '8003',
    {
      name: 'GRAI',
      pattern: followed(13, CHARACTERS_82, 16, '0'),
      shape: 'a zero, 13 digits and a serial of at most 16 characters',
      checked: 14,
      qualifiers: [],
    },
  ],
  ['8004', { name: 'GIAI', ...companyOwn(30), qualifiers: [] }],
  ['8006', { name: 'ITIP', ...digits(18), checked: 14, qualifiers: ['21', '10', '22'] }],
  [
    '8010',
    {
      name: 'CPID',
      pattern: /^\d{4}[#\-/0-9A-Z]{1,26}$/,
      shape: 'a company prefix and a part reference of capitals, digits, #, - and /, 30 at most',
      qualifiers: ['8011'],
    },
  ],
  ['8013', { name: 'GMN', ...companyOwn(25), qualifiers: [] }],
  ['8017', { name: 'GSRN of a provider', ...digits(18), qualifiers: ['8019'] }],
  ['8018', { name: 'GSRN of a recipient', ...digits(18), qualifiers: ['8019'] }],
]);

const QUALIFIERS: ReadonlyMap<string, { readonly name: string; readonly pattern: RegExp }> =
  new Map([
    ['10', { name: 'lot', pattern: new RegExp(`^[${CHARACTERS_82}]{1,20}$`) }],
    ['21', { name: 'serial', pattern: new RegExp(`^[${CHARACTERS_82}]{1,20}$`) }],
    ['22', { name: 'consumer product variant', pattern: new RegExp(`^[${CHARACTERS_82}]{1,20}$`) }],
    ['235', { name: 'third-party serial', pattern: new RegExp(`^[${CHARACTERS_82}]{1,28}$`) }],
    ['254', { name: 'extension', pattern: new RegExp(`^[${CHARACTERS_82}]{1,20}$`) }],
    ['8011', { name: 'part serial', pattern: /^\d{1,12}$/ }],
    ['8019', { name: 'service instance', pattern: /^\d{1,10}$/ }],
  ]);

/** EPC Tag Data Standard, section 6.3.3: this extension says that there is none. */
const NO_EXTENSION = '0';

const GTIN_SHORTER = [8, 12, 13];
const GTIN_LENGTH = 14;

function companyOwn(most: number): Pick<KeyKind, 'pattern' | 'shape'> {
  return {
    pattern: new RegExp(`^\\d{4}[${CHARACTERS_82}]{1,${most - 4}}$`),
    shape: `a company prefix and a reference, ${most} characters at most`,
  };
}

/** A key with the one qualifier that makes it exact, and those that its identity does not need. */
export interface Gs1Thing {
  readonly ai: string;
  readonly key: string;
  readonly qualifier: Qualifier | null;
  readonly further: readonly Qualifier[];
}

export function isKey(ai: string): boolean {
  return KEYS.has(ai);
}

export function isQualifierOf(ai: string, qualifierAi: string): boolean {
  return KEYS.get(ai)?.qualifiers.includes(qualifierAi) ?? false;
}

/** Whether a value could be meant as this key, its check digit left out of account. */
export function looksLikeKey(ai: string, value: string): boolean {
  return KEYS.get(ai)?.pattern.test(padded(ai, value)) ?? false;
}

export function refused(code: IdentifierRefusalCode, reason: string): RefusedIdentifier {
  return { kind: 'refused', code, reason };
}

/**
 * The last digit that makes `digits` (without it) right: threes and ones from the right, up to the
 * next ten. It finds each change of a single digit.
 */
export function checkDigit(digitsBefore: string): string {
  let sum = 0;
  for (let n = 0; n < digitsBefore.length; n++) {
    const weight = (digitsBefore.length - n) % 2 === 1 ? 3 : 1;
    sum += weight * (digitsBefore.charCodeAt(n) - 48);
  }
  return String((10 - (sum % 10)) % 10);
}

/** Checks a key and its qualifiers, and tells what belongs to the identity. */
export function thingOf(
  ai: string,
  value: string,
  qualifiers: readonly Qualifier[],
): Gs1Thing | RefusedIdentifier {
  const kind = KEYS.get(ai);
  if (kind === undefined) {
    return refused('FORM', `(${ai}) is not a key of GS1 that identifies a thing.`);
  }
  const key = padded(ai, value);
  if (!kind.pattern.test(key)) {
    return refused('VALUE', wrongShape(ai, kind, value));
  }
  if (kind.checked !== undefined) {
    const right = checkDigit(key.slice(0, kind.checked - 1));
    const found = key.charAt(kind.checked - 1);
    if (right !== found) {
      const text = `The check digit of ${kind.name} ${value} is ${found}, but has to be ${right}.`;
      return refused('CHECK_DIGIT', text);
    }
  }
  const wrong = wrongQualifier(ai, kind, key, qualifiers);
  return wrong ?? { ai, key, ...identityOf(kind, qualifiers) };
}

/** GTINs of 8, 12 and 13 digits are GTINs of 14 with zeros before them. */
function padded(ai: string, value: string): string {
  const isShort = ai === '01' && GTIN_SHORTER.includes(value.length) && /^\d+$/.test(value);
  return isShort ? value.padStart(GTIN_LENGTH, '0') : value;
}

function wrongShape(ai: string, kind: KeyKind, value: string): string {
  const shape = ai === '01' ? '8, 12, 13 or 14 digits' : kind.shape;
  const lost =
    kind.checked === value.length + 1 && /^\d+$/.test(value)
      ? ' A spreadsheet may have dropped a leading zero.'
      : '';
  return `"${clipped(value)}" is no ${kind.name}, which has ${shape}.${lost}`;
}

function wrongQualifier(
  ai: string,
  kind: KeyKind,
  key: string,
  qualifiers: readonly Qualifier[],
): RefusedIdentifier | undefined {
  for (const [index, { ai: qualifierAi, value }] of qualifiers.entries()) {
    const known = QUALIFIERS.get(qualifierAi);
    if (known === undefined || !isQualifierOf(ai, qualifierAi)) {
      return refused('QUALIFIER', `${kind.name} ${key} has no (${qualifierAi}).`);
    }
    if (!known.pattern.test(value)) {
      return refused('VALUE', `"${clipped(value)}" is no ${known.name} (${qualifierAi}).`);
    }
    const first = qualifiers.find((other) => other.ai === qualifierAi)?.value;
    if (index > 0 && first !== value) {
      return refused('QUALIFIER', `The text has two different values of (${qualifierAi}).`);
    }
  }
  return undefined;
}

function identityOf(
  kind: KeyKind,
  qualifiers: readonly Qualifier[],
): Pick<Gs1Thing, 'qualifier' | 'further'> {
  let exact: Qualifier | null = null;
  const further: Qualifier[] = [];
  for (const ai of qualifiers.length === 0 ? [] : kind.qualifiers) {
    const found = qualifiers.find((qualifier) => qualifier.ai === ai);
    if (found === undefined || (ai === '254' && found.value === NO_EXTENSION)) {
      continue;
    }
    if (exact === null) {
      exact = found;
    } else {
      further.push(found);
    }
  }
  return { qualifier: exact, further };
}

/** Undefined for what is not percent-encoded UTF-8. */
export function percentDecoded(text: string): string | undefined {
  if (!text.includes('%')) {
    return text;
  }
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

const CLIPPED_LENGTH = 60;

/** A value for a sentence: not longer than one reads. */
export function clipped(value: string): string {
  return value.length <= CLIPPED_LENGTH ? value : `${value.slice(0, CLIPPED_LENGTH)}...`;
}
