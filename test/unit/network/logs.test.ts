import { once } from 'node:events';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { NetworkDescription } from '../../../network/src/describe.ts';
import { printLogs } from '../../../network/src/logs.ts';

let dir: string;
let description: NetworkDescription;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'shuttle-network-logs-'));
  const processes = ['one', 'two'].map((name) => ({ name, logFile: join(dir, `${name}.log`) }));
  for (const { name, logFile } of processes) await writeFile(logFile, `${name} a\n${name} b\n`);
  description = { processes } as unknown as NetworkDescription;
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test('of all processes: the last lines of each, under its name', async () => {
  const output = new PassThrough();
  await printLogs(description, { lines: 1 }, output);
  expect(String(output.read())).toBe('one | one b\ntwo | two b\n');
});

test('of one process, followed: what is added comes too, until it is ended', async () => {
  const output = new PassThrough();
  const stop = new AbortController();
  const printed = printLogs(description, { name: 'one', lines: 0, follow: stop.signal }, output);
  // The size is read before watching begins, so what is added from here on is seen at the latest
  // with the next addition.
  const add = setInterval(() => void appendFile(join(dir, 'one.log'), 'more\n'), 20);
  await once(output, 'readable');
  clearInterval(add);
  stop.abort();
  await printed;
  expect(String(output.read())).toMatch(/^(more\n)+$/);
});
