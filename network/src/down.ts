import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { NetworkError } from './errors.ts';
import { exists } from './files.ts';
import { createLayout, type Layout, networkDir } from './layout.ts';
import { withLock } from './lock.ts';
import { findMarked, isRunning, type ProcessIdentity } from './process-identity.ts';
import { terminate } from './processes.ts';
import { type Progress, SILENT } from './progress.ts';
import { readState, writeState } from './state.ts';
import { NETWORK_LOCK_MS } from './up.ts';

/** What `down` is told. */
export interface DownOptions {
  readonly dir?: string;
  /** Also removes identities, ledgers, topics and logs. */
  readonly delete?: boolean;
  readonly progress?: Progress;
}

/** What `down` did. */
export interface DownResult {
  readonly dir: string;
  /** How many processes ended, and the names of those that had to be killed. */
  readonly stopped: number;
  readonly killed: readonly string[];
  readonly deleted: boolean;
}

/** A broker of three flushes its logs and hands over its partitions first. */
const STOP_DEADLINE_MS = 20_000;

/**
 * Stops every process that the network started, and nothing else; the data stays unless `delete`.
 */
export async function down(options: DownOptions): Promise<DownResult> {
  const { progress = SILENT } = options;
  const layout = createLayout(networkDir(options.dir));
  if (!(await exists(layout.dir))) {
    return { dir: layout.dir, stopped: 0, killed: [], deleted: false };
  }
  const lock = { what: `The network in ${layout.dir}`, deadlineMs: NETWORK_LOCK_MS };
  const { stopped, killed } = await withLock(layout.lock, lock, async () => {
    const processes = await runningProcesses(layout, options.delete === true);
    const outcomes = await Promise.all(
      processes.map(async ({ name, identity }) => ({
        name,
        how: await terminate(identity, STOP_DEADLINE_MS),
      })),
    );
    await forget(layout, options.delete === true);
    return {
      stopped: outcomes.filter(({ how }) => how !== 'gone').length,
      killed: outcomes.filter(({ how }) => how === 'SIGKILL').map(({ name }) => name),
    };
  });
  for (const name of killed) progress.step(`${name} did not end by itself and was killed.`);
  if (options.delete === true) await remove(layout);
  return { dir: layout.dir, stopped, killed, deleted: options.delete === true };
}

interface NamedProcess {
  readonly name: string;
  readonly identity: ProcessIdentity;
}

/** What the state names and what carries the folder's mark, each once. */
async function runningProcesses(layout: Layout, evenUnreadable: boolean): Promise<NamedProcess[]> {
  const state = await readState(layout).catch((error: unknown) => {
    // A damaged state cannot keep anyone from wiping: the mark tells whose processes they are.
    if (evenUnreadable) return undefined;
    throw error;
  });
  const named = Object.entries(state?.processes ?? {}).map(([name, identity]) => ({
    name,
    identity,
  }));
  const retiring = (state?.retiring ?? []).map((identity) => ({ name: 'retiring', identity }));
  const byPid = new Map<number, NamedProcess>();
  for (const each of [...findMarked(layout.dir), ...named, ...retiring]) {
    if (isRunning(each.identity)) byPid.set(each.identity.pid, each);
  }
  return [...byPid.values()];
}

async function forget(layout: Layout, evenUnreadable: boolean): Promise<void> {
  const state = await readState(layout).catch((error: unknown) => {
    if (evenUnreadable) return undefined;
    throw error;
  });
  if (state !== undefined) await writeState(layout, { ...state, processes: {}, retiring: [] });
}

/** What killed commands left of files that they were about to rename. */
async function leftovers(layout: Layout): Promise<string[]> {
  const names = await readdir(layout.dir).catch(() => []);
  return names
    .filter((name) => /^(organizations|kafka-tls)\.tmp-|^(state\.json|lock)\./.test(name))
    .map((name) => join(layout.dir, name));
}

/**
 * Removes only what a network's folder holds: a --dir that names another folder loses nothing
 * else.
 */
async function remove(layout: Layout): Promise<void> {
  const own = [
    layout.config,
    layout.organizations,
    layout.artifacts,
    layout.packages,
    layout.data,
    layout.logs,
    layout.kafkaTls,
    // Last: with it the folder stops being a network.
    layout.state,
  ];
  for (const path of [...(await leftovers(layout)), ...own]) {
    await rm(path, { recursive: true, force: true });
  }
  await rmdir(layout.dir).catch((error: NodeJS.ErrnoException) => {
    const kept = error.code === 'ENOTEMPTY' || error.code === 'EEXIST' || error.code === 'ENOENT';
    if (!kept) throw new NetworkError('INTERNAL', error.message, { cause: error });
  });
}
