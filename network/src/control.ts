import { isListening } from './busy-ports.ts';
import { describeNetwork } from './describe.ts';
import { NetworkError } from './errors.ts';
import { createLayout, networkDir } from './layout.ts';
import { withLock } from './lock.ts';
import { createContext, type NetworkContext } from './network-context.ts';
import { isRunning } from './process-identity.ts';
import { signal, waitUntilGone } from './processes.ts';
import { SILENT } from './progress.ts';
import { createStateStore, readState } from './state.ts';
import { createTopology } from './topology.ts';
import { allSpecs, NETWORK_LOCK_MS } from './up.ts';
import { waitFor } from './wait.ts';

const GONE_DEADLINE_MS = 30_000;
const LISTEN_DEADLINE_MS = 60_000;

/**
 * Sends a signal to one named process. After a signal that ends it (all but SIGSTOP and SIGCONT)
 * resolves when it has ended.
 *
 * @throws NetworkError NO_NETWORK, UNKNOWN_PROCESS (also when it does not run).
 */
export async function killProcess(
  dir: string,
  name: string,
  signalName: NodeJS.Signals = 'SIGKILL',
): Promise<void> {
  const layout = createLayout(networkDir(dir));
  const identity = (await readState(layout))?.processes[name];
  if (!isRunning(identity) || !signal(identity, signalName)) {
    await describeNetwork(dir);
    throw new NetworkError('UNKNOWN_PROCESS', `No process named ${name} runs in ${layout.dir}.`);
  }
  if (signalName === 'SIGSTOP' || signalName === 'SIGCONT') return;
  await waitUntilGone(identity, GONE_DEADLINE_MS);
}

/**
 * Starts one named process again with what it had, and waits until it listens; one that runs stays.
 * Whether it also serves is for the caller to ask (`up` waits for that).
 *
 * @throws NetworkError NO_NETWORK, UNKNOWN_PROCESS, PORT_BUSY, PROCESS_DIED, NOT_READY.
 */
export async function startProcess(dir: string, name: string): Promise<void> {
  const layout = createLayout(networkDir(dir));
  const lock = { what: `The network in ${layout.dir}`, deadlineMs: NETWORK_LOCK_MS };
  await describeNetwork(dir);
  await withLock(layout.lock, lock, async () => {
    const context = await openExisting(dir);
    const spec = allSpecs(context).find((each) => each.name === name);
    if (spec === undefined) {
      throw new NetworkError('UNKNOWN_PROCESS', `The network has no process named ${name}.`);
    }
    await context.start(spec);
    await waitFor(
      async () => {
        const listening = await Promise.all(spec.ports.map(({ port }) => isListening(port)));
        return listening.includes(false) ? undefined : true;
      },
      {
        what: name,
        deadlineMs: LISTEN_DEADLINE_MS,
        giveUp: () => context.requireUp(name),
        logLines: () => context.tail(name),
        at: spec.logFile,
      },
    );
  });
}

/** The context of a network that exists, with the tools that it was last brought up with. */
export async function openExisting(dir: string | undefined): Promise<NetworkContext> {
  const layout = createLayout(networkDir(dir));
  const state = await readState(layout);
  if (state === undefined) {
    throw new NetworkError('NO_NETWORK', `There is no network in ${layout.dir}.`);
  }
  return createContext({
    topology: createTopology(state.options),
    layout,
    tools: state.tools,
    store: createStateStore(layout, state),
    progress: SILENT,
  });
}
