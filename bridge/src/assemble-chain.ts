/** Where blocks are read from, put together for the commands on a chain. */
import type { Connections } from './assemble-connect.ts';
import { createPublishedReader } from './assemble-published.ts';
import { topicNames } from './block/topics.ts';
import type { PeerBlocks } from './chain/peers.ts';
import { type BlockSource, createPeerSource } from './chain/source.ts';
import { fabricConnection } from './config/connections.ts';
import { peerAddress } from './config/other-peer.ts';
import type { Settings } from './config/schema.ts';
import { createBlocksTopic } from './kafka/blocks-topic.ts';
import { createReader } from './kafka/reader.ts';

/** The blocks topic, or the peer of one's own organisation. */
export async function openBlockSource(
  connections: Connections,
  settings: Settings,
  from: 'topic' | 'peer',
  headersOnly = false,
): Promise<BlockSource> {
  if (from === 'topic') {
    const { blocks } = topicNames(settings.publish.prefix, settings.fabric.channel);
    const kafka = connections.kafka();
    const reader = headersOnly ? createReader(kafka) : createPublishedReader(kafka, settings);
    return createBlocksTopic(reader, blocks);
  }
  const { endpoint } = fabricConnection(settings);
  return createPeerSource(await connections.ledger(), endpoint);
}

/** A peer of another organisation. @throws ShuttleError FILE_UNREADABLE, CONFIG_INVALID */
export async function openPeer(
  connections: Connections,
  settings: Settings,
  text: string,
  cwd: string,
): Promise<PeerBlocks> {
  const address = peerAddress(text, cwd, settings);
  return { endpoint: address.endpoint, ledger: await connections.otherPeer(address) };
}
