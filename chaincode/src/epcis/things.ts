/**
 * What an event names: a thing with a key of GS1, taken apart for the index, or anything else by
 * its text. Pure, and the same on every machine.
 */

/** The key of a class or an item, and what narrows it; `qualifierAi` and `qualifier` may be ''. */
export interface Thing {
  /** An application identifier of GS1, or URI_AI, or TRANSFORMATION_AI. */
  readonly ai: string;
  readonly key: string;
  readonly qualifierAi: string;
  readonly qualifier: string;
}

/** All lots and serials of a product, and the product itself. */
export type ThingPrefix = Pick<Thing, 'ai' | 'key'>;

/** What has no canonical link of GS1: its text is the key. */
export const URI_AI = 'uri';

/** What joins the events of one transformation. */
export const TRANSFORMATION_AI = 'transformation';

const STEM = 'https://id.gs1.org/';
const LINK = /^https:\/\/id\.gs1\.org\/(\d{2,4})\/([^/?#]+)(?:\/(\d{2,4})\/([^/?#]+))?$/;
const GTIN = '01';
const LOT = '10';
const SERIALS: readonly string[] = ['21', '235'];

/** Takes an identifier apart. `thingText` of the result is always the same text again. */
export function thingOf(text: string): Thing {
  const found = LINK.exec(text);
  if (found !== null) {
    const [, ai = '', key = '', qualifierAi = '', qualifier = ''] = found;
    const thing = { ai, key: decoded(key), qualifierAi, qualifier: decoded(qualifier) };
    // What is spelt in another way than the canonical one would be found under two names.
    if (thingText(thing) === text) {
      return thing;
    }
  }
  return { ai: URI_AI, key: text, qualifierAi: '', qualifier: '' };
}

/** The identifier of a thing: `https://id.gs1.org/<ai>/<key>[/<qualifier ai>/<qualifier>]`. */
export function thingText({ ai, key, qualifierAi, qualifier }: Thing): string {
  if (ai === URI_AI || ai === TRANSFORMATION_AI) {
    return key;
  }
  const tail = qualifierAi === '' ? '' : `/${qualifierAi}/${encoded(qualifier)}`;
  return `${STEM}${ai}/${encoded(key)}${tail}`;
}

/** The lot that an item with a serial belongs to; null for what has no lots or is no item. */
export function lotThing(item: Thing, lot: string): Thing | null {
  return item.ai === GTIN && SERIALS.includes(item.qualifierAi) && lot !== ''
    ? { ai: GTIN, key: item.key, qualifierAi: LOT, qualifier: lot }
    : null;
}

/** Whether it names many things, such as a lot: those are in many places at once. */
export function isClass({ ai, qualifierAi }: Thing): boolean {
  return ai === GTIN && !SERIALS.includes(qualifierAi);
}

/** Digital Link URI Syntax, section 4: what a URI reserves is percent-encoded in a value. */
function encoded(value: string): string {
  if (/^[\w.-]*$/.test(value)) {
    return value;
  }
  return encodeURIComponent(value).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
