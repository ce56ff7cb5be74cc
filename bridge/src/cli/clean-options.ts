/** What the clean commands share: their options, and files that they write line by line. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { ShuttleError } from '../errors.ts';
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
