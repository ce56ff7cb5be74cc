/** The composition root: the only place that knows every adapter. */

import { openBlockSource, openPeer } from './assemble-chain.ts';
import { Connections } from './assemble-connect.ts';
import { consumeWith } from './assemble-consume.ts';
import { indexWith, readModelOf } from './assemble-index.ts';
import { lettersWith, letterWith, replayRawWith, replayWith } from './assemble-letters.ts';
import { createPublishedReader } from './assemble-published.ts';
import { cleanWith, loadWith } from './assemble-stage.ts';
import { statusWith } from './assemble-status.ts';
import { type GroupTools, reconcileWith, resetOffsetsWith, type Tools } from './assemble-tools.ts';
import { type TopicNames, topicNames } from './block/topics.ts';
import type { Io } from './cli/io.ts';
import { runProgram } from './cli/program.ts';
import type {
  Check,
  FarSide,
  LoadRequest,
  OpenOptions,
  ReplayRequest,
  RunOptions,
  Shuttle,
  Status,
  TailOptions,
  TailRecord,
} from './cli/shuttle.ts';
import { fabricConnection, kafkaConnection } from './config/connections.ts';
import type { LoadedSettings } from './config/load.ts';
import { protectionOf } from './config/publish-keys.ts';
import type { Settings } from './config/schema.ts';
import { createHttpServer } from './http/server.ts';
import type { IngestSummary } from './ingest/context.ts';
import { runIngest } from './ingest/ingest.ts';
import { showOffsets } from './ingest/offsets.ts';
import { relane } from './ingest/relane.ts';
import { createBlockSink } from './kafka/block-sink.ts';
import type { KafkaClient } from './kafka/client.ts';
import { createDeadLetters } from './kafka/dead-letters.ts';
import { createKafkaSource } from './kafka/source.ts';
import { readRecord, readTail } from './kafka/tail.ts';
import { ensureBlockTopics, ensureSourceTopics } from './kafka/topics.ts';
import type { ReplaySummary } from './letters/replay.ts';
import type { ListedLetter } from './letters/walk.ts';
import {
  GAP_PATIENCE_MS_DEFAULT,
  PUBLISH_TRANSACTION_BYTES_MAX,
  PUBLISH_TRANSACTION_RECORDS_MAX,
} from './limits.ts';
import type { LoadSummary } from './load/load.ts';
import type { OriginDeps } from './origin/origin.ts';
import { Outage, type Side } from './outage.ts';
import type { Ledger, Log, Source } from './ports.ts';
import { blockBytesMax } from './publish/block-bytes-max.ts';
import { type PublishSummary, runPublish } from './publish/publish.ts';
import type { ReadModel } from './read-model/queries.ts';
import type { StageSummary } from './stage/context.ts';
import { systemClock as clock } from './system/clock.ts';
import { createLog } from './system/log.ts';
import { createMeter, type Figures, type SystemMeter } from './system/meter.ts';
import { type Patience, patiently } from './system/patience.ts';
import { createReadiness } from './system/readiness.ts';
import { watchSignals } from './system/signals.ts';

const NOTHING_INGESTED: IngestSummary = {
  recordsRead: 0,
  applied: 0,
  rejected: 0,
  repeated: 0,
  batches: 0,
  stops: [],
};

const NOTHING_PUBLISHED: PublishSummary = {
  blocks: 0,
  transactions: 0,
  changes: 0,
  events: 0,
  records: 0,
  commits: 0,
  lastBlock: null,
};

/** Shuttle with real adapters. Each is made when it is first needed, and closed by close(). */
export function createShuttle(loaded: LoadedSettings, options: OpenOptions): Shuttle {
  return new AssembledShuttle(loaded, options);
}

class AssembledShuttle implements Shuttle {
  readonly clock = clock;
  private readonly settings: Settings;
  private readonly log: Log;
  private readonly meter: SystemMeter;
  /** One for both pipelines: what both miss is said once. */
  private readonly outage: Outage;
  private readonly closers: (() => Promise<unknown>)[] = [];
  private readonly connections: Connections;

