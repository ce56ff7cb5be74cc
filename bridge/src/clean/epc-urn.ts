/**
 * EPC URNs of GS1 keys, as EPCIS 1.x has them. Source: EPC Tag Data Standard, section 6.3 (pure
 * identity URIs), 6.4 (patterns) and 7 (how they correspond to element strings).
 */
import {
  checkDigit,
  clipped,
  type Gs1Thing,
  percentDecoded,
  type Qualifier,
  type RefusedIdentifier,
  refused,
  thingOf,
} from './gs1-keys.ts';

const PREFIX_LENGTH_MIN = 6;
const PREFIX_LENGTH_MAX = 12;

/** The parts of a URN: company prefix, reference, and what follows. */
interface Parts {
  readonly prefix: string;
  readonly reference: string;
  readonly rest: readonly string[];
}

interface Scheme {
  readonly parts: RegExp;
  /** Digits of prefix and reference together, where they are fixed. */
  readonly together?: number;
  /** The AI of its key, the value of the key, and the AI of its qualifier if it has one. */
  readonly ai: string;
  readonly key: (parts: Parts) => string;
  readonly qualifierAi?: string;
}

const TWO = /^(\d+)\.(\d*)$/;
const TWO_FREE = /^(\d+)\.(.+)$/s;
const THREE = /^(\d+)\.(\d*)\.(.+)$/s;

const withCheck = (digits: string): string => digits + checkDigit(digits);
const plain = ({ prefix, reference }: Parts): string => withCheck(prefix + reference);
/** The reference begins with the indicator or extension digit, which the key has in front. */
const turned = ({ prefix, reference }: Parts): string =>
  withCheck(reference.slice(0, 1) + prefix + reference.slice(1));
const serialised = (parts: Parts): string => plain(parts) + (parts.rest[0] ?? '');
const joined = ({ prefix, reference }: Parts): string => prefix + reference;

const GTIN = { ai: '01', together: 13, key: turned } as const;

const SCHEMES: ReadonlyMap<string, Scheme> = new Map<string, Scheme>([
  ['sgtin', { ...GTIN, parts: THREE, qualifierAi: '21' }],
  ['lgtin', { ...GTIN, parts: THREE, qualifierAi: '10' }],
  ['upui', { ...GTIN, parts: THREE, qualifierAi: '235' }],
  ['sscc', { ai: '00', parts: TWO, together: 17, key: turned }],
  ['sgln', { ai: '414', parts: THREE, together: 12, key: plain, qualifierAi: '254' }],
  ['pgln', { ai: '417', parts: TWO, together: 12, key: plain }],
  ['grai', { ai: '8003', parts: THREE, together: 12, key: (parts) => `0${serialised(parts)}` }],
  ['gdti', { ai: '253', parts: THREE, together: 12, key: serialised }],
  ['sgcn', { ai: '255', parts: THREE, together: 12, key: serialised }],
  ['giai', { ai: '8004', parts: TWO_FREE, key: joined }],
  ['ginc', { ai: '401', parts: TWO_FREE, key: joined }],
  ['gsin', { ai: '402', parts: TWO, together: 16, key: plain }],
  ['gsrn', { ai: '8018', parts: TWO, together: 17, key: plain }],
  ['gsrnp', { ai: '8017', parts: TWO, together: 17, key: plain }],
  ['cpi', { ai: '8010', parts: /^(\d+)\.([^.]+)\.(.+)$/s, key: joined, qualifierAi: '8011' }],
  [
    'itip',
    {
      ai: '8006',
      parts: /^(\d+)\.(\d*)\.(\d\d)\.(\d\d)\.(.+)$/s,
      together: 13,
      key: (parts) => turned(parts) + parts.rest.slice(0, 2).join(''),
      qualifierAi: '21',
    },
  ],
]);

/** Schemes of EPC whose things have no key of GS1; they stay as they are. */
const OTHER_SCHEMES = new Set(['gid', 'usdod', 'adi', 'bic', 'imovn']);

/** In a pattern: whatever the last part is. */
const ANY = '*';

const URN = /^urn:epc:([^:]*):([^:]*):(.*)$/is;

/** The thing of an EPC URN; undefined for schemes without a key of GS1. */
export function urnThing(text: string): Gs1Thing | RefusedIdentifier | undefined {
  const [, kindName = '', scheme = '', rest = ''] = URN.exec(text) ?? [];
  const name = scheme.toLowerCase();
  const kind = kindName.toLowerCase();
  if (OTHER_SCHEMES.has(name)) {
    return undefined;
  }
  const known = SCHEMES.get(name);
  const isKind = kind === 'idpat' || kind === (name === 'lgtin' ? 'class' : 'id');
  if (known === undefined || !isKind) {
    return refused('FORM', `"${clipped(text)}" is not an EPC URN of a kind that is known.`);
  }
  return schemeThing(known, name, kind === 'idpat', rest);
}

function schemeThing(
  scheme: Scheme,
  name: string,
  pattern: boolean,
  text: string,
): Gs1Thing | RefusedIdentifier {
  if (pattern && !/^[^*[]+\.\*$/.test(text)) {
    return refused('PATTERN', `${name}:${clipped(text)} is a pattern that spans several keys.`);
  }
  const found = scheme.parts.exec(text);
  if (found === null) {
    return refused('FORM', `${name}:${clipped(text)} does not have the parts of ${name}.`);
  }
  const [, ...parts] = found;
  const decoded = text.includes('%') ? parts.map(percentDecoded) : parts;
  if (decoded.includes(undefined)) {
    return refused('VALUE', `${name}:${clipped(text)} has a % that escapes nothing.`);
  }
  const [prefix = '', reference = '', ...rest] = decoded as string[];
  const wrong = wrongPrefix(scheme, name, prefix, reference);
  return wrong ?? build(scheme, { prefix, reference, rest }, name, pattern);
}

function build(
  scheme: Scheme,
  parts: Parts,
  name: string,
  pattern: boolean,
): Gs1Thing | RefusedIdentifier {
  const last = parts.rest.at(-1);
  if (!pattern) {
    const qualifiers: Qualifier[] =
      scheme.qualifierAi === undefined ? [] : [{ ai: scheme.qualifierAi, value: last ?? '' }];
    return thingOf(scheme.ai, scheme.key(parts), qualifiers);
  }
  if (last !== ANY) {
    return refused('PATTERN', `A pattern of ${name} names everything of one company.`);
  }
  return thingOf(scheme.ai, scheme.key({ ...parts, rest: parts.rest.slice(0, -1) }), []);
}

function wrongPrefix(
  { together }: Scheme,
  name: string,
  prefix: string,
  reference: string,
): RefusedIdentifier | undefined {
  if (prefix.length < PREFIX_LENGTH_MIN || prefix.length > PREFIX_LENGTH_MAX) {
    const lengths = `${PREFIX_LENGTH_MIN} to ${PREFIX_LENGTH_MAX}`;
    return refused(
      'PREFIX',
      `The company prefix ${clipped(prefix)} has ${prefix.length} digits; ${lengths} are possible.`,
    );
  }
  const length = prefix.length + reference.length;
  if (together !== undefined && length !== together) {
    return refused(
      'PREFIX',
      `Prefix and reference of ${name} have ${length} digits together; ${together} are right.`,
    );
  }
  return undefined;
}
