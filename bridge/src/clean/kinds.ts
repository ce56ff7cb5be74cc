/** All kinds of rules. */
import type { StepKind } from './step.ts';
import { dates } from './steps/dates.ts';
import { epcis, identifiers, vocabulary } from './steps/gs1.ts';
import { map } from './steps/map.ts';
import { nulls } from './steps/nulls.ts';
import { numbers } from './steps/numbers.ts';
import { plausibility } from './steps/plausibility.ts';
import { drop, mask, rename, trim } from './steps/shape.ts';
import { validate } from './steps/validate.ts';
import { duplicates, references } from './steps/windows.ts';
import { booleans, enumerations, lookups } from './steps/words.ts';

export const KINDS: Readonly<Record<string, StepKind>> = {
  rename,
  trim,
  drop,
  mask,
  nulls,
  dates,
  numbers,
  booleans,
  enumerations,
  lookups,
  identifiers,
  vocabulary,
  epcis,
  map,
  plausibility,
  references,
  duplicates,
  validate,
};