  constructor({ settings, sources }: LoadedSettings, { quiet }: OpenOptions) {
    this.settings = settings;
    const { level, format } = settings.log;
    this.log = createLog({
      level: quiet && sources.get('log.level') === 'default' ? 'warn' : level,
      format: format ?? (process.stderr.isTTY ? 'pretty' : 'json'),
    });
    this.meter = createMeter();
    this.outage = new Outage(this.log, this.meter, clock);
    this.connections = new Connections(settings, this.log, clock);
    this.closers.push(() => this.connections.close());
  }

  figures(): Figures {
    return this.meter.figures();
  }

  ledger(): Promise<Ledger> {
    return this.connections.ledger();
  }

  unanswered(): readonly FarSide[] {
    return this.connections.unanswered();
  }

  async ingest(options: RunOptions, signal: AbortSignal): Promise<IngestSummary> {
    this.log.info({ topics: this.settings.ingest.topics }, 'started to ingest');
    const { ingest } = this.settings;
    const ledger = await this.ledger();
    const patience = this.patience(options, signal);
    const stream = await patiently('kafka', () => this.stream(), patience);
    const ensure = () => ensureSourceTopics(this.kafka(), ingest.topics);
    if (stream === null || (await patiently('kafka', ensure, patience)) === null) {
      return NOTHING_INGESTED;
    }
    const { log, meter, outage } = this;
    const waiter = outage.waiter();
    const deadLetters = createDeadLetters(this.kafka(), { stream }, clock, waiter);
    try {
      return await runIngest(
        { source: this.source(stream), deadLetters, ledger, clock, log, meter, outage },
        { ...ingest, stream, gapPatienceMs: GAP_PATIENCE_MS_DEFAULT, ...this.bounds(options) },
        signal,
      );
    } finally {
      await deadLetters.close();
      waiter.leave();
    }
  }

  async publish(options: RunOptions, signal: AbortSignal): Promise<PublishSummary> {
    this.log.info({ channel: this.settings.fabric.channel }, 'started to publish');
    const { channel, chaincode } = this.settings.fabric;
    const { prefix } = this.settings.publish;
    const protection = protectionOf(this.settings);
    this.connections.lookAtPublishSecrets();
    const ledger = await this.ledger();
    const patience = this.patience(options, signal);
    const topics = this.topics();
    const bytesMax = await patiently('fabric', () => blockBytesMax(ledger), patience);
    const ensure = () => ensureBlockTopics(this.kafka(), topics, bytesMax ?? 0);
    if (bytesMax === null || (await patiently('kafka', ensure, patience)) === null) {
      return NOTHING_PUBLISHED;
    }
    const { log, meter, outage } = this;
    const sinkOptions = { blocksTopic: topics.blocks, topics: Object.values(topics) };
    const openSink = () => createBlockSink(this.kafka(), sinkOptions, clock);
    return await runPublish(
      { openSink, ledger, clock, log, meter, outage },
      {
        channel,
        chaincode,
        prefix,
        prove: this.settings.publish.verify,
        ...protection,
        transactionBytesMax: PUBLISH_TRANSACTION_BYTES_MAX,
        transactionRecordsMax: PUBLISH_TRANSACTION_RECORDS_MAX,
        ...this.bounds(options),
      },
      signal,
    );
  }

  async clean(options: RunOptions, signal: AbortSignal): Promise<StageSummary> {
    this.log.info({ topic: this.settings.clean.from }, 'started to clean');
    const { settings, log, meter, outage } = this;
    const kafka = this.kafka();
    const stream = () => this.stream();
    const parts = { settings, kafka, stream, log, meter, outage, clock };
    this.connections.lookAtRegistrySecrets();
    return await cleanWith(parts, this.bounds(options), signal);
  }

