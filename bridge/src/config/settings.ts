/** The schema as a flat list: what documentation, environment and errors need of a setting. */
import { z } from 'zod';
import { settingsSchema } from './schema.ts';
import { settingFacts } from './setting-kinds.ts';

export interface Setting {
  /** Dotted name: kafka.brokers. */
  readonly path: string;
  readonly kind: 'number' | 'boolean' | 'list' | 'text';
  readonly description: string;
  /** What is allowed, in words: "a whole number from 1 to 256". */
  readonly allowed: string;
  /** Undefined when the setting is absent unless given. */
  readonly default: unknown;
  /** What applies without a value, when the default is worked out at start. */
  readonly otherwise: string | undefined;
  /** The value is a path. */
  readonly isPath: boolean;
}

export interface Group {
  readonly path: string;
  readonly description: string;
}

interface Leaf {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
}

const walked = walk(settingsSchema, '');

/** Every setting, in the order of the schema. */
export const SETTINGS: readonly Setting[] = walked.settings;

/** Every group of settings, outer before inner. */
export const GROUPS: readonly Group[] = walked.groups;

const BY_PATH = new Map(SETTINGS.map((setting) => [setting.path, setting]));

export function findSetting(path: string): Setting | undefined {
  return BY_PATH.get(path);
}

/** The environment variable of a setting: SHUTTLE_INGEST__BATCH_RECORDS. */
export function environmentName(path: string): string {
  const name = path
    .split('.')
    .map((part) => part.replaceAll(/(?=[A-Z])/g, '_').toUpperCase())
    .join('__');
  return `SHUTTLE_${name}`;
}

/** The JSON Schema (draft 2020-12) of a configuration file. */
export function settingsJsonSchema(): unknown {
  return { title: 'Shuttle configuration', ...z.toJSONSchema(settingsSchema, { io: 'input' }) };
}

function walk(schema: z.core.$ZodType, path: string): { settings: Setting[]; groups: Group[] } {
  const inner = unwrap(schema);
  if (!(inner.core instanceof z.ZodObject)) {
    return { settings: [describe(schema, path)], groups: [] };
  }
  const settings: Setting[] = [];
  const groups: Group[] = path === '' ? [] : [{ path, description: inner.description }];
  for (const [name, child] of Object.entries(inner.core.shape)) {
    const found = walk(child as z.core.$ZodType, path === '' ? name : `${path}.${name}`);
    settings.push(...found.settings);
    groups.push(...found.groups);
  }
  return { settings, groups };
}

function describe(schema: z.core.$ZodType, path: string): Setting {
  const { core, description, facts, fallback } = unwrap(schema);
  const leaf = z.toJSONSchema(core) as Leaf;
  const kinds = { integer: 'number', boolean: 'boolean', array: 'list' } as const;
  const kind = kinds[leaf.type as keyof typeof kinds] ?? 'text';
  return {
    path,
    kind,
    description,
    allowed: facts.allowed ?? words(leaf),
    default: fallback,
    otherwise: facts.otherwise,
    isPath: facts.path === true,
  };
}

function words(leaf: Leaf): string {
  if (leaf.enum !== undefined) {
    return `one of ${leaf.enum.join(', ')}`;
  }
  if (leaf.type === 'integer') {
    return `a whole number from ${leaf.minimum ?? 0} to ${leaf.maximum ?? 'any'}`;
  }
  return leaf.type === 'boolean' ? 'true or false' : 'text';
}

/** Takes off default and optional; what an outer wrapper says goes before an inner one. */
function unwrap(schema: z.core.$ZodType) {
  let core = schema;
  let description = '';
  let facts: FactsOf = {};
  let fallback: unknown;
  for (;;) {
    description ||= z.globalRegistry.get(core)?.description ?? '';
    facts = { ...settingFacts.get(core), ...facts };
    if (core instanceof z.ZodDefault) {
      fallback = core.def.defaultValue;
    } else if (!(core instanceof z.ZodOptional || core instanceof z.ZodPrefault)) {
      return { core, description, facts: facts, fallback };
    }
    core = core.def.innerType;
  }
}

type FactsOf = NonNullable<ReturnType<typeof settingFacts.get>>;
