/**
 * What the pipelines know of the world: Source, DeadLetters, BlockSink, Ledger, Clock, Log, Meter.
 * Each guarantee written here is kept by every adapter and tested by its contract suite.
 */
import type { Layout, PartitionState } from '@shuttle/chaincode/ledger';
import type { BatchHeader, BatchReceipt } from '@shuttle/chaincode/wire';
import type {
  LedgerIdentity,
  OutputRecord,
  RecordHeader,
  SourceRecord,
  TopicPartition,
} from './values.ts';

/** A partition as this instance owns it; `epoch` tells one assignment from the next. */
export interface Owned extends TopicPartition {
  readonly epoch: number;
}

export interface Assignment extends Owned {
  /** First offset that the log still holds, and the end that read_committed readers see. */
  readonly logStart: bigint;
  readonly logEnd: bigint;
  /** The group's acked offset with its metadata; null when the group has none. */
  readonly ack: { readonly offset: bigint; readonly metadata: string } | null;
}

/** How far a partition's log reaches. */
export interface PartitionEnds extends TopicPartition {
  readonly logStart: bigint;
  /** The end that read_committed readers see. */
  readonly logEnd: bigint;
  /** The end of all that was written, by transactions that are still open too. */
  readonly writtenEnd: bigint;
}

export interface SourceBatch extends Owned {
  /** In offset order; only committed records. May be empty when all were filtered. */
  readonly records: readonly SourceRecord[];
  /** The offset behind the last one that was read: gaps and markers are passed by it. */
  readonly next: bigint;
  /** First offset that the log held when this was fetched. */
  readonly logStart: bigint;
}

export type SourceEvent =
  | { readonly kind: 'assigned'; readonly assignment: Assignment }
  | { readonly kind: 'records'; readonly batch: SourceBatch }
  | { readonly kind: 'revoked'; readonly owned: Owned }
  /** At each try in vain, and once when Kafka answers again: the adapter goes on by itself. */
  | { readonly kind: 'unreachable'; readonly error: Error }
  | { readonly kind: 'reachable' };

/**
 * The cleaned topics, read as a member of a consumer group.
 *
 * Guarantees: records of a partition come in offset order, none left out from `start`'s offset on
 * and none twice within an epoch (a rebalance that keeps the partition keeps the epoch). Nothing
 * comes for a partition before `start`, nor after its `revoked`. Calls with a past epoch do
 * nothing.
 */
export interface Source {
  /** Joins the group. Ends when the signal aborts; throws what cannot pass by itself. */
  events(signal: AbortSignal): AsyncIterable<SourceEvent>;
  /** Begins the delivery of an assigned partition at `offset`. */
  start(owned: Owned, offset: bigint): void;
  pause(owned: Owned): void;
  resume(owned: Owned): void;
  /** Commits group offsets (the next offset to read). Resolves false when one was not owned. */
  ack(owned: Owned, offset: bigint, metadata: string): Promise<boolean>;
  /** All partitions of the topics. */
  ends(): Promise<readonly PartitionEnds[]>;
  /** The committed record at exactly this offset; null when the log has none there. */
  read(at: TopicPartition, offset: bigint): Promise<SourceRecord | null>;
  /** The group's acked offset of each partition that has one. */
  acks(): Promise<readonly (TopicPartition & { offset: bigint; metadata: string })[]>;
  /** Leaves the group; acks that Kafka has not taken by then resolve false. */
  close(): Promise<void>;
}

/** A source whose reader may begin a partition again, wherever it stands then. */
export interface RenewableSource extends Source {
  /** Gives the partition up and takes it anew: `revoked`, then `assigned` with another epoch. */
  renew(owned: Owned): void;
}

/** A refused record on its way to the dead-letter topic. */
export interface DeadLetter extends TopicPartition {
  readonly record: SourceRecord;
  readonly stage: 'clean' | 'carry' | 'ledger';
  readonly code: string;
  readonly reason: string;
  /** Name of the rule that refused the record: of the cleaning, or of the contract. */
  readonly rule?: string;
  /** The transaction that refused it, when the ledger did. */
  readonly txId: string | null;
}

