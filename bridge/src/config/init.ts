/** Writes a configuration file for a network that is there already. */
import { writeFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { Document, type YAMLMap } from 'yaml';
import { ShuttleError } from '../errors.ts';
import type { LoadedSettings } from './load.ts';
import { readProfile } from './profile.ts';
import { findSetting } from './settings.ts';

export interface InitOptions {
  readonly cwd: string;
  readonly profile: string;
  /** MSP folder; without it the file has a place to fill in. */
  readonly identity: string | undefined;
  readonly output: string;
  /** Replace a file that is there. */
  readonly force: boolean;
  /** Settings that somebody gave by flag or environment are written too. */
  readonly given: LoadedSettings;
}

const HEAD =
  ' Shuttle configuration. Every setting: docs/configuration.md or `shuttle config schema`.';
/** Written in any case, because it differs from network to network. */
const ALWAYS = ['kafka.brokers', 'fabric.channel', 'fabric.chaincode'];

/**
 * Reads the profile, so that only one that can be used is written. @returns the file's path
 *
 * @throws ShuttleError USAGE when the file is there and `force` is not given; CONFIG_INVALID and
 * FILE_UNREADABLE for the profile
 */
export async function writeProfileConfig(options: InitOptions): Promise<string> {
  const { cwd, given } = options;
  const profilePath = resolve(cwd, options.profile);
  const profile = readProfile(profilePath);
  const output = resolve(cwd, options.output);
  const document = new Document({});
  document.commentBefore = HEAD;
  const set = (path: string, value: unknown) => setCommented(document, path, value);
  const local = (path: string) => localPath(dirname(output), path);
  for (const [path, source] of given.sources) {
    const own = path.startsWith('fabric.identity') || path === 'fabric.profile';
    const wanted = ALWAYS.includes(path) || (source.startsWith('--') && !own);
    if (wanted && !path.startsWith('command.') && !path.startsWith('log.')) {
      set(path, valueAt(given.settings, path));
    }
  }
  set('fabric.profile', local(profilePath));
  set('fabric.identity.mspId', profile.mspId ?? 'Org1MSP');
  set('fabric.identity.msp', local(resolve(cwd, options.identity ?? 'path/to/user/msp')));
  try {
    await writeFile(output, document.toString({ lineWidth: 100 }), {
      flag: options.force ? 'w' : 'wx',
    });
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
    const message = exists
      ? 'The file is there already; --force replaces it.'
      : 'The file cannot be written.';
    throw new ShuttleError('USAGE', message, { cause, at: { path: output } });
  }
  return output;
}

function setCommented(document: Document, path: string, value: unknown): void {
  const names = path.split('.');
  document.setIn(names, document.createNode(value));
  const parent = document.getIn(names.slice(0, -1)) as YAMLMap;
  const pair = parent.items.find((item) => String(item.key) === names.at(-1));
  const comment = findSetting(path)?.description;
  if (pair !== undefined && comment !== undefined) {
    const key = document.createNode(names.at(-1));
    key.commentBefore = ` ${comment}`;
    pair.key = key;
  }
}

/** Relative while it lies below the file's folder, so that both can be moved together. */
function localPath(folder: string, path: string): string {
  const below = relative(folder, path);
  return below.startsWith('..') ? path : below;
}

function valueAt(settings: unknown, path: string): unknown {
  let value = settings;
  for (const name of path.split('.')) {
    value = (value as Record<string, unknown> | undefined)?.[name];
  }
  return value;
}
