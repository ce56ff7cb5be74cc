/** From the farms to the dairy's gate: milk is collected, becomes yoghurt, and is packed. */
import type { QuantityElement } from './epcis.ts';
import { type Run, serialOf, type Teller, unitOf } from './teller.ts';
import { FARMS, type Site } from './world.ts';

/** GTINs without prefix and check digit: indicator and item reference. */
const MILK_ITEM = '000100';
const TUB_ITEM = '000210';
const CASE_ITEM = '100210';

export const TUBS_PER_CASE = 40;
const CASES_PER_PALLET = 6;
const PALLETS = 2;
const LITRES_PER_TUB = 0.55;
const SHELF_LIFE_MS = 28 * 86_400_000;

export interface Pallet {
  readonly id: string;
  readonly cases: readonly string[];
}

/** What leaves the dairy. */
export interface Shipment {
  readonly dairy: Site;
  /** The lot of tubs, as a class. */
  readonly lot: string;
  readonly pallets: readonly Pallet[];
}

export function produce(teller: Teller, dairy: Site): Shipment {
  const { run } = teller;
  const milk = collectMilk(teller, dairy);
  const lot = dairy.company.naming.lgtin(TUB_ITEM, `${run.seed}-${run.number}`);
  makeYoghurt(teller, dairy, milk, lot);
  const pallets: Pallet[] = [];
  for (let count = 0; count < PALLETS; count += 1) {
    pallets.push(packPallet(teller, dairy, lot, count));
  }
  return { dairy, lot, pallets };
}

function collectMilk(teller: Teller, dairy: Site): QuantityElement[] {
  const { random } = teller.run;
  const first = random.whole(0, FARMS.length - 1);
  const farms = [0, 1, 2].flatMap((step) => FARMS[(first + step) % FARMS.length] ?? []);
  const tubs = PALLETS * CASES_PER_PALLET * TUBS_PER_CASE;
  const litres = Math.round((tubs * LITRES_PER_TUB) / farms.length);
  const lots = farms.map((farm) => milkLot(teller, farm, litres + random.whole(0, 20)));
  for (const [index, farm] of farms.entries()) {
    teller.tell([20, 45], {
      type: 'ObjectEvent',
      action: 'OBSERVE',
      bizStep: 'loading',
      disposition: 'in_transit',
      quantityList: lots.slice(index, index + 1),
      readPoint: { id: farm.id },
    });
  }
  receiveMilk(teller, dairy, lots);
  return lots;
}

function milkLot(teller: Teller, farm: Site, litres: number): QuantityElement {
  const { run } = teller;
  const number = run.told.length;
  const epcClass = farm.company.naming.lgtin(MILK_ITEM, `${run.seed}-${run.number}-${number}`);
  const lot = { epcClass, quantity: litres, uom: 'LTR' };
  teller.tell([5, 25], {
    type: 'ObjectEvent',
    action: 'ADD',
    bizStep: 'commissioning',
    disposition: 'active',
    quantityList: [lot],
    readPoint: { id: farm.id },
    bizLocation: { id: farm.id },
    ilmd: {
      'demo:farm': farm.name,
      'demo:fatPercent': run.random.whole(34, 44) / 10,
      'demo:herd': run.random.pick(['Normando', 'Holstein', 'Jersey']),
    },
  });
  return lot;
}

function receiveMilk(teller: Teller, dairy: Site, lots: readonly QuantityElement[]): void {
  const here = { readPoint: { id: dairy.id }, bizLocation: { id: dairy.id } };
  teller.tell([60, 120], {
    type: 'ObjectEvent',
    action: 'OBSERVE',
    bizStep: 'receiving',
    disposition: 'in_progress',
    quantityList: lots,
    ...here,
  });
  teller.tell([10, 30], {
    type: 'ObjectEvent',
    action: 'OBSERVE',
    bizStep: 'inspecting',
    disposition: 'conformant',
    persistentDisposition: { set: ['completeness_verified'] },
    quantityList: lots,
    ...here,
  });
}

function makeYoghurt(
  teller: Teller,
  dairy: Site,
  milk: readonly QuantityElement[],
  lot: string,
): void {
  const bestBefore = new Date(teller.nowMs() + SHELF_LIFE_MS).toISOString().slice(0, 10);
  teller.tell([360, 540], {
    type: 'TransformationEvent',
    inputQuantityList: milk,
    outputQuantityList: [{ epcClass: lot, quantity: PALLETS * CASES_PER_PALLET * TUBS_PER_CASE }],
    bizStep: 'commissioning',
    disposition: 'active',
    readPoint: { id: dairy.id },
    bizLocation: { id: dairy.id },
    ilmd: { 'demo:product': 'Yogur natural 500 g', 'demo:bestBefore': bestBefore },
  });
}

function packPallet(teller: Teller, dairy: Site, lot: string, count: number): Pallet {
  const { run } = teller;
  const { naming } = dairy.company;
  const here = { readPoint: { id: dairy.id }, bizLocation: { id: dairy.id } };
  const serials = caseSerials(run, count);
  const cases = serials.map((serial) => naming.sgtin(CASE_ITEM, serial));
  const id = naming.sscc(unitOf(run, count));
  const commissioned = { action: 'ADD', bizStep: 'commissioning', disposition: 'active' } as const;
  teller.tell([5, 15], { type: 'ObjectEvent', ...commissioned, epcList: cases, ...here });
  for (const parentID of cases) {
    teller.tell([1, 4], {
      type: 'AggregationEvent',
      action: 'ADD',
      parentID,
      childQuantityList: [{ epcClass: lot, quantity: TUBS_PER_CASE }],
      bizStep: 'packing',
      disposition: 'in_progress',
      ...here,
    });
  }
  teller.tell([2, 5], { type: 'ObjectEvent', ...commissioned, epcList: [id], ...here });
  teller.tell([2, 6], {
    type: 'AggregationEvent',
    action: 'ADD',
    parentID: id,
    childEPCs: cases,
    bizStep: 'packing',
    disposition: 'in_progress',
    ...here,
  });
  return { id, cases };
}

function caseSerials(run: Run, pallet: number): string[] {
  const first = pallet * CASES_PER_PALLET;
  return Array.from({ length: CASES_PER_PALLET }, (_, index) => serialOf(run, first + index));
}
