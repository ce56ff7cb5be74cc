import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** A process that cannot be mistaken for another one that got the same number later. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in the operating system's own words. */
  readonly startTime: string;
}

/** Marks the processes of a network in their environment, so that a lost one is found again. */
export const MARKER = 'SHUTTLE_NETWORK_PROCESS';

/** The identity of a running process, undefined when there is none (a zombie counts as none). */
export function identify(pid: number): ProcessIdentity | undefined {
  const startTime = process.platform === 'linux' ? linuxStartTime(pid) : psStartTime(pid);
  return startTime === undefined ? undefined : { pid, startTime };
}

/** True while exactly this process runs. */
export function isRunning(identity: ProcessIdentity | undefined): identity is ProcessIdentity {
  if (identity === undefined) return false;
  return identify(identity.pid)?.startTime === identity.startTime;
}

function linuxStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in parentheses and may hold blanks and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, startTime] = [fields[0], fields[19]];
    return state === 'X' || (state === 'Z' && !hasThreads(pid)) ? undefined : startTime;
  } catch {
    return undefined;
  }
}

/**
 * A killed Java process is a zombie by its first thread while the others still hold its ports: it
 * has ended only when it is a zombie alone.
 */
function hasThreads(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).length > 1;
}

function psStartTime(pid: number): string | undefined {
  try {
    const output = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    return output === '' || output.startsWith('Z') ? undefined : output.replace(/^\S+\s+/, '');
  } catch {
    return undefined;
  }
}

/** A process that carries the marker of a network's folder. */
export interface MarkedProcess {
  readonly name: string;
  readonly identity: ProcessIdentity;
}

/**
 * Processes that carry the marker of this folder: found where the kernel shows environments
 * (Linux), none elsewhere. They are what a killed `up` started but did not note.
 */
export function findMarked(dir: string): MarkedProcess[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').flatMap((entry) => {
    const name = /^\d+$/.test(entry) ? markedName(entry, dir) : undefined;
    const identity = name === undefined ? undefined : identify(Number(entry));
    return name === undefined || identity === undefined ? [] : [{ name, identity }];
  });
}

function markedName(pid: string, dir: string): string | undefined {
  try {
    const prefix = `${MARKER}=${dir}#`;
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return variables.find((each) => each.startsWith(prefix))?.slice(prefix.length);
  } catch {
    return undefined; // another user's process, or one that has just ended
  }
}

/** What runs under a number, for sentences; undefined when it cannot be known. */
export function describeProcess(pid: number): string | undefined {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
    return command === '' ? undefined : command.slice(0, 120);
  } catch {
    return undefined;
  }
}
