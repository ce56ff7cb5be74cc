/** What the commands need of Shuttle, once it is put together; assemble.ts makes it. */

import type { TopicKind } from '../block/topics.ts';
import type { PeerBlocks } from '../chain/peers.ts';
import type { BlockSource } from '../chain/source.ts';
import type { LoadedSettings } from '../config/load.ts';
import type { ConsumeOptions, ConsumeSummary } from '../consume/consume.ts';
import type { IngestSummary } from '../ingest/context.ts';
import type { OffsetRow, Reset, ResetOptions } from '../ingest/offsets.ts';
import type { Relaned, RelaneOptions } from '../ingest/relane.ts';
import type { ReplayOptions, ReplaySummary } from '../letters/replay.ts';
import type { ListedLetter } from '../letters/walk.ts';
import type { LoadOptions, LoadSummary } from '../load/load.ts';
import type { OriginDeps } from '../origin/origin.ts';
import type { Side } from '../outage.ts';
import type { Clock, Ledger } from '../ports.ts';
import type { PublishSummary } from '../publish/publish.ts';
import type { FeedSummary } from '../read-model/feed.ts';
import type { ReadModel } from '../read-model/queries.ts';
import type { ReconcileOptions, ReconcileSummary } from '../reconcile/reconcile.ts';
import type { StageSummary } from '../stage/context.ts';
import type { Figures } from '../system/meter.ts';
import type { RecordHeader } from '../values.ts';

export type TailKind = 'blocks' | 'transactions' | 'changes' | 'events';

/** A record of one of the channel's topics. */
export interface TailRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

export interface TailOptions {
  readonly kind: TailKind;
  /** Start so many records before the end, or at the start. */
  readonly from: { readonly last: number } | 'beginning';
  /** Wait for more at the end instead of stopping there. */
  readonly follow: boolean;
}

export interface PartitionStatus {
  readonly topic: string;
  readonly partition: number;
  readonly logStart: bigint;
  readonly logEnd: bigint;
  /** The group's acked offset; null when it has none. */
  readonly acked: bigint | null;
  /** Records behind the ack. */
  readonly lag: bigint;
  /** Null when the partition has no layout on the ledger yet. */
  readonly lanes: number | null;
  /** The highest watermark of its lanes; null without any. */
  readonly watermark: bigint | null;
}

export interface Status {
  readonly kafka: { readonly clusterId: string; readonly stream: string; readonly groupId: string };
  readonly ledger: {
    readonly channel: string;
    readonly chaincode: string;
    readonly mspId: string;
    readonly genesisHash: string;
    /** Number of the last block. */
    readonly lastBlock: bigint;
  };
  readonly blocks: {
    readonly topic: string;
    /** Number of the last block on the topic; null when there is none. */
    readonly lastBlock: bigint | null;
  };
  readonly partitions: readonly PartitionStatus[];
}

export interface Check {
  readonly name: string;
  readonly detail: string;
}

/** Kafka, or Fabric's peer. */
export interface FarSide {
  readonly side: 'kafka' | 'fabric';
  /** host:port of whom was asked. */
  readonly endpoint: string;
}

export interface RunOptions {
  /** Stop at the ends as they are at the start. */
  readonly untilEnd: boolean;
}

export interface IndexOptions extends RunOptions {
  /** Forget what is in the file, and feed it from the start of the topic. */
  readonly rebuild: boolean;
  /** Changes read by now, and how many offsets lie ahead. */
  readonly onProgress: (read: number, ahead: number) => void;
}

export interface IndexSummary extends FeedSummary {
  readonly file: string;
}

export interface ReplayRequest extends Omit<ReplayOptions, 'stream' | 'deadlineMs'> {
  readonly source: string;
  /** Tell what would be replayed, and write nothing. */
  readonly dryRun: boolean;
}

export interface LoadRequest extends Omit<LoadOptions, 'deadlineMs'> {
  readonly topic: string;
}

export interface ConsumeRequest extends Omit<ConsumeOptions, 'deadlineMs'> {
  readonly topic: string;
  readonly kind: TopicKind;
}

/**
 * Shuttle with its settings. Nothing is contacted before a method needs it; each throws
 * ShuttleError.
 */
export interface Shuttle {
  readonly clock: Clock;
  figures(): Figures;
  /** The sides that were asked and have not answered yet. */
  unanswered(): readonly FarSide[];
  ledger(): Promise<Ledger>;
  ingest(options: RunOptions, signal: AbortSignal): Promise<IngestSummary>;
  publish(options: RunOptions, signal: AbortSignal): Promise<PublishSummary>;
  /** From the raw topic to the cleaned one. */
  clean(options: RunOptions, signal: AbortSignal): Promise<StageSummary>;
  /** Produces records of a file to a topic, each once however often it is begun. */
  load(request: LoadRequest, signal: AbortSignal): Promise<LoadSummary>;
  /** Serves health and metrics of the work with these sides if a port is configured: where. */
  serve(sides: readonly Side[]): Promise<string | null>;
  tail(options: TailOptions, signal: AbortSignal): AsyncIterable<TailRecord>;
  /** Reads one of the channel's topics, decrypted. */
  consume(request: ConsumeRequest, signal: AbortSignal): Promise<ConsumeSummary>;
  status(): Promise<Status>;
  /** Compares a source topic, the ledger and the blocks topic. */
  reconcile(
    options: Omit<ReconcileOptions, 'stream' | 'keyExpression'>,
    signal: AbortSignal,
  ): Promise<ReconcileSummary>;
  /** Cuts drained partitions of the source as configured. */
  relane(options: Pick<RelaneOptions, 'topic' | 'dryRun'>): Promise<readonly Relaned[]>;
  /** The group's acks. */
  offsets(): Promise<readonly OffsetRow[]>;
  /** Moves acks back while nobody ingests. */
  resetOffsets(
    options: Omit<ResetOptions, 'stream'>,
    signal: AbortSignal,
  ): Promise<readonly Reset[]>;
  /** Each dead letter of the source topics once, oldest first within a partition. */
  deadLetters(sources: readonly string[]): AsyncIterable<ListedLetter>;
  /** @throws ShuttleError LETTER_MISSING */
  deadLetter(source: string, partition: number, offset: bigint): Promise<ListedLetter>;
  /** Brings dead letters of a source topic back to it, each once. */
  replay(options: ReplayRequest, signal: AbortSignal): Promise<ReplaySummary>;
  /** Looks for where things come from: blocks by the peer, records by Kafka. */
  origins(): OriginDeps;
  /** The blocks of the channel, with `headersOnly` as they are on the topic; close it. */
  blockSource(from: 'topic' | 'peer', headersOnly?: boolean): Promise<BlockSource>;
  /** A peer of another organisation, by its address or connection profile. */
  otherPeer(text: string, cwd: string): Promise<PeerBlocks>;
  /** Feeds the read model from the changes topic. */
  index(options: IndexOptions, signal: AbortSignal): Promise<IndexSummary>;
  /** The read model; null when there is none, or none that is complete. Close it. */
  readModel(): ReadModel | null;
  /** Reads every file that is configured; with `connect` also asks Kafka and the peer. */
  check(connect: boolean): Promise<readonly Check[]>;
  close(): Promise<void>;
}

export type OpenShuttle = (loaded: LoadedSettings, options: OpenOptions) => Shuttle;

export interface OpenOptions {
  /** Log from warn on, unless the level is configured. */
  readonly quiet: boolean;
}
