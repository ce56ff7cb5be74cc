/** All kinds of rules. */
import type { StepKind } from './step.ts';
import { dates } from './steps/dates.ts';
import { map } from './steps/map.ts';
import { nulls } from './steps/nulls.ts';
import { drop, mask, rename, trim } from './steps/shape.ts';
import { booleans, enumerations, lookups } from './steps/words.ts';

export const KINDS: Readonly<Record<string, StepKind>> = {
  rename,
  trim,
  drop,
  mask,
  nulls,
  dates,
  booleans,
  enumerations,
  lookups,
  map,
};
