import { join } from 'node:path';
import { isListening } from './busy-ports.ts';
import {
  type ChaincodeOptions,
  type ChaincodeSource,
  inspectChaincode,
  writePackage,
} from './chaincode-package.ts';
import { NetworkError } from './errors.ts';
import {
  approve,
  approvedPackage,
  commitDefinition,
  committedSequence,
  type Definition,
  installPackage,
} from './lifecycle.ts';
import type { NetworkContext } from './network-context.ts';
import { checkChaincode } from './readiness.ts';
import { chaincodeSpec } from './specs.ts';
import type { DeployedChaincode } from './state.ts';
import {
  CHAINCODE_SLOTS_MAX,
  chaincodePort,
  chaincodeProcessName,
  type Orderer,
  type Peer,
} from './topology.ts';
import { waitFor } from './wait.ts';

/** What `deploy` did. */
export interface DeployResult {
  readonly name: string;
  readonly version: string;
  readonly sequence: number;
  /** What happened: committed for the first time, replaced, or nothing because nothing changed. */
  readonly outcome: 'deployed' | 'upgraded' | 'unchanged';
}

const LEDGER_DEADLINE_MS = 30_000;
const READY_DEADLINE_MS = 60_000;

/**
 * Packages, installs, approves and commits a chaincode, serves it, and waits until both peers
 * endorse.
 */
export async function deployChaincode(
  context: NetworkContext,
  options: ChaincodeOptions,
): Promise<DeployResult> {
  const source = await inspectChaincode(options);
  const [peer] = context.topology.peers;
  const committed = await committedSequence(context, peer, source.name);
  if (committed > 0 && (await isUnchanged(context, source, committed, options.sequence))) {
    await startGeneration(context, await packaged(context, source, committed));
    await awaitChaincode(context, source.name);
    await context.stopRetiring();
    return result(source, committed, 'unchanged');
  }
  const sequence = options.sequence ?? committed + 1;
  if (sequence !== committed + 1) {
    const sentence = `The next sequence of ${source.name} is ${committed + 1}, not ${sequence}.`;
    throw new NetworkError('USAGE', sentence, { help: 'Leave --sequence out.' });
  }
  context.progress.step(`Deploying ${source.name} ${source.version}, sequence ${sequence}`);
  await define(context, await packaged(context, source, sequence), source.policy);
  return result(source, sequence, committed === 0 ? 'deployed' : 'upgraded');
}

function result(
  source: ChaincodeSource,
  sequence: number,
  outcome: DeployResult['outcome'],
): DeployResult {
  return { name: source.name, version: source.version, sequence, outcome };
}

/** The ledger knows what was approved last; equal package ids mean equal content and definition. */
async function isUnchanged(
  context: NetworkContext,
  source: ChaincodeSource,
  committed: number,
  wanted: number | undefined,
): Promise<boolean> {
  if (wanted !== undefined && wanted !== committed) return false;
  const { packageIds } = await packaged(context, source, committed);
  const approved = await Promise.all(
    context.topology.peers.map((peer) => approvedPackage(context, peer, source.name)),
  );
  return context.topology.peers.every(
    (peer, index) => approved[index] === packageIds[peer.org.name],
  );
}

/**
 * Writes the packages of one sequence: each organisation's holds the address of its own process.
 */
async function packaged(
  context: NetworkContext,
  source: ChaincodeSource,
  sequence: number,
): Promise<DeployedChaincode> {
  const slot = slotOf(context, source.name);
  const ids = await Promise.all(
    context.topology.peers.map(async ({ org }) => {
      const port = chaincodePort(context.topology.options, slot, sequence, org);
      const file = packageFile(context, source.name, org.name);
      return [org.name, await writePackage(source, `127.0.0.1:${port}`, file)] as const;
    }),
  );
  const { name, folder, version, given } = source;
  const packageIds = Object.fromEntries(ids);
  return { name, folder, version, given, sequence, slot, packageIds };
}

/** Where a chaincode's package for one organisation lies. */
function packageFile(context: NetworkContext, name: string, org: string): string {
  return join(context.layout.packages, `${name}-${org}.tar.gz`);
}

function slotOf(context: NetworkContext, name: string): number {
  const { chaincodes } = context.store.current();
  const known = chaincodes.find((each) => each.name === name);
  if (known !== undefined) return known.slot;
  const taken = new Set(chaincodes.map((each) => each.slot));
  for (let slot = 0; slot < CHAINCODE_SLOTS_MAX; slot += 1) if (!taken.has(slot)) return slot;
  const sentence = `A network serves at most ${CHAINCODE_SLOTS_MAX} chaincodes.`;
  throw new NetworkError('USAGE', sentence);
}

