/** The effective settings: default < YAML file < environment < flag, each with its source. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { ShuttleError } from '../errors.ts';
import { PRESET_PREFIX } from './files.ts';
import {
  configFile,
  environmentLayer,
  fileLayer,
  flagLayer,
  type Given,
  type Layer,
  type Problem,
  type SettingFlag,
} from './layers.ts';
import { type Settings, settingsSchema } from './schema.ts';
import { findSetting, GROUPS, SETTINGS } from './settings.ts';

export interface LoadInput {
  /** Value of --config. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly flags: readonly SettingFlag[];
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** By setting: who gave the value, "default" where nobody did. */
  readonly sources: ReadonlyMap<string, string>;
  /** The file that was read, if any. */
  readonly file: string | undefined;
}

const NETWORK_SOURCE = 'local network';
const ORG1 = 'organizations/peerOrganizations/org1.example.com';
const SHOWN_VALUE_MAX = 80;

/**
 * Reads all layers and checks them against the schema. Contacts nothing, and opens no file but the
 * configuration itself.
 *
 * @throws ShuttleError CONFIG_INVALID naming each wrong setting, its source and what is allowed;
 * FILE_UNREADABLE
 */
export function loadSettings(input: LoadInput): LoadedSettings {
  const { env, cwd, flags } = input;
  const file = configFile(input.file, env, cwd);
  const layers: Layer[] = [
    file === undefined ? { given: [], problems: [] } : fileLayer(file, cwd),
    environmentLayer(env, cwd),
    flagLayer(flags, cwd),
  ];
  const effective = new Map<string, Given>();
  for (const given of layers.flatMap((layer) => layer.given)) {
    effective.set(given.setting.path, given);
  }
  for (const given of networkDefaults(effective, networkFolder(env, cwd))) {
    effective.set(given.setting.path, given);
  }
  const parsed = settingsSchema.safeParse(nested(effective));
  const problems = [
    ...layers.flatMap((layer) => layer.problems),
    ...(parsed.error?.issues ?? []).map((issue) => problemOf(issue, effective)),
  ];
  if (parsed.data === undefined || problems.length > 0) {
    throw invalid(problems);
  }
  const source = (path: string) => effective.get(path)?.source ?? 'default';
  const sources = new Map(SETTINGS.map(({ path }) => [path, source(path)]));
  return { settings: parsed.data, sources, file };
}

/** The folder of the local network, whether it is there or not. */
export function networkFolder(env: LoadInput['env'], cwd: string): string {
  return resolve(cwd, env.SHUTTLE_NETWORK_DIR || '.shuttle-network');
}

/** CONFIG_INVALID with one line of `at` for each problem. */
export function invalid(problems: readonly Problem[]): ShuttleError {
  const names = [...new Set(problems.map((problem) => problem.name))];
  const what = names.length === 1 ? 'One setting is' : `${names.length} settings are`;
  const at: Record<string, string> = {};
  for (const { name, source, sentence } of problems) {
    at[name] ??= `${sentence} (${source})`;
  }
  return new ShuttleError('CONFIG_INVALID', `${what} not valid: ${names.join(', ')}.`, { at });
}

/** Peer and identity of the local network, for who has said nothing else. */
function networkDefaults(given: ReadonlyMap<string, Given>, folder: string): Given[] {
  const found: Given[] = [];
  const offer = (path: string, value: string) => {
    const setting = findSetting(path);
    if (setting !== undefined && existsSync(value)) {
      found.push({ setting, value, source: NETWORK_SOURCE, base: folder });
    }
  };
  if (!given.has('fabric.profile') && !given.has('fabric.peer.endpoint')) {
    offer('fabric.profile', join(folder, ORG1, 'connection-org1.yaml'));
    if (!given.has('fabric.identity.msp')) {
      offer('fabric.identity.msp', join(folder, ORG1, 'users/User1@org1.example.com/msp'));
    }
  }
  return found;
}

function nested(effective: ReadonlyMap<string, Given>): unknown {
  const root: Record<string, unknown> = {};
  const groups = new Map<string, Record<string, unknown>>([['', root]]);
  for (const { path } of GROUPS) {
    const { parent, name } = split(path);
    const group = {};
    groups.set(path, group);
    (groups.get(parent) ?? root)[name] = group;
  }
  for (const [path, { setting, value, base }] of effective) {
    const { parent, name } = split(path);
    const isFile = typeof value === 'string' && value !== '' && !value.startsWith(PRESET_PREFIX);
    const placed = setting.isPath && isFile;
    (groups.get(parent) ?? root)[name] = placed ? resolve(base, value) : value;
  }
  return root;
}

function split(path: string): { parent: string; name: string } {
  const dot = path.lastIndexOf('.');
  return { parent: path.slice(0, Math.max(dot, 0)), name: path.slice(dot + 1) };
}

function problemOf(issue: z.core.$ZodIssue, effective: ReadonlyMap<string, Given>): Problem {
  const name = issue.path.filter((part) => typeof part === 'string').join('.');
  const given = effective.get(name);
  const source = given?.source ?? 'default';
  if (issue.code === 'custom') {
    return { name, source, sentence: issue.message };
  }
  const shown = JSON.stringify(given?.value)?.slice(0, SHOWN_VALUE_MAX);
  const allowed = findSetting(name)?.allowed ?? issue.message;
  return { name, source, sentence: `${shown} is not ${allowed}` };
}
