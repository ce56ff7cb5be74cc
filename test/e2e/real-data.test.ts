/** Real records through the circle: every one comes back byte for byte. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { runShuttle } from '../support/cli.ts';
import {
  createTopic,
  createWorld,
  MINUTE_MS,
  produceAll,
  type World,
} from '../support/e2e-world.ts';
import { because, DATA, isThere } from '../support/real-data.ts';

const maybe = isThere ? it : it.skip;

let world: World;

beforeAll(async () => {
  if (isThere) {
    world = await createWorld(10_607);
  }
}, 10 * MINUTE_MS);

afterAll(async () => {
  await world?.close();
}, 2 * MINUTE_MS);

interface Document {
  readonly key: string;
  readonly value: string;
}

async function shipments(): Promise<Document[]> {
  const csv = await readFile(join(DATA, 'shipments/scms-shipments.csv'));
  const rows = parse(csv, { columns: true, bom: true }) as Record<string, string>[];
  return rows.map((row) => ({ key: row.id ?? '', value: JSON.stringify(row) }));
}

interface EpcisDocument {
  readonly epcisBody?: { readonly eventList?: readonly object[]; readonly event?: object };
}

/** The events of the valid documents, each as its own text. */
async function epcisEvents(): Promise<Document[]> {
  const folder = join(DATA, 'epcis/2.0/EPCIS/JSON/Capture/Documents');
  const documents: Document[] = [];
  for (const name of (await readdir(folder)).sort()) {
    const { epcisBody } = JSON.parse(await readFile(join(folder, name), 'utf8')) as EpcisDocument;
    const events = epcisBody?.eventList ?? (epcisBody?.event ? [epcisBody.event] : []);
    for (const [index, event] of events.entries()) {
      documents.push({ key: `epcis/${name}/${index}`, value: JSON.stringify(event, null, 1) });
    }
  }
  return documents;
}

async function sendAndReadBack(topic: string, documents: readonly Document[]): Promise<void> {
  await createTopic(world.kafka, topic, 4);
  await produceAll(world.kafka, topic, [...documents]);
  const settings = { ...world.settings, SHUTTLE_INGEST__TOPICS: topic };
  const run = await runShuttle(['run', '--until-end', '--json'], settings, world.dir);
  expect([run.code, run.stderr.slice(-2_000)]).toEqual([0, expect.anything()]);
  expect(JSON.parse(run.stdout)).toMatchObject({
    ingest: { recordsRead: documents.length, applied: documents.length, rejected: 0 },
  });
  for (let n = 0; n < documents.length; n += 32) {
    await Promise.all(documents.slice(n, n + 32).map(expectOnLedger));
  }
}

async function expectOnLedger({ key, value }: Document): Promise<void> {
  const found = await world.ledger.contract.evaluateTransaction('getData', key);
  expect([key, Buffer.from(found).toString()]).toEqual([key, value]);
}

describe('real records come back byte for byte', () => {
  maybe(
    `7,689 shipment rows, keyed by their id${because}`,
    async () => {
      const rows = await shipments();
      expect(rows).toHaveLength(7_689);
      await sendAndReadBack('shipments', rows);
    },
    5 * MINUTE_MS,
  );

  maybe(
    `the events of EPCIS 2.0 capture documents${because}`,
    async () => {
      const events = await epcisEvents();
      expect(events.length).toBeGreaterThan(38);
      await sendAndReadBack('epcis', events);
    },
    5 * MINUTE_MS,
  );
});
