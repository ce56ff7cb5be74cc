/**
 * Whatever stands in a configuration file, the environment or on the command line: it is valid, or
 * refused with a code and an exit code; never a crash, a stack trace or a wait.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { environmentName, GROUPS, SETTINGS } from '../../bridge/src/config/settings.ts';
import { ERRORS } from '../../bridge/src/errors.ts';
import { type CommandResult, runCommand } from '../support/fake-shuttle.ts';
import { fuzzRuns, stopwatch } from '../support/fuzz.ts';
import { createTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

const RUNS = fuzzRuns(150);

let folder: TemporaryFolder;
beforeAll(() => {
  folder = createTemporaryFolder();
});
afterAll(() => folder.remove());

const paths = [...SETTINGS.map(({ path }) => path), ...GROUPS.map(({ path }) => path)];
const path = fc.constantFrom(...paths);
/** What people write, and what nobody would. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('', 'true', '-1', '0', '16', '1e400', 'a:1,b:2', 'localhost:9092', '../x', '&a'),
);

/** Ended with a code of its own; what is told has a name and no trace of the program's inside. */
function expectTold({ code, stdout, stderr }: CommandResult): void {
  expect([0, 1, 2, 3, 4, 5]).toContain(code);
  expect(stdout + stderr).not.toMatch(/^\s+at .+:\d+:\d+\)?$/m);
  if (code !== 0) {
    const name = /\[([A-Z_]+)\]$/m.exec(stderr)?.[1] ?? jsonCode(stderr);
    expect(Object.keys(ERRORS).filter((known) => known !== 'INTERNAL')).toContain(name);
  }
}

/** The error of --json is one line, behind whatever help there is. */
function jsonCode(stderr: string): string {
  const line = stderr.trim().split('\n').at(-1) ?? '';
  return (JSON.parse(line) as { error: { code: string } }).error.code;
}

async function timed(run: () => Promise<CommandResult>): Promise<void> {
  const isSoon = stopwatch();
  expectTold(await run());
  expect(isSoon()).toBe(true);
}

const print = (extra: readonly string[] = []): readonly string[] => ['config', 'print', ...extra];

describe('a configuration file', () => {
  const inFile = async (bytes: Uint8Array): Promise<void> => {
    folder.write('fuzz.yaml', bytes);
    await timed(() => runCommand(print(['--config', 'fuzz.yaml']), { cwd: folder.path }));
  };

  it('of random bytes is refused, or says nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        await inFile(bytes);
      }),
      { numRuns: RUNS },
    );
  });

  it('of any JSON under names of settings is valid, or refused', async () => {
    const tree = fc.dictionary(fc.oneof(path, fc.string({ maxLength: 12 })), fc.jsonValue(), {
      maxKeys: 4,
    });
    const nested = fc.tuple(fc.constantFrom(...GROUPS.map((group) => group.path)), tree);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          tree,
          nested.map(([name, value]) => ({ [name]: value })),
        ),
        (value) => inFile(Buffer.from(JSON.stringify(value))),
      ),
      { numRuns: RUNS / 5 },
    );
  });

  it.each([
    ['aliases that grow without end', `a: &a [x]\n${grown('a', 12)}`],
    ['an alias of itself', 'kafka: &a\n  brokers: *a\n'],
    ['an alias of nothing', 'kafka: *nothing\n'],
    ['deep brackets', `kafka: ${'['.repeat(50_000)}`],
    ['a name of a megabyte', `${'k'.repeat(1_000_000)}: 1\n`],
    ['deep maps', Array.from({ length: 1_000 }, (_, n) => `${' '.repeat(n)}a:`).join('\n')],
    ['the prototype of all objects', '__proto__: { brokers: [a:1] }\nconstructor: 1\n'],
    ['a tag that is none', 'kafka: !!js/function "x"\n'],
    ['several documents', 'kafka: {}\n---\nkafka: {}\n'],
    ['keys that are no text', '? [1, 2]\n: 3\n? { a: b }\n: 4\n'],
  ])('with %s is refused', async (_, yaml) => {
    folder.write('fuzz.yaml', yaml);
    const isSoon = stopwatch();
    const ended = await runCommand(print(['--config', 'fuzz.yaml']), { cwd: folder.path });
    expectTold(ended);
    expect([ended.code, isSoon()]).toEqual([2, true]);
  });
});

/** Each level names the one before ten times. */
function grown(first: string, levels: number): string {
  const lines: string[] = [];
  let before = first;
  for (let level = 0; level < levels; level++) {
    const name = `l${level}`;
    lines.push(`${name}: &${name} [${Array.from({ length: 10 }, () => `*${before}`).join(',')}]`);
    before = name;
  }
  return `${lines.join('\n')}\nkafka: { brokers: *${before} }\n`;
}

describe('the environment', () => {
  it('of any values, under names of settings and others, is valid or refused', async () => {
    const name = fc.oneof(
      path.map(environmentName),
      fc.string({ maxLength: 20 }).map((rest) => `SHUTTLE_${rest}`),
    );
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, text, { maxKeys: 5 }), (env) =>
        timed(() => runCommand(print(), { env, cwd: folder.path })),
      ),
      { numRuns: RUNS },
    );
  });
});

describe('the command line', () => {
  const word = fc.oneof(
    text,
    fc.constantFrom('ingest', 'getData', 'status', 'config', 'print', 'list', 'tail', 'help'),
    fc.constantFrom(
      '--set',
      '--json',
      '--config',
      '--until-end',
      '--deadline',
      '--',
      '-h',
      '--last',
    ),
    fc.tuple(path, text).map(([name, value]) => `${name}=${value}`),
  );

  it('of any words ends with a code', async () => {
    const ledger = { evaluate: () => Promise.resolve(Buffer.from('{"bookmark":"","entries":[]}')) };
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 6 }), async (args) => {
        const isSoon = stopwatch();
        // Its Shuttle answers nothing of use, so only what comes before that is looked at.
        const ended = await runCommand(args, { cwd: folder.path, ledger });
        expect([0, 1, 2, 3, 4, 5]).toContain(ended.code);
        if (ended.opened === undefined) {
          expectTold(ended);
        }
        expect(isSoon()).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });

  it('of any value for any setting is valid or refused', async () => {
    await fc.assert(
      fc.asyncProperty(path, text, (name, value) =>
        timed(() => runCommand(print(['--set', `${name}=${value}`]), { cwd: folder.path })),
      ),
      { numRuns: RUNS },
    );
  });
});
