/** The way out: a bare read of the blocks, the blocks topic alone, all four topics, and getData. */
import { OUTPUTS, type Output } from '@shuttle/bridge/dist/block/records.js';
import { topicNames } from '@shuttle/bridge/dist/block/topics.js';
import { createBlockSink } from '@shuttle/bridge/dist/kafka/block-sink.js';
import { createKafkaClient } from '@shuttle/bridge/dist/kafka/client.js';
import {
  PUBLISH_TRANSACTION_BYTES_MAX,
  PUBLISH_TRANSACTION_RECORDS_MAX,
} from '@shuttle/bridge/dist/limits.js';
import type { Log, Meter } from '@shuttle/bridge/dist/ports.js';
import {
  type PublishOptions,
  type PublishSummary,
  runPublish,
} from '@shuttle/bridge/dist/publish/publish.js';
import { systemClock } from '@shuttle/bridge/dist/system/clock.js';
import { makeRun, seconds, type World } from './world.ts';

const nothing = (): void => {};
const SILENT_LOG: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const SILENT_METER: Meter = {
  recordsRead: nothing,
  recordsFinished: nothing,
  batchCommitted: nothing,
  recordsCleaned: nothing,
  inFlight: nothing,
  buffered: nothing,
  position: nothing,
  partitionStopped: nothing,
  partitionReleased: nothing,
  blockPublished: nothing,
  failed: nothing,
  reachable: nothing,
};

/** Reads all blocks there are and drops them; answers seconds. */
async function measureBareRead(world: World): Promise<number> {
  const height = await world.ledger.height();
  const end = new AbortController();
  const startMs = performance.now();
  let next = 0n;
  for await (const _ of world.ledger.blocks(0n, end.signal)) {
    next += 1n;
    if (next === height) {
      break;
    }
  }
  end.abort();
  return seconds(startMs);
}

export interface PublishRun {
  readonly seconds: number;
  /** Of this process alone: what others do on the machine is not in it. */
  readonly cpuSeconds: number;
  readonly summary: PublishSummary;
}

/** Publishes all blocks there are to topics of its own: blocks, and the outputs named. */
export async function measurePublish(
  world: World,
  outputs: readonly Output[],
  protection: Pick<PublishOptions, 'encrypt' | 'attest' | 'prove'> = {},
): Promise<PublishRun> {
  const { channel } = world.description;
  const prefix = `bench-${makeRun()}`;
  const names = topicNames(prefix, channel);
  const topics = [names.blocks, ...outputs.map((output) => names[output])];
  await createTopics(world, topics, names.blocks);
  const options = { brokers: world.brokers.split(','), clientId: 'bench' };
  const client = createKafkaClient(options, SILENT_LOG);
  const sink = { blocksTopic: names.blocks, topics };
  const deps = {
    openSink: () => createBlockSink(client, sink, systemClock),
    ledger: world.ledger,
    clock: systemClock,
    log: SILENT_LOG,
    meter: SILENT_METER,
  };
  const startMs = performance.now();
  const before = process.cpuUsage();
  const summary = await runPublish(
    deps,
    {
      channel,
      chaincode: 'shuttle',
      prefix,
      untilEnd: true,
      transactionBytesMax: PUBLISH_TRANSACTION_BYTES_MAX,
      transactionRecordsMax: PUBLISH_TRANSACTION_RECORDS_MAX,
      outputs,
      ...protection,
    },
    new AbortController().signal,
  );
  const { user, system } = process.cpuUsage(before);
  const run = { seconds: seconds(startMs), cpuSeconds: (user + system) / 1e6, summary };
  await client.close();
  await deleteTopics(world, topics);
  return run;
}

async function createTopics(
  world: World,
  topics: readonly string[],
  blocks: string,
): Promise<void> {
  const admin = world.kafka.admin();
  await admin.connect();
  const configEntries = [{ name: 'max.message.bytes', value: String(16 * 1024 * 1024) }];
  await admin.createTopics({
    topics: topics.map((topic) => ({
      topic,
      numPartitions: topic === blocks ? 1 : 4,
      configEntries,
    })),
  });
  await admin.disconnect();
}

async function deleteTopics(world: World, topics: readonly string[]): Promise<void> {
  const admin = world.kafka.admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [...topics] });
  await admin.disconnect();
}

export interface Outbound {
  readonly bareReadSeconds: number;
  readonly publishBlocksSeconds: number;
  readonly publishVsRead: number;
  readonly publishRecordsPerSecond: number;
}

/** The read is measured before and after, as the ceiling is; the first one warms both. */
export async function measureOutbound(world: World): Promise<Outbound> {
  await measureBareRead(world);
  const readBefore = await measureBareRead(world);
  const blocks = await measurePublish(world, []);
  const readAfter = await measureBareRead(world);
  const bareReadSeconds = (readBefore + readAfter) / 2;
  const all = await measurePublish(world, OUTPUTS);
  return {
    bareReadSeconds,
    publishBlocksSeconds: blocks.seconds,
    publishVsRead: bareReadSeconds / blocks.seconds,
    publishRecordsPerSecond: all.summary.changes / all.seconds,
  };
}

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** getData of documents that the bridge has carried, one after another. */
export async function measureGetData(world: World, topic: string, count: number): Promise<Latency> {
  const took: number[] = [];
  for (let n = 0; n < count; n++) {
    const startMs = performance.now();
    await world.ledger.evaluate('getData', [`${topic}/${n * 7}`]);
    took.push(performance.now() - startMs);
  }
  took.sort((a, b) => a - b);
  const at = (share: number): number => took[Math.floor((took.length - 1) * share)] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}
