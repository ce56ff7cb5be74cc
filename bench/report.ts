/** The figures of one run: one table for people, one JSON file for whoever compares runs. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

export interface Figures {
  readonly machine: string;
  readonly node: string;
  readonly commit: string;
  readonly quick: boolean;
  readonly naiveRecordsPerSecond: number;
  readonly naiveInFlight: number;
  readonly ceilingRecordsPerSecond: number;
  readonly bridgeRecordsPerSecond: number;
  readonly bridgeWallSeconds: number;
  readonly bridgeRecords: number;
  readonly bridgeVsNaive: number;
  readonly bridgeVsCeiling: number;
  readonly publishBlocksSeconds: number;
  readonly bareReadSeconds: number;
  readonly publishVsRead: number;
  readonly publishRecordsPerSecond: number;
  readonly publishVsIngest: number;
  readonly chainGrowth: number;
  readonly residentMiB: number;
  readonly getDataP50Ms: number;
  readonly getDataP99Ms: number;
}

interface Target {
  readonly name: keyof Figures;
  readonly what: string;
  readonly least?: number;
  readonly most?: number;
  readonly digits: number;
}

const ROWS: readonly Target[] = [
  { name: 'naiveRecordsPerSecond', what: '(a) setData, one per transaction, records/s', digits: 0 },
  { name: 'ceilingRecordsPerSecond', what: '(b) ready-made batches, records/s', digits: 0 },
  { name: 'bridgeRecordsPerSecond', what: '(c) bridge from Kafka, records/s', digits: 0 },
  { name: 'bridgeVsNaive', what: '(c) / (a)', least: 60, digits: 1 },
  { name: 'bridgeVsCeiling', what: '(c) / (b)', least: 0.9, digits: 2 },
  { name: 'publishVsRead', what: '(d) blocks topic against a bare read', least: 0.7, digits: 2 },
  { name: 'publishRecordsPerSecond', what: '(d) all four topics, changes/s', digits: 0 },
  { name: 'publishVsIngest', what: '(d) all four topics / (c)', least: 1.2, digits: 2 },
  { name: 'getDataP50Ms', what: '(e) getData, median ms', digits: 1 },
  { name: 'getDataP99Ms', what: '(e) getData, 99th percentile ms', digits: 1 },
  { name: 'chainGrowth', what: '(f) chain bytes / key and value bytes', most: 1.3, digits: 2 },
  { name: 'residentMiB', what: '(g) resident memory of the bridge, MiB', most: 300, digits: 0 },
];

export function table(figures: Figures): string {
  const lines = ROWS.map((row) => {
    const value = Number(figures[row.name]);
    const target =
      row.least !== undefined ? `>= ${row.least}` : row.most !== undefined ? `<= ${row.most}` : '';
    const met =
      (row.least === undefined || value >= row.least) &&
      (row.most === undefined || value <= row.most);
    const verdict = target === '' ? '' : met ? 'met' : 'MISSED';
    const number = value.toFixed(row.digits);
    return `${row.what.padEnd(46)}${number.padStart(10)}  ${target.padEnd(9)}${verdict}`.trimEnd();
  });
  return [`${''.padEnd(46)}${'measured'.padStart(10)}  target`, ...lines].join('\n');
}

export async function describeMachine(): Promise<{
  machine: string;
  node: string;
  commit: string;
}> {
  const { stdout } = await promisify(execFile)('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: import.meta.dirname,
  }).catch(() => ({ stdout: 'unknown' }));
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 1024 ** 3);
  return {
    machine: `${cpus().length} x ${cpu?.model.trim() ?? 'unknown'}, ${memory} GiB`,
    node: process.version,
    commit: stdout.trim(),
  };
}

export async function writeFigures(figures: Figures): Promise<string> {
  const path = join(import.meta.dirname, '..', 'results', 'latest.json');
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(figures, null, 2)}\n`);
  return path;
}
