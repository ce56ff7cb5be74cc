/** What a rule changed, member by member: for people who write rules. */
import type { Json, JsonObject } from './json.ts';
import { pointerTo } from './members.ts';

export interface Change {
  readonly pointer: string;
  /** Absent when the member is new, or gone. */
  readonly before?: Json;
  readonly after?: Json;
}

/** In the order of the members, those that are new behind the others of their object. */
export function changesOf(before: JsonObject, after: JsonObject): Change[] {
  return compare(before, after, '');
}

function compare(before: Json, after: Json, pointer: string): Change[] {
  if (!isParent(before) || !isParent(after) || Array.isArray(before) !== Array.isArray(after)) {
    return before === after ? [] : [{ pointer, before, after }];
  }
  const [old, now] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((name) => {
    const at = pointerTo(pointer, name);
    const [left, right] = [old.get(name), now.get(name)];
    if (left === undefined || right === undefined) {
      return right === undefined
        ? [{ pointer: at, before: left ?? null }]
        : [{ pointer: at, after: right }];
    }
    return compare(left, right, at);
  });
}

function isParent(value: Json): value is Json[] | JsonObject {
  return typeof value === 'object' && value !== null;
}
