/** The nouns that all layers share. Offsets and block numbers are bigint, bytes are Uint8Array. */

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A Kafka header; a name may stand more than once, and its order is kept. */
export interface RecordHeader {
  readonly name: string;
  readonly value: Uint8Array | null;
}

/** A record as it was read from a source partition; `timestamp` in ms since the epoch. */
export interface SourceRecord {
  readonly offset: bigint;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

/** A record to produce. Without a partition the key chooses it; without a timestamp, the clock. */
export interface OutputRecord {
  readonly topic: string;
  readonly partition?: number;
  readonly key: Uint8Array | string | null;
  readonly value: Uint8Array | string | null;
  readonly headers: readonly OutputHeader[];
  readonly timestamp?: number;
}

export interface OutputHeader {
  readonly name: string;
  readonly value: Uint8Array | string | null;
}

/** Which ledger a position belongs to: another channel genesis is another ledger. */
export interface LedgerIdentity {
  readonly channel: string;
  /** Header hash of block 0, lower-case hex. */
  readonly genesisHash: string;
  readonly chaincode: string;
  /** The submitter's MSP id. */
  readonly mspId: string;
}

/** One string for a partition, for maps and logs. */
export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
