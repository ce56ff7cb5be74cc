/**
 * A connected story in EPCIS, from milk to a shop, of our own: its parts are told in different
 * spellings, out of order, and one of them in error. The tests know what is true of it.
 */
import { canonicalIdentifier } from '../../bridge/src/clean/identifiers.ts';

type Event = Readonly<Record<string, unknown>>;

export interface Story {
  /** EPCIS 2.0 documents, as partners send them. */
  readonly documents: readonly string[];
  readonly eventCount: number;
  readonly milk: string;
  readonly yoghurt: string;
  readonly product: string;
  readonly cups: readonly string[];
  readonly cases: readonly string[];
  readonly pallet: string;
}

const START_MS = Date.UTC(2026, 2, 1, 6);
const DAIRY = 'urn:epc:id:sgln:0614141.00777.0';
const SHOP = 'urn:epc:id:sgln:0614141.00888.0';

export const canonical = (text: string): string => {
  const found = canonicalIdentifier(text);
  if (found.kind === 'refused') {
    throw new Error(found.reason);
  }
  return found.canonical;
};

/** So many cups of yoghurt of one lot, `perCase` in a case, all cases on one pallet. */
export function yoghurtStory(cupCount = 12, perCase = 4): Story {
  let hours = 0;
  const event = (type: string, members: Event, atHour = ++hours): Event => {
    const eventTime = new Date(START_MS + atHour * 3_600_000).toISOString();
    return { type, eventTime, eventTimeZoneOffset: '+01:00', ...members };
  };
  const cup = (n: number) => `urn:epc:id:sgtin:9506000.013435.C${n}`;
  const caseId = (n: number) => `urn:epc:id:sscc:0614141.${String(1_000_000_000 + n)}`;
  const pallet = 'urn:epc:id:sscc:0614141.2000000000';
  const milk = 'urn:epc:class:lgtin:9506000.099999.M1';
  const yoghurt = 'urn:epc:class:lgtin:9506000.013435.Y1';
  const numbers = [...Array(cupCount).keys()];
  const caseNumbers = [...Array(Math.ceil(cupCount / perCase)).keys()];
  const cupsOf = (n: number) => numbers.slice(n * perCase, (n + 1) * perCase).map(cup);
  const at = (id: string) => ({ readPoint: { id }, bizLocation: { id } });
  const lots = [{ epcClass: milk, quantity: 90, uom: 'LTR' }];

  const made = [
    event('ObjectEvent', { action: 'ADD', quantityList: lots, ...at(DAIRY) }),
    event('TransformationEvent', {
      transformationID: 'urn:example:batch:7',
      inputQuantityList: lots,
      ...at(DAIRY),
    }),
    event('TransformationEvent', {
      transformationID: 'urn:example:batch:7',
      outputQuantityList: [{ epcClass: yoghurt, quantity: cupCount }],
      ...at(DAIRY),
    }),
    event('ObjectEvent', {
      action: 'ADD',
      epcList: numbers.map(cup),
      bizStep: 'urn:epcglobal:cbv:bizstep:commissioning',
      ilmd: { 'cbvmda:lotNumber': 'Y1' },
      ...at(DAIRY),
    }),
  ];
  const packed = [
    ...caseNumbers.map((n) =>
      event('AggregationEvent', {
        action: 'ADD',
        parentID: caseId(n),
        childEPCs: cupsOf(n).map(canonical),
        bizStep: 'packing',
        ...at(DAIRY),
      }),
    ),
    event('AggregationEvent', {
      action: 'ADD',
      parentID: canonical(pallet),
      childEPCs: caseNumbers.map(caseId),
      ...at(DAIRY),
    }),
  ];
  const wrong = event('ObjectEvent', {
    action: 'OBSERVE',
    epcList: [cup(0)],
    bizStep: 'destroying',
    ...at(DAIRY),
  });
  const inError = {
    ...wrong,
    errorDeclaration: { declarationTime: '2026-03-05T00:00:00Z', reason: 'incorrect_data' },
  };
  const sold = [
    event('ObjectEvent', {
      action: 'OBSERVE',
      epcList: [pallet],
      bizStep: 'shipping',
      disposition: 'in_transit',
      readPoint: { id: DAIRY },
    }),
    event('ObjectEvent', {
      action: 'OBSERVE',
      epcList: [pallet],
      bizStep: 'https://ref.gs1.org/cbv/BizStep-receiving',
      disposition: 'in_progress',
      ...at(SHOP),
    }),
    // Without children: everything is taken from the pallet.
    event('AggregationEvent', { action: 'DELETE', parentID: pallet, ...at(SHOP) }),
    event('AggregationEvent', {
      action: 'DELETE',
      parentID: caseId(0),
      childEPCs: [cup(0)],
      bizStep: 'unpacking',
      ...at(SHOP),
    }),
    event('ObjectEvent', {
      action: 'OBSERVE',
      epcList: [cup(0)],
      bizStep: 'retail_selling',
      disposition: 'retail_sold',
      ...at(SHOP),
    }),
  ];
  return {
    documents: [sold, [wrong], packed, made, [inError]].map((events, n) => document(events, n)),
    eventCount: made.length + packed.length + 1 + sold.length,
    milk: canonical(milk),
    yoghurt: canonical(yoghurt),
    product: canonical(yoghurt).replace(/\/10\/.*$/, ''),
    cups: numbers.map(cup).map(canonical),
    cases: caseNumbers.map(caseId).map(canonical),
    pallet: canonical(pallet),
  };
}

function document(eventList: readonly Event[], n: number): string {
  return JSON.stringify({
    '@context': ['https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld'],
    type: 'EPCISDocument',
    schemaVersion: '2.0',
    creationDate: `2026-03-0${n + 2}T00:00:00Z`,
    epcisBody: { eventList },
  });
}
