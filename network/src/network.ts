import type { ChaincodeOptions } from './chaincode-package.ts';
import { type ChannelChange, type ChannelUpdate, changeChannel } from './channel-update.ts';
import { killProcess, openExisting, startProcess } from './control.ts';
import { type DeployResult, deployChaincode } from './deploy.ts';
import { describeNetwork, type NetworkDescription } from './describe.ts';
import { type DownOptions, type DownResult, down } from './down.ts';
import { createLayout, networkDir } from './layout.ts';
import { withLock } from './lock.ts';
import { type Progress, SILENT } from './progress.ts';
import { NETWORK_LOCK_MS, type UpOptions, up } from './up.ts';

/** A running network and what may be done to it. */
export interface Network {
  /** As it was when it came up; ask `describe` after killing and starting. */
  readonly description: NetworkDescription;
  /** From built tools to readiness. */
  readonly elapsedMs: number;
  readonly describe: () => Promise<NetworkDescription>;
  /** See `killProcess`: SIGKILL by default; SIGSTOP pauses, SIGCONT goes on. */
  readonly kill: (name: string, signal?: NodeJS.Signals) => Promise<void>;
  /** See `startProcess`. */
  readonly start: (name: string) => Promise<void>;
  readonly deploy: (chaincode: ChaincodeOptions) => Promise<DeployResult>;
  /** See `updateChannel`. */
  readonly updateChannel: (change: ChannelChange) => Promise<ChannelUpdate>;
  /** Stops all processes; removes all data only with `{ delete: true }`. */
  readonly stop: (options?: { readonly delete?: boolean }) => Promise<DownResult>;
}

/** Brings a network up (see `up`) and gives a handle on it. Its processes outlive this one. */
export async function startNetwork(options: UpOptions): Promise<Network> {
  const { dir, elapsedMs } = await up(options);
  return {
    description: await describeNetwork(dir),
    elapsedMs,
    describe: () => describeNetwork(dir),
    kill: (name, signal) => killProcess(dir, name, signal),
    start: (name) => startProcess(dir, name),
    deploy: (chaincode) => deploy(dir, chaincode),
    updateChannel: (change) => updateChannel(dir, change),
    stop: (stopOptions = {}) => down({ dir, ...stopOptions }),
  };
}

/** Stops the network in a folder; see `Network.stop`. */
export function stopNetwork(options: DownOptions): Promise<DownResult> {
  return down(options);
}

/**
 * Deploys a chaincode to a running network: the first time, or as the next sequence if it changed.
 */
export async function deploy(
  dir: string | undefined,
  chaincode: ChaincodeOptions,
  progress: Progress = SILENT,
): Promise<DeployResult> {
  const layout = createLayout(networkDir(dir));
  await describeNetwork(dir);
  const lock = { what: `The network in ${layout.dir}`, deadlineMs: NETWORK_LOCK_MS };
  return withLock(layout.lock, lock, async () => {
    const context = await openExisting(dir);
    return deployChaincode({ ...context, progress }, chaincode);
  });
}

/**
 * Changes the channel's configuration, signed by the admins of all organisations, and waits until
 * both peers go by it.
 *
 * @param change is given the configuration as it is now, and changes it in place
 * @throws NetworkError NO_NETWORK; USAGE when nothing was changed; COMMAND_FAILED with the reason
 *   when the ordering service refuses it.
 */
export async function updateChannel(
  dir: string | undefined,
  change: ChannelChange,
): Promise<ChannelUpdate> {
  const layout = createLayout(networkDir(dir));
  await describeNetwork(dir);
  const lock = { what: `The network in ${layout.dir}`, deadlineMs: NETWORK_LOCK_MS };
  return withLock(layout.lock, lock, async () => changeChannel(await openExisting(dir), change));
}
