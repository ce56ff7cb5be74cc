import { createReadStream, type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { NetworkDescription } from './describe.ts';
import { NetworkError } from './errors.ts';
import { logTail } from './processes.ts';

/** What `logs` is told. */
export interface LogOptions {
  /** One process; all of them when left out. */
  readonly name?: string;
  readonly lines: number;
  /** Ends following. */
  readonly follow?: AbortSignal;
}

/**
 * Prints the last lines of the logs, and goes on with what is added until `follow` is aborted.
 *
 * @throws NetworkError UNKNOWN_PROCESS.
 */
export async function printLogs(
  description: NetworkDescription,
  options: LogOptions,
  output: Writable,
): Promise<void> {
  const chosen = description.processes.filter(
    ({ name }) => options.name === undefined || name === options.name,
  );
  if (chosen.length === 0) {
    const known = description.processes.map(({ name }) => name).join(', ');
    const sentence = `The network has no process named ${options.name}, only ${known}.`;
    throw new NetworkError('UNKNOWN_PROCESS', sentence);
  }
  const prefix = (name: string): string => (chosen.length > 1 ? `${name} | ` : '');
  for (const { name, logFile } of chosen) {
    for (const line of logTail(logFile, options.lines)) output.write(`${prefix(name)}${line}\n`);
  }
  const { follow } = options;
  if (follow === undefined) return;
  await Promise.all(chosen.map(({ name, logFile }) => tail(logFile, prefix(name), follow, output)));
}

/** Copies what a file grows by. */
async function tail(
  file: string,
  prefix: string,
  signal: AbortSignal,
  output: Writable,
): Promise<void> {
  let position = await sizeOf(file);
  const copy = async (): Promise<void> => {
    const size = await sizeOf(file);
    if (size < position) position = 0; // the network was wiped and brought up again
    if (size === position) return;
    const part = createReadStream(file, { start: position, end: size - 1 });
    position = size;
    await pipeline(part, prefixed(prefix), output, { end: false });
  };
  let copying = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    const watcher: FSWatcher = watch(file, () => {
      copying = copying.then(copy);
      copying.catch(reject);
    });
    watcher.once('error', reject);
    const end = (): void => {
      watcher.close();
      resolve();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

function prefixed(prefix: string) {
  return async function* (source: AsyncIterable<Buffer>): AsyncGenerator<string> {
    for await (const chunk of source) {
      const text = chunk.toString('utf8');
      yield prefix === '' ? text : text.replace(/^(?=.)/gm, prefix);
    }
  };
}

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}
