/** Avro's logical types as JSON says them: decimals, dates and times as exact texts. */
import type { AvroCursor } from './avro-cursor.ts';
import { RefusedError } from './refusal.ts';

type ReadText = (cursor: AvroCursor) => string;

/**
 * Null when the logical type says nothing that its bytes do not: then it is read as what it is
 * written as.
 *
 * @param said - the schema, with `precision` and `scale` of a decimal
 * @param size - of a fixed type; null of any other
 */
export function logicalReader(
  said: Readonly<Record<string, unknown>>,
  size: number | null,
): ReadText | null {
  const { logicalType: name, scale = 0, type } = said;
  if (name === 'decimal' && (size !== null || type === 'bytes')) {
    const digits = Number(scale);
    return (cursor) => decimal(size === null ? cursor.bytes() : cursor.raw(size), digits);
  }
  const read = TIMES[String(name)];
  return read !== undefined && (type === 'int' || type === 'long')
    ? (cursor) => read(cursor.long())
    : null;
}

const DAY_MS = 86_400_000n;

const TIMES: Readonly<Record<string, (value: bigint) => string>> = {
  date: (days) => instant(days * DAY_MS, 'days').slice(0, -'T00:00:00.000Z'.length),
  'time-millis': (value) => timeOfDay(value, 3),
  'time-micros': (value) => timeOfDay(value, 6),
  'timestamp-millis': (value) => timestamp(value, 3),
  'timestamp-micros': (value) => timestamp(value, 6),
  'timestamp-nanos': (value) => timestamp(value, 9),
  'local-timestamp-millis': (value) => timestamp(value, 3).slice(0, -1),
  'local-timestamp-micros': (value) => timestamp(value, 6).slice(0, -1),
  'local-timestamp-nanos': (value) => timestamp(value, 9).slice(0, -1),
};

const INSTANT_MS_MAX = 8_640_000_000_000_000n;

function instant(ms: bigint, what: string): string {
  if (ms > INSTANT_MS_MAX || ms < -INSTANT_MS_MAX) {
    throw new RefusedError('DATE_INVALID', `The ${what} are beyond any date.`);
  }
  return new Date(Number(ms)).toISOString();
}

/** With as many digits behind the second as the type has. */
function timestamp(value: bigint, digits: number): string {
  const unit = 10n ** BigInt(digits - 3);
  const within = ((value % unit) + unit) % unit;
  const text = instant((value - within) / unit, 'ticks');
  const further = digits === 3 ? '' : String(within).padStart(digits - 3, '0');
  return `${text.slice(0, -1)}${further}Z`;
}

function timeOfDay(value: bigint, digits: number): string {
  if (value < 0n || value >= DAY_MS * 10n ** BigInt(digits - 3)) {
    throw new RefusedError('DATE_INVALID', `${value} is no time of a day.`);
  }
  return timestamp(value, digits).slice('1970-01-01T'.length, -1);
}

/** Two's complement, the highest byte first, as digits with a point. */
function decimal(bytes: Uint8Array, scale: number): string {
  const hex = Buffer.from(bytes).toString('hex');
  const value = hex === '' ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`));
  const sign = value < 0n ? '-' : '';
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0');
  const at = digits.length - scale;
  return scale === 0 ? `${sign}${digits}` : `${sign}${digits.slice(0, at)}.${digits.slice(at)}`;
}
