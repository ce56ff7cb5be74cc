/** Pallets on the road, with a temperature logger on each. */
import type { EpcisEvent, ObjectHappening, Place } from './epcis.ts';
import type { Shipment } from './production.ts';
import { serialOf, type Teller } from './teller.ts';
import { CARRIER, CENTRE, type Site } from './world.ts';

const READINGS_PER_TRIP = 6;
const WRONG_SHARE = 0.04;

/** Takes the pallets from the dairy to the distribution centre, where they are unpacked. */
export function carryToCentre(teller: Teller, shipment: Shipment): void {
  const { run } = teller;
  const { dairy, pallets } = shipment;
  const here = { readPoint: { id: dairy.id }, bizLocation: { id: dairy.id } };
  const units = pallets.map((pallet) => pallet.id);
  const loggers = pallets.map((_, index) => CARRIER.naming.giai(serialOf(run, index)));
  for (const [index, parentID] of units.entries()) {
    teller.tell([2, 5], {
      type: 'AssociationEvent',
      action: 'ADD',
      parentID,
      childEPCs: loggers.slice(index, index + 1),
      bizStep: 'installing',
      disposition: 'in_progress',
      ...here,
    });
  }
  const order = CENTRE.company.naming.transaction(`PO-${run.seed}-${run.number}`);
  const advice = dairy.company.naming.transaction(`DA-${run.seed}-${run.number}`);
  teller.tell([10, 30], {
    type: 'TransactionEvent',
    action: 'ADD',
    bizTransactionList: [
      { type: 'po', bizTransaction: order },
      { type: 'desadv', bizTransaction: advice },
    ],
    epcList: units,
    bizStep: 'staging_outbound',
    disposition: 'in_progress',
    ...here,
  });
  ship(teller, units, dairy, CENTRE, [{ type: 'desadv', bizTransaction: advice }]);
  readTemperatures(teller, units, loggers, dairy, CENTRE);
  receive(teller, units, CENTRE);
  unload(teller, shipment, loggers);
}

export function ship(
  teller: Teller,
  units: readonly string[],
  from: Site,
  to: Site,
  bizTransactionList: NonNullable<ObjectHappening['bizTransactionList']>,
): void {
  teller.tell([20, 60], {
    type: 'ObjectEvent',
    action: 'OBSERVE',
    bizStep: 'shipping',
    disposition: 'in_transit',
    epcList: units,
    readPoint: { id: from.id },
    bizTransactionList,
    sourceList: [{ type: 'possessing_party', source: from.company.party }],
    destinationList: [{ type: 'possessing_party', destination: to.company.party }],
  });
}

export function receive(teller: Teller, units: readonly string[], site: Site): void {
  teller.tell([10, 30], {
    type: 'ObjectEvent',
    action: 'OBSERVE',
    bizStep: 'receiving',
    disposition: 'in_progress',
    epcList: units,
    readPoint: { id: site.id },
    bizLocation: { id: site.id },
  });
}

function readTemperatures(
  teller: Teller,
  units: readonly string[],
  loggers: readonly string[],
  from: Site,
  to: Site,
): void {
  for (let reading = 1; reading <= READINGS_PER_TRIP; reading += 1) {
    const readPoint = pointBetween(from, to, reading / (READINGS_PER_TRIP + 1));
    for (const [index, unit] of units.entries()) {
      readTemperature(teller, unit, loggers[index] ?? '', readPoint);
    }
  }
}

/** Now and then a logger is set to Fahrenheit; the carrier then corrects what it has told. */
function readTemperature(teller: Teller, unit: string, logger: string, readPoint: Place): void {
  const { random } = teller.run;
  const celsius = random.whole(26, 58) / 10;
  const reading = (value: number, time: string): ObjectHappening => ({
    type: 'ObjectEvent',
    action: 'OBSERVE',
    bizStep: 'sensor_reporting',
    disposition: 'in_transit',
    epcList: [unit],
    readPoint,
    sensorElementList: [
      {
        sensorMetadata: { deviceID: logger, time },
        sensorReport: [{ type: 'Temperature', value, uom: 'CEL' }],
      },
    ],
  });
  const time = new Date(teller.nowMs()).toISOString();
  if (random.chance(WRONG_SHARE)) {
    const fahrenheit = Math.round(celsius * 18 + 320) / 10;
    const wrong: EpcisEvent = teller.tell([5, 12], reading(fahrenheit, time));
    teller.correct(wrong, reading(celsius, time));
  } else {
    teller.tell([5, 12], reading(celsius, time));
  }
}

/** A point on the way, as a geo URI (RFC 5870). */
function pointBetween(from: Site, to: Site, share: number): Place {
  const between = (start: number, end: number) => (start + (end - start) * share).toFixed(3);
  const latitude = between(from.latitude, to.latitude);
  return { id: `geo:${latitude},${between(from.longitude, to.longitude)}` };
}

function unload(teller: Teller, shipment: Shipment, loggers: readonly string[]): void {
  const here = { readPoint: { id: CENTRE.id }, bizLocation: { id: CENTRE.id } };
  for (const [index, { id, cases }] of shipment.pallets.entries()) {
    teller.tell([3, 8], {
      type: 'AssociationEvent',
      action: 'DELETE',
      parentID: id,
      childEPCs: loggers.slice(index, index + 1),
      bizStep: 'removing',
      disposition: 'in_progress',
      ...here,
    });
    teller.tell([10, 25], {
      type: 'AggregationEvent',
      action: 'DELETE',
      parentID: id,
      childEPCs: cases,
      bizStep: 'unpacking',
      disposition: 'in_progress',
      ...here,
    });
    teller.tell([5, 15], {
      type: 'ObjectEvent',
      action: 'OBSERVE',
      bizStep: 'storing',
      disposition: 'sellable_not_accessible',
      epcList: cases,
      ...here,
    });
  }
}
