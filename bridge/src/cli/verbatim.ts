/**
 * Cuts parts out of JSON text without parsing and writing them again, because a document must reach
 * the reader as it is on the ledger: big integers, 1e400 and repeated members included.
 *
 * The text comes from the chaincode and is valid JSON; other text gives wrong cuts, never an error.
 */

/** The raw texts of the members of the object that `json` is; of repeated members the last. */
export function rawMembers(json: string): Map<string, string> {
  const members = new Map<string, string>();
  for (const part of parts(json)) {
    const end = stringEnd(part, 0);
    const name = JSON.parse(part.slice(0, end)) as string;
    members.set(name, part.slice(part.indexOf(':', end) + 1).trim());
  }
  return members;
}

/** The raw texts of the items of the array that `json` is. */
export function rawItems(json: string): string[] {
  return parts(json);
}

const DEPTH: Readonly<Record<string, number>> = { '{': 1, '[': 1, '}': -1, ']': -1 };

/** What stands between the commas of the outermost brackets. */
function parts(json: string): string[] {
  const found: string[] = [];
  const marks = /["{}[\],]/g;
  let depth = 0;
  let start = json.search(/\S/) + 1;
  for (let match = marks.exec(json); match !== null; match = marks.exec(json)) {
    const [mark] = match;
    if (mark === '"') {
      marks.lastIndex = stringEnd(json, match.index);
    }
    depth += DEPTH[mark] ?? 0;
    if (depth === 0 || (depth === 1 && mark === ',')) {
      found.push(json.slice(start, match.index).trim());
      start = match.index + 1;
    }
  }
  return found.length === 1 && found[0] === '' ? [] : found;
}

/** The index behind the string that starts at `at`. */
function stringEnd(json: string, at: number): number {
  let end = at + 1;
  while (end < json.length && json[end] !== '"') {
    end += json[end] === '\\' ? 2 : 1;
  }
  return end + 1;
}
