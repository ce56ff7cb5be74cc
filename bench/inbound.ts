/** The way in: one record per transaction, ready-made batches, and the bridge from Kafka. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { ShuttleError } from '@shuttle/bridge/dist/errors.js';
import {
  type BatchHeader,
  encodeRecords,
  laneOf,
  layoutDigest,
  sha256Hex,
  type WireRecord,
} from '@shuttle/chaincode/wire';
import { chainBytes, makeRun, makeValue, seconds, sideBySide, type World } from './world.ts';

export const LANES = 16;
export const BATCH_RECORDS = 1_000;

/** (a) setData, one record per transaction, `inFlight` at a time, for some seconds. */
export async function measureNaive(world: World, inFlight: number, forMs: number): Promise<number> {
  const run = makeRun();
  const startMs = performance.now();
  let sent = 0;
  let committed = 0;
  await sideBySide(inFlight, async () => {
    sent += 1;
    const value = makeValue(sent).toString();
    await world.ledger.submit('setData', [`naive/${run}/${sent}`, value]);
    committed += 1;
    return performance.now() - startMs < forMs;
  });
  return committed / seconds(startMs);
}

interface ReadyBatch {
  readonly header: BatchHeader;
  readonly bytes: Buffer;
}

/** (b) Ready-made batches straight through the gateway, one in flight on each lane. */
export async function measureCeiling(world: World, records: number): Promise<number> {
  const at = { topic: `ceiling-${makeRun()}`, partition: 0 };
  const layout = await world.ledger.openPartition('bench', at, {
    partitions: 2,
    older: 0,
    lanes: LANES,
    keyExpressionDigest: '',
  });
  const lanes = makeBatches(at.topic, records, layoutDigest(layout));
  const startMs = performance.now();
  await Promise.all(
    lanes.map(async (batches) => {
      for (const { header, bytes } of batches) {
        await submitUntilCommitted(world, header, bytes);
      }
    }),
  );
  return records / seconds(startMs);
}

function makeBatches(topic: string, records: number, layout: string): ReadyBatch[][] {
  const lanes: WireRecord[][] = Array.from({ length: LANES }, () => []);
  for (let n = 0; n < records; n++) {
    const key = Buffer.from(`${topic}/${n}`);
    const record = { offset: BigInt(n), timestamp: Date.now(), key, value: makeValue(n) };
    lanes[laneOf(key, LANES)]?.push(record);
  }
  return lanes.map((all, lane) => {
    const batches: ReadyBatch[] = [];
    let after = -1n;
    for (let i = 0; i < all.length; i += BATCH_RECORDS) {
      const part = all.slice(i, i + BATCH_RECORDS);
      const bytes = encodeRecords(part);
      const first = part[0]?.offset ?? 0n;
      const last = part.at(-1)?.offset ?? 0n;
      const place = { stream: 'bench', topic, partition: 0, lane, layout };
      const header = { ...place, after, first, last, count: part.length, digest: sha256Hex(bytes) };
      batches.push({ header, bytes });
      after = last;
    }
    return batches;
  });
}

/** Peers at different heights refuse a batch now and then; that costs the ceiling too. */
async function submitUntilCommitted(
  world: World,
  header: BatchHeader,
  bytes: Buffer,
): Promise<void> {
  for (let attempt = 1; attempt <= 50; attempt++) {
    try {
      await world.ledger.submitBatch(header, bytes);
      return;
    } catch (error) {
      const again = error instanceof ShuttleError && error.kind.retry !== 'never';
      if (!again && !(error instanceof ShuttleError && error.code === 'GAP')) {
        throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 10 * attempt));
  }
  throw new Error('a ready-made batch was refused fifty times');
}

export interface BridgeRun {
  readonly recordsPerSecond: number;
  /** The whole process, from start to exit. */
  readonly wallSeconds: number;
  readonly residentMiB: number;
  readonly chainGrowth: number;
  readonly topic: string;
}

