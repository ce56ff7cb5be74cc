/** From the distribution centre to the shops' customers. */
import { type Shipment, TUBS_PER_CASE } from './production.ts';
import { type Teller, unitOf } from './teller.ts';
import { receive, ship } from './transport.ts';
import { CENTRE, SHOPS, type Site } from './world.ts';

const SHOPS_PER_RUN = 3;

/** Shares a shipment's cases out to shops; each goes its own way from here. */
export function supplyShops(teller: Teller, shipment: Shipment): void {
  const cases = shipment.pallets.flatMap((pallet) => pallet.cases);
  const share = Math.ceil(cases.length / SHOPS_PER_RUN);
  const first = teller.run.random.whole(0, SHOPS.length - 1);
  for (let count = 0; count < SHOPS_PER_RUN; count += 1) {
    const shop = SHOPS[(first + count) % SHOPS.length];
    if (shop !== undefined) {
      const own = cases.slice(count * share, (count + 1) * share);
      const way = teller.branch();
      deliver(way, shop, own, count);
      sell(way, shop, own, shipment.lot);
    }
  }
}

function deliver(teller: Teller, shop: Site, cases: readonly string[], count: number): void {
  const { run } = teller;
  const { naming } = CENTRE.company;
  const centre = { readPoint: { id: CENTRE.id }, bizLocation: { id: CENTRE.id } };
  const unit = naming.sscc(unitOf(run, count));
  teller.tell([240, 1_200], {
    type: 'ObjectEvent',
    action: 'OBSERVE',
    bizStep: 'picking',
    disposition: 'in_progress',
    epcList: cases,
    ...centre,
  });
  teller.tell([2, 5], {
    type: 'ObjectEvent',
    action: 'ADD',
    bizStep: 'commissioning',
    disposition: 'active',
    epcList: [unit],
    ...centre,
  });
  teller.tell([5, 15], {
    type: 'AggregationEvent',
    action: 'ADD',
    parentID: unit,
    childEPCs: cases,
    bizStep: 'packing',
    disposition: 'in_progress',
    ...centre,
  });
  const advice = naming.transaction(`DA-${run.seed}-${run.number}-${count}`);
  ship(teller, [unit], CENTRE, shop, [{ type: 'desadv', bizTransaction: advice }]);
  receive(teller, [unit], shop);
  teller.tell([5, 20], {
    type: 'AggregationEvent',
    action: 'DELETE',
    parentID: unit,
    childEPCs: cases,
    bizStep: 'unpacking',
    disposition: 'in_progress',
    readPoint: { id: shop.id },
    bizLocation: { id: shop.id },
  });
}

/** Case by case: unpacked, put on the shelf, sold in two portions, and the box thrown away. */
function sell(teller: Teller, shop: Site, cases: readonly string[], lot: string): void {
  const here = { readPoint: { id: shop.id }, bizLocation: { id: shop.id } };
  for (const box of cases) {
    const tubs = { epcClass: lot, quantity: TUBS_PER_CASE };
    teller.tell([30, 200], {
      type: 'AggregationEvent',
      action: 'DELETE',
      parentID: box,
      childQuantityList: [tubs],
      bizStep: 'unpacking',
      disposition: 'in_progress',
      ...here,
    });
    const observed = { type: 'ObjectEvent', action: 'OBSERVE' } as const;
    teller.tell([5, 20], {
      ...observed,
      bizStep: 'stocking',
      disposition: 'sellable_accessible',
      quantityList: [tubs],
      ...here,
    });
    const early = teller.run.random.whole(10, TUBS_PER_CASE - 10);
    for (const quantity of [early, TUBS_PER_CASE - early]) {
      teller.tell([45, 240], {
        ...observed,
        bizStep: 'retail_selling',
        disposition: 'retail_sold',
        quantityList: [{ epcClass: lot, quantity }],
        ...here,
      });
    }
    teller.tell([2, 10], {
      type: 'ObjectEvent',
      action: 'DELETE',
      bizStep: 'decommissioning',
      disposition: 'inactive',
      epcList: [box],
      ...here,
    });
  }
}
