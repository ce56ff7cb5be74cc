/**
 * Dates in listed formats to ISO 8601: a calendar date stays a date, since nobody has said its
 * time; a time becomes UTC, and its own offset stays beside it.
 *
 * Month names are English, and no clock, locale or zone of the machine takes part.
 */
import { utcInstant } from '@shuttle/chaincode/epcis/event';
import { DateTime, FixedOffsetZone, IANAZone, type Zone } from 'luxon';
import { type Json, shown } from '../json.ts';
import {
  changeValues,
  compileMembers,
  MEMBERS_SCHEMA,
  type Members,
  type Slot,
  textOf,
  writeBeside,
} from '../members.ts';
import { RefusedError } from '../refusal.ts';
import { type Report, type StepKind, settings } from '../step.ts';

interface DatesSettings {
  readonly members: Members;
  readonly formats: readonly string[];
  /** The zone of times without an offset. */
  readonly zone?: string;
  /** The first year of the hundred that two digits mean. */
  readonly twoDigitYearsFrom?: number;
  /** What is done with a text that two formats read as different dates. */
  readonly ambiguous?: 'refuse' | 'first';
  readonly offsetSuffix?: string;
}

/** What a text is: a date, or a moment with the offset that it was written with. */
interface Found {
  readonly text: string;
  readonly offset: string | null;
}

/** Null when the text is none of this format. */
type Reader = (text: string) => Found | null;

/** Formats that have a name instead of a pattern. */
const NAMED = ['iso', 'epochSeconds', 'epochMillis'];

/** What a pattern is made of, and the texts in quotes. */
const TOKENS =
  /^(?:yyyy|yy|MMMM|MMM|MM|M|dd|d|HH|H|hh|h|mm|m|ss|s|SSS|a|ZZZ|ZZ|'[^']*'|[^A-Za-z'])+$/;
const TIME_TOKEN = /[HhmsSaZ]/;

export const dates: StepKind<DatesSettings> = {
  about: 'makes ISO 8601 of dates in the formats listed; times become UTC, with the offset beside',
  schema: settings(
    {
      members: MEMBERS_SCHEMA,
      formats: {
        description: 'a list of formats such as d-MMM-yy, iso, epochSeconds or epochMillis',
        type: 'array',
        minItems: 1,
        items: { type: 'string', minLength: 1 },
      },
      zone: { type: 'string', description: 'a zone such as UTC, +02:00 or Africa/Lagos' },
      twoDigitYearsFrom: {
        type: 'integer',
        minimum: 1000,
        maximum: 9900,
        description: 'a year such as 1970',
      },
      ambiguous: { enum: ['refuse', 'first'], description: '"refuse" or "first"' },
      offsetSuffix: { type: 'string', minLength: 1, description: 'a text, such as Offset' },
    },
    ['members', 'formats'],
  ),
  compile: (given, report) => {
    const { members, formats, ambiguous = 'refuse', offsetSuffix = 'Offset' } = given;
    const select = compileMembers(members);
    const zone = compileZone(given.zone, report);
    const readers = formats.flatMap((format, index) =>
      compileFormat(format, zone, given, (_, sentence) => report(['formats', index], sentence)),
    );
    return (document) =>
      changeValues(select, document, (value, slot) => {
        const { text, offset } = read(textual(value, slot), readers, ambiguous, slot);
        if (offset !== null) {
          writeBeside(slot, offsetSuffix, offset);
        }
        return text;
      });
  },
};

/** In characters; formats are shorter, and so is what fits them. */
const DATE_LENGTH_MAX = 200;

function textual(value: Json, slot: Slot): string {
  return typeof value === 'number' ? String(value) : textOf(value, slot);
}

function read(
  text: string,
  readers: readonly Reader[],
  ambiguous: 'refuse' | 'first',
  slot: Slot,
): Found {
  let found: Found | null = null;
  for (const reader of text.length > DATE_LENGTH_MAX ? [] : readers) {
    const other = reader(text);
    if (found !== null && other !== null && other.text !== found.text) {
      const sentence = `${shown(text)} is ${found.text} in one format, ${other.text} in another.`;
      throw new RefusedError('DATE_AMBIGUOUS', sentence, slot.pointer);
    }
    found ??= other;
    if (found !== null && ambiguous === 'first') {
      return found;
    }
  }
  if (found === null) {
    const sentence = `${shown(text)} is no date in the formats listed.`;
    throw new RefusedError('DATE_INVALID', sentence, slot.pointer);
  }
  return found;
}

function compileZone(name: string | undefined, report: Report): Zone | null {
  if (name === undefined) {
    return null;
  }
  const zone = name === 'UTC' ? FixedOffsetZone.utcInstance : offsetZone(name);
  if (zone === null && !IANAZone.isValidZone(name)) {
    report(['zone'], `${shown(name)} is no zone`);
  }
  return zone ?? IANAZone.create(name);
}

function offsetZone(name: string): FixedOffsetZone | null {
  const [, sign, hours, minutes] = /^([+-])(\d\d):([0-5]\d)$/.exec(name) ?? [];
  const offset = Number(hours) * 60 + Number(minutes);
  return sign === undefined ? null : FixedOffsetZone.instance(sign === '-' ? -offset : offset);
}

