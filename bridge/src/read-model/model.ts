/** What a read model is: the current documents of a channel, kept beside the ledger to ask fast. */
import type { PartitionEnds } from '../ports.ts';

/** One version of a document, as the changes topic tells it. */
export interface ModelChange {
  readonly key: Uint8Array;
  /** The document's bytes; null deletes. */
  readonly value: Uint8Array | null;
  /** Number of the block that wrote it; null when the record does not tell. */
  readonly block: bigint | null;
  /** `<stream>/<topic>/<partition>/<offset>` of the source; null for a client's version. */
  readonly source: string | null;
}

/** How far a partition of the changes topic has been read. */
export interface ModelPosition {
  readonly partition: number;
  /** The next offset to read. */
  readonly next: bigint;
  /** The last record that was read, to tell this log from another one. */
  readonly last: ModelMark | null;
}

/** A record of the changes topic, by its offset and its CloudEvents id. */
export interface ModelMark {
  readonly offset: bigint;
  readonly id: string;
}

/** What one transaction of the database adds. */
export interface ModelStep {
  readonly partition: number;
  /** Where the partition stood, 0 at first; refused when somebody else has moved it. */
  readonly from: bigint;
  readonly next: bigint;
  readonly last: ModelMark | null;
  readonly changes: readonly ModelChange[];
}

/**
 * The writing side of the model. Guarantees: a step is applied whole or not at all, and its
 * position moves with it, so that no change is missing or applied over a later one, whoever is
 * killed and however many feed the same file.
 */
export interface ReadModelWriter {
  positions(): ReadonlyMap<number, ModelPosition>;
  /** False when the partition does not stand where the step begins: nothing is applied then. */
  apply(step: ModelStep): boolean;
  /** Everything that was on the topic at this moment (ms since the epoch) is in the model. */
  complete(atMs: number): void;
  /** When the model was complete last, or else when it began to be fed (ms since the epoch). */
  freshAtMs(): number;
  /** Forgets everything, to be fed from the start of the topic. */
  clear(): void;
}

/** A record of the changes topic. */
export interface ChangeRecord {
  readonly offset: bigint;
  readonly id: string;
  readonly change: ModelChange;
}

export interface ChangesFetched {
  readonly records: readonly ChangeRecord[];
  /** The offset behind what was read. */
  readonly next: bigint;
}

/** The changes topic. Every call throws ShuttleError KAFKA_UNREACHABLE, KAFKA_REFUSED. */
export interface ChangesLog {
  readonly topic: string;
  /** All partitions. @throws ShuttleError TOPIC_MISSING */
  ends(): Promise<readonly PartitionEnds[]>;
  /**
   * How long compaction leaves a deletion on the topic (ms); null when it takes none. Who has not
   * read for longer may have missed one.
   */
  deletionsKeptMs(): Promise<number | null>;
  /**
   * Committed records from an offset on; none at the end, after `waitMs` at most.
   *
   * @throws ShuttleError INDEX_BROKEN when the log does not hold the offset any more
   */
  fetch(partition: number, from: bigint, waitMs: number): Promise<ChangesFetched>;
  /** The record at exactly this offset; null when compaction has taken it. */
  at(partition: number, offset: bigint): Promise<ChangeRecord | null>;
}
