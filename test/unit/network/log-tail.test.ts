import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { logTail } from '../../../network/src/processes.ts';

const line = (n: number): string =>
  `\u001b[34m2026-01-02 03:04:05.67${n} UTC 000${n}\u001b[0m line ${n}`;
const lines = [1, 2, 3, 4].map(line);
const CRASH = [
  'panic: no more',
  'goroutine 1 [running]:',
  'main.main()',
  '\tmain.go:7',
  '\tmain.go:9',
];

let dir: string;
let file: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'shuttle-log-'));
  file = join(dir, 'peer.log');
});

afterAll(() => rm(dir, { recursive: true }));

async function tailOf(content: readonly string[]): Promise<string[]> {
  await writeFile(file, `${content.join('\n')}\n`);
  return logTail(file, 3);
}

describe('the log lines that an error shows', () => {
  it('are the last ones', async () => {
    expect(await tailOf(lines)).toEqual(lines.slice(-3));
  });

  it('are the first ones of the crash that ended the process', async () => {
    expect(await tailOf([...lines, ...CRASH])).toEqual(CRASH.slice(0, 3));
  });

  it('are the last ones when the process was started again behind a crash', async () => {
    expect(await tailOf([...CRASH, ...lines])).toEqual(lines.slice(-3));
  });

  it('are none when there is no log', () => {
    expect(logTail(join(dir, 'none.log'))).toEqual([]);
  });
});
