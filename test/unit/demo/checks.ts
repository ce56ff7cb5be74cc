/**
 * What EPCIS 2.0 and the GS1 General Specifications ask of an event, written down anew: nothing of
 * the generator is used, so that both would have to be wrong in the same way.
 */

export interface AnyEvent {
  readonly '@context': readonly unknown[];
  readonly type: string;
  readonly eventID: string;
  readonly eventTime: string;
  readonly eventTimeZoneOffset: string;
  readonly action?: string;
  readonly bizStep?: string;
  readonly disposition?: string;
  readonly epcList?: readonly string[];
  readonly parentID?: string;
  readonly childEPCs?: readonly string[];
  readonly quantityList?: readonly Quantity[];
  readonly childQuantityList?: readonly Quantity[];
  readonly inputQuantityList?: readonly Quantity[];
  readonly outputQuantityList?: readonly Quantity[];
  readonly bizTransactionList?: readonly { readonly bizTransaction: string }[];
  readonly sensorElementList?: readonly unknown[];
  readonly ilmd?: Readonly<Record<string, unknown>>;
  readonly readPoint?: { readonly id: string };
  readonly bizLocation?: { readonly id: string };
  readonly errorDeclaration?: { readonly correctiveEventIDs: readonly string[] };
}

export interface Quantity {
  readonly epcClass: string;
  readonly quantity: number;
}

const BIZ_STEPS = new Set(
  `accepting arriving assembling collecting commissioning consigning creating_class_instance
  cycle_counting decommissioning departing destroying disassembling dispensing encoding
  entering_exiting holding inspecting installing killing loading other packing picking receiving
  removing repackaging repairing replacing reserving retail_selling sampling sensor_reporting
  shipping staging_outbound stock_taking stocking storing transporting unloading unpacking
  void_shipping`.split(/\s+/),
);

const DISPOSITIONS = new Set(
  `active available completeness_inferred completeness_verified conformant container_closed
  container_open damaged destroyed dispensed disposed encoded expired in_progress in_transit
  inactive mismatch_class mismatch_instance mismatch_quantity needs_replacement
  no_pedigree_match non_conformant non_sellable_other partially_dispensed recalled reserved
  retail_sold returned sellable_accessible sellable_not_accessible stolen unavailable unknown`.split(
    /\s+/,
  ),
);

const UUID_URN = /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** What is wrong with an event; nothing when all is well. */
export function problemsOf(event: AnyEvent): string[] {
  const rules: Record<string, boolean> = {
    context: event['@context'][0]?.toString().endsWith('/epcis-context.jsonld') === true,
    eventID: UUID_URN.test(event.eventID),
    eventTime: !Number.isNaN(Date.parse(event.eventTime)) && event.eventTime.endsWith('Z'),
    eventTimeZoneOffset: /^[+-](0\d|1[0-4]):[0-5]\d$/.test(event.eventTimeZoneOffset),
    bizStep: event.bizStep === undefined || BIZ_STEPS.has(event.bizStep),
    disposition: event.disposition === undefined || DISPOSITIONS.has(event.disposition),
    action:
      event.type === 'TransformationEvent'
        ? event.action === undefined
        : ['ADD', 'OBSERVE', 'DELETE'].includes(event.action ?? ''),
    what: namesWhat(event),
    quantities: quantitiesOf(event).every(({ quantity }) => quantity > 0),
    // EPCIS 2.0, section 7.3.7: only where something comes into being, and only own names.
    ilmd:
      event.ilmd === undefined ||
      ((event.type === 'TransformationEvent' || event.action === 'ADD') &&
        Object.keys(event.ilmd).every((name) => name.includes(':'))),
    identifiers: identifiersOf(event).every((identifier) => isIdentifier(identifier)),
  };
  return Object.keys(rules).filter((rule) => rules[rule] === false);
}

function namesWhat(event: AnyEvent): boolean {
  const some = (list: readonly unknown[] | undefined) => (list ?? []).length > 0;
  switch (event.type) {
    case 'ObjectEvent':
      return some(event.epcList) || some(event.quantityList);
    case 'AggregationEvent':
    case 'AssociationEvent':
      return (
        event.parentID !== undefined && (some(event.childEPCs) || some(event.childQuantityList))
      );
    case 'TransactionEvent':
      return some(event.bizTransactionList) && some(event.epcList);
    case 'TransformationEvent':
      return some(event.inputQuantityList) && some(event.outputQuantityList);
    default:
      return false;
  }
}

export function quantitiesOf(event: AnyEvent): Quantity[] {
  const { quantityList = [], childQuantityList = [] } = event;
  const { inputQuantityList = [], outputQuantityList = [] } = event;
  return [...quantityList, ...childQuantityList, ...inputQuantityList, ...outputQuantityList];
}

/** Everything in the event that is a GS1 identifier. */
export function identifiersOf(event: AnyEvent): string[] {
  const { epcList = [], childEPCs = [], parentID, readPoint, bizLocation } = event;
  const single = [parentID, readPoint?.id, bizLocation?.id].flatMap((id) => id ?? []);
  const classes = quantitiesOf(event).map(({ epcClass }) => epcClass);
  const parties = [
    ...JSON.stringify(event).matchAll(/"(?:source|destination|deviceID)":"([^"]+)"/g),
  ];
  return [...epcList, ...childEPCs, ...single, ...classes, ...parties.map(([, id]) => id ?? '')];
}

const LINK = 'https://id.gs1.org';
const LINKS: readonly RegExp[] = [
  new RegExp(`^${LINK}/01/(\\d{14})/(?:21|10)/[0-9A-Za-z-]{1,20}$`),
  new RegExp(`^${LINK}/00/(\\d{18})$`),
  new RegExp(`^${LINK}/41[47]/(\\d{13})$`),
];
// Prefix and reference together: 13 digits for a GTIN, 17 for an SSCC, 12 for a GLN.
const URNS: readonly (readonly [RegExp, number])[] = [
  [/^urn:epc:id:sgtin:(\d+)\.(\d+)\.[0-9A-Za-z-]{1,20}$/, 13],
  [/^urn:epc:class:lgtin:(\d+)\.(\d+)\.[0-9A-Za-z-]{1,20}$/, 13],
  [/^urn:epc:id:sscc:(\d+)\.(\d+)$/, 17],
  [/^urn:epc:id:sgln:(\d+)\.(\d+)\.0$/, 12],
  [/^urn:epc:id:pgln:(\d+)\.(\d+)$/, 12],
];
const GEO = /^geo:-?\d{1,2}\.\d+,-?\d{1,3}\.\d+$/;
const GIAI = new RegExp(`^${LINK}/8004/952\\d{4}[0-9A-Za-z-]{1,23}$`);

export function isIdentifier(text: string): boolean {
  const digits = LINKS.map((form) => form.exec(text)?.[1]).find((found) => found !== undefined);
  if (digits !== undefined) {
    return hasCheckDigit(digits) && digits.replace(/^0/, '').includes('952');
  }
  const isUrn = URNS.some(([form, length]) => {
    const [, prefix = '', reference = ''] = form.exec(text) ?? [];
    return prefix.startsWith('952') && prefix.length + reference.length === length;
  });
  return isUrn || GEO.test(text) || GIAI.test(text);
}

/** All digits, the check digit with weight 1, add up to a multiple of ten. */
export function hasCheckDigit(digits: string): boolean {
  const weighted = digits
    .split('')
    .reverse()
    .map((digit, index) => Number(digit) * (index % 2 ? 3 : 1));
  return weighted.reduce((sum, value) => sum + value, 0) % 10 === 0;
}