async function define(
  context: NetworkContext,
  chaincode: DeployedChaincode,
  policy: string | undefined,
): Promise<void> {
  const { peers } = context.topology;
  const definition: Definition = { ...chaincode, policy };
  const [orderer] = await Promise.all([
    listeningOrderer(context),
    startGeneration(context, chaincode),
    ...peers.map((peer) =>
      installPackage(context, peer, packageFile(context, chaincode.name, peer.org.name)),
    ),
  ]);
  await Promise.all(
    peers.map((peer) => {
      const id = chaincode.packageIds[peer.org.name] ?? '';
      return approve(context, peer, definition, id, orderer);
    }),
  );
  await commitOnBoth(context, definition, orderer);
  await awaitChaincode(context, chaincode.name);
  await context.stopRetiring();
}

/** A peer may not have the other organisation's approval yet: it says so, and is asked again. */
async function commitOnBoth(
  context: NetworkContext,
  definition: Definition,
  orderer: Orderer,
): Promise<void> {
  const [peer] = context.topology.peers;
  const commit = async (): Promise<true> => {
    const committed = await committedSequence(context, peer, definition.name);
    if (committed < definition.sequence) await commitDefinition(context, definition, orderer);
    return true;
  };
  await waitFor(commit, {
    what: `The commit of chaincode ${definition.name}`,
    deadlineMs: LEDGER_DEADLINE_MS,
  });
}

/** The first ordering node that listens, wherever it runs. */
export function listeningOrderer(context: NetworkContext): Promise<Orderer> {
  const probe = async (): Promise<Orderer | undefined> => {
    for (const each of context.topology.orderers) if (await isListening(each.port)) return each;
    return undefined;
  };
  return waitFor(probe, { what: 'An ordering node', deadlineMs: LEDGER_DEADLINE_MS });
}

/**
 * Notes the chaincode and starts its processes; those of another sequence go on until it is
 * committed.
 */
async function startGeneration(
  context: NetworkContext,
  chaincode: DeployedChaincode,
): Promise<void> {
  const before = context.store.current().chaincodes.find((each) => each.name === chaincode.name);
  const replaces = before !== undefined && before.sequence !== chaincode.sequence;
  const stale = !replaces && before !== undefined && !sameProgram(before, chaincode);
  const names = context.topology.peers.map((peer) =>
    chaincodeProcessName(chaincode.name, peer.org),
  );
  if (replaces || stale) await context.retire(names);
  // A failed attempt at this very sequence holds the same port.
  if (stale) await context.stopRetiring();
  await context.store.update((state) => ({
    ...state,
    chaincodes: [...state.chaincodes.filter((each) => each.name !== chaincode.name), chaincode],
  }));
  await serve(context, chaincode);
}

function sameProgram(a: DeployedChaincode, b: DeployedChaincode): boolean {
  return JSON.stringify(a.packageIds) === JSON.stringify(b.packageIds) && a.folder === b.folder;
}

/** Starts what is not running of a chaincode's processes and waits until they listen. */
async function serve(context: NetworkContext, chaincode: DeployedChaincode): Promise<void> {
  await Promise.all(
    context.topology.peers.map(async (peer) => {
      const spec = chaincodeSpec(context.topology, chaincode, peer, context.layout);
      await context.start(spec);
      await awaitListening(context, spec.name, spec.ports[0]?.port ?? 0);
    }),
  );
}

async function awaitListening(context: NetworkContext, name: string, port: number): Promise<void> {
  await waitFor(async () => ((await isListening(port)) ? true : undefined), {
    what: name,
    deadlineMs: READY_DEADLINE_MS,
    giveUp: () => context.requireUp(name),
    logLines: () => context.tail(name),
    at: context.logOf(name),
  });
}

/** Waits until each peer's process answers and each peer's discovery finds both organisations. */
export async function awaitChaincode(context: NetworkContext, name: string): Promise<void> {
  const { layout, topology } = context;
  const { channel } = topology.options;
  const check = async (peer: Peer): Promise<true> => {
    await checkChaincode(layout, peer, channel, name);
    return true;
  };
  await Promise.all(
    topology.peers.map((peer) => {
      const process = chaincodeProcessName(name, peer.org);
      return waitFor(() => check(peer), {
        what: `Chaincode ${name} at ${peer.name}`,
        deadlineMs: READY_DEADLINE_MS,
        intervalMs: 100,
        giveUp: () => {
          context.requireUp(process);
          context.requireUp(peer.name);
        },
        logLines: () => context.tail(process),
        at: context.logOf(process),
      });
    }),
  );
}

/** Serves again every chaincode that the network has, without touching the ledger. */
export async function serveKnown(context: NetworkContext): Promise<void> {
  await Promise.all(
    context.store.current().chaincodes.map((chaincode) => serve(context, chaincode)),
  );
}
