/** Decimal numbers exactly: a digit is never lost to binary fractions. */

/** digits * 10^-scale. */
export interface Decimal {
  readonly digits: bigint;
  readonly scale: number;
}

/** Every number of JavaScript has its powers of ten within these. */
const SCALE_MAX = 400;

/** Of "-12.50" or "1.5E-3"; null when the text is none, or has an exponent beyond reason. */
export function parseDecimal(text: string): Decimal | null {
  const [, sign, whole = '', fraction = '', exponent = '0'] =
    /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,4}))?$/.exec(text) ?? [];
  const scale = fraction.length - Number(exponent);
  if (sign === undefined || Math.abs(scale) > SCALE_MAX) {
    return null;
  }
  const digits = BigInt(`${whole}${fraction}`);
  return reduced({ digits: sign === '-' ? -digits : digits, scale });
}

export function multiply(a: Decimal, b: Decimal): Decimal {
  return reduced({ digits: a.digits * b.digits, scale: a.scale + b.scale });
}

/** Below 0, 0 or above 0. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  const scale = Math.max(a.scale, b.scale);
  const difference = raised(a, scale) - raised(b, scale);
  return difference < 0n ? -1 : Number(difference > 0n);
}

export function isWhole({ scale }: Decimal): boolean {
  return scale === 0;
}

/** Without an exponent, and with no zero that says nothing. */
export function decimalText({ digits, scale }: Decimal): string {
  const sign = digits < 0n ? '-' : '';
  const all = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0');
  return scale === 0 ? `${sign}${all}` : `${sign}${all.slice(0, -scale)}.${all.slice(-scale)}`;
}

function raised({ digits, scale }: Decimal, to: number): bigint {
  return to === scale || digits === 0n ? digits : digits * 10n ** BigInt(to - scale);
}

/** With the least scale that is not negative. */
function reduced({ digits, scale }: Decimal): Decimal {
  if (scale < 0) {
    return { digits: digits * 10n ** BigInt(-scale), scale: 0 };
  }
  let least = { digits, scale };
  while (least.scale > 0 && least.digits % 10n === 0n) {
    least = { digits: least.digits / 10n, scale: least.scale - 1 };
  }
  return least;
}
