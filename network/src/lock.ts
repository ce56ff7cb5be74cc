import { readFileSync } from 'node:fs';
import { link, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { NetworkError } from './errors.ts';
import { identify, isRunning, type ProcessIdentity } from './process-identity.ts';
import { waitFor } from './wait.ts';

/** How a lock is waited for. */
export interface LockOptions {
  /** Names what is locked, in sentences. */
  readonly what: string;
  readonly deadlineMs: number;
  /** Called once when the lock is held by another process. */
  readonly onWait?: (holderPid: number) => void;
}

let counter = 0;
/** Locks of this process, because a process may not wait for itself across its own calls. */
const tails = new Map<string, Promise<void>>();

/**
 * Runs `action` while no other process, and no other call in this one, holds the lock file. The
 * file names its holder with its start time: one that died leaves a lock that the next one takes.
 *
 * @throws NetworkError LOCKED at the deadline.
 */
export async function withLock<T>(
  file: string,
  options: LockOptions,
  action: () => Promise<T>,
): Promise<T> {
  const before = tails.get(file) ?? Promise.resolve();
  let done = (): void => undefined;
  const mine = new Promise<void>((resolve) => {
    done = resolve;
  });
  const tail = before.then(() => mine);
  tails.set(file, tail);
  await before;
  try {
    await acquire(file, options);
    try {
      return await action();
    } finally {
      await rm(file, { force: true });
    }
  } finally {
    done();
    if (tails.get(file) === tail) tails.delete(file);
  }
}

async function acquire(file: string, options: LockOptions): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  let told = false;
  const take = async (): Promise<true | undefined> => {
    if (await tryTake(file)) return true;
    const holder = holderOf(file);
    if (isRunning(holder)) {
      if (!told) options.onWait?.(holder.pid);
      told = true;
      return undefined;
    }
    await removeStale(file);
    return undefined;
  };
  await waitFor(take, { what: 'The lock', deadlineMs: options.deadlineMs }).catch((cause) => {
    const pid = holderOf(file)?.pid;
    throw new NetworkError(
      'LOCKED',
      `${options.what} is in use by process ${pid ?? 'unknown'} for more than ` +
        `${Math.round(options.deadlineMs / 1000)} s.`,
      { at: file, cause },
    );
  });
}

/**
 * Writes the holder beside the lock and links it there: the lock never exists without its holder.
 */
async function tryTake(file: string): Promise<boolean> {
  counter += 1;
  const temporary = `${file}.${process.pid}.${counter}`;
  await writeFile(temporary, JSON.stringify(identify(process.pid)));
  try {
    await link(temporary, file);
    return true;
  } catch {
    return false;
  } finally {
    await rm(temporary, { force: true });
  }
}

function holderOf(file: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined;
  }
}

/**
 * Renames first, so that of two processes that saw the same dead holder only one removes a lock.
 */
async function removeStale(file: string): Promise<void> {
  counter += 1;
  const aside = `${file}.stale.${process.pid}.${counter}`;
  await rename(file, aside).catch(() => undefined);
  const holder = holderOf(aside);
  // What was renamed may be a new holder's lock, taken between the look and the rename.
  if (isRunning(holder)) await link(aside, file).catch(() => undefined);
  await rm(aside, { force: true });
}
