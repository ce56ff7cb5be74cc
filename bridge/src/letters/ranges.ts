/** A set of offsets, kept as the stretches that they form. */

interface Range {
  readonly first: bigint;
  last: bigint;
}

const RANGE = /^(\d{1,19})(?:-(\d{1,19}))?$/;

export class Ranges {
  /** Ascending, and never next to each other. */
  private readonly ranges: Range[] = [];

  /** Adds all offsets from `first` to `last`. */
  add(first: bigint, last: bigint = first): void {
    // Of the stretches that touch it, one is made.
    const from = this.indexFrom(first - 1n);
    const to = this.indexFrom(last + 2n, true);
    const touched = this.ranges.slice(from, to);
    const low = touched[0]?.first ?? first;
    const high = touched.at(-1)?.last ?? last;
    const joined = { first: low < first ? low : first, last: high > last ? high : last };
    this.ranges.splice(from, touched.length, joined);
  }

  has(offset: bigint): boolean {
    const range = this.ranges[this.indexFrom(offset)];
    return range !== undefined && range.first <= offset;
  }

  /** Such as "3-17" and "20", ascending. */
  texts(): string[] {
    return this.ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
  }

  /** Adds what `texts` gave; false, and nothing added, when it is something else. */
  addTexts(texts: readonly unknown[]): boolean {
    const parsed: Range[] = [];
    for (const each of texts) {
      const [, first, last = first] = RANGE.exec(typeof each === 'string' ? each : '') ?? [];
      if (first === undefined || last === undefined || BigInt(last) < BigInt(first)) {
        return false;
      }
      parsed.push({ first: BigInt(first), last: BigInt(last) });
    }
    for (const { first, last } of parsed) {
      this.add(first, last);
    }
    return true;
  }

  /** Index of the first stretch that ends at `offset` or behind, or that begins there. */
  private indexFrom(offset: bigint, begins = false): number {
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = this.ranges[middle];
      const bound = begins ? range?.first : range?.last;
      if (bound !== undefined && bound < offset) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
