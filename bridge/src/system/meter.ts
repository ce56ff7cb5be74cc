/** The Meter port on prom-client, and the same figures as a snapshot for people. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Meter } from '../ports.ts';
import { partitionName, type TopicPartition } from '../values.ts';

export interface PartitionFigures extends TopicPartition {
  /** Records between the next unfinished offset and the end of the log. */
  readonly lag: bigint;
}

/** The figures since start. */
export interface Figures {
  readonly recordsRead: number;
  readonly applied: number;
  readonly rejected: number;
  readonly repeated: number;
  readonly batches: number;
  /** Raw records that became documents, these documents, and raw records that were refused. */
  readonly cleaned: number;
  readonly documents: number;
  readonly refused: number;
  readonly inFlight: number;
  readonly bufferedRecords: number;
  readonly bufferedBytes: number;
  readonly blocks: number;
  readonly transactions: number;
  readonly recordsPublished: number;
  /** Number of the last published block; null before the first. */
  readonly lastBlock: bigint | null;
  readonly partitions: readonly PartitionFigures[];
  readonly errors: Readonly<Record<string, number>>;
  /** Partitions that have stopped, with their code. */
  readonly stops: readonly (TopicPartition & { readonly code: string })[];
  /** Null until the side was tried for the first time. */
  readonly reachable: Readonly<Record<'kafka' | 'fabric', boolean | null>>;
}

export interface SystemMeter extends Meter {
  figures(): Figures;
  /** The figures in Prometheus' text format. */
  metrics(): Promise<string>;
  readonly contentType: string;
}

const COMMIT_SECONDS = [0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30, 60];

/** Each meter has a registry of its own, so that two in one process do not mix. */
export function createMeter(): SystemMeter {
  const instruments = createInstruments(new Registry());
  const state = {
    recordsRead: 0,
    applied: 0,
    rejected: 0,
    repeated: 0,
    batches: 0,
    cleaned: 0,
    documents: 0,
    refused: 0,
    inFlight: 0,
    bufferedRecords: 0,
    bufferedBytes: 0,
    blocks: 0,
    transactions: 0,
    recordsPublished: 0,
    lastBlock: null as bigint | null,
  };
  const partitions = new Map<string, PartitionFigures>();
  const errors: Record<string, number> = {};
  const stops = new Map<string, TopicPartition & { readonly code: string }>();
  const reachable: Record<'kafka' | 'fabric', boolean | null> = { kafka: null, fabric: null };
  return {
    recordsRead: ({ topic, partition }, count) => {
      state.recordsRead += count;
      instruments.read.inc({ topic, partition }, count);
    },
    recordsFinished: ({ topic, partition }, applied, rejected, repeated) => {
      state.applied += applied;
      state.rejected += rejected;
      state.repeated += repeated;
      instruments.applied.inc({ topic, partition }, applied);
      instruments.rejected.inc({ topic, partition }, rejected);
      instruments.repeated.inc({ topic, partition }, repeated);
    },
    batchCommitted: ({ topic, partition }, _lane, _records, durationMs) => {
      state.batches += 1;
      instruments.batches.inc({ topic, partition });
      instruments.commitSeconds.observe(durationMs / 1_000);
    },
    recordsCleaned: ({ topic, partition }, cleaned, documents, refused) => {
      state.cleaned += cleaned;
      state.documents += documents;
      state.refused += refused;
      instruments.cleaned.inc({ topic, partition }, cleaned);
      instruments.documents.inc({ topic, partition }, documents);
      instruments.rejected.inc({ topic, partition }, refused);
    },
    inFlight: (count) => {
      state.inFlight = count;
      instruments.inFlight.set(count);
    },
    buffered: (records, bytes) => {
      state.bufferedRecords = records;
      state.bufferedBytes = bytes;
      instruments.bufferedRecords.set(records);
      instruments.bufferedBytes.set(bytes);
    },
    position: (at, unfinished, logEnd) => {
      const lag = logEnd > unfinished ? logEnd - unfinished : 0n;
      partitions.set(partitionName(at), { topic: at.topic, partition: at.partition, lag });
      instruments.lag.set({ topic: at.topic, partition: at.partition }, Number(lag));
    },
    partitionStopped: (at, code) => {
      stops.set(partitionName(at), { topic: at.topic, partition: at.partition, code });
      instruments.stopped.set({ topic: at.topic, partition: at.partition, code }, 1);
    },
    partitionReleased: (at) => {
      const name = partitionName(at);
      const stop = stops.get(name);
      const { topic, partition } = at;
      stops.delete(name);
      partitions.delete(name);
      instruments.lag.remove({ topic, partition });
      if (stop !== undefined) {
        instruments.stopped.remove({ topic, partition, code: stop.code });
      }
    },
    blockPublished: (number, transactions, records) => {
      state.blocks += 1;
      state.transactions += transactions;
      state.recordsPublished += records;
      state.lastBlock = number;
      instruments.blocks.inc();
      instruments.published.inc(records);
      instruments.lastBlock.set(Number(number));
    },
    failed: (code) => {
      errors[code] = (errors[code] ?? 0) + 1;
      instruments.errors.inc({ code });
    },
    reachable: (side, yes) => {
      reachable[side] = yes;
      instruments.reachable.set({ side }, yes ? 1 : 0);
    },
    figures: () => ({
      ...state,
      partitions: [...partitions.values()],
      errors: { ...errors },
      stops: [...stops.values()],
      reachable: { ...reachable },
    }),
    metrics: () => instruments.registry.metrics(),
    contentType: instruments.registry.contentType,
  };
}

