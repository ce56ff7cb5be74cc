/** Which dead letters a command is about. */
import type { KeptLetter } from './letter.ts';

export interface Selection {
  /** The letter's code, or the name of the contract's own rule. */
  readonly code?: string;
  readonly key?: string;
  /** Bounds of the record's timestamp in ms: from `sinceMs` on, and before `untilMs`. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** Where letters stand, as `partition@offset`; without it anywhere. */
  readonly positions?: ReadonlySet<string>;
}

export const placeText = ({ at }: Pick<KeptLetter, 'at'>): string => `${at.partition}@${at.offset}`;

export function isSelected(letter: KeptLetter, selection: Selection): boolean {
  const { code, key, sinceMs, untilMs, positions } = selection;
  return (
    (code === undefined || letter.code === code || letter.rule === code) &&
    (key === undefined || (letter.key !== null && Buffer.from(key).equals(letter.key))) &&
    (sinceMs === undefined || letter.timestamp >= sinceMs) &&
    (untilMs === undefined || letter.timestamp < untilMs) &&
    (positions === undefined || positions.has(placeText(letter)))
  );
}
