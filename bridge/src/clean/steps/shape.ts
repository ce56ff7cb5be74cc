/** Rules on members as such: rename, trim, drop, mask. */
import type { JsonObject } from '../json.ts';
import {
  changeValues,
  compileMembers,
  MEMBER_NAME,
  MEMBERS_SCHEMA,
  type Members,
  splitMember,
  textOf,
} from '../members.ts';
import { RefusedError } from '../refusal.ts';
import { type StepKind, settings } from '../step.ts';

export const rename: StepKind<Readonly<Record<string, string>>> = {
  about: 'gives members other names; one that is not there is passed over',
  schema: {
    description: 'old member names or JSON Pointers, each with a new name',
    type: 'object',
    minProperties: 1,
    additionalProperties: { ...MEMBER_NAME, description: 'a new member name' },
  },
  compile: (names) => {
    const groups = new Map<string, Map<string, string>>();
    for (const [old, now] of Object.entries(names)) {
      const path = splitMember(old);
      const parent = JSON.stringify(path.slice(0, -1));
      const group = groups.get(parent) ?? new Map<string, string>();
      groups.set(parent, group.set(path.at(-1) ?? '', now));
    }
    const plans = [...groups].map(([parent, group]) => ({
      holders: holdersOf(JSON.parse(parent) as string[], [...group.keys()]),
      group,
    }));
    return (document) => {
      let renamed = document;
      for (const { holders, group } of plans) {
        for (const holder of holders(document)) {
          const made = renamedCopy(holder, group);
          if (holder === document) {
            renamed = made;
          } else {
            replaceMembers(holder, made);
          }
        }
      }
      return renamed;
    };
  },
};

/** The objects that hold any of the names, each once. */
function holdersOf(parent: readonly string[], names: readonly string[]) {
  if (parent.length === 0) {
    return (document: JsonObject): Iterable<JsonObject> =>
      names.some((name) => Object.hasOwn(document, name)) ? [document] : [];
  }
  const escaped = (part: string) => part.replaceAll('~', '~0').replaceAll('/', '~1');
  const members = names.map((name) => ['', ...parent, name].map(escaped).join('/'));
  const select = compileMembers(members);
  return (document: JsonObject): Iterable<JsonObject> =>
    new Set(select(document).map(({ holder }) => holder));
}

/** All at once, so that two members may change names; the order of members stays. */
function renamedCopy(holder: JsonObject, names: ReadonlyMap<string, string>): JsonObject {
  const made: JsonObject = {};
  const before = Object.keys(holder);
  for (const name of before) {
    made[names.get(name) ?? name] = holder[name] ?? null;
  }
  if (Object.keys(made).length < before.length) {
    const after = before.map((name) => names.get(name) ?? name);
    const twice = after.find((name, index) => after.indexOf(name) < index);
    throw new RefusedError('MEMBER_EXISTS', `Two members would be "${twice}".`);
  }
  return made;
}

/** Inside a document, where others hold the object itself. */
function replaceMembers(holder: JsonObject, made: JsonObject): void {
  for (const name of Object.keys(holder)) {
    delete holder[name];
  }
  Object.assign(holder, made);
}

interface TrimSettings {
  readonly members: Members;
  readonly collapse?: boolean;
}

export const trim: StepKind<TrimSettings> = {
  about: 'takes white space off both ends of texts, and with `collapse` makes inner runs one space',
  schema: settings(
    { members: MEMBERS_SCHEMA, collapse: { type: 'boolean', description: 'true or false' } },
    ['members'],
  ),
  compile: ({ members, collapse = false }) => {
    const select = compileMembers(members);
    return (document) =>
      changeValues(select, document, (value) => {
        if (typeof value !== 'string') {
          return value;
        }
        const trimmed = value.trim();
        return collapse ? trimmed.replaceAll(/\s+/gu, ' ') : trimmed;
      });
  },
};

export const drop: StepKind<{ readonly members: readonly string[] }> = {
  about: 'takes members away',
  schema: settings({ members: MEMBERS_SCHEMA.anyOf[1] }, ['members']),
  compile: ({ members }) => {
    const select = compileMembers(members);
    return (document) => {
      for (const { holder, name } of select(document)) {
        delete holder[name];
      }
      return document;
    };
  },
};

interface MaskSettings {
  readonly members: readonly string[];
  readonly with?: string;
  readonly keepLast?: number;
}

export const mask: StepKind<MaskSettings> = {
  about: 'replaces texts by asterisks, and with `keepLast` leaves their last characters',
  schema: settings(
    {
      members: MEMBERS_SCHEMA.anyOf[1],
      with: { type: 'string', description: 'a text' },
      keepLast: { type: 'integer', minimum: 0, maximum: 8, description: 'a number from 0 to 8' },
    },
    ['members'],
  ),
  compile: ({ members, with: cover = '***', keepLast = 0 }) => {
    const select = compileMembers(members);
    return (document) =>
      changeValues(select, document, (value, slot) => {
        const characters = Array.from(typeof value === 'number' ? `${value}` : textOf(value, slot));
        // Of a short text the last characters would be most of it.
        const kept =
          keepLast > 0 && characters.length >= 2 * keepLast ? characters.slice(-keepLast) : [];
        return `${cover}${kept.join('')}`;
      });
  },
};
