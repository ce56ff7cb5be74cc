/** What the repository promises as a whole, read from its own files. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PACKAGES = {
  bridge: 'bridge/package.json',
  chaincode: 'chaincode/package.json',
  network: 'network/package.json',
  development: 'package.json',
} as const;

/** May name a range: Node's types follow the patches of the oldest Node that is supported. */
const RANGES = new Set(['@types/node']);

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly overrides?: Readonly<Record<string, string>>;
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const manifest = (path: string): Manifest => JSON.parse(read(path)) as Manifest;
const trackedFiles = (): string[] =>
  execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' })
    .split('\0')
    .filter(Boolean);

/** The direct dependencies of a package that are not its siblings. */
function dependenciesOf(path: string): Record<string, string> {
  const { dependencies = {}, devDependencies = {} } = manifest(path);
  const all = Object.entries({ ...dependencies, ...devDependencies });
  return Object.fromEntries(all.filter(([name]) => !name.startsWith('@shuttle/')));
}

/** The rows of the tables in docs/dependencies.md, by the package.json that a section names. */
function documentedIn(path: string): Record<string, string> {
  const sections = read('docs/dependencies.md').split(/^## /m);
  const section = sections.find((text) => text.split('\n', 1)[0]?.includes(`\`${path}\``)) ?? '';
  const rows = [...section.matchAll(/^\| (\S+) \| (\S+) \| (.+) \| (.+) \| (.+) \|$/gm)];
  return Object.fromEntries(
    rows.filter(([, name]) => name !== 'package').map(([, name, version]) => [name, version]),
  );
}

describe('dependencies', () => {
  test.each(Object.values(PACKAGES))('of %s are documented at their version', (path) => {
    expect(Object.keys(dependenciesOf(path))).not.toEqual([]);
    expect(documentedIn(path)).toEqual(dependenciesOf(path));
  });

  test.each(Object.values(PACKAGES))('of %s are pinned exactly', (path) => {
    const { overrides = {} } = manifest(path);
    const loose = Object.entries({ ...dependenciesOf(path), ...overrides }).filter(
      ([name, version]) => !RANGES.has(name) && !/^\d+\.\d+\.\d+$/.test(version),
    );
    expect(loose).toEqual([]);
  });
});

describe('tracked files', () => {
  // Written in pieces, so that this file does not hold what it looks for.
  const forbidden: readonly (readonly [string, RegExp])[] = [
    [
      'a path of one machine',
      new RegExp(`(?<![\\w.@:/-])/(?:${['wo' + 'rk', 'ro' + 'ot'].join('|')})/`),
    ],
    ['a home folder', new RegExp(`(?<![\\w.@:/-])/(?:ho${'me'}|Us${'ers'})/[a-z]`)],
    ['key material', new RegExp(`BEGIN [A-Z ]*PRIV${'ATE KEY'}`)],
    [
      'the host of a registry',
      new RegExp(
        [
          'registry\\.np' + 'mjs\\.org',
          'npm' + 'js\\.com',
          'proxy\\.gol' + 'ang\\.org',
          'repo1?\\.ma' + 'ven',
        ].join('|'),
      ),
    ],
  ];

  test.each(forbidden)('do not hold %s', (_, pattern) => {
    const found = trackedFiles().filter((path) => pattern.test(readIfThere(path)));
    expect(found).toEqual([]);
  });

  test('name only scripts that are there and can be run', () => {
    const runner = read('.ci/run');
    const named = [...runner.matchAll(/(?:^|\s)(?:\.\/)?(scripts\/[\w./-]+)/gm)].map(
      ([, path]) => path,
    );
    expect(named).toContain('scripts/test');
    const commands = [...named, '.ci/run', 'scripts/demo', 'scripts/bench'];
    for (const path of commands.flatMap((name) => name ?? [])) {
      accessSync(join(ROOT, path), path.endsWith('.js') ? constants.R_OK : constants.X_OK);
    }
  });
});

/** A file that is deleted but not yet committed holds nothing. */
function readIfThere(path: string): string {
  try {
    return read(path);
  } catch {
    return '';
  }
}
