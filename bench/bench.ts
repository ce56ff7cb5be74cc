/**
 * npm run bench: everything in one run on one network of its own, so that ratios mean something on
 * a shared machine. The ceiling is measured before and after the bridge and averaged, because the
 * machine and the growing ledger drift.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { BATCH_RECORDS, LANES, measureBridge, measureCeiling, measureNaive } from './inbound.ts';
import { measureGetData, type Outbound } from './outbound.ts';
import { describeMachine, type Figures, table, writeFigures } from './report.ts';
import { createWorld, type World } from './world.ts';

const { values: args } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    records: { type: 'string' },
    pprof: { type: 'boolean', default: false },
    'node-option': { type: 'string', multiple: true, default: [] },
    help: { type: 'boolean', default: false },
  },
});

const USAGE = `npm run bench -- [options]
  --quick            smaller numbers, under three minutes
  --records N        backlog of the bridge (500,000; quick 120,000)
  --pprof            serve Go's profiler on the peers and the orderer
  --node-option X    hand an option to the bridge's node, such as --cpu-prof`;

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function measure(world: World): Promise<Figures> {
  const { quick } = args;
  const records = Number(args.records ?? (quick ? 120_000 : 500_000));
  const ceilingRecords = quick ? 60_000 : 160_000;
  const naiveMs = quick ? 8_000 : 20_000;
  say('(a) setData, one record per transaction');
  const naive64 = await measureNaive(world, 64, naiveMs);
  const naive256 = await measureNaive(world, 256, naiveMs);
  const naive = Math.max(naive64, naive256);
  say(`    64 in flight ${naive64.toFixed(0)}/s, 256 in flight ${naive256.toFixed(0)}/s`);
  say(`(b) ready-made batches of ${BATCH_RECORDS} on ${LANES} lanes`);
  await measureCeiling(world, 20_000);
  const before = await measureCeiling(world, ceilingRecords);
  say(`    ${before.toFixed(0)}/s before`);
  say(`(c) the bridge, a backlog of ${records} on one partition`);
  const bridge = await measureBridge(world, records, args['node-option']);
  say(`    ${bridge.recordsPerSecond.toFixed(0)}/s, ${bridge.wallSeconds.toFixed(1)} s in all`);
  const after = await measureCeiling(world, ceilingRecords);
  say(`(b) ${after.toFixed(0)}/s after`);
  const ceiling = (before + after) / 2;
  say('(d) publish');
  const outbound = await measureOutbound(world);
  const { bareReadSeconds, publishBlocksSeconds } = outbound;
  say(`    read ${bareReadSeconds.toFixed(2)} s, published ${publishBlocksSeconds.toFixed(2)} s`);
  say('(e) getData');
  const latency = await measureGetData(world, bridge.topic, quick ? 300 : 1_000);
  return {
    ...(await describeMachine()),
    quick,
    naiveRecordsPerSecond: naive,
    naiveInFlight: naive64 > naive256 ? 64 : 256,
    ceilingRecordsPerSecond: ceiling,
    bridgeRecordsPerSecond: bridge.recordsPerSecond,
    bridgeWallSeconds: bridge.wallSeconds,
    bridgeRecords: records,
    bridgeVsNaive: bridge.recordsPerSecond / naive,
    bridgeVsCeiling: bridge.recordsPerSecond / ceiling,
    ...outbound,
    publishVsIngest: outbound.publishRecordsPerSecond / bridge.recordsPerSecond,
    chainGrowth: bridge.chainGrowth,
    residentMiB: bridge.residentMiB,
    getDataP50Ms: latency.p50Ms,
    getDataP99Ms: latency.p99Ms,
  };
}

async function measureOutbound(world: World): Promise<Outbound> {
  const script = join(import.meta.dirname, 'outbound-process.js');
  const { stdout } = await promisify(execFile)(process.execPath, [script, world.description.dir]);
  return JSON.parse(stdout) as Outbound;
}

async function main(): Promise<void> {
  if (args.help) {
    say(USAGE);
    return;
  }
  const startMs = performance.now();
  const world = await createWorld(say, args.pprof);
  try {
    const figures = await measure(world);
    const path = await writeFigures(figures);
    process.stdout.write(`${table(figures)}\n`);
    say(`Written to ${path} after ${((performance.now() - startMs) / 1_000).toFixed(0)} s`);
  } finally {
    await world.close();
  }
}

await main();
