/** Cleaning through Kafka, against a bare loop that copies the same records in the same way. */
import { execFile, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { makeEvent, makeRow } from './clean-records.ts';
import { makeRun, median, seconds } from './world.ts';

/** What the measurement needs of a network: its broker, and settings that reach it. */
export interface CleanWorld {
  readonly brokers: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
}

/** The medians of the rounds. */
export interface CleanRun {
  readonly bareRecordsPerSecond: number;
  readonly cleanRecordsPerSecond: number;
  readonly ratio: number;
  /** Of each round. */
  readonly ratios: readonly number[];
}

const ROUNDS = 3;

const KINDS = {
  rows: { make: makeRow, rules: 'preset:shipments', format: 'csv' },
  events: { make: makeEvent, rules: 'preset:epcis', format: 'json' },
} as const;

export type CleanKind = keyof typeof KINDS;

/** Each cleaning against the bare loops before and after it, averaged: the machine drifts. */
export async function measureClean(
  world: CleanWorld,
  kind: CleanKind,
  records: number,
  nodeOptions: readonly string[],
): Promise<CleanRun> {
  const from = `raw-${kind}-${makeRun()}`;
  await produceRaw(world, from, kind, records);
  const bare = [await measureBare(world, from, bareTopic(from, 0), records)];
  const cleaned: number[] = [];
  const ratios: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const clean = await measureStage(world, from, cleanedTopic(from, round), kind, nodeOptions);
    const after = await measureBare(world, from, bareTopic(from, round), records);
    const ratio = clean / ((bare.at(-1) ?? after) / 2 + after / 2);
    bare.push(after);
    cleaned.push(clean);
    ratios.push(ratio);
    const rates = `${clean.toFixed(0)}/s cleaned, ${after.toFixed(0)}/s bare`;
    world.say(`    ${kind}: ${rates}, ${ratio.toFixed(2)}`);
  }
  return {
    bareRecordsPerSecond: median(bare),
    cleanRecordsPerSecond: median(cleaned),
    ratio: median(ratios),
    ratios,
  };
}

const bareTopic = (from: string, round: number): string => `${from}-bare-${round}`;
const cleanedTopic = (from: string, round: number): string => `${from}-cleaned-${round}`;

async function produceRaw(
  { brokers }: CleanWorld,
  topic: string,
  kind: CleanKind,
  records: number,
): Promise<void> {
  const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    topics: [
      topic,
      bareTopic(topic, 0),
      ...Array.from({ length: ROUNDS }, (_, n) => n + 1).flatMap((round) => [
        bareTopic(topic, round),
        cleanedTopic(topic, round),
      ]),
    ].map((name) => ({ topic: name, numPartitions: 1 })),
  });
  await admin.disconnect();
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  for (let n = 0; n < records; n += 500) {
    const messages = Array.from({ length: Math.min(500, records - n) }, (_, i) => ({
      key: Buffer.from(String(n + i)),
      value: KINDS[kind].make(n + i),
    }));
    await producer.send({ topic, messages });
  }
  await producer.disconnect();
}

async function measureBare(
  { brokers }: CleanWorld,
  from: string,
  to: string,
  records: number,
): Promise<number> {
  const script = join(import.meta.dirname, 'clean-bare-process.js');
  const args = [script, brokers, from, to, String(records)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return (JSON.parse(stdout) as { recordsPerSecond: number }).recordsPerSecond;
}

/** `shuttle clean --until-end`: from the beginning of its partition to its last commit. */
async function measureStage(
  { environment }: CleanWorld,
  from: string,
  to: string,
  kind: CleanKind,
  nodeOptions: readonly string[],
): Promise<number> {
  const root = dirname(createRequire(import.meta.url).resolve('@shuttle/bridge/package.json'));
  const command = ['clean', '--until-end', '--json', '--from', from, '--to', to];
  const rules = ['--rules', KINDS[kind].rules, '--format', KINDS[kind].format];
  const set = ['--set', 'log.format=json', '--set', 'log.level=info'];
  const args = [...nodeOptions, join(root, 'bin/shuttle.js'), ...command, ...rules, ...set];
  const child = spawn(process.execPath, args, {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let beganMs = 0;
  let lastMs = 0;
  let tail = '';
  createInterface({ input: child.stderr }).on('line', (line) => {
    tail = `${tail}\n${line}`.slice(-2_000);
    const { msg, time } = JSON.parse(line) as { msg: string; time: string };
    beganMs = msg === 'began a partition' ? Date.parse(time) : beganMs;
    lastMs = msg === 'committed cleaned records' ? Date.parse(time) : lastMs;
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await new Promise((resolve) => child.once('close', resolve));
  const { cleaned, recordsRead } = JSON.parse(output || '{}') as Record<string, number>;
  if (cleaned === undefined || cleaned !== recordsRead) {
    throw new Error(`cleaned ${cleaned} of ${recordsRead}: ${output} ${tail}`);
  }
  return cleaned / seconds(beganMs, lastMs);
}
