/** JSON Schema by ajv, with sentences that people understand. */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { similarName } from '../similar.ts';
import { type Json, shown } from './json.ts';
import { LINEAR_CODE } from './pattern.ts';
import type { Report, RuleProblem } from './step.ts';

const ajv = new Ajv2020({ allErrors: true, verbose: true, allowUnionTypes: true });

export type Check = (value: unknown) => RuleProblem[];

/** @param schema - one of Shuttle's own, in which `description` completes "... is not ..." */
export function compileCheck(schema: Readonly<Record<string, unknown>>): Check {
  const validate = ajv.compile(schema);
  return (value) => (validate(value) ? [] : problemsOf(validate));
}

function problemsOf(validate: ValidateFunction): RuleProblem[] {
  const errors = validate.errors ?? [];
  const chosen = errors.filter((error) => !isBranch(error, errors));
  const problems = chosen.map((error) => ({
    path: pathOf(error.instancePath),
    sentence: sentenceOf(error),
  }));
  const seen = new Set<string>();
  return problems.filter(({ path, sentence }) => {
    const text = JSON.stringify([path, sentence]);
    return !seen.has(text) && seen.add(text);
  });
}

/** Errors of the alternatives of an anyOf say less than the anyOf's own. */
function isBranch(error: ErrorObject, errors: readonly ErrorObject[]): boolean {
  return errors.some(
    (other) => other.keyword === 'anyOf' && error.schemaPath.startsWith(`${other.schemaPath}/`),
  );
}

export function pathOf(pointer: string): (string | number)[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

function sentenceOf({ keyword, params, data, parentSchema, message }: ErrorObject): string {
  if (keyword === 'additionalProperties') {
    const wrong = String(params.additionalProperty);
    const names = Object.keys((parentSchema?.properties as object | undefined) ?? {});
    return unknownName(wrong, names);
  }
  if (keyword === 'required') {
    return `${JSON.stringify(params.missingProperty)} is missing`;
  }
  const description = parentSchema?.description as string | undefined;
  return description === undefined
    ? `${shown(data as Json)} ${message ?? 'does not fit'}`
    : `${shown(data as Json)} is not ${description}`;
}

export function unknownName(wrong: string, names: readonly string[]): string {
  const near = similarName(wrong, names);
  const hint = near === undefined ? `; there are ${names.join(', ')}` : `; did you mean "${near}"?`;
  return `there is no "${wrong}"${hint}`;
}

/** What is wrong with a document: the deepest place, and a sentence. */
export interface Violation {
  readonly pointer: string;
  readonly sentence: string;
}

/** Unknown words are errors; what is only unusual is not, and nothing is written to the console. */
const OTHERS = {
  verbose: true,
  strictSchema: true,
  strictTypes: false,
  strictTuples: false,
  logger: false,
  code: LINEAR_CODE,
} as const;

/**
 * A schema that somebody else wrote. `format` is refused, since what it checks differs from one
 * library to the next; `pattern` says it exactly.
 *
 * @returns null, and a report, when it is no JSON Schema
 */
export function compileOwnSchema(
  schema: Readonly<Record<string, unknown>>,
  report: Report,
): ((value: Json) => Violation | null) | null {
  let validate: ValidateFunction;
  try {
    validate = new Ajv2020(OTHERS).compile(schema);
  } catch (error) {
    report(['schema'], `it is no JSON Schema that can be used: ${(error as Error).message}`);
    return null;
  }
  return (value) => (validate(value) ? null : violationOf(validate.errors ?? []));
}

/** The deepest of the errors, of which there has to be one. */
export function violationOf(errors: readonly ErrorObject[]): Violation {
  const depth = ({ instancePath }: ErrorObject) => instancePath.split('/').length;
  const [first] = [...errors].sort((a, b) => depth(b) - depth(a));
  return {
    pointer: first?.instancePath ?? '',
    sentence: first === undefined ? 'It does not fit.' : violationText(first),
  };
}

function violationText(error: ErrorObject): string {
  const { keyword, params, data, message = 'does not fit', instancePath } = error;
  const place =
    instancePath === '' ? 'The document' : `${instancePath} is ${shown(data as Json)}: it`;
  if (keyword === 'required') {
    const where = instancePath === '' ? 'The document' : instancePath;
    return `${where} lacks ${JSON.stringify(params.missingProperty)}.`;
  }
  if (keyword === 'additionalProperties' || keyword === 'unevaluatedProperties') {
    const name = String(params.additionalProperty ?? params.unevaluatedProperty);
    return `There should be no ${JSON.stringify(name)}.`;
  }
  if (keyword === 'enum') {
    const allowed = (params.allowedValues as Json[]).map((one) => shown(one)).join(', ');
    return `${place} must be one of ${allowed}.`;
  }
  return `${place} ${message}.`;
}
