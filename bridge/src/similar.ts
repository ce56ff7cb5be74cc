/** "Did you mean ...?" for names that do not exist. */

/** Longer than any name that is meant; comparing takes its length times that of all names. */
const NAME_LENGTH_MAX = 100;

/** The closest of `names` to `wrong`, if it is close enough to be a slip; otherwise undefined. */
export function similarName(wrong: string, names: Iterable<string>): string | undefined {
  if (wrong.length > NAME_LENGTH_MAX) {
    return undefined;
  }
  let best: string | undefined;
  let least = Math.max(2, Math.floor(wrong.length / 4)) + 1;
  for (const name of names) {
    const distance = editDistance(plain(wrong), plain(name));
    if (distance < least) {
      least = distance;
      best = name;
    }
  }
  return best;
}

function plain(name: string): string {
  return name.replaceAll(/[-_]/g, '').toLowerCase();
}

/** Levenshtein: insertions, deletions and substitutions that make `b` of `a`. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [line, character] of Array.from(a).entries()) {
    const next = [line + 1];
    for (let column = 1; column <= b.length; column++) {
      const kept = (row[column - 1] ?? 0) + (b[column - 1] === character ? 0 : 1);
      next.push(Math.min(kept, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
