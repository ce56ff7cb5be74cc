/** The command line: all commands, and what becomes of their errors. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { ShuttleError, toShuttleError } from '../errors.ts';
import { claimCommand, claimsCommand } from './commands/claims.ts';
import { cleanCommand } from './commands/clean.ts';
import { configCommand } from './commands/config.ts';
import { consumeCommand } from './commands/consume.ts';
import { deadLettersCommand } from './commands/dead-letters.ts';
import { exportCommand } from './commands/export.ts';
import { getDataCommand } from './commands/get-data.ts';
import { historyCommand } from './commands/history.ts';
import { indexCommand } from './commands/index-command.ts';
import { itemCommand } from './commands/item.ts';
import { listCommand } from './commands/list.ts';
import { loadCommand } from './commands/load.ts';
import { offsetsCommand } from './commands/offsets.ts';
import { originCommand } from './commands/origin.ts';
import { ingestCommand, publishCommand, runCommand } from './commands/pipelines.ts';
import { proofCommand } from './commands/proof.ts';
import { recallCommand } from './commands/recall.ts';
import { reconcileCommand } from './commands/reconcile.ts';
import { relaneCommand } from './commands/relane.ts';
import { deleteCommand, setCommand } from './commands/set-data.ts';
import { statusCommand } from './commands/status.ts';
import { tailCommand } from './commands/tail.ts';
import { traceCommand } from './commands/trace.ts';
import { verifyCommand } from './commands/verify.ts';
import { EXIT_OK, type Io } from './io.ts';
import { errorJson, renderError } from './render-error.ts';
import { addCommonOptions, type Cli, wantsJson } from './session.ts';
import type { OpenShuttle } from './shuttle.ts';

const HELP_FOOTER = `
Works without configuration against the local network (npx shuttle-network up).
Exit codes: 0 ok, 1 findings or not found, 2 usage or configuration, 3 unreachable,
4 refused by the ledger, 5 stopped with a code.`;

/** Runs one command line, without the program's name. @returns the exit code; never rejects */
export async function runProgram(
  args: readonly string[],
  io: Io,
  openShuttle: OpenShuttle,
): Promise<number> {
  const cli: Cli = { io, openShuttle, exitCode: EXIT_OK };
  try {
    await createProgram(cli).parseAsync(args, { from: 'user' });
    return cli.exitCode;
  } catch (caught) {
    const error = caught instanceof CommanderError ? usageError(caught) : toShuttleError(caught);
    if (error === null) {
      return EXIT_OK;
    }
    io.stderr.write(wantsJson(args) ? `${errorJson(error)}\n` : renderError(error));
    return error.kind.exit;
  }
}

export function createProgram(cli: Cli): Command {
  const program = new Command('shuttle')
    .description('Carries Kafka records into Hyperledger Fabric and its blocks back, exactly once.')
    .version(version(), '--version', 'print the version')
    .addHelpText('after', HELP_FOOTER)
    .helpCommand('help [command]', 'print help for a command');
  addCommonOptions(program);
  const commands = [
    runCommand(cli),
    ingestCommand(cli),
    publishCommand(cli),
    getDataCommand(cli),
    historyCommand(cli),
    listCommand(cli),
    originCommand(cli),
    traceCommand(cli),
    itemCommand(cli),
    recallCommand(cli),
    setCommand(cli),
    deleteCommand(cli),
    claimCommand(cli),
    claimsCommand(cli),
    tailCommand(cli),
    consumeCommand(cli),
    statusCommand(cli),
    reconcileCommand(cli),
    exportCommand(cli),
    verifyCommand(cli),
    proofCommand(cli),
    offsetsCommand(cli),
    relaneCommand(cli),
    deadLettersCommand(cli),
    indexCommand(cli),
    loadCommand(cli),
    cleanCommand(cli),
    configCommand(cli),
  ];
  for (const command of commands) {
    program.addCommand(command);
  }
  contain(program, cli.io);
  return program;
}

/** Lets commander neither exit nor write by itself. */
function contain(command: Command, io: Io): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => io.stdout.write(text),
    // Errors are rendered in one place, by runProgram; help after a missing command is none.
    writeErr: (text) => (text.startsWith('error:') ? undefined : io.stderr.write(text)),
    getOutHasColors: () => false,
    getErrHasColors: () => false,
    getOutHelpWidth: () => 100,
    getErrHelpWidth: () => 100,
  });
  for (const inner of command.commands) {
    contain(inner, io);
  }
}

/** Null when commander only printed help or the version, as it was asked to. */
function usageError(error: CommanderError): ShuttleError | null {
  if (error.exitCode === 0) {
    return null;
  }
  const isHelp = error.code === 'commander.help';
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const sentence = isHelp ? 'No command was given' : first;
  const hint = rest.join(' ').replaceAll(/[()]/g, '').trim();
  const upper = sentence.charAt(0).toUpperCase() + sentence.slice(1);
  return new ShuttleError('USAGE', [`${upper}.`, hint].filter(Boolean).join(' '));
}

export function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
