/**
 * What EPCIS asks of an event that a schema cannot say, or says in no words that a person
 * understands. Source: GS1 EPCIS 2.0, sections 7.4.2 to 7.4.6, the rules below each event's table.
 */
import type { EventType } from './epcis-schema.ts';

export interface Finding {
  /** JSON Pointer to the innermost place that is wrong; '' is the document itself. */
  readonly path: string;
  /** One sentence with the case. */
  readonly sentence: string;
}

export type Event = Readonly<Record<string, unknown>>;

type Rule = (event: Event) => Finding | null;

const filled = (event: Event, ...names: readonly string[]): boolean =>
  names.some((name) => {
    const value = event[name];
    return Array.isArray(value) && value.length > 0;
  });

const at = (path: string, sentence: string): Finding => ({ path, sentence });

const names = (list: readonly string[]): string => list.join(', ').replace(/, ([^,]*)$/, ' and $1');

/** One of these lists has something in it. */
function needsOne(lists: readonly string[], unlessDelete = false): Rule {
  return (event) =>
    filled(event, ...lists) || (unlessDelete && event.action === 'DELETE')
      ? null
      : at('', `The event names nothing: ${names(lists)} are empty or missing.`);
}

const parentNeeded: Rule = (event) =>
  event.parentID === undefined && (event.action === 'ADD' || event.action === 'DELETE')
    ? at('', `"parentID" is missing, which action ${event.action} needs.`)
    : null;

const ilmdOnlyNew: Rule = ({ ilmd, action }) =>
  ilmd !== undefined && (action === 'OBSERVE' || action === 'DELETE')
    ? at('/ilmd', `Master data of new things stands in an event with action ADD, not ${action}.`)
    : null;

const INPUTS = ['inputEPCList', 'inputQuantityList'];
const OUTPUTS = ['outputEPCList', 'outputQuantityList'];

/** A transformation may be told in several events, which share a transformationID. */
const transformed: Rule = (event) => {
  if (event.transformationID !== undefined) {
    return filled(event, ...INPUTS, ...OUTPUTS)
      ? null
      : at('', 'The transformation has neither inputs nor outputs.');
  }
  const missing = [
    ...(filled(event, ...INPUTS) ? [] : ['inputs']),
    ...(filled(event, ...OUTPUTS) ? [] : ['outputs']),
  ];
  return missing.length === 0
    ? null
    : at(
        '',
        `The transformation has no ${names(missing)}, and no transformationID to find them by.`,
      );
};

const RULES: Readonly<Record<EventType, readonly Rule[]>> = {
  ObjectEvent: [needsOne(['epcList', 'quantityList', 'sensorElementList']), ilmdOnlyNew],
  AggregationEvent: [needsOne(['childEPCs', 'childQuantityList'], true), parentNeeded],
  TransactionEvent: [needsOne(['epcList', 'quantityList'], true)],
  TransformationEvent: [transformed],
  AssociationEvent: [needsOne(['childEPCs', 'childQuantityList'], true), parentNeeded],
};

const QUANTITY_LISTS = [
  'quantityList',
  'childQuantityList',
  'inputQuantityList',
  'outputQuantityList',
];

/** Section 7.3.3.3: a unit belongs to a quantity, and a quantity of things is not negative. */
function* quantityFindings(name: string, list: readonly unknown[]): Generator<Finding> {
  for (const [n, element] of list.entries()) {
    const { quantity, uom } = Object(element) as { quantity?: unknown; uom?: unknown };
    if (uom !== undefined && quantity === undefined) {
      yield at(`/${name}/${n}/uom`, 'There is a unit, but no quantity.');
    }
    if (typeof quantity === 'number' && quantity < 0) {
      yield at(`/${name}/${n}/quantity`, `A quantity cannot be negative, but is ${quantity}.`);
    }
  }
}

/** What is wrong with an event of a standard type beyond its schema. */
export function ruleFindings(type: EventType, event: Event): Finding[] {
  const findings: Finding[] = [];
  for (const rule of RULES[type]) {
    const finding = rule(event);
    if (finding !== null) {
      findings.push(finding);
    }
  }
  for (const name of QUANTITY_LISTS) {
    const list = event[name];
    if (Array.isArray(list)) {
      findings.push(...quantityFindings(name, list));
    }
  }
  return findings;
}

const INSTANT = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:Z|[+-](\d\d):(\d\d))$/;

/** Whether a text is an instant that there is: with a time zone, and a day that its month has. */
export function isInstant(text: string): boolean {
  const found = INSTANT.exec(text);
  if (found === null) {
    return false;
  }
  const [, year, month, day, hour, minute, second, hours = 0, minutes = 0] = found;
  const days = daysIn(Number(year), Number(month));
  const date = Number(day) >= 1 && Number(day) <= days;
  const time = Number(hour) <= 23 && Number(minute) <= 59 && Number(second) <= 59;
  return date && time && Number(minutes) <= 59 && Number(hours) * 60 + Number(minutes) <= 14 * 60;
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** 0 for a month that there is not. */
function daysIn(year: number, month: number): number {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return month === 2 && isLeap ? 29 : (DAYS[month - 1] ?? 0);
}
