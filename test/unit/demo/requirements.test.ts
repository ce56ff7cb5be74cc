import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

const PREPARE = fileURLToPath(new URL('../../../scripts/lib/prepare.sh', import.meta.url));
const TALLY = fileURLToPath(new URL('../../../scripts/lib/tally.js', import.meta.url));
const BASH = execFileSync('bash', ['-c', 'command -v bash'], { encoding: 'utf8' }).trim();

/** What each command says of its version where everything is as it should be. */
const GOOD = {
  node: 'v20.19.0',
  npm: '10.8.2',
  go: 'go version go1.24.2 linux/amd64',
  java: 'openjdk version "17.0.15" 2025-04-15',
  mvn: '\u001b[1mApache Maven 3.8.7\u001b[m',
} as const;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shuttle-requirements-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Runs the check where only these commands exist, and each prints what is given. */
function check(commands: Readonly<Record<string, string>>) {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  symlinkSync(BASH, join(bin, 'bash'));
  for (const [name, output] of Object.entries(commands)) {
    writeFileSync(join(bin, name), `#!${BASH}\nprintf '%s\\n' '${output}' >&2\n`);
    chmodSync(join(bin, name), 0o755);
  }
  const script = `set -euo pipefail; source '${PREPARE}'; check_requirements; echo all met`;
  const { status, stdout, stderr } = spawnSync(BASH, ['--norc', '--noprofile', '-c', script], {
    encoding: 'utf8',
    env: { PATH: bin },
  });
  return { status, stdout, stderr };
}

const without = (name: keyof typeof GOOD): Record<string, string> =>
  Object.fromEntries(Object.entries(GOOD).filter(([each]) => each !== name));

describe('the check of what a machine must have', () => {
  test('passes where all of it is', () => {
    expect(check(GOOD)).toEqual({ status: 0, stdout: 'all met\n', stderr: '' });
  });

  test('tells everything that is missing at once, and ends with 2', () => {
    const { status, stdout, stderr } = check({ node: GOOD.node, npm: GOOD.npm });
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatchSnapshot();
  });

  test.each([
    ['node', 'v20.9.5', 'Node.js 20.19'],
    ['node', 'v18.20.4', 'Node.js 20.19'],
    ['go', 'go version go1.9 linux/amd64', 'Go 1.24'],
    ['java', 'java version "1.8.0_292"', 'JDK 17'],
    ['mvn', 'Apache Maven 3.5.4', 'Maven 3.6'],
    ['mvn', 'The JAVA_HOME variable is not set', 'Maven 3.6'],
  ] as const)('refuses %s that says %s', (name, output, needed) => {
    const { status, stderr } = check({ ...GOOD, [name]: output });
    expect(status).toBe(2);
    expect(stderr).toContain(`${needed} or newer is needed`);
  });

  test.each([
    ['node', 'v24.0.0'],
    ['go', 'go version go1.26rc1 linux/amd64'],
    ['java', 'openjdk version "24-ea" 2025-03-18'],
    ['java', 'Picked up JAVA_TOOL_OPTIONS: -Xmx64m\nopenjdk version "21" 2023-09-19'],
    ['mvn', 'Apache Maven 4.0.0-rc-4 (abc)'],
  ] as const)('accepts %s that says %s', (name, output) => {
    expect(check({ ...GOOD, [name]: output }).status).toBe(0);
  });

  test.each(Object.keys(GOOD) as (keyof typeof GOOD)[])('misses %s', (name) => {
    expect(check(without(name)).stderr).toContain(`\`${name} `);
  });
});

describe('the closing line', () => {
  const result = (passed: number, failed: number, skipped = 0, broken = 0): string =>
    JSON.stringify({
      numPassedTests: passed,
      numFailedTests: failed,
      numPendingTests: skipped,
      numTodoTests: 0,
      numRuntimeErrorTestSuites: broken,
    });
  const tally = (exitCode: number, ...results: string[]): string => {
    for (const [index, text] of results.entries()) {
      writeFileSync(join(folder, `${index}.json`), text);
    }
    const args = [TALLY, folder, String(exitCode)];
    return execFileSync(process.execPath, args, { encoding: 'utf8' });
  };

  test('adds up all suites', () => {
    expect(tally(0, result(3, 0), result(4, 0))).toBe('7 passed, 0 failed\n');
    expect(tally(1, result(3, 1), result(4, 2, 5))).toBe('7 passed, 3 failed, 5 skipped\n');
  });

  test('never says that nothing failed where something did', () => {
    expect(tally(1)).toBe('0 passed, 1 failed\n');
    expect(tally(1, result(3, 0))).toBe('3 passed, 1 failed\n');
    expect(tally(1, result(3, 0, 0, 2))).toBe('3 passed, 2 failed\n');
  });
});
