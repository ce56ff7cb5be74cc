/** JSON Schema by ajv, with sentences that people understand. */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { similarName } from '../similar.ts';
import { type Json, shown } from './json.ts';
import type { RuleProblem } from './step.ts';

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