function compileFormat(
  format: string,
  zone: Zone | null,
  { twoDigitYearsFrom }: DatesSettings,
  report: Report,
): Reader[] {
  if (NAMED.includes(format)) {
    return [format === 'iso' ? isoReader(zone) : epochReader(format)];
  }
  if (!TOKENS.test(format)) {
    report([], `${shown(format)} is no format: docs/cleaning.md lists what it may hold`);
    return [];
  }
  const bare = format.replaceAll(/'[^']*'/g, '');
  const hasTwoDigits = /(?:^|[^y])yy(?:[^y]|$)/.test(bare);
  const hasTime = TIME_TOKEN.test(bare);
  const hasOffset = bare.includes('ZZ');
  if (hasTwoDigits && twoDigitYearsFrom === undefined) {
    report([], `${shown(format)} has a year of two digits: twoDigitYearsFrom says which they are`);
  }
  if (hasTime && !hasOffset && zone === null) {
    report([], `${shown(format)} has a time without an offset: zone says where it is`);
  }
  if (!['y', 'M', 'd'].every((part) => bare.includes(part))) {
    report([], `${shown(format)} lacks the year, the month or the day`);
  }
  const century = hasTwoDigits ? (twoDigitYearsFrom ?? 0) : null;
  return [remembering(patternReader(format, century, hasTime, hasOffset ? null : zone))];
}

/** How many texts a reader remembers; the same days come again and again. */
const REMEMBERED_MAX = 4_096;

/** What the reader made of a text is what it makes of it again. */
function remembering(reader: Reader): Reader {
  const known = new Map<string, Found | null>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) {
      return before;
    }
    const found = reader(text);
    if (known.size >= REMEMBERED_MAX) {
      known.clear();
    }
    known.set(text, found);
    return found;
  };
}

/** @param zone - null when the text has an offset of its own */
function patternReader(
  format: string,
  century: number | null,
  hasTime: boolean,
  zone: Zone | null,
): Reader {
  const parser = DateTime.buildFormatParser(format, { locale: 'en-US' });
  return (text) => {
    const parsed = DateTime.fromFormatParser(text, parser, {
      locale: 'en-US',
      zone: 'UTC',
      setZone: true,
    });
    const local = parsed.isValid && century !== null ? inCentury(parsed, century) : parsed;
    if (local?.isValid !== true) {
      return null;
    }
    if (!hasTime) {
      return { text: local.toFormat('yyyy-MM-dd'), offset: null };
    }
    return momentOf(zone === null ? local : inZone(local, zone, text));
  };
}

/** The same date in the hundred years from `first` on; null where it has no 29 February. */
function inCentury(date: DateTime<true>, first: number): DateTime<true> | null {
  const year = first + ((((date.year - first) % 100) + 100) % 100);
  const moved = date.set({ year });
  return moved.day === date.day && moved.isValid ? moved : null;
}

/** The same time of day there. Null when the clocks there left it out. */
function inZone(local: DateTime<true>, zone: Zone, text: string): DateTime<true> | null {
  const there = local.setZone(zone, { keepLocalTime: true });
  if (!there.isValid || there.hour !== local.hour || there.minute !== local.minute) {
    return null;
  }
  if (there.getPossibleOffsets().length > 1) {
    const sentence = `${shown(text)} stood on the clocks of ${zone.name} twice.`;
    throw new RefusedError('DATE_AMBIGUOUS', sentence);
  }
  return there;
}

function momentOf(moment: DateTime<true> | null): Found | null {
  return moment === null ? null : { text: moment.toUTC().toISO(), offset: moment.toFormat('ZZ') };
}

const ISO_DATE = /^\d{4}-\d\d-\d\d$/;
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(Z|[+-]\d\d(?::?\d\d)?)?$/;

/** An instant as most programs write it, which the calendar alone can read. */
const PLAIN = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(Z|[+-](?:0\d|1[0-3]):[0-5]\d)$/;

/** Null for what is not plain; every record's times come by here. */
export function plainInstant(text: string): Found | null {
  const offset = PLAIN.exec(text)?.[1];
  const instant = offset === undefined ? null : utcInstant(text);
  if (offset === undefined || instant === null) {
    return null;
  }
  return { text: instant, offset: /^Z|00:00$/.test(offset) ? '+00:00' : offset };
}

function isoReader(zone: Zone | null): Reader {
  const readAny = anyIsoReader(zone);
  return (text) => plainInstant(text) ?? readAny(text);
}

function anyIsoReader(zone: Zone | null): Reader {
  return (text) => {
    if (ISO_DATE.test(text)) {
      return DateTime.fromISO(text, { zone: 'UTC' }).isValid ? { text, offset: null } : null;
    }
    const match = ISO_TIME.exec(text);
    if (match === null || (match[1] === undefined && zone === null)) {
      return null;
    }
    const local = DateTime.fromISO(text, { zone: 'UTC', setZone: true });
    if (!local.isValid) {
      return null;
    }
    return momentOf(match[1] === undefined && zone !== null ? inZone(local, zone, text) : local);
  };
}

/** Up to the year 9999. */
const EPOCH_MS_MAX = 253_402_300_799_999;

function epochReader(format: string): Reader {
  const unit = format === 'epochSeconds' ? 1_000 : 1;
  return (text) => {
    const ms = /^\d{1,15}$/.test(text) ? Number(text) * unit : Number.POSITIVE_INFINITY;
    const moment = ms <= EPOCH_MS_MAX ? DateTime.fromMillis(ms, { zone: 'UTC' }) : null;
    return moment?.isValid === true ? { text: moment.toISO(), offset: null } : null;
  };
}
