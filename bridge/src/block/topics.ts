/** Names on the outbound side: topics, and the headers that tell where a record comes from. */

/** The topics of one channel; `blocks` has one partition and is the publisher's checkpoint. */
export interface TopicNames {
  readonly blocks: string;
  readonly transactions: string;
  readonly changes: string;
  readonly events: string;
}

/** Which of a channel's topics. */
export type TopicKind = keyof TopicNames;

export function topicNames(prefix: string, channel: string): TopicNames {
  const base = `${prefix}.${channel}`;
  return {
    blocks: `${base}.blocks`,
    transactions: `${base}.transactions`,
    changes: `${base}.changes`,
    events: `${base}.events`,
  };
}

/** Block number in decimal digits: on blocks, transactions and events. */
export const BLOCK_NUMBER_HEADER = 'shuttle_block_number';

/** On blocks only; hashes are lower-case hex, counts are decimal digits. */
export const BLOCK_HASH_HEADER = 'shuttle_block_hash';
export const PREVIOUS_HASH_HEADER = 'shuttle_previous_hash';
/** With number and previous hash this is the whole header: its hash is the block's. */
export const DATA_HASH_HEADER = 'shuttle_data_hash';
/** Left out where the peer has none, as in block 0. */
export const COMMIT_HASH_HEADER = 'shuttle_commit_hash';
/** How many records this block has on the other topics; left out for a topic not published. */
export const TRANSACTION_COUNT_HEADER = 'shuttle_transaction_count';
export const CHANGE_COUNT_HEADER = 'shuttle_change_count';
export const EVENT_COUNT_HEADER = 'shuttle_event_count';

/** On blocks: `verified`, or `unverifiable` when the blocks alone do not prove all of it. */
export const VERDICT_HEADER = 'shuttle_verdict';
/** On blocks: what a verifier needs to go on behind it. */
export const CHECKPOINT_HEADER = 'shuttle_checkpoint';

/** On blocks, when the bridge attests them: its signature, and which key it is by. */
export const ATTESTATION_HEADER = 'shuttle_attestation';
export const ATTESTATION_KEY_HEADER = 'shuttle_attestation_key';

/** On any topic, of an encrypted value: `<version>:<key id>`. The last of Shuttle's headers. */
export const ENCRYPTION_HEADER = 'shuttle_encryption';

/** CloudEvents' id, which begins with `<channel>:<block>` on all topics. */
export const ID_HEADER = 'ce_id';

/** On changes: `<stream>/<topic>/<partition>/<offset>`, when the version came from a source. */
export const POSITION_HEADER = 'shuttle_position';
/** On changes: `true` when the value is not an envelope of Shuttle's and stands as it is. */
export const RAW_HEADER = 'shuttle_raw';
