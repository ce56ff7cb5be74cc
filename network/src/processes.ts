import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { WantedPort } from './busy-ports.ts';
import { NetworkError } from './errors.ts';
import type { Environment } from './node-environment.ts';
import { identify, isRunning, MARKER, type ProcessIdentity } from './process-identity.ts';
import { cleanEnvironment, lastLines } from './run.ts';
import { waitFor } from './wait.ts';

/** What kind of part a process is. */
export type ProcessKind = 'orderer' | 'peer' | 'kafka' | 'chaincode';

/** Everything needed to start a process, now or again later. */
export interface ProcessSpec {
  readonly name: string;
  readonly kind: ProcessKind;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Environment;
  readonly cwd: string;
  readonly logFile: string;
  readonly ports: readonly WantedPort[];
}

/** How many lines of a log an error shows. */
const ERROR_LINES = 8;
const KILL_DEADLINE_MS = 10_000;
/** What a Go program writes before the stacks of all its goroutines, and no log line behind it. */
const GO_CRASH = /^(panic|fatal error): (?![\s\S]*\n\S*\d{4}-\d\d-\d\d)/m;

/**
 * Starts a process that outlives this one, appends its output to its log, and marks it with the
 * network's folder, so that it is found again even if this process dies before noting it.
 */
export function spawnDetached(spec: ProcessSpec, dir: string): ProcessIdentity {
  mkdirSync(dirname(spec.logFile), { recursive: true });
  const log = openSync(spec.logFile, 'a');
  try {
    const child = spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: cleanEnvironment({ ...spec.env, [MARKER]: `${dir}#${spec.name}` }),
      detached: true,
      stdio: ['ignore', log, log],
    });
    child.unref();
    // A command that is not there is reported by the missing pid below.
    child.once('error', () => undefined);
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (identity === undefined) throw died(spec);
    return identity;
  } finally {
    closeSync(log);
  }
}

/** Stops a process: SIGTERM, and after the deadline SIGKILL. Returns which of them it took. */
export async function terminate(
  identity: ProcessIdentity,
  deadlineMs: number,
): Promise<'SIGTERM' | 'SIGKILL' | 'gone'> {
  if (!signal(identity, 'SIGTERM')) return 'gone';
  // A paused process would sleep through SIGTERM.
  signal(identity, 'SIGCONT');
  const stopped = await waitUntilGone(identity, deadlineMs).then(
    () => true,
    () => false,
  );
  if (stopped) return 'SIGTERM';
  signal(identity, 'SIGKILL');
  await waitUntilGone(identity, KILL_DEADLINE_MS);
  return 'SIGKILL';
}

/** Sends a signal to exactly this process; false when it no longer runs. */
export function signal(identity: ProcessIdentity, name: NodeJS.Signals): boolean {
  if (!isRunning(identity)) return false;
  try {
    process.kill(identity.pid, name);
    return true;
  } catch {
    return false;
  }
}

/** Resolves when the process has ended. */
export async function waitUntilGone(identity: ProcessIdentity, deadlineMs: number): Promise<void> {
  await waitFor(() => (isRunning(identity) ? undefined : true), {
    what: `The end of process ${identity.pid}`,
    deadlineMs,
    intervalMs: 20,
  });
}

/** The last lines of a process's log, or the first of a crash that it ends with. */
export function logTail(logFile: string, count = ERROR_LINES): string[] {
  try {
    const text = readFileSync(logFile, 'utf8');
    const crash = text.search(GO_CRASH);
    return crash < 0
      ? lastLines(text, count)
      : lastLines(text.slice(crash), Infinity).slice(0, count);
  } catch {
    return [];
  }
}

/** The error for a process that ended by itself. */
export function died(spec: Pick<ProcessSpec, 'name' | 'logFile'>): NetworkError {
  return new NetworkError('PROCESS_DIED', `${spec.name} ended by itself.`, {
    at: spec.logFile,
    lines: logTail(spec.logFile),
  });
}
