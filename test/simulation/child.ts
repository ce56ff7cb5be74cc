/** Runs seeds in a process of their own. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, 'dist/simulation/main.js');

export interface ChildResult {
  readonly seed: number;
  readonly broken: { readonly promise: string; readonly message: string } | null;
  readonly faults: Readonly<Record<string, number>>;
}

export interface Seeds {
  readonly seed: number;
  readonly count: number;
  /** Further arguments of main.ts. */
  readonly more?: readonly string[];
  /** Arguments of Node itself. */
  readonly node?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** One result a seed, up to the first that fails. @throws Error when the program itself fails */
export async function simulate({ seed, count, more = [], node = [], env = {} }: Seeds) {
  const args = [...node, MAIN, '--json', '--seed', `${seed}`, '--count', `${count}`, ...more];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const lines = out.split('\n').filter((line) => line.startsWith('{'));
  const results = lines.map((line) => JSON.parse(line) as ChildResult);
  const isTold = results.some(({ broken }) => broken !== null);
  if (code !== (isTold ? 1 : 0)) {
    throw new Error(`the simulation ended with ${code}: ${err}`);
  }
  return results;
}