function createInstruments(registry: Registry) {
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `shuttle_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `shuttle_${name}`, help, labelNames, registers });
  const at = ['topic', 'partition'];
  return {
    registry,
    read: counter('records_read_total', 'Records read from the source topics.', at),
    applied: counter('records_applied_total', 'Records applied to the ledger.', at),
    rejected: counter('records_rejected_total', 'Records sent to the dead letters.', at),
    repeated: counter('records_repeated_total', 'Records found on the ledger already.', at),
    batches: counter('batches_committed_total', 'Transactions committed as valid.', at),
    cleaned: counter('records_cleaned_total', 'Raw records that became documents.', at),
    documents: counter('documents_made_total', 'Documents that raw records became.', at),
    commitSeconds: new Histogram({
      name: 'shuttle_commit_duration_seconds',
      help: 'From endorsing a batch to its commit.',
      buckets: COMMIT_SECONDS,
      registers,
    }),
    inFlight: gauge('transactions_in_flight', 'Transactions on their way to commit.'),
    bufferedRecords: gauge('buffered_records', 'Records that wait in memory.'),
    bufferedBytes: gauge('buffered_bytes', 'Bytes of the records that wait in memory.'),
    lag: gauge('partition_lag', 'Records that are not finished yet.', at),
    stopped: gauge('partition_stopped', '1 for a partition that has stopped with a code.', [
      ...at,
      'code',
    ]),
    blocks: counter('blocks_published_total', 'Blocks published to Kafka.'),
    published: counter('records_published_total', 'Records published to the block topics.'),
    lastBlock: gauge('last_block_published', 'Number of the last published block.'),
    errors: counter('errors_total', 'Failures by code.', ['code']),
    reachable: gauge('reachable', '1 while the far side answers.', ['side']),
    ...processInstruments(registers),
  };
}

/** Under the names by which every Prometheus client tells them. */
function processInstruments(registers: Registry[]) {
  return {
    resident: new Gauge({
      name: 'process_resident_memory_bytes',
      help: 'Memory of the process.',
      registers,
      collect() {
        this.set(process.memoryUsage.rss());
      },
    }),
    heap: new Gauge({
      name: 'nodejs_heap_size_used_bytes',
      help: 'Memory that JavaScript objects use.',
      registers,
      collect() {
        this.set(process.memoryUsage().heapUsed);
      },
    }),
  };
}
