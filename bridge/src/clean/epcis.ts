/** Whether a document is EPCIS 2.0, and if not, where and why, in words for people. */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { EPCIS_FINDINGS_MAX, EPCIS_VALUES_MAX } from '../limits.ts';
import { similarName } from '../similar.ts';
import { type Event, type Finding, isInstant, ruleFindings } from './epcis-rules.ts';
import { type DefinitionName, EPCIS_SCHEMA, EVENT_TYPES } from './epcis-schema.ts';
import { clipped } from './gs1-keys.ts';
import { canonicalTerm, canonicalUnit, type Term, type VocabularyName } from './vocabulary.ts';

const A_URI = /^[a-z][a-z0-9+.-]*:[^\s<>"]+$/i;
const EXTENSION_TYPE = /^[^:]+:.+$/;

/**
 * Checks a capture or query document, a bare event, or a list of events. Null when it is EPCIS 2.0;
 * otherwise what is wrong, in the order of the events and within one the innermost first, at most
 * `EPCIS_FINDINGS_MAX` findings. Never throws.
 */
export function validateEpcis(document: unknown): readonly Finding[] | null {
  const findings: Finding[] = [];
  for (const finding of findingsOf(document)) {
    findings.push(finding);
    if (findings.length === EPCIS_FINDINGS_MAX) {
      break;
    }
  }
  return findings.length === 0 ? null : findings;
}

function* findingsOf(document: unknown): Generator<Finding> {
  if (Array.isArray(document)) {
    yield* eventFindings(document, '', []);
    return;
  }
  if (!isRecord(document)) {
    yield {
      path: '',
      sentence: `An EPCIS document is an object, but this is ${kindOf(document)}.`,
    };
    return;
  }
  const place = EVENT_PLACES.get(document.type);
  if (place === undefined) {
    yield* oneEventFindings(document, '', []);
    return;
  }
  const context = document['@context'];
  yield* schemaFindings(place.definition, document, '', [context]);
  const list = place.path.reduce<unknown>(
    (value, name) => (isRecord(value) ? value[name] : undefined),
    document,
  );
  if (Array.isArray(list)) {
    yield* eventFindings(list, `/${place.path.join('/')}`, [context]);
  }
}

/** Where a document of each type has its events. */
export const EVENT_PLACES: ReadonlyMap<
  unknown,
  { readonly definition: DefinitionName; readonly path: readonly string[] }
> = new Map([
  ['EPCISDocument', { definition: 'EPCISDocument', path: ['epcisBody', 'eventList'] }],
  [
    'EPCISQueryDocument',
    {
      definition: 'EPCISQueryDocument',
      path: ['epcisBody', 'queryResults', 'resultsBody', 'eventList'],
    },
  ],
]);

function* eventFindings(
  events: readonly unknown[],
  path: string,
  contexts: readonly unknown[],
): Generator<Finding> {
  for (const [n, event] of events.entries()) {
    if (isRecord(event)) {
      yield* oneEventFindings(event, `${path}/${n}`, contexts);
    } else {
      yield { path: `${path}/${n}`, sentence: `An event is an object, not ${kindOf(event)}.` };
    }
  }
}

function* oneEventFindings(
  event: Event,
  path: string,
  contexts: readonly unknown[],
): Generator<Finding> {
  const { type } = event;
  if (typeof type !== 'string') {
    yield { path, sentence: '"type" is missing, which says what kind of event this is.' };
    return;
  }
  const known = EVENT_TYPES.find((each) => each === type);
  if (known === undefined && !EXTENSION_TYPE.test(type)) {
    const near = similarName(type, [...EVENT_TYPES, ...EVENT_PLACES.keys()].map(String));
    const sentence = `"${clipped(type)}" is not a type of event.${advice(near)}`;
    yield { path: `${path}/type`, sentence };
    return;
  }
  const all = [...contexts, event['@context']];
  const found = schemaFindings(known ?? 'ExtendedEvent', event, path, all);
  for (const finding of known === undefined ? [] : ruleFindings(known, event)) {
    found.push({ ...finding, path: path + finding.path });
  }
  yield* found.sort((one, other) => depth(other.path) - depth(one.path));
}

const depth = (path: string): number => path.split('/').length;

let compiled: Ajv2020 | undefined;
const validators = new Map<DefinitionName, ValidateFunction>();

/** Compiled at first use, since most commands never need it. */
function validatorOf(name: DefinitionName): ValidateFunction {
  compiled ??= compile();
  let found = validators.get(name);
  if (found === undefined) {
    found = compiled.getSchema(`${EPCIS_SCHEMA.$id}#/$defs/${name}`);
    if (found === undefined) {
      throw new Error(`The schema has no definition ${name}.`);
    }
    validators.set(name, found);
  }
  return found;
}

function compile(): Ajv2020 {
  const ajv = new Ajv2020({ allErrors: true, verbose: true, allowUnionTypes: true });
  ajv.addFormat('uri', A_URI);
  ajv.addFormat('date-time', isInstant);
  ajv.addFormat('date', (text) => isInstant(`${text}T00:00:00Z`));
  ajv.addKeyword({
    keyword: 'term',
    type: 'string',
    schemaType: 'string',
    validate: (vocabulary: VocabularyName | 'unit', text: string) =>
      termOf(vocabulary, text).kind !== 'refused',
  });
  ajv.addSchema(EPCIS_SCHEMA);
  return ajv;
}

function termOf(vocabulary: VocabularyName | 'unit', text: string): Term {
  return vocabulary === 'unit' ? canonicalUnit(text) : canonicalTerm(vocabulary, text);
}

function schemaFindings(
  name: DefinitionName,
  value: unknown,
  path: string,
  contexts: readonly unknown[],
): Finding[] {
  // The events of a document are counted one by one.
  if (countUpTo(EPCIS_VALUES_MAX, value, 'epcisBody') >= EPCIS_VALUES_MAX) {
    const sentence = `This has more than ${EPCIS_VALUES_MAX} values, which no ledger entry holds.`;
    return [{ path, sentence }];
  }
  const validate = validatorOf(name);
  if (validate(value)) {
    return [];
  }
  const errors = validate.errors ?? [];
  return errors
    .filter((error) => !isDeclared(error, contexts))
    .map((error) => findingOf(error, path));
}

/** Deeper than this nothing is checked, only in extensions. */
const DEPTH_MAX = 8;

/** How many values there are inside, one member left out, counted no further than to `most`. */
function countUpTo(most: number, value: unknown, except?: string, level = 0): number {
  if (typeof value !== 'object' || value === null || level > DEPTH_MAX) {
    return 0;
  }
  let count = 0;
  for (const name of Object.keys(value)) {
    if (name !== except) {
      const inner = (value as Readonly<Record<string, unknown>>)[name];
      count += 1 + countUpTo(most - count, inner, undefined, level + 1);
    }
    if (count >= most) {
      break;
    }
  }
  return count;
}

/** A member without a prefix is an extension too when a context in scope declares its name. */
function isDeclared(error: ErrorObject, contexts: readonly unknown[]): boolean {
  const name: unknown = error.params.additionalProperty;
  return (
    error.keyword === 'additionalProperties' &&
    typeof name === 'string' &&
    !name.startsWith('@') &&
    contexts.flat().some((context) => isRecord(context) && Object.hasOwn(context, name))
  );
}

function findingOf(error: ErrorObject, path: string): Finding {
  const inner = error.params.additionalProperty as string | undefined;
  const tail = inner === undefined ? '' : `/${escaped(inner)}`;
  return { path: path + error.instancePath + tail, sentence: sentenceOf(error) };
}

const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

type Describe = (error: ErrorObject) => string;

const notDescribed: Describe = ({ data, parentSchema }) =>
  `${quoted(data)} is not ${parentSchema?.description ?? 'what is expected here'}.`;

const SENTENCES: Readonly<Record<string, Describe>> = {
  required: ({ params }) => `"${params.missingProperty}" is missing.`,
  additionalProperties: ({ params, parentSchema }) => {
    const name = params.additionalProperty as string;
    const known = Object.keys(Object(parentSchema?.properties));
    const own = known.length === 0 ? 'Members here need' : 'A member of your own needs';
    return `"${clipped(name)}" is not known here.${
      advice(similarName(name, known)) || ` ${own} a prefix, or an entry in @context.`
    }`;
  },
  type: ({ data, params }) => `This has to be ${named(params.type)}, but is ${kindOf(data)}.`,
  enum: ({ data, params }) => `${quoted(data)} is none of ${params.allowedValues.join(', ')}.`,
  const: ({ data, params }) => `${quoted(data)} is not ${quoted(params.allowedValue)}.`,
  minItems: () => 'The list is empty.',
  minProperties: () => 'There is nothing in it.',
  pattern: notDescribed,
  format: notDescribed,
  term: ({ data, schema }) => {
    const found = termOf(schema as VocabularyName | 'unit', String(data));
    return found.kind === 'refused' ? found.reason : notDescribed({} as ErrorObject);
  },
};

function sentenceOf(error: ErrorObject): string {
  return SENTENCES[error.keyword]?.(error) ?? `This ${error.message ?? 'is wrong'}.`;
}

const NAMED: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
};

function named(type: unknown): string {
  return [type]
    .flat()
    .map((each) => NAMED[String(each)] ?? String(each))
    .join(' or ');
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) {
    return 'nothing';
  }
  if (typeof value === 'string') {
    return `the text ${quoted(value)}`;
  }
  if (typeof value === 'number' || typeof value === 'boolean') {
    return String(value);
  }
  return Array.isArray(value) ? 'a list' : 'an object';
}

function quoted(value: unknown): string {
  return typeof value === 'string' ? `"${clipped(value)}"` : kindOf(value);
}

function advice(near: string | undefined): string {
  return near === undefined ? '' : ` Did you mean "${near}"?`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
