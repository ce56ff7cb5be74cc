/** Values that contradict each other, or the time of the record; no clock of a machine is asked. */
import { type Json, type JsonObject, shown } from '../json.ts';
import { compileMembers, MEMBERS_SCHEMA, type Select } from '../members.ts';
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
  const there = selects
    .flatMap((select) => select(document).slice(0, 1))
    .map(({ holder, name, pointer }) => ({ value: holder[name] ?? null, name, pointer }))
    .filter(({ value }) => value !== null);
  return there.slice(1).flatMap((later, index) => {
    const earlier = there[index];
    if (earlier === undefined || compare(earlier, later) <= 0) {
      return [];
    }
    const sentence =
      `"${later.name}" is ${shown(later.value)}, and "${earlier.name}", ` +
      `which comes before it, ${shown(earlier.value)}.`;
    return [{ sentence, pointer: later.pointer }];
  });
}

function futureDoubts(select: Select, document: JsonObject, limitMs: number): Doubt[] {
  return select(document).flatMap(({ holder, name, pointer }) => {
    const value = holder[name] ?? null;
    if (value === null || timeOf({ value, pointer }) <= limitMs) {
      return [];
    }
    const sentence = `"${name}" is ${shown(value)}, later than the record itself.`;
    return [{ sentence, pointer }];
  });
}

interface Placed {
  readonly value: Json;
  readonly pointer: string;
}

const DATE_LENGTH = 'yyyy-MM-dd'.length;

/**
 * Numbers with numbers, times with times, dates with dates. A date that meets a time says nothing
 * of its zone, so that they contradict each other only when a whole day lies between them.
 */
function compare(a: Placed, b: Placed): number {
  if (typeof a.value === 'number' && typeof b.value === 'number') {
    return a.value - b.value;
  }
  const difference = timeOf(a) - timeOf(b);
  if (isDate(a) === isDate(b)) {
    return difference;
  }
  const days = Math.floor(timeOf(a) / DAY_MS) - Math.floor(timeOf(b) / DAY_MS);
  return Math.abs(days) <= 1 ? 0 : days;
}

const DAY_MS = 24 * 60 * 60 * 1_000;

function isDate({ value }: Placed): boolean {
  return typeof value === 'string' && value.length === DATE_LENGTH;
}

const ISO = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?Z)?$/;

function timeOf({ value, pointer }: Placed): number {
  const ms = typeof value === 'string' && ISO.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) {
    const sentence = `${shown(value)} cannot be compared: a rule for dates or numbers goes before.`;
    throw new RefusedError('TYPE_WRONG', sentence, pointer);
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
