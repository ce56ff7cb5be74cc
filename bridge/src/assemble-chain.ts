/** Where blocks are read from, put together for the commands on a chain. */
import type { Connections } from './assemble-connect.ts';
import { topicNames } from './block/topics.ts';
import { type BlockSource, createPeerSource } from './chain/source.ts';
import { fabricConnection } from './config/connections.ts';
import type { Settings } from './config/schema.ts';
import { createBlocksTopic } from './kafka/blocks-topic.ts';

/** The blocks topic, or the peer of one's own organisation. */
export async function openBlockSource(
  connections: Connections,
  settings: Settings,
  from: 'topic' | 'peer',
): Promise<BlockSource> {
  if (from === 'topic') {
    const { prefix } = settings.publish;
    return createBlocksTopic(
      connections.kafka(),
      topicNames(prefix, settings.fabric.channel).blocks,
    );
  }
  const { endpoint } = fabricConnection(settings);
  return createPeerSource(await connections.ledger(), endpoint);
}
