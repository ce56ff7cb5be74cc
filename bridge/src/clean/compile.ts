/** A rule file, checked and made ready once for any number of records. */
import { compileKey, type FindKey } from './key.ts';
import { KINDS } from './kinds.ts';
import {
  type Format,
  MADE_BY_DEFAULT,
  RESERVED_RULES,
  RULE_FILE_SCHEMA,
  type RuleFile,
  type RuleStep,
} from './rules.ts';
import { type Check, compileCheck, unknownName } from './schema.ts';
import type { Report, RuleProblem, Step } from './step.ts';
import type { WindowStep } from './window.ts';

interface NamedStep {
  /** The rule's own name. */
  readonly rule: string;
  readonly kind: string;
}

export interface CompiledStep extends NamedStep {
  readonly run: Step;
}

export interface CompiledWindow extends NamedStep {
  readonly window: WindowStep;
}

export interface CompiledRules {
  readonly name: string;
  readonly version: string | number;
  /** Null when the rules leave it to where the record comes from. */
  readonly format: Format | null;
  readonly madeBy: string;
  readonly deletes: 'refuse' | 'pass';
  /** Null: the raw record's key. */
  readonly findKey: FindKey | null;
  /** All of them, in their order. */
  readonly steps: readonly NamedStep[];
  readonly before: readonly CompiledStep[];
  /** Those that look back stand one behind the other, so that none sees what another one did. */
  readonly windows: readonly CompiledWindow[];
  readonly after: readonly CompiledStep[];
  /** How many offsets the furthest of them looks back; 0 when there is none. */
  readonly windowRecords: number;
}

export type Compilation =
  | { readonly rules: CompiledRules; readonly problems: readonly [] }
  | { readonly rules: null; readonly problems: readonly RuleProblem[] };

const checkFile = compileCheck(RULE_FILE_SCHEMA);
const checks = new Map<string, Check>(
  Object.entries(KINDS).map(([kind, { schema }]) => [kind, compileCheck(schema)]),
);

/** Checks what a rule file holds, as plain values, and compiles it; tells every problem at once. */
export function compileRules(value: unknown): Compilation {
  const problems: RuleProblem[] = [...checkFile(value)];
  const file = value as RuleFile;
  const given: unknown = (value as Partial<RuleFile> | null)?.steps;
  const steps = (Array.isArray(given) ? given : []).flatMap((step: unknown, index) =>
    typeof step === 'object' && step !== null
      ? compileStep(step as RuleStep, reporter(problems, ['steps', index]))
      : [],
  );
  problems.push(...repeatedNames(given), ...scatteredWindows(steps));
  const isSound = problems.length === 0;
  const findKey = isSound ? compileKey(file.key, reporter(problems, ['key'])) : null;
  if (problems.length > 0) {
    return { rules: null, problems };
  }
  const { name, version, format, madeBy = MADE_BY_DEFAULT, deletes = 'refuse' } = file;
  const ownFormat = typeof format === 'string' ? { kind: format } : (format ?? null);
  return {
    rules: { name, version, format: ownFormat, madeBy, deletes, findKey, ...inParts(steps) },
    problems: [],
  };
}

function reporter(problems: RuleProblem[], above: readonly (string | number)[]): Report {
  return (path, sentence) => {
    problems.push({ path: [...above, ...path], sentence });
  };
}

function compileStep(step: RuleStep, report: Report): (CompiledStep | CompiledWindow)[] {
  const { rule, ...others } = step;
  const names = Object.keys(others);
  const kinds = Object.keys(KINDS);
  for (const name of names.filter((other) => !kinds.includes(other))) {
    report([name], unknownName(name, kinds));
  }
  const [name, second] = names.filter((other) => kinds.includes(other));
  const kind = KINDS[name ?? ''];
  if (name === undefined || kind === undefined || second !== undefined) {
    if (names.length === 0 || second !== undefined) {
      report([], `a rule has one kind, of ${kinds.join(', ')}`);
    }
    return [];
  }
  const found = checks.get(name)?.(others[name]) ?? [];
  for (const { path, sentence } of found) {
    report([name, ...path], sentence);
  }
  if (found.length > 0) {
    return [];
  }
  const within: Report = (path, sentence) => report([name, ...path], sentence);
  const made = kind.compile(others[name] as never, within);
  return [{ rule, kind: name, ...(typeof made === 'function' ? { run: made } : { window: made }) }];
}

type AnyStep = CompiledStep | CompiledWindow;

const isWindow = (step: AnyStep): step is CompiledWindow => 'window' in step;

function inParts(steps: readonly AnyStep[]) {
  const windows = steps.filter(isWindow);
  const others = steps.filter((step): step is CompiledStep => !isWindow(step));
  const first = steps.findIndex(isWindow);
  const from = first < 0 ? others.length : first;
  const windowRecords = Math.max(0, ...windows.map(({ window }) => window.records));
  return {
    steps,
    before: others.slice(0, from),
    windows,
    after: others.slice(from),
    windowRecords,
  };
}

function scatteredWindows(steps: readonly AnyStep[]): RuleProblem[] {
  const [first, last] = [steps.findIndex(isWindow), steps.findLastIndex(isWindow)];
  const between = steps.slice(Math.max(first, 0), last + 1).find((step) => !isWindow(step));
  const where = 'between rules that look back, which have to stand together';
  const sentence = `"${between?.rule}" stands ${where}`;
  return between === undefined ? [] : [{ path: ['steps', last], sentence }];
}

function repeatedNames(given: unknown): RuleProblem[] {
  const seen = new Set<unknown>(RESERVED_RULES);
  return (Array.isArray(given) ? (given as (Partial<RuleStep> | null)[]) : []).flatMap(
    (step, index) => {
      const rule = step?.rule;
      const isTaken = rule !== undefined && seen.has(rule);
      seen.add(rule);
      const sentence = `there is another rule ${JSON.stringify(rule)}`;
      return isTaken ? [{ path: ['steps', index, 'rule'], sentence }] : [];
    },
  );
}
