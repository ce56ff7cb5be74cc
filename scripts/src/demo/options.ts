/** What `./scripts/demo` was asked for. */
import { parseArgs } from 'node:util';

export interface DemoOptions {
  readonly events: number;
  /** Undefined: derived from what the topic holds, so that each run tells a new story. */
  readonly seed: number | undefined;
  /** Undefined: as the network in the folder has it. */
  readonly portOffset: number | undefined;
}

/** Something to tell the user in a sentence, without a stack. */
export class DemoError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

const EVENTS_DEFAULT = 5_000;
const EVENTS_MAX = 1_000_000;
const SEED_MAX = 2 ** 32 - 1;
const PORT_OFFSET_MAX = 55_000;

/** @throws DemoError with exit code 2 */
export function parseDemoOptions(args: readonly string[]): DemoOptions {
  const values = parseFlags(args);
  return {
    events: whole('--events', values.events, 1, EVENTS_MAX) ?? EVENTS_DEFAULT,
    seed: whole('--seed', values.seed, 0, SEED_MAX),
    portOffset: whole('--port-offset', values['port-offset'], 0, PORT_OFFSET_MAX),
  };
}

function parseFlags(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const options = { events: text, seed: text, 'port-offset': text };
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new DemoError(error instanceof Error ? error.message : String(error), 2);
  }
}

function whole(
  name: string,
  value: string | undefined,
  least: number,
  most: number,
): number | undefined {
  if (value === undefined) {
    return undefined;
  }
  const number = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= least && number <= most)) {
    throw new DemoError(`${name} is a whole number from ${least} to ${most}, not "${value}".`, 2);
  }
  return number;
}
