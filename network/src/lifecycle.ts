import { join } from 'node:path';
import { NetworkError } from './errors.ts';
import { type Layout, ordererDir, peerDir } from './layout.ts';
import { adminEnvironment, type Environment, ordererAdminEnvironment } from './node-environment.ts';
import { type CommandResult, cleanEnvironment, lastLines, run } from './run.ts';
import { fabricCommand, type Tools } from './tools.ts';
import type { Orderer, Peer, Topology } from './topology.ts';

/** A network whose `peer` commands are run. */
export interface LifecycleContext {
  readonly topology: Topology;
  readonly layout: Layout;
  readonly tools: Tools;
}

/** What organisations approve and commit. */
export interface Definition {
  readonly name: string;
  readonly version: string;
  readonly sequence: number;
  readonly policy: string | undefined;
}

const COMMAND_TIMEOUT_MS = 90_000;

/** Joins an ordering node to the channel; one that has joined stays as it is. */
export async function joinOrderer(
  context: LifecycleContext,
  orderer: Orderer,
  genesis: string,
): Promise<void> {
  const tls = join(ordererDir(context.layout, orderer), 'tls');
  const result = await run(fabricCommand(context.tools, 'osnadmin'), [
    'channel',
    'join',
    `--channelID=${context.topology.options.channel}`,
    `--config-block=${genesis}`,
    `--orderer-address=localhost:${orderer.adminPort}`,
    `--ca-file=${join(tls, 'ca.crt')}`,
    `--client-cert=${join(tls, 'server.crt')}`,
    `--client-key=${join(tls, 'server.key')}`,
  ]);
  // osnadmin ends with 0 whatever the node answers: its first line is the HTTP status.
  const output = `${result.stdout}${result.stderr}`;
  const joined = /Status: (201|405)/.test(output);
  if (!joined) throw commandFailed(`${orderer.name} did not join the channel`, output);
}

/** Joins a peer to the channel; one that has joined stays as it is. */
export async function joinPeer(
  context: LifecycleContext,
  peer: Peer,
  genesis: string,
): Promise<void> {
  const result = await peerCommand(context, peer, ['channel', 'join', '-b', genesis]);
  const output = `${result.stdout}${result.stderr}`;
  if (result.exitCode === 0 || output.includes('already exists with state [ACTIVE]')) return;
  throw commandFailed(`${peer.name} did not join the channel`, output);
}

/** Installs a package at a peer; one that is installed already stays. */
export async function installPackage(
  context: LifecycleContext,
  peer: Peer,
  file: string,
): Promise<void> {
  const result = await peerCommand(context, peer, ['lifecycle', 'chaincode', 'install', file]);
  const output = `${result.stdout}${result.stderr}`;
  if (result.exitCode === 0 || output.includes('chaincode already successfully installed')) return;
  throw commandFailed(`The chaincode was not installed at ${peer.name}`, output);
}

/** The sequence of the committed definition, 0 when there is none. */
export async function committedSequence(
  context: LifecycleContext,
  peer: Peer,
  name: string,
): Promise<number> {
  const output = await query(context, peer, name, 'querycommitted');
  return output === undefined ? 0 : (JSON.parse(output) as { sequence: number }).sequence;
}

/** The package id that this peer's organisation approved last, undefined when there is none. */
export async function approvedPackage(
  context: LifecycleContext,
  peer: Peer,
  name: string,
): Promise<string | undefined> {
  const output = await query(context, peer, name, 'queryapproved');
  if (output === undefined) return undefined;
  const approved = JSON.parse(output) as ApprovedOutput;
  return approved.source?.Type?.LocalPackage?.package_id;
}

interface ApprovedOutput {
  readonly source?: { readonly Type?: { readonly LocalPackage?: { readonly package_id: string } } };
}

async function query(
  context: LifecycleContext,
  peer: Peer,
  name: string,
  command: 'querycommitted' | 'queryapproved',
): Promise<string | undefined> {
  const channel = ['-C', context.topology.options.channel, '--name', name, '--output', 'json'];
  const result = await peerCommand(context, peer, ['lifecycle', 'chaincode', command, ...channel]);
  if (result.exitCode === 0) return result.stdout;
  const output = `${result.stdout}${result.stderr}`;
  if (/is not defined|could not fetch approved chaincode definition/.test(output)) return undefined;
  throw commandFailed(`${peer.name} did not answer about chaincode ${name}`, output);
}

