/**
 * Evidence as a file: JSON with what somebody who has nothing else needs to check that a
 * transaction is on the channel. Strict: an unknown or oddly written member is refused, so that a
 * file says one thing only.
 */

/** What there is of one transaction. */
export interface Evidence {
  readonly channel: string;
  /** The namespace of the key. */
  readonly chaincode: string;
  /** Header hash of block 0, lower-case hex. */
  readonly genesisHash: string;
  /** The data hashes of all blocks from 0 to the transaction's, 32 bytes each. */
  readonly dataHashes: Uint8Array;
  /** Every config block before the transaction's block, from block 0 on: exact bytes. */
  readonly configs: readonly Uint8Array[];
  /** The blocks that define the chaincodes that it writes for, in order: exact bytes. */
  readonly definitions: readonly Uint8Array[];
  /** The block with the transaction: exact bytes. */
  readonly block: Uint8Array;
  /** The transaction's index in the block. */
  readonly transaction: number;
  /** The key whose write is proven; null for the transaction as such. */
  readonly key: string | null;
}

export const DATA_HASH_BYTES = 32;
const FORMAT = 'shuttle-evidence';
const VERSION = 1;

type Members = Readonly<Record<string, unknown>>;

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

export function encodeEvidence(evidence: Evidence): string {
  const { channel, chaincode, genesisHash, transaction, key } = evidence;
  const members = {
    format: FORMAT,
    version: VERSION,
    channel,
    chaincode,
    genesisHash,
    key,
    transaction,
    dataHashes: base64(evidence.dataHashes),
    configs: evidence.configs.map(base64),
    definitions: evidence.definitions.map(base64),
    block: base64(evidence.block),
  };
  return `${JSON.stringify(members)}\n`;
}

/** @throws Error with a sentence's words when the text is no evidence */
export function decodeEvidence(text: string): Evidence {
  const members = JSON.parse(text) as Members | null;
  if (typeof members !== 'object' || members === null || members.format !== FORMAT) {
    throw new Error(`it is not of the format ${FORMAT}`);
  }
  if (members.version !== VERSION) {
    throw new Error('it is of another version');
  }
  const { transaction, key, genesisHash } = members;
  if (typeof transaction !== 'number' || !Number.isSafeInteger(transaction) || transaction < 0) {
    throw new Error('its transaction is no index');
  }
  if (key !== null && typeof key !== 'string') {
    throw new Error('its key is no text');
  }
  if (typeof genesisHash !== 'string' || !/^[0-9a-f]{64}$/.test(genesisHash)) {
    throw new Error('its genesis hash is none');
  }
  const dataHashes = bytesOf(members.dataHashes);
  if (dataHashes.length === 0 || dataHashes.length % DATA_HASH_BYTES !== 0) {
    throw new Error('its data hashes are not of 32 bytes each');
  }
  const evidence: Evidence = {
    channel: textOf(members.channel),
    chaincode: textOf(members.chaincode),
    genesisHash,
    dataHashes,
    configs: listOf(members.configs),
    definitions: listOf(members.definitions),
    block: bytesOf(members.block),
    transaction,
    key,
  };
  if (encodeEvidence(evidence).trim() !== text.trim()) {
    throw new Error('it is not written as evidence is written');
  }
  return evidence;
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') {
    throw new Error('a name is no text');
  }
  return value;
}

function bytesOf(value: unknown): Buffer {
  if (typeof value !== 'string') {
    throw new Error('bytes are no base64');
  }
  return Buffer.from(value, 'base64');
}

function listOf(value: unknown): Buffer[] {
  if (!Array.isArray(value)) {
    throw new Error('a list of blocks is none');
  }
  return value.map(bytesOf);
}
