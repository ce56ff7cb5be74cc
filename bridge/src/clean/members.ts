/** Which members of a document a rule works on: by name, by JSON Pointer, or all of them. */
import { isObject, type Json, type JsonObject } from './json.ts';
import { RefusedError } from './refusal.ts';

/** A member that is there. */
export interface Slot {
  readonly holder: JsonObject;
  readonly name: string;
  readonly pointer: string;
}

export type Select = (document: JsonObject) => readonly Slot[];

/** `all`, or names and pointers; `*` in a pointer stands for each item or member at that depth. */
export type Members = 'all' | readonly string[];

export const MEMBER_NAME = { type: 'string', minLength: 1, not: { const: '__proto__' } } as const;

/** JSON Schema of `Members`. */
export const MEMBERS_SCHEMA = {
  description: '"all", or a list of member names and JSON Pointers that end with a name',
  anyOf: [
    { const: 'all' },
    {
      type: 'array',
      minItems: 1,
      items: { type: 'string', pattern: '^(?:[^/].*|(?:/(?:[^~/]|~[01])*)*/(?!\\*$)[^/]+)$' },
    },
  ],
} as const;

/** The members that are there, in the order of the rule. */
export function compileMembers(members: Members): Select {
  if (members === 'all') {
    return (document) => {
      const found: Slot[] = [];
      addSlots(document, '', found);
      return found;
    };
  }
  const paths = members.map(splitMember);
  return (document) => {
    const found: Slot[] = [];
    for (const path of paths) {
      addSlotsOf(document, path, found);
    }
    return found;
  };
}

export function splitMember(member: string): readonly string[] {
  return member.startsWith('/')
    ? member
        .slice(1)
        .split('/')
        .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    : [member];
}

/** Every member of every record has one; its pointer is for refusals only. */
class MemberSlot implements Slot {
  readonly holder: JsonObject;
  readonly name: string;
  readonly #above: string;

  constructor(holder: JsonObject, name: string, above: string) {
    this.holder = holder;
    this.name = name;
    this.#above = above;
  }

  get pointer(): string {
    return pointerTo(this.#above, this.name);
  }
}

/** Every record comes by here for every rule: nothing is made for what is not there. */
function addSlotsOf(
  value: Json,
  path: readonly string[],
  found: Slot[],
  above = '',
  depth = 0,
): void {
  if (typeof value !== 'object' || value === null) {
    return;
  }
  const part = path[depth] ?? '';
  if (depth === path.length - 1) {
    if (isObject(value) && Object.hasOwn(value, part)) {
      found.push(new MemberSlot(value, part, above));
    }
  } else if (part !== '*') {
    const inner = Object.hasOwn(value, part) ? (value as JsonObject)[part] : undefined;
    if (inner !== undefined) {
      addSlotsOf(inner, path, found, pointerTo(above, part), depth + 1);
    }
  } else {
    for (const [name, inner] of Object.entries(value) as [string, Json][]) {
      addSlotsOf(inner, path, found, pointerTo(above, name), depth + 1);
    }
  }
}

function addSlots(value: Json[] | JsonObject, above: string, found: Slot[]): void {
  const holder = Array.isArray(value) ? null : value;
  for (const name of Object.keys(value)) {
    if (holder !== null) {
      found.push(new MemberSlot(holder, name, above));
    }
    const inner = (value as JsonObject)[name];
    if (typeof inner === 'object' && inner !== null) {
      addSlots(inner, pointerTo(above, name), found);
    }
  }
}

export function pointerTo(pointer: string, name: string): string {
  const escaped = /[~/]/.test(name) ? name.replaceAll('~', '~0').replaceAll('/', '~1') : name;
  return `${pointer}/${escaped}`;
}

/** Replaces each value that is there and not null by what `change` makes of it. */
export function changeValues(
  select: Select,
  document: JsonObject,
  change: (value: Json, slot: Slot) => Json,
): JsonObject {
  for (const slot of select(document)) {
    const value = slot.holder[slot.name];
    if (value !== undefined && value !== null) {
      slot.holder[slot.name] = change(value, slot);
    }
  }
  return document;
}

/** Writes a new member beside another one. @throws RefusedError MEMBER_EXISTS */
export function writeBeside(slot: Slot, suffix: string, value: Json): void {
  const name = `${slot.name}${suffix}`;
  if (Object.hasOwn(slot.holder, name)) {
    throw existing(name, slot.pointer);
  }
  slot.holder[name] = value;
}

/** @throws RefusedError MEMBER_EXISTS */
export function writeNew(holder: JsonObject, name: string, value: Json, pointer = ''): void {
  if (Object.hasOwn(holder, name)) {
    throw existing(name, pointer);
  }
  holder[name] = value;
}

function existing(name: string, pointer: string): RefusedError {
  const sentence = `The member "${name}" is there already.`;
  return new RefusedError('MEMBER_EXISTS', sentence, pointer);
}

/** @throws RefusedError TYPE_WRONG unless the value is a text */
export function textOf(value: Json, slot: Slot): string {
  if (typeof value !== 'string') {
    const type = Array.isArray(value) ? 'list' : typeof value;
    throw new RefusedError('TYPE_WRONG', `The value is a ${type}, not a text.`, slot.pointer);
  }
  return value;
}
