import { readFile } from 'node:fs/promises';
import { NetworkError } from './errors.ts';
import { writeAtomically } from './files.ts';
import type { Layout } from './layout.ts';
import type { TopologyOptions } from './options.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** Raised when the file's shape changes; a file of another version is refused, never guessed at. */
export const STATE_SCHEMA = 1;

/** A chaincode that this network serves. */
export interface DeployedChaincode {
  readonly name: string;
  /** Absolute folder that holds the chaincode. */
  readonly folder: string;
  readonly version: string;
  /** What was said when it was deployed; the rest follows the folder's package.json. */
  readonly given: {
    readonly version?: string;
    readonly label?: string;
    readonly policy?: string;
  };
  readonly sequence: number;
  /** Its place in the range of ports. */
  readonly slot: number;
  /** Package id by organisation: each package holds the address of that organisation's process. */
  readonly packageIds: Readonly<Record<string, string>>;
}

/** What a network's folder remembers between commands. */
export interface NetworkState {
  readonly schema: typeof STATE_SCHEMA;
  readonly options: TopologyOptions;
  /** Cache folders of the tools that run it. */
  readonly tools: { readonly fabric: string; readonly kafka: string };
  readonly processes: Readonly<Record<string, ProcessIdentity>>;
  /** Processes of an earlier generation, stopped as soon as the new one serves. */
  readonly retiring: readonly ProcessIdentity[];
  readonly chaincodes: readonly DeployedChaincode[];
}

/**
 * Reads a folder's state; undefined when there is none.
 *
 * @throws NetworkError STATE_UNREADABLE when the file is damaged or of another version.
 */
export async function readState(layout: Layout): Promise<NetworkState | undefined> {
  const text = await readFile(layout.state, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw unreadable(layout, 'cannot be read', error);
  });
  if (text === undefined) return undefined;
  return parseState(text, layout);
}

function parseState(text: string, layout: Layout): NetworkState {
  let state: NetworkState;
  try {
    state = JSON.parse(text) as NetworkState;
  } catch (error) {
    throw unreadable(layout, 'is not JSON', error);
  }
  const { schema } = state as { schema: unknown };
  if (schema !== STATE_SCHEMA) {
    throw unreadable(layout, `is of version ${String(schema)}, not ${STATE_SCHEMA}`);
  }
  return state;
}

function unreadable(layout: Layout, why: string, cause?: unknown): NetworkError {
  return new NetworkError('STATE_UNREADABLE', `The state of this network ${why}.`, {
    at: layout.state,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Replaces the state file in one step. */
export async function writeState(layout: Layout, state: NetworkState): Promise<void> {
  await writeAtomically(layout.state, `${JSON.stringify(state, undefined, 2)}\n`);
}

/** A state file in memory whose every change is written at once, one after another. */
export interface StateStore {
  readonly current: () => NetworkState;
  readonly update: (change: (state: NetworkState) => NetworkState) => Promise<void>;
}

/** Opens a store on a state that was read or newly made. */
export function createStateStore(layout: Layout, initial: NetworkState): StateStore {
  let state = initial;
  let writing: Promise<void> = Promise.resolve();
  return {
    current: () => state,
    update: (change) => {
      state = change(state);
      writing = writing.catch(() => undefined).then(() => writeState(layout, state));
      return writing;
    },
  };
}
