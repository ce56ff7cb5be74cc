/**
 * Regular expressions of rule files, schemas and JSONata, in time that grows with the text and
 * never faster: whoever writes a record cannot make one run for hours.
 *
 * The syntax is RE2's in the spelling of JavaScript: everything but what needs to go back, which is
 * look-around and back references. `\s` is ASCII's white space, and a repeat counts to 1,000.
 */
import { RE2JS } from 're2js';
import type { Report } from './step.ts';

/** JSONata makes an expression of its own for each evaluation; what is behind it is shared. */
const ready = new Map<string, RE2JS>();

/** So many are kept; rule files have fewer. */
const READY_MAX = 1_000;

function keepReady(text: string, pattern: RE2JS): void {
  if (ready.size >= READY_MAX) {
    ready.clear();
  }
  ready.set(text, pattern);
}

function compile(text: string, flags: string): RE2JS {
  const bits =
    (flags.includes('i') ? RE2JS.CASE_INSENSITIVE : 0) |
    (flags.includes('m') ? RE2JS.MULTILINE : 0) |
    (flags.includes('s') ? RE2JS.DOTALL : 0);
  try {
    return RE2JS.compile(RE2JS.translateRegExp(text), bits);
  } catch (error) {
    throw new Error((error as Error).message.replace('error parsing regexp: ', ''));
  }
}

/** As JavaScript's own, as far as it is used here. */
export class LinearRegExp {
  readonly #pattern: RE2JS;
  readonly #text: string;
  /** Where `exec` begins, and where it ended. */
  lastIndex = 0;

  /** @throws Error when it is no such expression; one of JavaScript's brings its flags along */
  constructor(source: RegExp | string, flags = typeof source === 'string' ? '' : source.flags) {
    const text = typeof source === 'string' ? source : source.source;
    this.#text = `/${text}/${flags}`;
    this.#pattern = ready.get(this.#text) ?? compile(text, flags);
    keepReady(this.#text, this.#pattern);
  }

  test(text: string): boolean {
    return this.#pattern.matcher(text).find();
  }

  exec(text: string): (string[] & { index: number }) | null {
    const matcher = this.#pattern.matcher(text);
    if (this.lastIndex > text.length || !matcher.find(this.lastIndex)) {
      this.lastIndex = 0;
      return null;
    }
    this.lastIndex = matcher.end();
    const groups = Array.from({ length: this.groupCount + 1 }, (_, n) => matcher.group(n));
    // A group that took no part is undefined, as JavaScript has it.
    const found = groups.map((group) => group ?? undefined) as string[];
    return Object.assign(found, { index: matcher.start() });
  }

  get groupCount(): number {
    return this.#pattern.groupCount();
  }

  /** The groups of a text that fits as a whole, the text first. */
  whole(text: string): readonly (string | undefined)[] | null {
    const matcher = this.#pattern.matcher(text);
    return matcher.matches()
      ? Array.from({ length: this.groupCount + 1 }, (_, n) => matcher.group(n) ?? undefined)
      : null;
  }

  toString(): string {
    return this.#text;
  }
}

/** A regular expression of a rule file; null, and a report, when it is none. */
export function compilePattern(
  source: string,
  path: readonly (string | number)[],
  report: Report,
): LinearRegExp | null {
  try {
    return new LinearRegExp(source);
  } catch (error) {
    const why = (error as Error).message;
    report(path, `${JSON.stringify(source)} is not a regular expression that is taken: ${why}`);
    return null;
  }
}

/** How ajv is told to use them. */
export const LINEAR_CODE = {
  regExp: Object.assign((source: string, flags: string) => new LinearRegExp(source, flags), {
    code: 'linear',
  }),
};
