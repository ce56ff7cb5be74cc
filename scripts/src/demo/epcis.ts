/**
 * The part of EPCIS 2.0 that the story needs, in the shapes of its JSON binding (EPCIS 2.0,
 * section 10), with the words of the CBV 2.0.
 */

export type Action = 'ADD' | 'OBSERVE' | 'DELETE';

export type BizStep =
  | 'commissioning'
  | 'decommissioning'
  | 'inspecting'
  | 'installing'
  | 'loading'
  | 'packing'
  | 'picking'
  | 'receiving'
  | 'removing'
  | 'retail_selling'
  | 'sensor_reporting'
  | 'shipping'
  | 'staging_outbound'
  | 'stocking'
  | 'storing'
  | 'unpacking';

export type Disposition =
  | 'active'
  | 'completeness_verified'
  | 'conformant'
  | 'in_progress'
  | 'in_transit'
  | 'inactive'
  | 'retail_sold'
  | 'sellable_accessible'
  | 'sellable_not_accessible';

export interface QuantityElement {
  readonly epcClass: string;
  readonly quantity: number;
  /** UN/ECE Recommendation 20; left out when pieces are counted. */
  readonly uom?: string;
}

export interface SensorElement {
  readonly sensorMetadata: { readonly deviceID: string; readonly time: string };
  readonly sensorReport: readonly {
    readonly type: 'Temperature';
    readonly value: number;
    /** CEL: degrees Celsius. */
    readonly uom: 'CEL';
  }[];
}

export interface Place {
  readonly id: string;
}

/** What happened, without its id, its time and its context. */
interface Happening {
  readonly bizStep: BizStep;
  readonly disposition?: Disposition;
  readonly persistentDisposition?: { readonly set: readonly Disposition[] };
  readonly readPoint?: Place;
  readonly bizLocation?: Place;
  readonly bizTransactionList?: readonly {
    readonly type: 'po' | 'desadv';
    readonly bizTransaction: string;
  }[];
  readonly sourceList?: readonly { readonly type: 'possessing_party'; readonly source: string }[];
  readonly destinationList?: readonly {
    readonly type: 'possessing_party';
    readonly destination: string;
  }[];
  readonly sensorElementList?: readonly SensorElement[];
}

/** Own extensions stand under the prefix `demo`, as instance or lot master data must. */
export type Ilmd = Readonly<Record<`demo:${string}`, string | number>>;

export interface ObjectHappening extends Happening {
  readonly type: 'ObjectEvent';
  readonly action: Action;
  readonly epcList?: readonly string[];
  readonly quantityList?: readonly QuantityElement[];
  readonly ilmd?: Ilmd;
}

export interface AggregationHappening extends Happening {
  readonly type: 'AggregationEvent' | 'AssociationEvent';
  readonly action: Action;
  readonly parentID: string;
  readonly childEPCs?: readonly string[];
  readonly childQuantityList?: readonly QuantityElement[];
}

export interface TransactionHappening extends Happening {
  readonly type: 'TransactionEvent';
  readonly action: Action;
  readonly epcList: readonly string[];
}

export interface TransformationHappening extends Happening {
  readonly type: 'TransformationEvent';
  readonly inputQuantityList: readonly QuantityElement[];
  readonly outputQuantityList: readonly QuantityElement[];
  readonly ilmd?: Ilmd;
}

export type WhatHappened =
  | ObjectHappening
  | AggregationHappening
  | TransactionHappening
  | TransformationHappening;

export interface ErrorDeclaration {
  readonly declarationTime: string;
  readonly reason: 'incorrect_data';
  readonly correctiveEventIDs: readonly string[];
}

export type EpcisEvent = WhatHappened & {
  readonly '@context': readonly unknown[];
  readonly eventID: string;
  readonly eventTime: string;
  readonly eventTimeZoneOffset: string;
  readonly errorDeclaration?: ErrorDeclaration;
};

/** Bare events carry the context of the standard, and what the prefix `demo` stands for. */
export const EVENT_CONTEXT: readonly unknown[] = [
  'https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld',
  { demo: 'https://example.com/shuttle/demo/' },
];

/** Colombia, where the story plays, has no summer time. */
export const ZONE_OFFSET = '-05:00';

/** The event with its id and time; members in the order in which people read them. */
export function eventOf(what: WhatHappened, eventID: string, atMs: number): EpcisEvent {
  const { type, ...rest } = what;
  const eventTime = new Date(atMs).toISOString();
  const head = { eventID, eventTime, eventTimeZoneOffset: ZONE_OFFSET };
  return { '@context': EVENT_CONTEXT, type, ...head, ...rest } as EpcisEvent;
}
