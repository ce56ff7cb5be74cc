/** What every command shares: the common options, settings, one Shuttle, output and deadline. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import type { SettingFlag } from '../config/layers.ts';
import { type LoadedSettings, loadSettings } from '../config/load.ts';
import { ShuttleError } from '../errors.ts';
import type { Io } from './io.ts';
import type { FarSide, OpenShuttle, Shuttle } from './shuttle.ts';

/** Where a command runs, and where its exit code goes. */
export interface Cli {
  readonly io: Io;
  readonly openShuttle: OpenShuttle;
  exitCode: number;
}

export interface Session {
  readonly io: Io;
  /** Answer in JSON. */
  readonly json: boolean;
  readonly loaded: LoadedSettings;
  /** Opened at the first call, closed when the command ends. */
  readonly shuttle: () => Shuttle;
  /** The far sides that keep the command waiting. */
  readonly unanswered: () => readonly FarSide[];
  /** The command's own options, by commander's names. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Writes a line to standard output. */
  readonly print: (line: string) => void;
}

/** @returns the exit code */
export type Action = (session: Session, args: readonly string[]) => Promise<number>;

export interface ActionOptions {
  /** Gives up after command.deadlineMs, and logs from warn on. */
  readonly once: boolean;
  /** Logs from warn on, unless the level is configured. */
  readonly quiet?: boolean | ((options: Session['options']) => boolean);
  /** The command's own options that are short for a setting. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Options that are short for a setting, on every command. */
const SETTING_OPTIONS: readonly (readonly [flags: string, path: string, help: string])[] = [
  ['--brokers <list>', 'kafka.brokers', 'Kafka brokers, host:port separated by commas'],
  ['--channel <name>', 'fabric.channel', 'Fabric channel'],
  ['--chaincode <name>', 'fabric.chaincode', "name of Shuttle's chaincode"],
  ['--log-level <level>', 'log.level', 'debug, info, warn, error or silent'],
  ['--deadline <ms>', 'command.deadlineMs', 'give up after so many milliseconds'],
];

/** Gives a command its common options and its action. */
export function define(cli: Cli, command: Command, how: ActionOptions, action: Action): Command {
  addCommonOptions(command);
  return command.action(async () => {
    const options = command.optsWithGlobals<Record<string, unknown>>();
    const session = openSession(cli, how, options);
    try {
      const work = action(session, command.args);
      cli.exitCode = await (how.once ? withDeadline(session, work) : work);
    } finally {
      await session.close();
    }
  });
}

/** --json must be known before the command line is understood, to tell even that error in JSON. */
export function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end < 0 ? args.length : end).includes('--json');
}

export function addCommonOptions(command: Command): void {
  const common = [
    new Option('--config <file>', 'configuration file (default: shuttle.yaml, if it is there)'),
    new Option('--set <setting=value>', 'any setting, as often as needed').argParser(
      (value: string, before: readonly string[] | undefined) => [...(before ?? []), value],
    ),
    ...SETTING_OPTIONS.map(([flags, , help]) => new Option(flags, help)),
    new Option('--json', 'answer in JSON'),
  ];
  for (const option of common) {
    command.addOption(option.helpGroup('Common options:'));
  }
}

/** A whole number of an option; undefined when it was not given. @throws ShuttleError USAGE */
export function wholeOption(session: Session, name: string, least: number): number | undefined {
  const raw = session.options[name];
  if (raw === undefined) {
    return undefined;
  }
  const flag = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const value = typeof raw === 'string' && /^[0-9]{1,9}$/.test(raw) ? Number(raw) : -1;
  if (value < least) {
    throw new ShuttleError('USAGE', `${flag} is not a whole number from ${least} on.`, {
      at: { [flag]: JSON.stringify(raw) },
    });
  }
  return value;
}

/** A far side that does not answer must not hold up the end of a command. */
const CLOSE_PATIENCE_MS = 5_000;

interface OpenedSession extends Session {
  readonly close: () => Promise<void>;
}

function openSession(
  cli: Cli,
  how: ActionOptions,
  options: Readonly<Record<string, unknown>>,
): OpenedSession {
  const { io } = cli;
  const file = options.config as string | undefined;
  const flags = settingFlags(options, how.settings ?? {});
  const loaded = loadSettings({ file, env: io.env, cwd: io.cwd, flags });
  const isQuiet = typeof how.quiet === 'function' ? how.quiet(options) : how.quiet === true;
  const quiet = how.once || isQuiet || showsProgress(io, options);
  let shuttle: Shuttle | null = null;
  return {
    io,
    json: options.json === true,
    loaded,
    options,
    shuttle: () => {
      shuttle ??= cli.openShuttle(loaded, { quiet });
      return shuttle;
    },
    unanswered: () => shuttle?.unanswered() ?? [],
    print: (line) => {
      io.stdout.write(`${line}\n`);
    },
    close: async () => {
      const late = new AbortController();
      const patience = delay(CLOSE_PATIENCE_MS, undefined, { signal: late.signal }).catch(() => {});
      await Promise.race([shuttle?.close(), patience]);
      late.abort();
    },
  };
}

/** A bar and log lines would overwrite each other. */
export function showsProgress(io: Io, options: Readonly<Record<string, unknown>>): boolean {
  return options.untilEnd === true && options.json !== true && io.stderr.isTTY;
}

function settingFlags(
  options: Readonly<Record<string, unknown>>,
  own: Readonly<Record<string, string>>,
): SettingFlag[] {
  const flags: SettingFlag[] = [];
  for (const text of (options.set as readonly string[] | undefined) ?? []) {
    const equals = text.indexOf('=');
    if (equals < 1) {
      const message = '--set needs a setting and a value: --set kafka.brokers=localhost:9092.';
      throw new ShuttleError('USAGE', message, { at: { '--set': text } });
    }
    flags.push({ path: text.slice(0, equals), value: text.slice(equals + 1), flag: '--set' });
  }
  for (const [spelled, path] of SETTING_OPTIONS) {
    const option = new Option(spelled);
    const value = options[option.attributeName()];
    if (typeof value === 'string') {
      flags.push({ path, value, flag: option.long ?? spelled });
    }
  }
  for (const [name, path] of Object.entries(own)) {
    const value = options[name];
    if (typeof value === 'string') {
      flags.push({ path, value, flag: `--${name}` });
    }
  }
  return flags;
}

/** @throws ShuttleError DEADLINE when command.deadlineMs pass before the work is done */
export async function withDeadline<T>(session: Session, work: Promise<T>): Promise<T> {
  const { deadlineMs } = session.loaded.settings.command;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(lateError(session.unanswered(), deadlineMs));
    }, deadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

const SIDES = { kafka: 'Kafka', fabric: "Fabric's peer" } as const;

function lateError(silent: readonly FarSide[], deadlineMs: number): ShuttleError {
  const names = silent.map(({ side, endpoint }) => `${SIDES[side]} at ${endpoint}`).join(' and ');
  const message =
    names === ''
      ? `There was no answer within ${deadlineMs} ms.`
      : `${names} did not answer within ${deadlineMs} ms.`;
  const at = Object.fromEntries(silent.map(({ side, endpoint }) => [side, endpoint]));
  return new ShuttleError('DEADLINE', message, { at });
}