  async load(request: LoadRequest, signal: AbortSignal): Promise<LoadSummary> {
    const { deadlineMs } = this.settings.command;
    const parts = { kafka: this.kafka(), outage: this.outage, clock };
    return await loadWith(parts, { ...request, deadlineMs }, signal);
  }

  async serve(sides: readonly Side[]): Promise<string | null> {
    const { host, port } = this.settings.http;
    if (port === undefined) {
      return null;
    }
    const ask = {
      kafka: () => this.kafka().clusterId(),
      fabric: async () => (await this.ledger()).height(),
    };
    const server = createHttpServer({
      notReady: createReadiness({
        figures: () => this.figures(),
        waits: () => this.outage.waits(),
        meter: this.meter,
        clock,
        ask: Object.fromEntries(sides.map((side) => [side, ask[side]])),
      }),
      metrics: () => this.meter.metrics(),
      metricsContentType: this.meter.contentType,
    });
    this.closers.push(() => server.close());
    return await server.listen({ host, port });
  }

  async *tail(options: TailOptions, signal: AbortSignal): AsyncGenerator<TailRecord> {
    const reader = createPublishedReader(this.kafka(), this.settings);
    yield* readTail(reader, this.topics()[options.kind], options, signal);
  }

  async consume(
    request: Parameters<Shuttle['consume']>[0],
    signal: AbortSignal,
  ): ReturnType<Shuttle['consume']> {
    const { settings, outage } = this;
    return await consumeWith({ settings, kafka: this.kafka(), outage, clock }, request, signal);
  }

  async status(): Promise<Status> {
    const blocksTopic = this.topics().blocks;
    return await this.withGroup((group) => statusWith({ ...group, blocksTopic }));
  }

  async relane(options: Parameters<Shuttle['relane']>[0]): ReturnType<Shuttle['relane']> {
    const { lanes, keyExpression } = this.settings.ingest;
    return await this.withGroup((group) =>
      relane(group, { ...options, stream: group.stream, lanes, keyExpression }),
    );
  }

  async offsets(): ReturnType<Shuttle['offsets']> {
    return await this.withGroup((group) => showOffsets(group, group.stream));
  }

  async resetOffsets(
    options: Parameters<Shuttle['resetOffsets']>[0],
    signal: AbortSignal,
  ): ReturnType<Shuttle['resetOffsets']> {
    return await this.withGroup((group) => resetOffsetsWith(group, options, signal));
  }

  async reconcile(
    options: Parameters<Shuttle['reconcile']>[0],
    signal: AbortSignal,
  ): ReturnType<Shuttle['reconcile']> {
    return await reconcileWith(await this.tools(), options, signal);
  }

  async *deadLetters(sources: readonly string[]): AsyncGenerator<ListedLetter> {
    yield* lettersWith(this.kafka(), sources);
  }

  async deadLetter(source: string, partition: number, offset: bigint): Promise<ListedLetter> {
    return await letterWith(this.kafka(), source, partition, offset);
  }

  async replay(request: ReplayRequest, signal: AbortSignal): Promise<ReplaySummary> {
    if (request.source === this.settings.clean.from) {
      const parts = { settings: this.settings, kafka: this.kafka(), clock };
      return await replayRawWith({ ...parts, stream: await this.stream() }, request, signal);
    }
    const tools = await this.tools();
    const groupId = this.groupId(tools.stream);
    return await replayWith({ ...tools, groupId }, request, signal);
  }

  origins(): OriginDeps {
    return {
      chaincode: this.settings.fabric.chaincode,
      blockOf: (txId) => this.connections.blockOf(txId),
      record: (at, offset) => readRecord(this.kafka(), at, offset),
    };
  }

  blockSource(from: 'topic' | 'peer', headersOnly?: boolean): ReturnType<Shuttle['blockSource']> {
    return openBlockSource(this.connections, this.settings, from, headersOnly);
  }

  otherPeer(text: string, cwd: string): ReturnType<Shuttle['otherPeer']> {
    return openPeer(this.connections, this.settings, text, cwd);
  }

