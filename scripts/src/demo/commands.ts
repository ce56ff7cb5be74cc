/** Runs Shuttle's own commands as a user would, as processes of their own. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { DemoError } from './options.ts';
import { line, short } from './screen.ts';

const ROOT = new URL('../../../', import.meta.url);
const PROGRAMS = {
  shuttle: 'bridge/bin/shuttle.js',
  'shuttle-network': 'network/bin/shuttle-network.js',
} as const;

export interface CommandOptions {
  /** Words of the command that only the demo needs, and that are not shown. */
  readonly quietly?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Shows the command, runs it with this process's terminal, and waits for its end.
 *
 * @throws DemoError with the command's exit code
 */
export async function runCommand(
  program: keyof typeof PROGRAMS,
  args: readonly string[],
  { quietly = [], env = {} }: CommandOptions = {},
): Promise<void> {
  const shown = ['npx', program, ...args].join(' ');
  line(short(`$ ${shown}`));
  const file = fileURLToPath(new URL(PROGRAMS[program], ROOT));
  const child = spawn(process.execPath, [file, ...args, ...quietly], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => resolve(exitCode ?? 1));
  });
  if (code !== 0) {
    throw new DemoError(`\`${shown}\` ended with exit code ${code}.`, code);
  }
}
