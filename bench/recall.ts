/**
 * npm run bench:recall: one lot packed into 10,000 cases on 200 pallets, shipped and received, and
 * recalled by the read model. It needs neither Fabric nor Kafka: the changes are made here.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@shuttle/bridge/dist/sqlite/database.js';
import { openReadModel } from '@shuttle/bridge/dist/sqlite/reader.js';
import { createWriter, epcisEntries } from '@shuttle/bridge/dist/sqlite/writer.js';
import { recall, trace } from '@shuttle/chaincode/epcis/questions';
import { median } from './world.ts';

const CASES = 10_000;
const PALLETS = 200;
const ROUNDS = 7;
const STEP_CHANGES = 1_000;
const SOURCE = { clusterId: 'bench', topic: 'bench', channel: 'bench', chaincode: 'bench' };
const LOT = 'https://id.gs1.org/01/09506000134352/10/L1';
const GTIN = 'https://id.gs1.org/01/09506000134352';

const caseOf = (n: number): string => `https://id.gs1.org/01/19506000134359/21/${n}`;
const palletOf = (n: number): string => `https://id.gs1.org/00/${String(n).padStart(18, '0')}`;
const CONTEXT = ['https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld'];

/** Events of the story in their order; some 1,000 bytes where many cases are named. */
function* events(): Generator<object> {
  const here = { readPoint: { id: 'https://id.gs1.org/414/9506000134376' } };
  const there = { readPoint: { id: 'https://id.gs1.org/414/9506000134383' } };
  yield {
    type: 'TransformationEvent',
    inputQuantityList: [{ epcClass: 'https://id.gs1.org/01/09506000134369/10/M1', quantity: 9 }],
    outputQuantityList: [{ epcClass: LOT, quantity: CASES * 40 }],
    bizStep: 'commissioning',
    ...here,
  };
  const perPallet = CASES / PALLETS;
  for (let n = 0; n < CASES; n++) {
    yield {
      type: 'AggregationEvent',
      action: 'ADD',
      parentID: caseOf(n),
      childQuantityList: [{ epcClass: LOT, quantity: 40 }],
      bizStep: 'packing',
      ...here,
    };
  }
  for (let pallet = 0; pallet < PALLETS; pallet++) {
    const childEPCs = Array.from({ length: perPallet }, (_, n) => caseOf(pallet * perPallet + n));
    const parentID = palletOf(pallet);
    yield {
      type: 'AggregationEvent',
      action: 'ADD',
      parentID,
      childEPCs,
      bizStep: 'packing',
      ...here,
    };
    for (const [bizStep, place] of [
      ['shipping', here],
      ['receiving', there],
    ] as const) {
      const epcList = [parentID];
      yield { type: 'ObjectEvent', action: 'OBSERVE', epcList, bizStep, ...place };
    }
  }
}

function documents() {
  return Array.from(events(), (event, n) => ({
    key: Buffer.from(`event/${String(n).padStart(64, '0')}`),
    value: Buffer.from(
      JSON.stringify({
        '@context': CONTEXT,
        eventTime: new Date(Date.UTC(2026, 0, 1) + n * 1_000).toISOString(),
        eventTimeZoneOffset: '+00:00',
        ...event,
      }),
    ),
    block: BigInt(n),
    source: `bench/bench/0/${n}`,
  }));
}

async function measured<T>(work: () => Promise<T>): Promise<readonly [ms: number, answer: T]> {
  const startMs = performance.now();
  const answer = await work();
  return [performance.now() - startMs, answer];
}

const folder = await mkdtemp(join(tmpdir(), 'shuttle-bench-'));
try {
  const file = join(folder, 'index.db');
  const changes = documents();
  const [feedMs] = await measured(async () => {
    const database = openDatabase(file);
    const writer = createWriter(file, database, SOURCE, epcisEntries, () => 0);
    for (let from = 0; from < changes.length; from += STEP_CHANGES) {
      const part = changes.slice(from, from + STEP_CHANGES);
      const next = BigInt(from + part.length);
      writer.apply({ partition: 0, from: BigInt(from), next, last: null, changes: part });
    }
    writer.complete(0);
    database.close();
  });
  const asked = {
    asOf: null,
    cursor: '',
    rowsMax: 1_000_000,
    limits: { readsMax: Number.MAX_SAFE_INTEGER, entriesMax: 100_000 },
    foundMax: 1_000_000,
  };
  const times = { lot: [] as number[], product: [] as number[], up: [] as number[] };
  let rows = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const model = openReadModel(file, SOURCE);
    if (model === null) {
      throw new Error('There is no index.');
    }
    const [lotMs, answer] = await measured(() => recall(model.events, LOT, asked));
    const [productMs] = await measured(() => recall(model.events, GTIN, asked));
    const bounds = { ...asked, depthMax: 100, edgesMax: 1_000_000 };
    const [upMs] = await measured(() => trace(model.events, palletOf(7), 'up', bounds));
    times.lot.push(lotMs);
    times.product.push(productMs);
    times.up.push(upMs);
    rows = answer.rows.length;
    const places = new Set(answer.rows.map(({ seen }) => seen?.place?.readPoint));
    if (!places.has('https://id.gs1.org/414/9506000134383') || answer.cursor !== '') {
      throw new Error('The recall is not whole.');
    }
    model.close();
  }
  const rate = changes.length / (feedMs / 1_000);
  process.stdout.write(
    `${changes.length} events fed in ${feedMs.toFixed(0)} ms (${rate.toFixed(0)}/s)\n` +
      `recall of the lot, ${rows} things   ${median(times.lot).toFixed(0)} ms  < 1000\n` +
      `recall of the product         ${median(times.product).toFixed(0)} ms\n` +
      `trace of a pallet, up         ${median(times.up).toFixed(0)} ms\n`,
  );
} finally {
  await rm(folder, { recursive: true });
}
