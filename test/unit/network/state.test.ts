import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { requireFreePorts } from '../../../network/src/busy-ports.ts';
import { NetworkError, renderError } from '../../../network/src/errors.ts';
import { createLayout } from '../../../network/src/layout.ts';
import { withLock } from '../../../network/src/lock.ts';
import { readMetric } from '../../../network/src/metrics.ts';
import { DEFAULT_TOPOLOGY } from '../../../network/src/options.ts';
import { identify, isRunning } from '../../../network/src/process-identity.ts';
import { atLeast, REQUIREMENTS } from '../../../network/src/requirements.ts';
import { createStateStore, readState, STATE_SCHEMA } from '../../../network/src/state.ts';
import { renderTable } from '../../../network/src/table.ts';
import { verifyJars } from '../../../network/src/tools.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'shuttle-network-unit-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const codeOf = (error: unknown): string =>
  error instanceof NetworkError ? error.code : String(error);

describe('the state file', () => {
  const state = {
    schema: STATE_SCHEMA,
    options: DEFAULT_TOPOLOGY,
    tools: { fabric: '/f', kafka: '/k' },
    processes: {},
    retiring: [],
    chaincodes: [],
  } as const;

  test('is absent before the first up', async () => {
    expect(await readState(createLayout(join(dir, 'none')))).toBeUndefined();
  });

  test('holds every change, also when many are made at once', async () => {
    const layout = createLayout(join(dir, 'many'));
    const store = createStateStore(layout, state);
    const names = Array.from({ length: 20 }, (_, index) => `p${index}`);
    await Promise.all(
      names.map((name) =>
        store.update((before) => ({
          ...before,
          processes: { ...before.processes, [name]: { pid: 1, startTime: name } },
        })),
      ),
    );
    expect(Object.keys((await readState(layout))?.processes ?? {})).toEqual(names);
  });

  test.each([
    ['half a file', '{"schema":'],
    ['another version', '{"schema":99}'],
  ])('%s is refused, not guessed at', async (_, text) => {
    const layout = createLayout(dir);
    await writeFile(layout.state, text);
    expect(codeOf(await readState(layout).catch((error: unknown) => error))).toBe(
      'STATE_UNREADABLE',
    );
  });
});

describe('identities of processes', () => {
  test('this process runs; with another start time it is another one', () => {
    const own = identify(process.pid);
    expect(isRunning(own)).toBe(true);
    expect(isRunning({ pid: process.pid, startTime: 'earlier' })).toBe(false);
    expect(isRunning(undefined)).toBe(false);
  });

  test('one that has ended does not run', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()']);
    const identity = identify(child.pid ?? 0);
    expect(isRunning(identity)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isRunning(identity)).toBe(false);
  });
});

describe('the lock', () => {
  const options = { what: 'The folder', deadlineMs: 10_000 };

  test('lets one at a time in', async () => {
    let inside = 0;
    let most = 0;
    const enter = () =>
      withLock(join(dir, 'lock'), options, async () => {
        inside += 1;
        most = Math.max(most, inside);
        await new Promise(setImmediate);
        inside -= 1;
      });
    await Promise.all(Array.from({ length: 10 }, enter));
    expect(most).toBe(1);
  });

  test('of a dead process is taken over', async () => {
    const file = join(dir, 'stale');
    await writeFile(file, JSON.stringify({ pid: process.pid, startTime: 'long ago' }));
    expect(await withLock(file, options, () => Promise.resolve('in'))).toBe('in');
  });

  test('of a living process is told at the deadline, with its number', async () => {
    const file = join(dir, 'held');
    await writeFile(file, JSON.stringify(identify(process.pid)));
    const brief = { what: 'The folder', deadlineMs: 50 };
    const error = await withLock(file, brief, () => Promise.resolve()).catch((e: unknown) => e);
    expect(codeOf(error)).toBe('LOCKED');
    expect(String(error)).toContain(`process ${process.pid}`);
    expect(await readFile(file, 'utf8')).toContain(String(process.pid));
  });
});

test('a busy port is told with its use and the process that has it', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const error = await requireFreePorts([{ port, use: 'peer0.org1' }]).catch((e: unknown) => e);
  server.close();
  expect(codeOf(error)).toBe('PORT_BUSY');
  expect(String(error)).toContain(`Port ${port}, wanted by peer0.org1, is taken by process`);
  expect(String(error)).toContain(`${process.pid} (`);
});

test('jars are compared by name and bytes', async () => {
  const jars = await mkdtemp(join(dir, 'jars-'));
  const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  await writeFile(join(jars, 'a.jar'), '');
  await verifyJars(jars, `${empty}  a.jar\n`);
  await writeFile(join(jars, 'b.jar'), '');
  const strange = await verifyJars(jars, `${empty}  a.jar\n`).catch((e: unknown) => e);
  expect([codeOf(strange), String(strange)]).toEqual([
    'CHECKSUM_MISMATCH',
    expect.stringContaining('b.jar'),
  ]);
  await writeFile(join(jars, 'b.jar'), 'changed');
  const changed = verifyJars(jars, `${empty}  a.jar\n${empty}  b.jar\n`);
  expect(codeOf(await changed.catch((e: unknown) => e))).toBe('CHECKSUM_MISMATCH');
});

test('versions are compared number by number', () => {
  expect(atLeast('1.26.8', '1.24')).toBe(true);
  expect(atLeast('1.9', '1.24')).toBe(false);
  expect(atLeast('20.19.0', '20.19')).toBe(true);
  expect(atLeast('17', '17')).toBe(true);
  expect(atLeast('3', '3.6')).toBe(false);
});

test('the scripts ask for the same versions before anything is installed', async () => {
  const script = await readFile('scripts/lib/prepare.sh', 'utf8');
  for (const { name, minimum } of Object.values(REQUIREMENTS)) {
    expect(script).toContain(`require ${name} ${minimum} `);
  }
});

test('metrics are found by name and label', () => {
  const page = '# HELP h x\nh{channel="a"} 3\nh{channel="b"} 4\nhh{channel="b"} 5\n';
  expect(readMetric(page, 'h', 'channel="b"')).toBe(4);
  expect(readMetric(page, 'h', 'channel="c"')).toBeUndefined();
});

test('an error reads: code and sentence, place, log, cause, what to do', () => {
  const error = new NetworkError('PROCESS_DIED', 'kafka1 ended by itself.', {
    at: '/net/logs/kafka1.log',
    lines: ['one', 'two'],
    cause: new Error('why'),
  });
  expect(renderError(error)).toBe(
    [
      'PROCESS_DIED: kafka1 ended by itself.',
      '  At: /net/logs/kafka1.log',
      '    | one',
      '    | two',
      '  Cause: why',
      '  Do: Read its log, then run `shuttle-network up` again.',
    ].join('\n'),
  );
});

test('columns are as wide as their widest cell', () => {
  expect(renderTable(['A', 'BB'], [['long', 'x']])).toBe('A     BB\nlong  x');
});
