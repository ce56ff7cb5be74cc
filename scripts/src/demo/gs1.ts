/**
 * GS1 keys with their check digits, written as GS1 Digital Link URIs or as EPC URNs (GS1 General
 * Specifications, section 7.9; EPC Tag Data Standard, section 6). Both forms name the same thing.
 */

export type Form = 'link' | 'urn';

/** Writes the identifiers that one company assigns. */
export interface Naming {
  /** A serialised trade item. @param item indicator digit and item reference: 6 digits */
  sgtin(item: string, serial: string): string;
  /** A lot of a trade item. */
  lgtin(item: string, lot: string): string;
  /** A logistic unit. @param unit below 10^9 */
  sscc(unit: number): string;
  /** A place. @param location 5 digits */
  sgln(location: string): string;
  /** A party. @param party 5 digits */
  pgln(party: string): string;
  /** An asset, such as a temperature logger. */
  giai(asset: string): string;
  /** A business transaction of the company, by its GLN (CBV 2.0, section 8.5). */
  transaction(name: string): string;
}

export const COMPANY_PREFIX_DIGITS = 7;
const RESOLVER = 'https://id.gs1.org';

/** The digit that completes a GS1 key: weights 3 and 1 in turn from the right. */
export function checkDigit(digits: string): string {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const weight = (digits.length - index) % 2 === 1 ? 3 : 1;
    sum += weight * Number(digits[index]);
  }
  return String((10 - (sum % 10)) % 10);
}

/** The digits with their check digit behind them. */
export function withCheckDigit(digits: string): string {
  return `${digits}${checkDigit(digits)}`;
}

/** @param prefix company prefix of 7 digits */
export function createNaming(prefix: string, form: Form): Naming {
  const gtin = (item: string) => withCheckDigit(`${item.slice(0, 1)}${prefix}${item.slice(1)}`);
  const gln = (reference: string) => withCheckDigit(`${prefix}${reference}`);
  const unitText = (unit: number) => `0${String(unit).padStart(9, '0')}`;
  const transaction = (name: string) => `urn:epcglobal:cbv:bt:${gln('00000')}:${name}`;
  if (form === 'urn') {
    return {
      sgtin: (item, serial) => `urn:epc:id:sgtin:${prefix}.${item}.${serial}`,
      lgtin: (item, lot) => `urn:epc:class:lgtin:${prefix}.${item}.${lot}`,
      sscc: (unit) => `urn:epc:id:sscc:${prefix}.${unitText(unit)}`,
      // The extension 0 stands for none.
      sgln: (location) => `urn:epc:id:sgln:${prefix}.${location}.0`,
      pgln: (party) => `urn:epc:id:pgln:${prefix}.${party}`,
      giai: (asset) => `urn:epc:id:giai:${prefix}.${asset}`,
      transaction,
    };
  }
  return {
    sgtin: (item, serial) => `${RESOLVER}/01/${gtin(item)}/21/${serial}`,
    lgtin: (item, lot) => `${RESOLVER}/01/${gtin(item)}/10/${lot}`,
    sscc: (unit) => {
      const text = unitText(unit);
      return `${RESOLVER}/00/${withCheckDigit(`${text.slice(0, 1)}${prefix}${text.slice(1)}`)}`;
    },
    sgln: (location) => `${RESOLVER}/414/${gln(location)}`,
    pgln: (party) => `${RESOLVER}/417/${gln(party)}`,
    giai: (asset) => `${RESOLVER}/8004/${prefix}${asset}`,
    transaction,
  };
}
