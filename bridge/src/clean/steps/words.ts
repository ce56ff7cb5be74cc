/** Rules on closed lists of texts: booleans, enumerations, lookups. */
import type { Json, JsonObject } from '../json.ts';
import { shown } from '../json.ts';
import {
  changeValues,
  compileMembers,
  MEMBER_NAME,
  MEMBERS_SCHEMA,
  type Members,
  textOf,
} from '../members.ts';
import { RefusedError } from '../refusal.ts';
import { type Report, type StepKind, settings } from '../step.ts';

const TEXTS_SCHEMA = {
  description: 'a list of texts',
  type: 'array',
  minItems: 1,
  items: { type: 'string' },
};
const BOOLEAN_SCHEMA = { type: 'boolean', description: 'true or false' };

interface BooleansSettings {
  readonly members: Members;
  readonly true: readonly string[];
  readonly false: readonly string[];
  readonly ignoreCase?: boolean;
}

export const booleans: StepKind<BooleansSettings> = {
  about: 'makes true and false of the texts listed for them',
  schema: settings(
    {
      members: MEMBERS_SCHEMA,
      true: TEXTS_SCHEMA,
      false: TEXTS_SCHEMA,
      ignoreCase: BOOLEAN_SCHEMA,
    },
    ['members', 'true', 'false'],
  ),
  compile: ({ members, true: yes, false: no, ignoreCase = false }, report) => {
    const select = compileMembers(members);
    const table = createTable(ignoreCase);
    for (const [name, texts] of [
      ['true', yes],
      ['false', no],
    ] as const) {
      for (const [index, text] of texts.entries()) {
        table.add(text, name === 'true', [name, index], report);
      }
    }
    return (document) =>
      changeValues(select, document, (value, slot) => {
        if (typeof value === 'boolean') {
          return value;
        }
        const found = table.find(textOf(value, slot));
        if (found === undefined) {
          const sentence = `${shown(value)} is neither one of the true nor of the false texts.`;
          throw new RefusedError('BOOLEAN_UNKNOWN', sentence, slot.pointer);
        }
        return found;
      });
  },
};

interface EnumerationsSettings {
  readonly members: Members;
  readonly values: readonly string[] | Readonly<Record<string, readonly string[]>>;
  readonly ignoreCase?: boolean;
}

export const enumerations: StepKind<EnumerationsSettings> = {
  about: 'takes only the texts listed, and brings other spellings of them to one',
  schema: settings(
    {
      members: MEMBERS_SCHEMA,
      values: {
        description: 'a list of texts, or texts each with a list of other spellings',
        anyOf: [
          TEXTS_SCHEMA,
          { type: 'object', additionalProperties: { ...TEXTS_SCHEMA, minItems: 0 } },
        ],
      },
      ignoreCase: BOOLEAN_SCHEMA,
    },
    ['members', 'values'],
  ),
  compile: ({ members, values, ignoreCase = false }, report) => {
    const select = compileMembers(members);
    const table = createTable(ignoreCase);
    const spellings: [string, readonly string[]][] = Array.isArray(values)
      ? (values as string[]).map((text) => [text, []])
      : Object.entries(values as Record<string, string[]>);
    for (const [text, others] of spellings) {
      table.add(text, text, ['values'], report);
      for (const other of others) {
        table.add(other, text, ['values', text], report);
      }
    }
    return (document) =>
      changeValues(select, document, (value, slot) => {
        const found = table.find(textOf(value, slot));
        if (found === undefined) {
          throw new RefusedError('WORD_UNKNOWN', `${shown(value)} is not listed.`, slot.pointer);
        }
        return found;
      });
  },
};

interface LookupsSettings {
  readonly from: string;
  readonly to: string;
  readonly table: Readonly<Record<string, Json>>;
  readonly otherwise?: 'refuse' | 'null' | 'leave out';
}

export const lookups: StepKind<LookupsSettings> = {
  about: 'writes to one member what a table says of another one',
  schema: settings(
    {
      from: { ...MEMBER_NAME, description: 'a member name' },
      to: { ...MEMBER_NAME, description: 'a member name' },
      table: {
        type: 'object',
        minProperties: 1,
        description: 'texts, each with what it stands for',
      },
      otherwise: {
        enum: ['refuse', 'null', 'leave out'],
        description: '"refuse", "null" or "leave out"',
      },
    },
    ['from', 'to', 'table'],
  ),
  compile: ({ from, to, table, otherwise = 'refuse' }) => {
    const known = new Map(Object.entries(table));
    return (document) => {
      const value = document[from];
      if (value === undefined || value === null) {
        return document;
      }
      const slot = { holder: document, name: from, pointer: `/${from}` };
      const text = typeof value === 'number' ? `${value}` : textOf(value, slot);
      const found = known.get(text) ?? missing(otherwise, text, slot.pointer);
      return found === undefined ? document : write(document, from, to, found);
    };
  },
};

function missing(otherwise: string, text: string, pointer: string): null | undefined {
  if (otherwise === 'refuse') {
    throw new RefusedError('WORD_UNKNOWN', `${shown(text)} is not in the table.`, pointer);
  }
  return otherwise === 'null' ? null : undefined;
}

function write(document: JsonObject, from: string, to: string, value: Json): JsonObject {
  if (from !== to && Object.hasOwn(document, to)) {
    throw new RefusedError('MEMBER_EXISTS', `The member "${to}" is there already.`, `/${to}`);
  }
  // A copy: the table serves every record, and a later rule may change what it finds.
  document[to] = structuredClone(value);
  return document;
}

/** Texts and what they stand for; a text may not stand for two things. */
function createTable(ignoreCase: boolean) {
  const known = new Map<string, string | boolean>();
  const fold = (text: string) => (ignoreCase ? text.toLowerCase() : text);
  return {
    add: (text: string, value: string | boolean, path: (string | number)[], report: Report) => {
      const other = known.get(fold(text));
      if (other !== undefined && other !== value) {
        report(path, `${JSON.stringify(text)} stands for ${shown(other)} already`);
      }
      known.set(fold(text), value);
    },
    find: (text: string) => known.get(fold(text)),
  };
}
