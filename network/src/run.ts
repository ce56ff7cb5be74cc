import { execFile } from 'node:child_process';
import type { Environment } from './node-environment.ts';

/** What a command left behind. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command is run. */
export interface CommandOptions {
  readonly env?: Environment;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
/**
 * Variables that a tool needs; the rest of the user's environment would configure Fabric by
 * accident.
 */
const INHERITED = ['PATH', 'HOME', 'USER', 'TMPDIR', 'LANG', 'TZ', 'JAVA_HOME'];

/**
 * The environment of the network's processes and tools: little of the user's, plus what is given.
 */
export function cleanEnvironment(env: Environment = {}): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(inherited), ...env };
}

/**
 * Runs a command to its end and gives its result, whatever the exit code; 127 if it cannot start.
 */
export function run(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(
      command,
      args,
      {
        env: options.env ?? cleanEnvironment(),
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        timeout: options.timeoutMs ?? 0,
        maxBuffer: OUTPUT_BYTES_MAX,
        encoding: 'utf8',
      },
      (error, stdout, stderr) => {
        resolve({ exitCode: exitCodeOf(error), stdout, stderr });
      },
    );
  });
}

function exitCodeOf(error: (Error & { code?: unknown }) | null): number {
  if (error === null) return 0;
  if (typeof error.code === 'number') return error.code;
  return error.code === 'ENOENT' ? 127 : 1;
}

/** The last lines of a text, without empty ones. */
export function lastLines(text: string, count: number): string[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return count === 0 ? [] : lines.slice(-count);
}
