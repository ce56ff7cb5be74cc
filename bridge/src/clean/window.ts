/**
 * What the cleaning of a partition remembers of its last records, for rules that look back.
 *
 * It is a function of the last offsets alone: whatever became of a record, what is remembered of it
 * is what its documents were before any rule looked back. So whoever cleans the same offsets anew
 * remembers the same, and a stage that was killed goes on as if it had not been.
 */
import type { Json, JsonObject } from './json.ts';

/** Of one document, under a name by which others find it. */
export interface Remembered {
  readonly name: string;
  readonly value: Json;
}

export interface Found {
  readonly value: Json;
  readonly offset: bigint;
  /** Which of that record's documents, from 0. */
  readonly item: number;
}

/** The latest earlier document of that name, if it is within the window. */
export type Find = (name: string) => Found | undefined;

/** What a rule does to the document; null drops it. @throws RefusedError */
export type Effect = (document: JsonObject) => JsonObject | null;

/** A rule that looks back. Both functions see the document as it was before any such rule. */
export interface WindowStep {
  /** How far, in offsets. */
  readonly records: number;
  /** A function of the document alone. Never throws. */
  readonly remember: (document: JsonObject) => Remembered | null;
  /** Null: nothing. Never throws: what it has to refuse, its effect refuses. */
  readonly judge: (
    document: JsonObject,
    find: Find,
    remembered: Remembered | null,
  ) => Effect | null;
}

/**
 * The largest window, in offsets; so many documents are remembered too, and not more: behind
 * records of many documents the window ends earlier.
 */
export const WINDOW_RECORDS_MAX = 100_000;

interface Entry extends Found {
  readonly name: string;
}

export interface Window {
  /**
   * Judges the documents of the next record in their order, each before it is remembered itself.
   * @throws Error when offsets do not rise
   */
  pass(offset: bigint, documents: readonly JsonObject[]): readonly (Effect | null)[];
}

export function createWindow({ records, remember, judge }: WindowStep): Window {
  const latest = new Map<string, Entry>();
  const entries = createQueue<Entry>();
  const reach = BigInt(records);
  let last = -1n;
  const evict = (from: bigint) => {
    for (let first = entries.first(); first !== undefined; first = entries.first()) {
      if (entries.size() <= records && first.offset >= from) {
        return;
      }
      entries.shift();
      if (latest.get(first.name) === first) {
        latest.delete(first.name);
      }
    }
  };
  return {
    pass(offset, documents) {
      if (offset <= last) {
        throw new Error(`Offset ${offset} does not come behind ${last}: windows go forward only.`);
      }
      last = offset;
      const from = offset - reach;
      evict(from);
      return documents.map((document, item) => {
        const remembered = remember(document);
        const effect = judge(document, (name) => latest.get(name), remembered);
        if (remembered !== null) {
          const { name, value } = remembered;
          const entry = { name, value, offset, item };
          latest.set(name, entry);
          entries.push(entry);
          evict(from);
        }
        return effect;
      });
    },
  };
}

/** First in, first out; what has left is let go of in large pieces. */
function createQueue<T>() {
  const items: T[] = [];
  let head = 0;
  return {
    push: (item: T) => {
      items.push(item);
    },
    first: () => items[head],
    size: () => items.length - head,
    shift: () => {
      head += 1;
      if (head >= 1_024 && head * 2 >= items.length) {
        items.splice(0, head);
        head = 0;
      }
    },
  };
}
