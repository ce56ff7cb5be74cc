/** Values that contradict each other, or the time of the record; no clock of a machine is asked. */
import { type Json, type JsonObject, shown } from '../json.ts';
import { compileMembers, MEMBERS_SCHEMA, type Select, type Slot } from '../members.ts';
import { RefusedError } from '../refusal.ts';
import { type StepKind, settings } from '../step.ts';

interface PlausibilitySettings {
  /** Lists of members, none of which may be later, or larger, than the next one that is there. */
  readonly order?: readonly (readonly string[])[];
  readonly notFuture?: readonly string[];
  /** How much later than the record's timestamp a time may be. */
  readonly futureMs?: number;
  /** Refuse the record, or keep it and say so in this member. */
  readonly doubts?: string;
}

/** Clocks of two machines differ, and a day may have begun elsewhere already. */
const FUTURE_MS_DEFAULT = 24 * 60 * 60 * 1_000;

const NAMES = MEMBERS_SCHEMA.anyOf[1];

interface Doubt {
  readonly sentence: string;
  readonly pointer: string;
}

export const plausibility: StepKind<PlausibilitySettings> = {
  about: 'refuses values in the wrong order and times behind that of the record, or notes doubts',
  schema: settings(
    {
      order: {
        description: 'a list of lists of members, each before the next',
        type: 'array',
        minItems: 1,
        items: { ...NAMES, minItems: 2, description: 'a list of two members or more' },
      },
      notFuture: { ...NAMES, description: 'a list of members' },
      futureMs: { type: 'integer', minimum: 0, description: 'a number of milliseconds' },
      doubts: { type: 'string', minLength: 1, description: 'a member name' },
    },
    [],
  ),
  compile: ({ order = [], notFuture = [], futureMs = FUTURE_MS_DEFAULT, doubts }, report) => {
    if (order.length === 0 && notFuture.length === 0) {
      report([], 'there is neither "order" nor "notFuture"');
    }
    const orders = order.map((names) => names.map((name) => compileMembers([name])));
    const past = compileMembers(notFuture);
    return (document, { timestamp }) => {
      const found = [
        ...orders.flatMap((selects) => orderDoubts(selects, document)),
        ...futureDoubts(past, document, timestamp + futureMs),
      ];
      const [first] = found;
      if (first !== undefined && doubts === undefined) {
        throw new RefusedError('IMPLAUSIBLE', first.sentence, first.pointer);
      }
      if (first !== undefined && doubts !== undefined) {
        addDoubts(document, doubts, found);
      }
      return document;
    };
  },
};

function orderDoubts(selects: readonly Select[], document: JsonObject): Doubt[] {
  const found: Doubt[] = [];
  let earlier: Slot | null = null;
  for (const select of selects) {
    const [later] = select(document);
    if (later === undefined || valueIn(later) === null) {
      continue;
    }
    if (earlier !== null && compare(earlier, later) > 0) {
      const sentence =
        `"${later.name}" is ${shown(valueIn(later))}, and "${earlier.name}", ` +
        `which comes before it, ${shown(valueIn(earlier))}.`;
      found.push({ sentence, pointer: later.pointer });
    }
    earlier = later;
  }
  return found;
}

const valueIn = ({ holder, name }: Slot): Json => holder[name] ?? null;

function futureDoubts(select: Select, document: JsonObject, limitMs: number): Doubt[] {
  return select(document).flatMap((slot) => {
    const value = valueIn(slot);
    if (value === null || timeOf(value, slot) <= limitMs) {
      return [];
    }
    const sentence = `"${slot.name}" is ${shown(value)}, later than the record itself.`;
    return [{ sentence, pointer: slot.pointer }];
  });
}

const DATE_LENGTH = 'yyyy-MM-dd'.length;

/**
 * Numbers with numbers, times with times, dates with dates. A date that meets a time says nothing
 * of its zone, so that they contradict each other only when a whole day lies between them.
 */
function compare(a: Slot, b: Slot): number {
  const [one, other] = [valueIn(a), valueIn(b)];
  if (typeof one === 'number' && typeof other === 'number') {
    return one - other;
  }
  const [time, otherTime] = [timeOf(one, a), timeOf(other, b)];
  if (isDate(one) === isDate(other)) {
    return time - otherTime;
  }
  const days = Math.floor(time / DAY_MS) - Math.floor(otherTime / DAY_MS);
  return Math.abs(days) <= 1 ? 0 : days;
}

const DAY_MS = 24 * 60 * 60 * 1_000;

function isDate(value: Json): boolean {
  return typeof value === 'string' && value.length === DATE_LENGTH;
}

const ISO = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?Z)?$/;

function timeOf(value: Json, slot: Slot): number {
  const ms = typeof value === 'string' && ISO.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) {
    const sentence = `${shown(value)} cannot be compared: a rule for dates or numbers goes before.`;
    throw new RefusedError('TYPE_WRONG', sentence, slot.pointer);
  }
  return ms;
}

/** To what another rule has noted before. */
function addDoubts(document: JsonObject, name: string, found: readonly Doubt[]): void {
  const before = document[name];
  if (before !== undefined && !Array.isArray(before)) {
    const sentence = `The member "${name}" is there already.`;
    throw new RefusedError('MEMBER_EXISTS', sentence, `/${name}`);
  }
  document[name] = [...(before ?? []), ...found.map(({ sentence }) => sentence)];
}
