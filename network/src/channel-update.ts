import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { common } from '@hyperledger/fabric-protos';
import { listeningOrderer } from './deploy.ts';
import { NetworkError } from './errors.ts';
import { submitChannelUpdate } from './lifecycle.ts';
import type { NetworkContext } from './network-context.ts';
import { withGateway } from './peer-gateway.ts';
import { lastLines, run } from './run.ts';
import { fabricCommand } from './tools.ts';
import type { Peer } from './topology.ts';
import { waitFor } from './wait.ts';

/** Changes the channel's group - its groups, values and policies - in place. */
export type ChannelChange = (channelGroup: common.ConfigGroup) => void;

/** What a channel update did. */
export interface ChannelUpdate {
  /** Number of the configuration that the channel has now; the genesis block's is 0. */
  readonly sequence: number;
}

const TAKEN_DEADLINE_MS = 30_000;

/** Fetches the configuration, changes it, and submits what differs; see `updateChannel`. */
export async function changeChannel(
  context: NetworkContext,
  change: ChannelChange,
): Promise<ChannelUpdate> {
  const { layout, topology } = context;
  const before = await readConfig(context, topology.peers[0]);
  const after = common.Config.deserializeBinary(before.serializeBinary());
  change(channelGroupOf(after));
  const folder = await mkdtemp(join(layout.artifacts, 'update-'));
  try {
    const update = await computeUpdate(context, folder, before, after);
    const file = join(folder, 'update.tx');
    await writeFile(file, updateEnvelope(topology.options.channel, update));
    await submitChannelUpdate(context, file, await listeningOrderer(context));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const sequence = before.getSequence() + 1;
  await Promise.all(topology.peers.map((peer) => awaitSequence(context, peer, sequence)));
  return { sequence };
}

function channelGroupOf(config: common.Config): common.ConfigGroup {
  const group = config.getChannelGroup();
  if (group === undefined) throw new Error('a configuration without a channel group');
  return group;
}

/** The configuration by which a peer goes now. */
async function readConfig(context: NetworkContext, peer: Peer): Promise<common.Config> {
  const { channel } = context.topology.options;
  return withGateway(context.layout, peer, async ({ gateway }) => {
    const bytes = await gateway
      .getNetwork(channel)
      .getContract('cscc')
      .evaluate('GetChannelConfig', {
        arguments: [channel],
        endorsingOrganizations: [peer.org.mspId],
      });
    return common.Config.deserializeBinary(bytes);
  });
}

/** What Fabric's own tool makes of the difference: the read and write sets of a ConfigUpdate. */
async function computeUpdate(
  context: NetworkContext,
  folder: string,
  before: common.Config,
  after: common.Config,
): Promise<Uint8Array> {
  const [original, updated, output] = ['before', 'after', 'update'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  await writeFile(original, before.serializeBinary());
  await writeFile(updated, after.serializeBinary());
  const named = ['--original', original, '--updated', updated, '--output', output];
  const channel = ['--channel_id', context.topology.options.channel];
  const tool = fabricCommand(context.tools, 'configtxlator');
  const result = await run(tool, ['compute_update', ...channel, ...named]);
  if (result.exitCode === 0) return readFile(output);
  const text = `${result.stdout}${result.stderr}`;
  if (text.includes('no differences detected')) {
    const sentence = "The change leaves the channel's configuration as it is.";
    throw new NetworkError('USAGE', sentence, { help: 'Change the group that is handed in.' });
  }
  throw new NetworkError('COMMAND_FAILED', '`configtxlator` failed.', {
    lines: lastLines(text, 6),
  });
}

/** An unsigned envelope as `peer channel signconfigtx` takes it. */
function updateEnvelope(channel: string, update: Uint8Array): Uint8Array {
  const header = new common.ChannelHeader();
  header.setType(common.HeaderType.CONFIG_UPDATE);
  header.setChannelId(channel);
  const headers = new common.Header();
  headers.setChannelHeader(header.serializeBinary());
  const content = new common.ConfigUpdateEnvelope();
  content.setConfigUpdate(update);
  const payload = new common.Payload();
  payload.setHeader(headers);
  payload.setData(content.serializeBinary());
  const envelope = new common.Envelope();
  envelope.setPayload(payload.serializeBinary());
  return envelope.serializeBinary();
}

async function awaitSequence(context: NetworkContext, peer: Peer, sequence: number): Promise<void> {
  const probe = async (): Promise<true | undefined> =>
    (await readConfig(context, peer)).getSequence() >= sequence ? true : undefined;
  await waitFor(probe, {
    what: `The channel's new configuration at ${peer.name}`,
    deadlineMs: TAKEN_DEADLINE_MS,
    giveUp: () => context.requireUp(peer.name),
    logLines: () => context.tail(peer.name),
    at: context.logOf(peer.name),
  });
}
