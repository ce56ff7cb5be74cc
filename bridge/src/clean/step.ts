/** What a kind of rule is made of; a new kind is one of these in the table of kinds.ts. */
import type { RecordHeader } from '../values.ts';
import type { JsonObject } from './json.ts';
import type { WindowStep } from './window.ts';

/** A record as it came; `timestamp` in ms since the epoch, the only clock that the rules know. */
export interface RawRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
  readonly timestamp: number;
  /** Where it stands in its partition; of a file, how many records are before it. */
  readonly offset: bigint;
}

/** Documents that stand for the one that the step was given; it may change that one in place. */
export type StepResult = JsonObject | readonly JsonObject[];

/** @throws RefusedError */
export type Step = (document: JsonObject, raw: RawRecord) => StepResult | Promise<StepResult>;

/** Something that is wrong in a rule file. */
export interface RuleProblem {
  /** Members and positions on the way to it. */
  readonly path: readonly (string | number)[];
  readonly sentence: string;
}

/** Notes a problem below the rule's own settings. */
export type Report = (path: readonly (string | number)[], sentence: string) => void;

export interface StepKind<Settings = never> {
  /** One line for people. */
  readonly about: string;
  /** JSON Schema of its settings; `description` completes "... is not ...". */
  readonly schema: Readonly<Record<string, unknown>>;
  /** Called once, with settings that fit the schema. */
  readonly compile: (settings: Settings, report: Report) => Step | WindowStep;
}

/** JSON Schema of settings with these members and no others. */
export function settings(
  properties: Readonly<Record<string, unknown>>,
  required: readonly string[],
): Readonly<Record<string, unknown>> {
  return { type: 'object', additionalProperties: false, properties, required };
}
