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

function addSlotsOf(document: JsonObject, path: readonly string[], found: Slot[]): void {
  const name = path.at(-1) ?? '';
  let places: { readonly value: Json; readonly pointer: string }[] = [
    { value: document, pointer: '' },
  ];
  for (const part of path.slice(0, -1)) {
    places = places.flatMap(({ value, pointer }) =>
      children(value, part).map(([child, inner]) => ({
        value: inner,
        pointer: pointerTo(pointer, child),
      })),
    );
  }
  for (const { value, pointer } of places) {
    if (isObject(value) && Object.hasOwn(value, name)) {
      found.push(new MemberSlot(value, name, pointer));
    }
  }
}

function children(value: Json, part: string): readonly (readonly [string, Json])[] {
  if (typeof value !== 'object' || value === null) {
    return [];
  }
  const entries = Object.entries(value);
  return part === '*' ? entries : entries.filter(([name]) => name === part);
}

function addSlots(value: Json[] | JsonObject, above: string, found: Slot[]): void {
  const holder = Array.isArray(value) ? null : value;
  for (const [name, inner] of Object.entries(value) as [string, Json][]) {
    if (holder !== null) {
      found.push(new MemberSlot(holder, name, above));
    }
    if (typeof inner === 'object' && inner !== null) {
      addSlots(inner, pointerTo(above, name), found);
    }
  }
}

export function pointerTo(pointer: string, name: string): string {
  return `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
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
  writeNew(slot.holder, `${slot.name}${suffix}`, value, slot.pointer);
}

/** @throws RefusedError MEMBER_EXISTS */
export function writeNew(holder: JsonObject, name: string, value: Json, pointer = ''): void {
  if (Object.hasOwn(holder, name)) {
    const sentence = `The member "${name}" is there already.`;
    throw new RefusedError('MEMBER_EXISTS', sentence, pointer);
  }
  holder[name] = value;
}

/** @throws RefusedError TYPE_WRONG unless the value is a text */
export function textOf(value: Json, { pointer }: Slot): string {
  if (typeof value !== 'string') {
    const type = Array.isArray(value) ? 'list' : typeof value;
    throw new RefusedError('TYPE_WRONG', `The value is a ${type}, not a text.`, pointer);
  }
  return value;
}
