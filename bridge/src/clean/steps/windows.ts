/** Rules that look back at the last records: references to them, and records that come twice. */

import type { Json, JsonObject } from '../json.ts';
import { shown } from '../json.ts';
import { contentHash } from '../key.ts';
import { compileMembers, MEMBER_NAME, MEMBERS_SCHEMA, type Members, writeNew } from '../members.ts';
import { compilePattern } from '../pattern.ts';
import { RefusedError } from '../refusal.ts';
import { type Report, type StepKind, settings } from '../step.ts';
import { type Effect, type Find, WINDOW_RECORDS_MAX, type WindowStep } from '../window.ts';

const WINDOW_SCHEMA = {
  type: 'integer',
  minimum: 1,
  maximum: WINDOW_RECORDS_MAX,
  description: `a number of records from 1 to ${WINDOW_RECORDS_MAX}`,
};
const SUFFIX = { type: 'string', minLength: 1, description: 'a text, such as From' };

interface ReferencesSettings {
  readonly members: readonly string[];
  readonly pattern: string;
  readonly key: string;
  readonly window: number;
  readonly otherwise?: 'null' | 'refuse';
  readonly valueSuffix?: string;
  readonly fromSuffix?: string;
  readonly reasonSuffix?: string;
}

/** In characters; a longer value is not taken over, so that a window's memory is bounded. */
export const REFERENCED_LENGTH_MAX = 1_024;

export const references: StepKind<ReferencesSettings> = {
  about: 'takes over what another record says, where a cell only names that record',
  schema: settings(
    {
      members: { type: 'array', minItems: 1, items: MEMBER_NAME, description: 'a list of names' },
      pattern: { type: 'string', description: 'a regular expression' },
      key: { ...MEMBER_NAME, description: 'a member name' },
      window: WINDOW_SCHEMA,
      otherwise: { enum: ['null', 'refuse'], description: '"null" or "refuse"' },
      valueSuffix: SUFFIX,
      fromSuffix: SUFFIX,
      reasonSuffix: SUFFIX,
    },
    ['members', 'pattern', 'key', 'window'],
  ),
  compile: (given, report): WindowStep => {
    const nameIn = compileReference(given.pattern, report);
    return {
      records: given.window,
      remember: (document) => {
        const name = nameOf(document[given.key]);
        const values: JsonObject = {};
        let isEmpty = true;
        for (const member of given.members) {
          const value = document[member];
          if (value !== undefined && isTaken(value) && nameIn(value) === null) {
            values[member] = value;
            isEmpty = false;
          }
        }
        return name === null || isEmpty ? null : { name, value: values };
      },
      judge: (document, find) => {
        const changes = given.members.flatMap((member) => {
          const text = document[member];
          const name = nameIn(text);
          return name === null || typeof text !== 'string'
            ? []
            : [takeOver(given, { member, text, name }, find)];
        });
        return changes.length === 0 ? null : inOrder(changes);
      },
    };
  },
};

/** The name in a text that is a reference; null for other values. */
function compileReference(
  source: string,
  report: Report,
): (value: Json | undefined) => string | null {
  const pattern = compilePattern(source, ['pattern'], report);
  if (pattern?.groupCount === 0) {
    report(['pattern'], 'the pattern has no group (...) for the name of the other record');
  }
  return (value) => (typeof value === 'string' ? (pattern?.whole(value)?.[1] ?? null) : null);
}

function nameOf(value: Json | undefined): string | null {
  if (typeof value === 'string' && value !== '' && value.length <= REFERENCED_LENGTH_MAX) {
    return value;
  }
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : null;
}

function isTaken(value: Json | undefined): boolean {
  return typeof value === 'string'
    ? value.length <= REFERENCED_LENGTH_MAX
    : typeof value === 'number' || typeof value === 'boolean';
}

interface Reference {
  readonly member: string;
  readonly text: string;
  readonly name: string;
}

function takeOver(given: ReferencesSettings, reference: Reference, find: Find): Effect {
  const { otherwise = 'null', valueSuffix, fromSuffix = 'From', reasonSuffix = 'Reason' } = given;
  const { member, text, name } = reference;
  const found = find(name);
  const value = (found?.value as JsonObject | undefined)?.[member];
  const pointer = `/${member}`;
  if (found === undefined || value === undefined) {
    return (document) => {
      if (otherwise === 'refuse') {
        const where = `no record of that name within the last ${given.window} tells a value`;
        const sentence = `${shown(text)} names ${shown(name)}, and ${where}.`;
        throw new RefusedError('REFERENCE_UNKNOWN', sentence, pointer);
      }
      document[member] = null;
      writeNew(document, `${member}${reasonSuffix}`, text, pointer);
      return document;
    };
  }
  const from = { name, offset: String(found.offset) };
  return (document) => {
    if (valueSuffix === undefined) {
      document[member] = value;
    } else {
      document[member] = null;
      writeNew(document, `${member}${valueSuffix}`, value, pointer);
    }
    writeNew(document, `${member}${reasonSuffix}`, text, pointer);
    writeNew(document, `${member}${fromSuffix}`, from, pointer);
    return document;
  };
}

function inOrder(effects: readonly Effect[]): Effect {
  return (document) => {
    for (const effect of effects) {
      effect(document);
    }
    return document;
  };
}

interface DuplicatesSettings {
  readonly members: Members;
  readonly without?: readonly string[];
  readonly window: number;
  readonly repeated?: 'refuse' | 'drop';
}

export const duplicates: StepKind<DuplicatesSettings> = {
  about: 'refuses or drops documents whose content stood in one of the last records already',
  schema: settings(
    {
      members: MEMBERS_SCHEMA,
      without: { type: 'array', items: MEMBER_NAME, description: 'a list of names' },
      window: WINDOW_SCHEMA,
      repeated: { enum: ['refuse', 'drop'], description: '"refuse" or "drop"' },
    },
    ['members', 'window'],
  ),
  compile: ({ members, without = [], window, repeated = 'refuse' }): WindowStep => {
    const hashOf = compileHash(members, without);
    return {
      records: window,
      remember: (document) => {
        const name = hashOf(document);
        return name === null ? null : { name, value: null };
      },
      judge: (_, find, remembered) => {
        const found = remembered === null ? undefined : find(remembered.name);
        if (found === undefined) {
          return null;
        }
        return () => {
          if (repeated === 'drop') {
            return null;
          }
          const which = found.item === 0 ? '' : `, in its document ${found.item + 1}`;
          const sentence = `The same content stood at offset ${found.offset} already${which}.`;
          throw new RefusedError('DUPLICATE', sentence);
        };
      },
    };
  },
};

/** Null when the document has none of the members, so that there is nothing to compare. */
function compileHash(members: Members, without: readonly string[]) {
  if (members === 'all') {
    return (document: JsonObject): string | null => contentHash(document, without);
  }
  const select = compileMembers(members);
  return (document: JsonObject): string | null => {
    const chosen = select(document)
      .filter(({ name }) => !without.includes(name))
      .map(({ holder, name, pointer }) => [pointer, holder[name] ?? null] as const);
    return chosen.length === 0 ? null : contentHash(Object.fromEntries(chosen), []);
  };
}