export interface DeadLetters {
  /** Resolves when all in-sync replicas hold the letters; retries inside until then. */
  send(letters: readonly DeadLetter[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Where the cleaning of a source partition stands. */
export interface CleanPosition extends PartitionEnds {
  /** The next offset to clean; null when the group has none of this partition. */
  readonly offset: bigint | null;
  /** Whether the group has an offset of any partition of the topic. */
  readonly isGroupKnown: boolean;
  /** Whether anything has ever been written to the cleaned topic. */
  readonly isTargetWritten: boolean;
}

/** A cleaned record: a document, with the raw record that it was made of. */
export interface CleanedRecord {
  readonly raw: SourceRecord;
  readonly key: Uint8Array;
  /** Null deletes the key. */
  readonly value: Uint8Array | null;
}

/** What became of the raw records up to `next`. */
export interface CleanStep {
  readonly cleaned: readonly CleanedRecord[];
  readonly letters: readonly DeadLetter[];
  /** The next offset to clean, when this is committed. */
  readonly next: bigint;
}

/**
 * What the cleaning of one source partition writes, and how far it has come.
 *
 * Guarantees: `open` fences every older sink of the partition and settles its transaction before
 * it reads the position, so nobody else can move it afterwards. `commit` is one Kafka transaction:
 * the records, the letters and the position, or none of it. After any error the sink is of no more
 * use: another one, once open, says what was committed.
 */
export interface CleanSink {
  /** @throws ShuttleError TOPIC_MISSING, KAFKA_UNREACHABLE, KAFKA_REFUSED */
  open(): Promise<CleanPosition>;
  /** @throws ShuttleError CLEAN_FENCED; PRODUCE_FAILED: it is not known which; TOPIC_UNFIT */
  commit(step: CleanStep): Promise<void>;
  /** Why the cleaned topic does not take the record, as a sentence; null when it does. */
  misfit(record: CleanedRecord): string | null;
  /** Committed records of the source partition with offsets in [from, to), in their order. */
  read(from: bigint, to: bigint): AsyncIterable<readonly SourceRecord[]>;
  close(): Promise<void>;
}

/** First or last record of the blocks topic, as its headers tell it. */
export interface BlockPosition {
  readonly number: bigint;
  /** Header hash, lower-case hex. */
  readonly hash: string;
  /** Lower-case hex; left out where the block has none. */
  readonly commitHash?: string;
  /** What the publisher wrote for who goes on behind it, if it has proven the block. */
  readonly checkpoint?: string;
}

export type BlockTail =
  | { readonly kind: 'new' }
  /** The topic has been written, but its first records are gone. */
  | { readonly kind: 'truncated'; readonly logStart: bigint }
  | { readonly kind: 'resume'; readonly first: BlockPosition; readonly last: BlockPosition };

/**
 * The topics of one channel.
 *
 * Guarantees: `open` fences every older instance before it reads the tail, so nobody else can move
 * it afterwards. `publish` is one Kafka transaction: all of its records or none. After any error
 * the sink is of no more use: open a new one, whose tail says what was committed.
 */
export interface BlockSink {
  open(): Promise<BlockTail>;
  publish(records: readonly OutputRecord[]): Promise<void>;
  /** Resolves when committed readers see what was published, or after some patience. */
  close(): Promise<void>;
}

/** How a partition is opened. */
export interface Opening {
  /** How many partitions the topic has now. */
  readonly partitions: number;
  /** How many of them are older, as the ledger said, and were waited for. */
  readonly older: number;
  readonly lanes: number;
  readonly keyExpressionDigest: string;
}

/**
 * The ledger behind one peer of one's own organisation.
 *
 * Errors carry what is known of their effect: `none` (endorse), `unknown` (submit, commit status).
 */
export interface Ledger {
  identity(): Promise<LedgerIdentity>;
  /** Layout and watermarks of the submitter's own MSP, from the own organisation's peers only. */
  getPartition(stream: string, at: TopicPartition): Promise<PartitionState>;
  /** Writes the layout if there is none; answers the one that stands. */
  openPartition(stream: string, at: TopicPartition, opening: Opening): Promise<Layout>;
  /**
   * Submits one batch and waits for its commit.
   *
   * @throws ShuttleError GAP, REPEATED, LAYOUT_MISMATCH, LEDGER_REFUSED, ENDORSE_FAILED,
   * COMMIT_INVALID, LEDGER_BUSY (no effect); SUBMIT_UNKNOWN, COMMIT_UNKNOWN (unknown)
   */
  submitBatch(header: BatchHeader, records: Uint8Array): Promise<Receipt>;
  /** Runs a query; the answer's bytes as the chaincode gave them. */
  evaluate(transaction: string, args: readonly string[]): Promise<Uint8Array>;
  /** Submits one transaction and waits for its commit. */
  submit(transaction: string, args: readonly string[]): Promise<Submitted>;
  /** Number of blocks of the channel on the peer. */
  height(): Promise<bigint>;
  /**
   * The exact bytes of every block from `from` on, in order, for as long as the stream holds.
   * Ends only with the signal; throws FABRIC_UNREACHABLE when it is cut or silent while the
   * height grows.
   */
  blocks(from: bigint, signal: AbortSignal): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export interface Submitted {
  readonly txId: string;
  readonly blockNumber: bigint;
  readonly result: Uint8Array;
}

export interface Receipt extends BatchReceipt {
  readonly txId: string;
  readonly blockNumber: bigint;
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms`, or at once when the signal aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** In [0, 1). */
  random(): number;
}

export type LogFields = Readonly<Record<string, unknown>>;

/** pino's shape: fields first, then a constant message in the past tense. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** Figures that the pipelines report; the adapter decides what becomes of them. */
export interface Meter {
  recordsRead(at: TopicPartition, count: number): void;
  recordsFinished(at: TopicPartition, applied: number, rejected: number, repeated: number): void;
  batchCommitted(at: TopicPartition, lane: number, records: number, durationMs: number): void;
  /** Raw records that became documents or dead letters, in one Kafka transaction. */
  recordsCleaned(at: TopicPartition, cleaned: number, documents: number, refused: number): void;
  inFlight(count: number): void;
  buffered(records: number, bytes: number): void;
  /** Next unfinished offset and the end of the log, as far as they are known. */
  position(at: TopicPartition, unfinished: bigint, logEnd: bigint): void;
  /** The partition has stopped with a code, until it is released. */
  partitionStopped(at: TopicPartition, code: string): void;
  /** The partition is not ours, or ours anew: what was said of it does not hold any more. */
  partitionReleased(at: TopicPartition): void;
  blockPublished(number: bigint, transactions: number, records: number): void;
  failed(code: string): void;
  /** Whether the far side answers. */
  reachable(side: 'kafka' | 'fabric', yes: boolean): void;
}

export type { RecordHeader };
