/**
 * One form for one thing, whatever its spelling: EPC URNs, GS1 Digital Link URIs, element strings
 * and bare numbers become the Digital Link URI that GS1 calls canonical, `https://id.gs1.org/...`
 * with the key and at most one qualifier. Why that form:
 * docs/decisions/0020-canonical-identifiers.md.
 */
import { thingText } from '@shuttle/chaincode/epcis/things';
import { IDENTIFIER_LENGTH_MAX } from '../limits.ts';
import { urnThing } from './epc-urn.ts';
import {
  clipped,
  type Gs1Thing,
  isKey,
  isQualifierOf,
  looksLikeKey,
  percentDecoded,
  type Qualifier,
  type RefusedIdentifier,
  refused,
  thingOf,
} from './gs1-keys.ts';

/** A thing that has a key of GS1. */
export interface Gs1Identifier extends Gs1Thing {
  readonly kind: 'gs1';
  /** `https://id.gs1.org/<ai>/<key>[/<qualifier ai>/<qualifier>]`. */
  readonly canonical: string;
}

/** Anything else: a URI, a UUID, plain text; `canonical` is the text as it came. */
export interface OtherIdentifier {
  readonly kind: 'other';
  readonly canonical: string;
}

export type Identifier = Gs1Identifier | OtherIdentifier | RefusedIdentifier;

export interface CanonicalOptions {
  /**
   * The AI that a text without any marking is meant as: `414` for a column of GLNs. Without it,
   * 8, 12, 13 and 14 digits are a GTIN, 18 digits are an SSCC, and the rest is no key of GS1.
   */
  readonly as?: string;
}

const CANONICAL_HOST = 'id.gs1.org';

/**
 * The canonical form of an identifier, or why it cannot have one. Never throws, and takes some
 * microseconds, hostile texts below a millisecond. The canonical form of a canonical form is
 * itself.
 */
export function canonicalIdentifier(text: string, options: CanonicalOptions = {}): Identifier {
  if (text.length > IDENTIFIER_LENGTH_MAX) {
    return refused(
      'TOO_LONG',
      `The identifier has ${text.length} characters; ${IDENTIFIER_LENGTH_MAX} are the most.`,
    );
  }
  const trimmed = text.trim();
  if (trimmed === '') {
    return refused('EMPTY', 'The identifier is empty.');
  }
  const thing = thingIn(trimmed, options.as);
  if (thing === undefined) {
    return { kind: 'other', canonical: text };
  }
  return 'kind' in thing ? thing : { kind: 'gs1', canonical: canonicalText(thing), ...thing };
}

/** The canonical Digital Link URI of a thing. The ledger takes it apart by the same code. */
export function canonicalText({ ai, key, qualifier }: Omit<Gs1Thing, 'further'>): string {
  const { ai: qualifierAi, value } = qualifier ?? { ai: '', value: '' };
  return thingText({ ai, key, qualifierAi, qualifier: value });
}

function thingIn(text: string, as: string | undefined): Gs1Thing | RefusedIdentifier | undefined {
  if (/^urn:epc:/i.test(text)) {
    return urnThing(text);
  }
  if (/^https?:\/\//i.test(text)) {
    return linkThing(text);
  }
  if (/^\(\d{2,4}\)/.test(text)) {
    return elementThing(text);
  }
  if (/^urn:/i.test(text)) {
    return undefined;
  }
  const ai = as ?? bareAi(text);
  return ai === undefined ? undefined : thingOf(ai, text, []);
}

function bareAi(text: string): string | undefined {
  if (!/^\d+$/.test(text)) {
    return undefined;
  }
  return looksLikeKey('01', text) ? '01' : looksLikeKey('00', text) ? '00' : undefined;
}

/** Eight digits in a path are a date more often than a GTIN, which has 14 in a Digital Link. */
const LINK_KEY_LENGTH_MIN = 9;

const LINK = /^https?:\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?/i;

/** The thing of a Digital Link of any domain; undefined for a URI that is none. */
function linkThing(text: string): Gs1Thing | RefusedIdentifier | undefined {
  const [, host = '', path = '', query = ''] = LINK.exec(text) ?? [];
  const segments = path.replace(/\/$/, '').split('/').slice(1).map(percentDecoded);
  for (let at = 0; at + 1 < segments.length; at++) {
    const [ai = '', value = ''] = segments.slice(at, at + 2);
    if (isKey(ai) && value.length >= LINK_KEY_LENGTH_MIN && looksLikeKey(ai, value)) {
      const rest = pairs(segments.slice(at + 2));
      if (rest !== undefined) {
        return hiddenInQuery(ai, rest, query) ?? thingOf(ai, value, rest);
      }
    }
  }
  return host.toLowerCase() === CANONICAL_HOST
    ? refused('FORM', `"${clipped(text)}" is not a GS1 Digital Link with a key that is known.`)
    : undefined;
}

/** The rest of a path as AIs and values; undefined when it is something else. */
function pairs(segments: readonly (string | undefined)[]): Qualifier[] | undefined {
  if (segments.length % 2 !== 0) {
    return undefined;
  }
  const found: Qualifier[] = [];
  for (let at = 0; at < segments.length; at += 2) {
    const [ai, value] = segments.slice(at, at + 2);
    if (ai === undefined || value === undefined || !/^\d{2,4}$/.test(ai)) {
      return undefined;
    }
    found.push({ ai, value });
  }
  return found;
}

/**
 * A query tells attributes and what to link to, which the identity does without. A serial that
 * stands there and not in the path would be lost, so that one thing became all of its kind.
 */
function hiddenInQuery(
  ai: string,
  inPath: readonly Qualifier[],
  query: string,
): RefusedIdentifier | undefined {
  for (const part of query.split(/[&;]/)) {
    const [name = '', value = ''] = part.split('=', 2);
    const path = inPath.find((qualifier) => qualifier.ai === name);
    if (isQualifierOf(ai, name) && path?.value !== percentDecoded(value)) {
      return refused('QUALIFIER', `The query has a (${name}) that the path does not have.`);
    }
  }
  return undefined;
}

/** The thing of an element string with brackets; undefined when it has no key. */
function elementThing(text: string): Gs1Thing | RefusedIdentifier | undefined {
  const elements = elementsOf(text);
  const keys = elements.filter(({ ai }) => isKey(ai));
  const [first] = keys;
  if (first === undefined) {
    return undefined;
  }
  if (keys.some(({ ai, value }) => ai !== first.ai || value !== first.value)) {
    const names = keys.map(({ ai }) => `(${ai})`).join(' and ');
    return refused('SEVERAL', `The element string names several things, by ${names}.`);
  }
  const qualifiers = elements.filter(({ ai }) => isQualifierOf(first.ai, ai));
  return thingOf(first.ai, first.value, qualifiers);
}

/** A bracket that belongs to a value is written `\(`, as in GS1's own tools. */
function elementsOf(text: string): Qualifier[] {
  const marks = [...text.matchAll(/\\.|\((\d{2,4})\)/g)].filter((mark) => mark[1] !== undefined);
  return marks.map((mark, n) => {
    const value = text.slice(mark.index + mark[0].length, marks[n + 1]?.index);
    return { ai: mark[1] ?? '', value: value.trim().replaceAll(/\\([()\\])/g, '$1') };
  });
}