export interface MadeRecord {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** Makes the nth record of a topic. */
export type MakeRecord = (topic: string, n: number) => MadeRecord;

const plainRecord: MakeRecord = (topic, n) => {
  return { key: Buffer.from(`${topic}/${n}`), value: makeValue(n) };
};

/** Fills one partition with records, of 400 bytes unless told; answers their bytes. */
export async function produceBacklog(
  world: World,
  topic: string,
  records: number,
  make: MakeRecord = plainRecord,
): Promise<number> {
  const admin = world.kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
  await admin.disconnect();
  const producer = world.kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  let bytes = 0;
  for (let n = 0; n < records; n += 2_000) {
    const messages = Array.from({ length: Math.min(2_000, records - n) }, (_, i) => {
      const { key, value } = make(topic, n + i);
      bytes += key.length + value.length;
      return { key, value, partition: 0 };
    });
    await producer.send({ topic, messages });
  }
  await producer.disconnect();
  return bytes;
}

/**
 * (c), (f), (g): `shuttle ingest --until-end` as a process of its own. The rate is from the
 * beginning of its partition to its last committed batch, both by its own log.
 */
export async function measureBridge(
  world: World,
  records: number,
  nodeOptions: readonly string[],
  make: MakeRecord = plainRecord,
): Promise<BridgeRun> {
  const topic = `bridge-${makeRun()}`;
  const bytes = await produceBacklog(world, topic, records, make);
  const before = await chainBytes(world);
  const startMs = performance.now();
  const run = await runIngest(world, topic, nodeOptions);
  const wallSeconds = seconds(startMs);
  if (run.applied !== records) {
    throw new Error(`the bridge committed ${run.applied} of ${records} records`);
  }
  const growth = (await chainBytes(world)) - before;
  return {
    recordsPerSecond: records / seconds(run.beganMs, run.lastMs),
    wallSeconds,
    residentMiB: run.residentKiB / 1_024,
    chainGrowth: growth / bytes,
    topic,
  };
}

interface IngestFigures {
  readonly applied: number;
  readonly beganMs: number;
  readonly lastMs: number;
  readonly residentKiB: number;
}

async function runIngest(
  world: World,
  topic: string,
  nodeOptions: readonly string[],
): Promise<IngestFigures> {
  const root = dirname(createRequire(import.meta.url).resolve('@shuttle/bridge/package.json'));
  const set = ['--set', `ingest.topics=${topic}`, '--set', 'log.format=json'];
  const args = [...nodeOptions, join(root, 'bin/shuttle.js'), 'ingest', '--until-end', '--json'];
  const child = spawn(process.execPath, [...args, ...set, '--set', 'log.level=info'], {
    env: world.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let beganMs = 0;
  let lastMs = 0;
  let tail = '';
  const lines = createInterface({ input: child.stderr });
  lines.on('line', (line) => {
    tail = `${tail}\n${line}`.slice(-2_000);
    const { msg, time } = parseLine(line);
    if (msg === 'began a partition') {
      beganMs = time;
    } else if (msg === 'committed a batch') {
      lastMs = time;
    }
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const resident = sampleResident(child.pid ?? 0);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const residentKiB = resident.stop();
  if (code !== 0) {
    throw new Error(`shuttle ingest ended with ${code}:${tail}`);
  }
  const { ingest } = JSON.parse(output) as { ingest: { applied: number } };
  return { applied: ingest.applied, beganMs, lastMs, residentKiB };
}

function parseLine(line: string): { msg?: string; time: number } {
  try {
    const { msg, time } = JSON.parse(line) as { msg?: string; time: number | string };
    return { ...(msg === undefined ? {} : { msg }), time: new Date(time).getTime() };
  } catch {
    return { time: 0 };
  }
}

/** The largest VmRSS that was seen. */
function sampleResident(pid: number): { stop(): number } {
  let most = 0;
  const timer = setInterval(() => {
    void readFile(`/proc/${pid}/status`, 'utf8').then(
      (text) => {
        most = Math.max(most, Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0));
      },
      () => {},
    );
  }, 100);
  return {
    stop: () => {
      clearInterval(timer);
      return most;
    },
  };
}