/** Approves a definition for the peer's organisation and waits until that is on the ledger. */
export async function approve(
  context: LifecycleContext,
  peer: Peer,
  definition: Definition,
  packageId: string,
  orderer: Orderer,
): Promise<void> {
  const args = ['lifecycle', 'chaincode', 'approveformyorg', '--package-id', packageId];
  const rest = [...definitionArguments(context, definition), ...ordererArguments(context, orderer)];
  const result = await peerCommand(context, peer, [...args, ...rest]);
  const output = `${result.stdout}${result.stderr}`;
  if (result.exitCode === 0 || output.includes('with unchanged content')) return;
  throw commandFailed(`${peer.org.name} did not approve chaincode ${definition.name}`, output);
}

/** Commits a definition that both organisations approved and waits until it is on the ledger. */
export async function commitDefinition(
  context: LifecycleContext,
  definition: Definition,
  orderer: Orderer,
): Promise<void> {
  const [first] = context.topology.peers;
  const peers = context.topology.peers.flatMap((peer) => [
    '--peerAddresses',
    `localhost:${peer.port}`,
    '--tlsRootCertFiles',
    join(peerDir(context.layout, peer), 'tls', 'ca.crt'),
  ]);
  const args = ['lifecycle', 'chaincode', 'commit', ...definitionArguments(context, definition)];
  const rest = [...ordererArguments(context, orderer), ...peers];
  const result = await peerCommand(context, first, [...args, ...rest]);
  if (result.exitCode === 0) return;
  const output = `${result.stdout}${result.stderr}`;
  throw commandFailed(`Chaincode ${definition.name} was not committed`, output);
}

/**
 * Signs a channel update with the key of every admin, so that whatever policy it needs is met, and
 * submits it.
 *
 * @param file an envelope with a ConfigUpdateEnvelope; the signatures are added to it
 */
export async function submitChannelUpdate(
  context: LifecycleContext,
  file: string,
  orderer: Orderer,
): Promise<void> {
  const { layout, topology } = context;
  const [first, second] = topology.peers;
  const signers = [ordererAdminEnvironment(layout), adminEnvironment(second, layout)];
  for (const signer of signers) {
    await channelCommand(context, signer, ['signconfigtx', '-f', file], 'signed');
  }
  const { channel } = topology.options;
  const args = ['update', '-f', file, '-c', channel, ...ordererArguments(context, orderer)];
  // It adds the signature of whoever sends it.
  await channelCommand(context, adminEnvironment(first, layout), args, 'taken');
}

async function channelCommand(
  context: LifecycleContext,
  environment: Environment,
  args: readonly string[],
  what: string,
): Promise<void> {
  const result = await run(fabricCommand(context.tools, 'peer'), ['channel', ...args], {
    env: cleanEnvironment(environment),
    timeoutMs: COMMAND_TIMEOUT_MS,
  });
  if (result.exitCode === 0) return;
  const output = `${result.stdout}${result.stderr}`;
  throw commandFailed(`The channel's new configuration was not ${what}`, output);
}

function definitionArguments(context: LifecycleContext, definition: Definition): string[] {
  const { name, version, sequence, policy } = definition;
  return [
    '--channelID',
    context.topology.options.channel,
    '--name',
    name,
    '--version',
    version,
    '--sequence',
    String(sequence),
    ...(policy === undefined ? [] : ['--signature-policy', policy]),
  ];
}

function ordererArguments(context: LifecycleContext, orderer: Orderer): string[] {
  const ca = join(ordererDir(context.layout, orderer), 'tls', 'ca.crt');
  return ['--orderer', `localhost:${orderer.port}`, '--tls', '--cafile', ca];
}

function peerCommand(
  context: LifecycleContext,
  peer: Peer,
  args: readonly string[],
): Promise<CommandResult> {
  return run(fabricCommand(context.tools, 'peer'), args, {
    env: cleanEnvironment(adminEnvironment(peer, context.layout)),
    timeoutMs: COMMAND_TIMEOUT_MS,
  });
}

function commandFailed(sentence: string, output: string): NetworkError {
  return new NetworkError('COMMAND_FAILED', `${sentence}.`, { lines: lastLines(output, 6) });
}
