/**
 * Where values come from: a YAML file, the environment, flags. Each layer is read into a flat list
 * of values that know their source, so that an error can name the line or variable to correct.
 */
import { existsSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml';
import { similarName } from '../similar.ts';
import { readConfigured } from './files.ts';
import { environmentName, findSetting, GROUPS, SETTINGS, type Setting } from './settings.ts';

/** One value of one setting as somebody gave it. */
export interface Given {
  readonly setting: Setting;
  readonly value: unknown;
  /** "shuttle.yaml:12", "SHUTTLE_HTTP__PORT", "--set". */
  readonly source: string;
  /** Where relative paths start. */
  readonly base: string;
}

/** What is wrong with one setting, and who gave it. */
export interface Problem {
  readonly name: string;
  readonly source: string;
  readonly sentence: string;
}

export interface Layer {
  readonly given: readonly Given[];
  readonly problems: readonly Problem[];
}

/** A flag of the command line that sets a setting. */
export interface SettingFlag {
  readonly path: string;
  readonly value: string;
  /** As it was typed: "--set", "--brokers". */
  readonly flag: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables of the product that are not settings. */
export const OTHER_VARIABLES = ['SHUTTLE_CONFIG', 'SHUTTLE_NETWORK_DIR'];

const DEFAULT_FILE = 'shuttle.yaml';

/** The file that applies: named by flag or environment, or shuttle.yaml if it is there. */
export function configFile(
  flag: string | undefined,
  env: Environment,
  cwd: string,
): string | undefined {
  const named = flag ?? (env.SHUTTLE_CONFIG === '' ? undefined : env.SHUTTLE_CONFIG);
  if (named !== undefined) {
    return resolve(cwd, named);
  }
  const usual = resolve(cwd, DEFAULT_FILE);
  return existsSync(usual) ? usual : undefined;
}

/** @throws ShuttleError FILE_UNREADABLE */
export function fileLayer(path: string, cwd: string): Layer {
  const inside = relative(cwd, path);
  const shown = inside.startsWith('..') ? path : inside;
  const text = readConfigured(path, '--config').toString();
  try {
    return readLayer(text, path, shown);
  } catch (error) {
    // The parser throws of aliases and of depths that no configuration has.
    const sentence = `the file is not valid YAML: ${(error as Error).message}`;
    return { given: [], problems: [{ name: shown, source: shown, sentence }] };
  }
}

function readLayer(text: string, path: string, shown: string): Layer {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const source = (at: number) => `${shown}:${lines.linePos(at).line}`;
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      name: shown,
      source: source(error.pos[0]),
      sentence: `the file is not valid YAML: ${error.message}`,
    }));
    return { given: [], problems };
  }
  const given: Given[] = [];
  const problems: Problem[] = [];
  for (const { path: name, value, at } of entries(document, document.contents, '', 0)) {
    const setting = findSetting(name);
    if (setting !== undefined && value !== null) {
      given.push({ setting, value, source: source(at), base: dirname(path) });
    } else if (setting === undefined && !(value === null && isGroup(name))) {
      problems.push(unknownName(name === '' ? 'the file' : name, source(at)));
    }
  }
  return { given, problems };
}

interface Entry {
  readonly path: string;
  readonly value: unknown;
  /** Where in the file its key stands. */
  readonly at: number;
}

/** Descends into maps until a setting, or what is none, is reached. */
function* entries(
  document: Document,
  node: Node | null,
  path: string,
  at: number,
): Generator<Entry> {
  const target = isAlias(node) ? aliased(document, node) : node;
  if (findSetting(path) === undefined && isMap(target) && target.items.length === 0) {
    yield { path, value: null, at };
    return;
  }
  if (findSetting(path) !== undefined || !isMap(target)) {
    yield { path, value: plainValue(document, target), at };
    return;
  }
  for (const { key, value } of target.items) {
    const name = String(key);
    const start = (key as Node | null)?.range?.[0] ?? at;
    yield* entries(document, value as Node | null, path === '' ? name : `${path}.${name}`, start);
  }
}

function aliased(document: Document, alias: Alias): Node {
  const target = alias.resolve(document);
  if (target === undefined) {
    throw new Error(`there is no anchor &${alias.source}`);
  }
  return target;
}

function plainValue(document: Document, node: Node | null): unknown {
  const value: unknown = node?.toJS(document) ?? null;
  try {
    JSON.stringify(value);
  } catch {
    throw new Error('an alias stands within what it names');
  }
  return value;
}

/** SHUTTLE_KAFKA__BROKERS is kafka.brokers; an empty variable counts as absent. */
export function environmentLayer(env: Environment, cwd: string): Layer {
  const given: Given[] = [];
  const problems: Problem[] = [];
  const names = new Map(SETTINGS.map((setting) => [environmentName(setting.path), setting]));
  for (const [name, raw] of Object.entries(env)) {
    if (!name.startsWith('SHUTTLE_') || OTHER_VARIABLES.includes(name) || !raw) {
      continue;
    }
    const setting = names.get(name);
    if (setting !== undefined) {
      given.push({ setting, value: typed(setting, raw), source: name, base: cwd });
      continue;
    }
    // Without "__" it may be another program's variable, unless it is one of ours but for that.
    const meant = similarName(name, names.keys());
    if (name.includes('__') || (meant !== undefined && flat(meant) === flat(name))) {
      problems.push({ name, source: 'environment', sentence: noSuch(meant) });
    }
  }
  return { given, problems };
}

export function flagLayer(flags: readonly SettingFlag[], cwd: string): Layer {
  const given: Given[] = [];
  const problems: Problem[] = [];
  for (const { path, value, flag } of flags) {
    const setting = findSetting(path);
    if (setting === undefined) {
      problems.push(unknownName(path, flag));
    } else {
      given.push({ setting, value: typed(setting, value), source: flag, base: cwd });
    }
  }
  return { given, problems };
}

/** Text as the setting's type; what does not fit stays text, for the schema to refuse. */
function typed(setting: Setting, raw: string): unknown {
  switch (setting.kind) {
    case 'number':
      return /^-?[0-9]{1,15}$/.test(raw) ? Number(raw) : raw;
    case 'boolean':
      return raw === 'true' ? true : raw === 'false' ? false : raw;
    case 'list':
      return raw
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '');
    case 'text':
      return raw;
  }
}

function unknownName(name: string, source: string): Problem {
  if (isGroup(name)) {
    return { name, source, sentence: 'it is a group of settings, not a setting' };
  }
  if (/passw|secret|token/i.test(name)) {
    const hint = 'secrets are given by file: kafka.sasl.passwordFile';
    return { name, source, sentence: `there is no such setting; ${hint}` };
  }
  const names = [...SETTINGS.map((setting) => setting.path), ...GROUPS.map((g) => g.path)];
  return { name, source, sentence: noSuch(similarName(name, names)) };
}

function noSuch(meant: string | undefined): string {
  const question = meant === undefined ? '' : `; did you mean ${meant}?`;
  return `there is no such setting${question}`;
}

function isGroup(path: string): boolean {
  return path === '' || GROUPS.some((group) => group.path === path);
}

function flat(name: string): string {
  return name.replaceAll('_', '');
}
