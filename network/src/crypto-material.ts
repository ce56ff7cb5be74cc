import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { NetworkError } from './errors.ts';
import { lastLines, run } from './run.ts';
import { fabricCommand, type Tools } from './tools.ts';

/** Runs cryptogen into a folder that appears only when it is complete. */
export async function generateCrypto(tools: Tools, config: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const temporary = await mkdtemp(`${target}.tmp-`);
  try {
    await runGenerator(tools, 'cryptogen', [
      'generate',
      `--config=${config}`,
      `--output=${temporary}`,
    ]);
    await chmod(temporary, 0o755);
    await rename(temporary, target);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Runs one of Fabric's generators to its end. */
export async function runGenerator(
  tools: Tools,
  name: 'cryptogen' | 'configtxgen',
  args: readonly string[],
): Promise<void> {
  const result = await run(fabricCommand(tools, name), args);
  if (result.exitCode === 0) return;
  throw new NetworkError('COMMAND_FAILED', `\`${name}\` failed.`, {
    lines: lastLines(`${result.stdout}${result.stderr}`, 8),
  });
}
