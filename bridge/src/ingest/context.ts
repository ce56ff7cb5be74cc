/** What all partitions of one run share. */
import type { Amount } from '../back-pressure.ts';
import type { KeyExpression } from '../batch/key-expression.ts';
import type { CutLimits } from '../batch/queue.ts';
import type { ShuttleError } from '../errors.ts';
import type { Outage } from '../outage.ts';
import type { Clock, DeadLetters, Ledger, Log, Meter, Source } from '../ports.ts';
import type { LedgerIdentity, TopicPartition } from '../values.ts';
import type { Window } from './window.ts';

export interface IngestDeps {
  readonly source: Source;
  readonly deadLetters: DeadLetters;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** Shared with the other pipeline of the process; one of its own by default. */
  readonly outage?: Outage;
}

export interface IngestOptions extends CutLimits {
  /** Tells apart two clusters, or two uses of one topic. */
  readonly stream: string;
  readonly lanes: number;
  /** JSON Pointer into the value, or '' to use the record's own key. */
  readonly keyExpression: string;
  readonly inFlightMax: number;
  readonly bufferRecordsMax: number;
  readonly bufferBytesMax: number;
  readonly ackIntervalMs: number;
  readonly gapPatienceMs: number;
  /** Go on behind records that are gone from the source without having been read. */
  readonly acceptTruncation: boolean;
  /** Stop when the ends as they were at the start are finished. */
  readonly untilEnd: boolean;
  /** With untilEnd: give up with DEADLINE when nothing moves for so long. */
  readonly deadlineMs?: number;
}

/** A partition that stopped for good, and why. */
export interface Stop extends TopicPartition {
  readonly error: ShuttleError;
}

export interface IngestSummary {
  readonly recordsRead: number;
  readonly applied: number;
  /** Records on the dead-letter topic, refused by the ledger or before. */
  readonly rejected: number;
  /** Records that the ledger had already. */
  readonly repeated: number;
  readonly batches: number;
  readonly stops: readonly Stop[];
}

export interface Context extends IngestDeps {
  readonly options: IngestOptions;
  readonly keyExpression: KeyExpression | null;
  readonly identity: LedgerIdentity;
  readonly window: Window;
  /** Aborts when the run is over; waits end with it. */
  readonly signal: AbortSignal;
  readonly outage: Outage;
  /** Share of the buffers that one partition may use, given how many there are now. */
  readonly bufferShare: () => Amount;
  readonly count: (what: keyof Omit<IngestSummary, 'stops'>, by: number) => void;
}

/** Names the ledger and the stream that an acked offset belongs to. */
export function ackMetadata(of: {
  readonly identity: LedgerIdentity;
  readonly options: Pick<IngestOptions, 'stream'>;
}): string {
  const { channel, genesisHash, chaincode, mspId } = of.identity;
  const { stream } = of.options;
  return JSON.stringify({ v: 1, channel, genesis: genesisHash, chaincode, mspId, stream });
}
