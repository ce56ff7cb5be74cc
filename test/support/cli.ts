/** The `shuttle` command as its users run it: a process of its own, found in this checkout. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const BRIDGE = createRequire(import.meta.url).resolve('@shuttle/bridge/package.json');
const SHUTTLE = join(dirname(BRIDGE), 'bin/shuttle.js');

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** stdout as it was written, for documents that must be equal byte for byte. */
  readonly bytes: Buffer;
  readonly stderr: string;
}

export interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has written to stderr so far. */
  log(): string;
  /** Resolves when `enough` says so of the log so far; rejects when the process ends before. */
  waitFor(enough: (stderr: string) => boolean): Promise<void>;
  /** Asks for an orderly stop, as soon as the command heeds it: before, a signal just ends it. */
  stop(): Promise<Ended>;
}

/** Settings by SHUTTLE_ environment; nothing of the caller's own is passed on. */
export type Settings = Readonly<Record<string, string>>;

const running = new Set<ChildProcess>();

/** Ends what a failed test has left running. */
export function killLeftovers(): void {
  for (const child of running) {
    child.kill('SIGKILL');
  }
}

export function startShuttle(args: readonly string[], settings: Settings, cwd: string): Running {
  const child = spawn(process.execPath, [SHUTTLE, ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('close', () => running.delete(child));
  const out: Buffer[] = [];
  let stderr = '';
  const waiting = new Set<() => void>();
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    for (const look of waiting) {
      look();
    }
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const bytes = Buffer.concat(out);
      resolve({ code, signal, stdout: bytes.toString(), bytes, stderr });
    });
  });
  const waitFor = (enough: (stderr: string) => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (enough(stderr)) {
          waiting.delete(look);
          resolve();
        }
      };
      waiting.add(look);
      look();
      void ended.then(({ code }) => {
        reject(new Error(`shuttle ended with ${code} too early:\n${stderr.slice(-2000)}`));
      });
    });
  const stop = async (): Promise<Ended> => {
    await waitFor((log) => log.includes('"started to '));
    child.kill('SIGTERM');
    return await ended;
  };
  return { process: child, ended, log: () => stderr, waitFor, stop };
}

export async function runShuttle(
  args: readonly string[],
  settings: Settings,
  cwd: string,
): Promise<Ended> {
  return await startShuttle(args, settings, cwd).ended;
}
