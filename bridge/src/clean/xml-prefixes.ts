/** Names of namespaces to names with a prefix, and the @context that explains the prefixes. */
import type { Json, JsonObject } from './json.ts';

/** An element, or an attribute. */
export interface Named {
  readonly space: string;
  readonly prefix: string;
  readonly name: string;
}

export interface Prefixes {
  /** `prefix:name`, or the bare name of what is in no namespace. */
  nameOf(named: Named): string;
  /** What the prefixes mean that were asked for; null when the standard context knows them all. */
  context(): JsonObject | null;
}

/** Namespaces that the context of EPCIS 2.0 has prefixes for already. */
const KNOWN: readonly (readonly [string, string])[] = [
  ['urn:epcglobal:cbv:mda', 'cbvmda'],
  ['https://gs1.org/voc/', 'gs1'],
  ['http://www.w3.org/1999/02/22-rdf-syntax-ns#', 'rdf'],
];
/** Prefixes that context defines, and protects from being given another meaning. */
const TAKEN = ['cbv', 'dcterms', 'epcis', 'owl', 'rdfs', 'xml', 'xsd'];

/** One table for each event: an event stands alone. */
export function createPrefixes(): Prefixes {
  const prefixes = new Map(KNOWN);
  const taken = new Set([...TAKEN, ...prefixes.values()]);
  return {
    nameOf({ space, prefix, name }) {
      if (space === '') {
        return name;
      }
      const own = prefixes.get(space) ?? freePrefix(prefix === '' ? 'ns' : prefix, taken);
      prefixes.set(space, own);
      taken.add(own);
      return `${own}:${name}`;
    },
    context() {
      const own = [...prefixes].slice(KNOWN.length);
      return own.length === 0
        ? null
        : Object.fromEntries(own.map(([space, prefix]) => [prefix, meaningOf(space)]));
    },
  };
}

/** The one that the document has, as long as it means one thing. */
function freePrefix(prefix: string, taken: ReadonlySet<string>): string {
  let free = prefix;
  for (let number = 2; taken.has(free) || free === '__proto__'; number++) {
    free = `${prefix}${number}`;
  }
  return free;
}

/** JSON-LD 1.1, section 4.2.2: only some endings make a plain text a prefix. */
function meaningOf(space: string): Json {
  return /[:/?#[\]@]$/.test(space) ? space : { '@id': space, '@prefix': true };
}
