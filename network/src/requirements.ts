import { NetworkError } from './errors.ts';
import { run } from './run.ts';

/** What must be on the machine: a command that tells its version, and the lowest one that works. */
interface Requirement {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly pattern: RegExp;
  readonly minimum: string;
  readonly why: string;
}

/** What was found of one requirement. */
export interface RequirementResult {
  readonly name: string;
  readonly minimum: string;
  /** Undefined when the command is not there or says something else. */
  readonly found: string | undefined;
  readonly ok: boolean;
  /** One sentence when it is not met. */
  readonly problem?: string;
}

/** What must be on the machine. */
export const REQUIREMENTS = {
  node: {
    name: 'Node.js',
    command: process.execPath,
    args: ['--version'],
    pattern: /v(\d+\.\d+(?:\.\d+)?)/,
    minimum: '20.19',
    why: 'it runs Shuttle',
  },
  go: {
    name: 'Go',
    command: 'go',
    args: ['version'],
    pattern: /go(\d+\.\d+(?:\.\d+)?)/,
    minimum: '1.24',
    why: "it builds Fabric's commands",
  },
  jdk: {
    name: 'JDK',
    command: 'java',
    args: ['-version'],
    pattern: /version "(\d+(?:\.\d+)*)/,
    minimum: '17',
    why: 'it runs Kafka',
  },
  maven: {
    name: 'Maven',
    command: 'mvn',
    args: ['-version'],
    pattern: /Apache Maven (\d+\.\d+(?:\.\d+)?)/,
    minimum: '3.6',
    why: 'it fetches Kafka',
  },
} as const satisfies Record<string, Requirement>;

/** The short names of the requirements. */
export type RequirementName = keyof typeof REQUIREMENTS;

const CHECK_TIMEOUT_MS = 20_000;

/** Looks for each requirement, side by side. */
export function checkRequirements(
  names: readonly RequirementName[] = Object.keys(REQUIREMENTS) as RequirementName[],
): Promise<RequirementResult[]> {
  return Promise.all(names.map((name) => checkRequirement(REQUIREMENTS[name])));
}

async function checkRequirement(requirement: Requirement): Promise<RequirementResult> {
  const { name, command, args, minimum, why } = requirement;
  const result = await run(command, args, { timeoutMs: CHECK_TIMEOUT_MS });
  const output = `${result.stdout}${result.stderr}`;
  const found = result.exitCode === 0 ? requirement.pattern.exec(output)?.[1] : undefined;
  if (found !== undefined && atLeast(found, minimum)) return { name, minimum, found, ok: true };
  const has = found === undefined ? 'was not found' : `is version ${found}`;
  const needed = `${name} ${minimum} or newer is needed (${why})`;
  const problem = `${needed}, but \`${requirement.command}\` ${has}.`;
  return { name, minimum, found, ok: false, problem };
}

/** Compares dotted versions number by number. */
export function atLeast(version: string, minimum: string): boolean {
  const [has, wants] = [version, minimum].map((text) => text.split('.').map(Number));
  for (const [index, want] of (wants ?? []).entries()) {
    const value = has?.[index] ?? 0;
    if (value !== want) return value > want;
  }
  return true;
}

/**
 * Stops with one sentence per requirement that is not met.
 *
 * @throws NetworkError REQUIREMENT_MISSING.
 */
export async function requireAll(names?: readonly RequirementName[]): Promise<void> {
  const missing = (await checkRequirements(names)).flatMap(({ problem }) => problem ?? []);
  if (missing.length > 0) throw new NetworkError('REQUIREMENT_MISSING', missing.join(' '));
}
