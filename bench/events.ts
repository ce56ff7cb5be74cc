/**
 * npm run bench:events: ingest of EPCIS events with their index, against plain records of the same
 * bytes in the same run, and a recall of one lot from the ledger, page by page.
 */
import { parseArgs } from 'node:util';
import { askLedger } from '@shuttle/bridge/dist/trace/questions.js';
import { eventIndex } from '@shuttle/chaincode/epcis/index-keys';
import { type MadeRecord, type MakeRecord, measureBridge } from './inbound.ts';
import { createWorld, makeRun, seconds, type World } from './world.ts';

const { values: args } = parseArgs({
  options: {
    records: { type: 'string', default: '40000' },
    'port-offset': { type: 'string', default: '21500' },
  },
});

const LOT = 'https://id.gs1.org/01/09506000134352/10/L1';
const GLN = 'https://id.gs1.org/414/9506000134376';
const CASES_PER_PALLET = 5;
const TARGET = 0.25;

const sscc = (n: number): string => `https://id.gs1.org/00/${String(n).padStart(18, '0')}`;

/** Of ten events one packs five cases on a pallet, two see the pallet, seven fill a case. */
function eventOf(n: number): object {
  const pallet = Math.floor(n / 10);
  const part = n % 10;
  const common = {
    eventTime: new Date(Date.UTC(2026, 0, 1) + n * 1_000).toISOString(),
    eventTimeZoneOffset: '+01:00',
    readPoint: { id: GLN },
    bizLocation: { id: GLN },
    disposition: 'in_progress',
  };
  const palletId = sscc(9_000_000 + pallet);
  if (part < 7) {
    const childQuantityList = [{ epcClass: LOT, quantity: 40 }];
    const parentID = sscc(pallet * 7 + part);
    const packing = { action: 'ADD', bizStep: 'packing', parentID, childQuantityList };
    return { type: 'AggregationEvent', ...packing, ...common };
  }
  if (part === 7) {
    const childEPCs = Array.from({ length: CASES_PER_PALLET }, (_, i) => sscc(pallet * 7 + i));
    const packing = { action: 'ADD', bizStep: 'packing', parentID: palletId, childEPCs };
    return { type: 'AggregationEvent', ...packing, ...common };
  }
  const bizStep = part === 8 ? 'shipping' : 'receiving';
  return { type: 'ObjectEvent', action: 'OBSERVE', bizStep, epcList: [palletId], ...common };
}

/** The same bytes under keys of the same length; only one of them says that it is an event. */
function maker(prefix: string): MakeRecord {
  const run = makeRun();
  return (_topic, n): MadeRecord => ({
    key: Buffer.from(`${prefix}/${run}/${String(n).padStart(60, '0')}`),
    value: Buffer.from(JSON.stringify(eventOf(n))),
  });
}

async function recallPages(world: World): Promise<string> {
  const questions = askLedger(world.ledger);
  const startMs = performance.now();
  let rows = 0;
  let pages = 0;
  let longestMs = 0;
  let cursor = '';
  do {
    const pageMs = performance.now();
    const page = await questions.recall(LOT, { asOf: null, cursor });
    longestMs = Math.max(longestMs, performance.now() - pageMs);
    rows += page.rows.length;
    pages += 1;
    ({ cursor } = page);
  } while (cursor !== '' && seconds(startMs) < 60);
  const end = cursor === '' ? 'the end' : 'a minute, not the end';
  const took = `${seconds(startMs).toFixed(1)} s, the longest page ${longestMs.toFixed(0)} ms`;
  return `recall from the ledger: ${rows} things in ${pages} pages up to ${end}, ${took}`;
}

async function main(): Promise<void> {
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const records = Number(args.records);
  const first = Array.from({ length: 1_000 }, (_, n) => maker('event')('', n));
  const perEvent = (count: (record: MadeRecord) => number) =>
    first.reduce((sum, record) => sum + count(record), 0) / first.length;
  const bytes = perEvent(({ value }) => value.length);
  const entries = perEvent(({ key, value }) => {
    const keys = eventIndex(key.toString(), value);
    return 'reason' in keys ? 0 : keys.length;
  });
  say(`events of ${bytes.toFixed(0)} bytes with ${entries.toFixed(1)} index entries each`);
  const world = await createWorld(say, false, Number(args['port-offset']));
  try {
    const rates: Record<string, number[]> = { plain: [], event: [] };
    await measureBridge(world, 10_000, [], maker('plain'));
    for (const prefix of ['plain', 'event', 'event', 'plain']) {
      const { recordsPerSecond } = await measureBridge(world, records, [], maker(prefix));
      rates[prefix]?.push(recordsPerSecond);
      say(`${prefix}: ${recordsPerSecond.toFixed(0)} records/s`);
    }
    const mean = (all: readonly number[] = []) => all.reduce((a, b) => a + b, 0) / all.length;
    const ratio = mean(rates.event) / mean(rates.plain);
    const verdict = ratio >= TARGET ? 'met' : 'MISSED';
    say(await recallPages(world));
    process.stdout.write(`events / plain records  ${ratio.toFixed(2)}  >= ${TARGET}  ${verdict}\n`);
  } finally {
    await world.close();
  }
}

await main();
