import { requireFreePorts } from './busy-ports.ts';
import { type Layout, logFile } from './layout.ts';
import { findMarked, isRunning, type ProcessIdentity } from './process-identity.ts';
import { died, logTail, type ProcessSpec, spawnDetached, terminate } from './processes.ts';
import type { Progress } from './progress.ts';
import type { StateStore } from './state.ts';
import type { Tools } from './tools.ts';
import type { Topology } from './topology.ts';

/** One network that a command works on, with what it may do to its processes. */
export interface NetworkContext {
  readonly topology: Topology;
  readonly layout: Layout;
  readonly tools: Tools;
  readonly store: StateStore;
  readonly progress: Progress;
  /** True while the process that the state names runs. */
  readonly isUp: (name: string) => boolean;
  /**
   * Says when a process that was started has ended; one that was never started here (its node runs
   * in a container) is not missed.
   *
   * @throws NetworkError PROCESS_DIED.
   */
  readonly requireUp: (name: string) => void;
  /** Starts a process unless it runs, and notes it. */
  readonly start: (spec: ProcessSpec) => Promise<void>;
  /** Takes processes out of service: they run on until `stopRetiring`. */
  readonly retire: (names: readonly string[]) => Promise<void>;
  readonly stopRetiring: () => Promise<void>;
  readonly logOf: (name: string) => string;
  readonly tail: (name: string) => string[];
}

const RETIRE_DEADLINE_MS = 5000;

/** Binds the parts of a network together. */
export function createContext(
  parts: Pick<NetworkContext, 'topology' | 'layout' | 'tools' | 'store' | 'progress'>,
): NetworkContext {
  const { layout, store } = parts;
  const isUp = (name: string): boolean => isRunning(store.current().processes[name]);
  const logOf = (name: string): string => logFile(layout, name);
  return {
    ...parts,
    isUp,
    logOf,
    tail: (name) => logTail(logOf(name)),
    requireUp: (name) => {
      const noted = store.current().processes[name] !== undefined;
      if (noted && !isUp(name)) throw died({ name, logFile: logOf(name) });
    },
    start: async (spec) => {
      if (isUp(spec.name)) return;
      await requireFreePorts(spec.ports);
      const identity = spawnDetached(spec, layout.dir);
      await store.update((state) => ({
        ...state,
        processes: { ...state.processes, [spec.name]: identity },
      }));
    },
    retire: (names) => retire(store, names),
    stopRetiring: async () => {
      const { retiring } = store.current();
      await Promise.all(retiring.map((each) => terminate(each, RETIRE_DEADLINE_MS)));
      await store.update((state) => ({
        ...state,
        retiring: state.retiring.filter((each) => !retiring.includes(each)),
      }));
    },
  };
}

async function retire(store: StateStore, names: readonly string[]): Promise<void> {
  await store.update((state) => {
    const named = Object.entries(state.processes).filter(([name]) => names.includes(name));
    const rest = Object.entries(state.processes).filter(([name]) => !names.includes(name));
    const running = named.map(([, identity]) => identity).filter(isRunning);
    return {
      ...state,
      processes: Object.fromEntries(rest),
      retiring: [...state.retiring, ...running],
    };
  });
}

/**
 * Takes back what a killed command started without noting it: nodes go on, chaincode processes are
 * stopped, because their generation is unknown. Returns the names that were found.
 */
export async function adoptLost(context: NetworkContext): Promise<string[]> {
  const { processes, retiring } = context.store.current();
  const known = new Set([...Object.values(processes), ...retiring].map(({ pid }) => pid));
  const lost = findMarked(context.layout.dir).filter(
    ({ name, identity }) => !known.has(identity.pid) && !isRunning(processes[name]),
  );
  const adopted: Record<string, ProcessIdentity> = {};
  for (const { name, identity } of lost) {
    const isNode = !name.startsWith('chaincode-') && adopted[name] === undefined;
    if (isNode) adopted[name] = identity;
    else await terminate(identity, RETIRE_DEADLINE_MS);
  }
  await context.store.update((state) => ({
    ...state,
    processes: { ...state.processes, ...adopted },
  }));
  return lost.map(({ name }) => name);
}
