/** What the clean commands share: their options, and files that they write line by line. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import type { Format } from '../clean/rules.ts';
import type { SchemaSource } from '../clean/wire-schema.ts';
import { registryConnection } from '../config/connections.ts';
import { ShuttleError } from '../errors.ts';
import type { Log, LogFields } from '../ports.ts';
import { registryFor } from '../registry/open.ts';
import { systemClock } from '../system/clock.ts';
import type { Output } from './io.ts';
import type { Session } from './session.ts';

export const STANDARD_OUTPUT = '-';

/** @throws ShuttleError USAGE when the option was not given */
export function requiredText(options: Session['options'], name: string): string {
  const value = options[name];
  if (typeof value !== 'string') {
    throw new ShuttleError('USAGE', `--${name} is missing.`);
  }
  return value;
}

/** --timestamp in ms since the epoch. @throws ShuttleError USAGE when it is none */
export function timeOption({ options }: Session): number | undefined {
  const text = options.timestamp;
  if (typeof text !== 'string') {
    return undefined;
  }
  const isWhole = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/.test(
    text,
  );
  const ms = isWhole ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) {
    const message = '--timestamp is not an ISO 8601 date, or time with its offset.';
    throw new ShuttleError('USAGE', message, { at: { '--timestamp': text } });
  }
  return ms;
}

/**
 * The schema registry, where the format needs one. It is waited for as long as a one-shot command
 * may take.
 *
 * @throws ShuttleError CONFIG_INVALID when it is needed and not configured; FILE_UNREADABLE
 */
export function registryOf(
  session: Session,
  format: Format,
  signal: AbortSignal = new AbortController().signal,
): SchemaSource | undefined {
  const { settings } = session.loaded;
  const { deadlineMs: patienceMs } = settings.command;
  const options = { clock: systemClock, log: teller(session), signal, patienceMs };
  return registryFor(format, registryConnection(settings), options);
}

/** Tells a person what keeps the command waiting. */
function teller({ io, json }: Session): Log {
  const tell = ({ err = '' }: LogFields, message: string) => {
    if (!json) {
      io.stderr.write(`${message} ${String(err)}`.trimEnd().concat('\n'));
    }
  };
  return { debug: () => {}, info: tell, warn: tell, error: tell };
}

export interface Lines {
  /** @throws ShuttleError FILE_UNREADABLE */
  write(line: string): Promise<void>;
  /** @throws ShuttleError FILE_UNREADABLE when not all was written */
  close(): Promise<void>;
}

/** A file that is replaced, or standard output. */
export function openOutput(name: string, cwd: string, stdout: Output): Lines {
  if (name === STANDARD_OUTPUT) {
    return {
      write: async (line) => {
        stdout.write(`${line}\n`);
      },
      close: async () => {},
    };
  }
  const path = resolve(cwd, name);
  const stream = createWriteStream(path);
  const failures: Error[] = [];
  stream.on('error', (error) => failures.push(error));
  const check = () => {
    if (failures.length > 0) {
      const details = { cause: failures[0], at: { path } };
      throw new ShuttleError('FILE_UNREADABLE', `${name} cannot be written.`, details);
    }
  };
  return {
    write: async (line) => {
      check();
      if (!stream.write(`${line}\n`)) {
        await once(stream, 'drain').catch(() => {});
      }
    },
    close: async () => {
      stream.end();
      await finished(stream).catch(() => {});
      check();
    },
  };
}
