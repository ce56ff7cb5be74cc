/** A rule file on the disk, or a preset that comes with Shuttle. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import { type CompiledRules, compileRules } from '../clean/compile.ts';
import type { RuleProblem } from '../clean/step.ts';
import { ShuttleError } from '../errors.ts';
import { PRESET_PREFIX, readConfigured } from './files.ts';

const PRESETS = fileURLToPath(new URL('../../rules/', import.meta.url));

/** A document expands to no more than this many aliases: YAML's way of making much of little. */
const ALIASES_MAX = 100;

export interface RuleFileProblem extends RuleProblem {
  /** Counted from 1. */
  readonly line: number;
}

export interface ReadRules {
  /** As it was named. */
  readonly name: string;
  /** Null when there are problems. */
  readonly rules: CompiledRules | null;
  readonly problems: readonly RuleFileProblem[];
}

/** Names of the presets, as `preset:NAME` takes them. */
export function presetNames(): string[] {
  const files = readdirSync(PRESETS).filter((file) => file.endsWith('.yaml'));
  return files.map((file) => basename(file, '.yaml'));
}

/**
 * Reads, checks and compiles rules.
 *
 * @param named - a path, or `preset:NAME`
 * @throws ShuttleError FILE_UNREADABLE; RULES_INVALID when there is no such preset
 */
export function readRules(named: string, cwd: string): ReadRules {
  const text = readConfigured(pathOf(named, cwd), '--rules').toString();
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const problems = document.errors.map(({ message, pos }) => ({
      path: [],
      sentence: `the file is not valid YAML: ${message}`,
      line: lines.linePos(pos[0]).line,
    }));
    return { name: named, rules: null, problems };
  }
  const { rules, problems } = compileRules(contentOf(document));
  const located = problems.map((problem) => ({
    ...problem,
    line: lineOf(document, problem.path, lines),
  }));
  return { name: named, rules, problems: located.sort((a, b) => a.line - b.line) };
}

/** The rules. @throws ShuttleError RULES_INVALID with every problem, FILE_UNREADABLE */
export function loadRules(named: string, cwd: string): CompiledRules {
  const { rules, problems } = readRules(named, cwd);
  if (rules === null) {
    throw rulesInvalid(named, problems);
  }
  return rules;
}

export function rulesInvalid(named: string, problems: readonly RuleFileProblem[]): ShuttleError {
  const what = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  const at: Record<string, string> = {};
  for (const { path, sentence, line } of problems) {
    const place = path.length === 0 ? `line ${line}` : `line ${line}, ${pathText(path)}`;
    at[place] = place in at ? `${at[place]}; ${sentence}` : sentence;
  }
  return new ShuttleError('RULES_INVALID', `The rules of ${named} have ${what}.`, { at });
}

/** steps[2].trim.members */
export function pathText(path: readonly (string | number)[]): string {
  return path
    .map((part, index) =>
      typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${part}`,
    )
    .join('');
}

function pathOf(named: string, cwd: string): string {
  if (!named.startsWith(PRESET_PREFIX)) {
    return resolve(cwd, named);
  }
  const name = named.slice(PRESET_PREFIX.length);
  if (!presetNames().includes(name) || !existsSync(`${PRESETS}${name}.yaml`)) {
    const sentence = `There is no preset "${name}"; there are ${presetNames().join(', ')}.`;
    throw new ShuttleError('RULES_INVALID', sentence);
  }
  return `${PRESETS}${name}.yaml`;
}

function contentOf(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (error) {
    throw new ShuttleError('RULES_INVALID', 'The file has too many aliases.', { cause: error });
  }
}

/** Of the deepest part of the path that the file has. */
function lineOf(document: Document, path: RuleProblem['path'], lines: LineCounter): number {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) {
      return lines.linePos(node.range[0]).line;
    }
  }
  return 1;
}
