/** What all partitions of one run share. */
import type { Amount } from '../back-pressure.ts';
import type { Cleaner } from '../clean/cleaner.ts';
import type { ShuttleError } from '../errors.ts';
import type { Outage } from '../outage.ts';
import type { CleanSink, Clock, Log, Meter, RenewableSource } from '../ports.ts';
import type { TopicPartition } from '../values.ts';

/** A cleaner that may look back: at the records before the one it cleans. */
export interface StageCleaner extends Pick<Cleaner, 'clean'> {
  /** How many offsets it looks back; none by default. */
  readonly windowRecords?: number;
}

export interface StageDeps {
  readonly source: RenewableSource;
  /** The sink of one partition; nothing is contacted before its `open`. */
  readonly createSink: (at: TopicPartition) => CleanSink;
  /** What a cleaner remembers is of one partition, so each assignment has its own. */
  readonly createCleaner: () => StageCleaner;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly outage: Outage;
}

export interface StageOptions {
  /** Go on behind records that are gone from the source without having been cleaned. */
  readonly acceptTruncation: boolean;
  /** Start over when the group has no position although the target has records. */
  readonly acceptLostPosition: boolean;
  /** Stop when the ends as they were at the start are cleaned. */
  readonly untilEnd: boolean;
  /** With untilEnd: give up with DEADLINE when nothing moves for so long. */
  readonly deadlineMs?: number;
  readonly transactionRecordsMax: number;
  readonly transactionBytesMax: number;
  readonly transactionAgeMs: number;
  readonly bufferRecordsMax: number;
  readonly bufferBytesMax: number;
  /** How long one that was fenced waits before it asks for the partition anew. */
  readonly fencedPatienceMs: number;
}

/** A partition that stopped for good, and why. */
export interface StageStop extends TopicPartition {
  readonly error: ShuttleError;
}

export interface StageSummary {
  readonly recordsRead: number;
  /** Raw records that became documents. */
  readonly cleaned: number;
  readonly documents: number;
  /** Documents that a rule left out because they stood before already. */
  readonly dropped: number;
  /** Raw records on the dead-letter topic. */
  readonly refused: number;
  /** Kafka transactions. */
  readonly transactions: number;
  /** Refused records by rule and code. */
  readonly refusals: readonly StageRefusal[];
  readonly stops: readonly StageStop[];
}

export interface StageRefusal {
  /** Null when it was no rule, but what the cleaned topic takes. */
  readonly rule: string | null;
  readonly code: string;
  readonly records: number;
}

export type StageCount = keyof Omit<StageSummary, 'refusals' | 'stops'>;

export interface StageContext extends StageDeps {
  readonly options: StageOptions;
  /** Aborts when the run is over; waits end with it. */
  readonly signal: AbortSignal;
  /** Share of the buffers that one partition may use, given how many there are now. */
  readonly bufferShare: () => Amount;
  readonly count: (what: StageCount, by: number) => void;
  readonly refused: (rule: string | null, code: string) => void;
}