  async index(
    options: Parameters<Shuttle['index']>[0],
    signal: AbortSignal,
  ): ReturnType<Shuttle['index']> {
    this.log.info({ channel: this.settings.fabric.channel }, 'started to index');
    const { settings, log, outage } = this;
    const parts = { settings, kafka: this.kafka(), log, outage, clock };
    return await indexWith(parts, { ...options, ...this.bounds(options) }, signal);
  }

  readModel(): ReadModel | null {
    return readModelOf(this.settings);
  }

  async check(connect: boolean): Promise<readonly Check[]> {
    const { brokers } = kafkaConnection(this.settings);
    const { endpoint, mspId, mspFolder } = fabricConnection(this.settings);
    await this.connections.identity();
    this.connections.lookAtKafkaSecrets();
    protectionOf(this.settings);
    this.connections.lookAtPublishSecrets();
    const checks = [
      { name: 'kafka', detail: brokers.join(',') },
      { name: 'fabric', detail: endpoint },
      { name: 'identity', detail: `${mspId}, ${mspFolder}` },
    ];
    if (!connect) {
      return checks;
    }
    const clusterId = await this.kafka().clusterId();
    const ledger = await this.ledger();
    const { channel, genesisHash } = await ledger.identity();
    await ledger.evaluate('info', []);
    return [
      ...checks,
      { name: 'kafka answers', detail: `cluster ${clusterId}` },
      { name: 'fabric answers', detail: `channel ${channel}, genesis ${genesisHash}` },
    ];
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.closers.map((close) => close()));
  }

  private kafka(): KafkaClient {
    return this.connections.kafka();
  }

  private async tools(): Promise<Tools> {
    const { settings } = this;
    const [ledger, stream] = await Promise.all([this.ledger(), this.stream()]);
    const blocksTopic = this.topics().blocks;
    return { settings, kafka: this.kafka(), ledger, clock, stream, blocksTopic };
  }

  private async withGroup<T>(call: (group: GroupTools) => Promise<T>): Promise<T> {
    const { kafka, ledger, stream } = await this.tools();
    const source = this.source(stream);
    try {
      return await call({ kafka, ledger, source, stream, groupId: this.groupId(stream) });
    } finally {
      await source.close();
    }
  }

  private patience(options: RunOptions, signal: AbortSignal): Patience {
    const { deadlineMs } = { deadlineMs: undefined, ...this.bounds(options) };
    return { clock, outage: this.outage, signal, deadlineMs };
  }

  /** A service waits for ever; a run to the end gives up. */
  private bounds({ untilEnd }: RunOptions) {
    return { untilEnd, ...(untilEnd ? { deadlineMs: this.settings.command.deadlineMs } : {}) };
  }

  /** Two clusters must not share a stream, so the cluster's own id is the default. */
  private async stream(): Promise<string> {
    return this.settings.ingest.stream ?? (await this.kafka().clusterId());
  }

  private groupId(stream: string): string {
    const { channel, chaincode } = this.settings.fabric;
    return this.settings.ingest.groupId ?? `${stream}.${channel}.${chaincode}`;
  }

  private source(stream: string): Source {
    const { topics } = this.settings.ingest;
    return createKafkaSource(this.kafka(), { groupId: this.groupId(stream), topics }, clock);
  }

  private topics(): TopicNames {
    return topicNames(this.settings.publish.prefix, this.settings.fabric.channel);
  }
}

/** The process's own world. */
function processIo(): Io {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: () => process.stdin,
    env: process.env,
    cwd: process.cwd(),
    stopRequest: () => watchSignals(process).signal,
  };
}

/** The command line of this process; ends it with the exit code. */
export async function main(): Promise<never> {
  // A reader that has seen enough (`shuttle list | head`) is no error.
  process.stdout.on('error', () => process.exit(0));
  const code = await runProgram(process.argv.slice(2), processIo(), createShuttle);
  await new Promise((resolve) => process.stdout.write('', resolve));
  process.exit(code);
}
