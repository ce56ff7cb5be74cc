/** Files that the configuration names; an unreadable one is told with the setting that names it. */
import { readFileSync } from 'node:fs';
import { ShuttleError } from '../errors.ts';

/** Names rules that come with Shuttle, where a file could be named. */
export const PRESET_PREFIX = 'preset:';

/**
 * The file's bytes. Read at start only, so waiting for the disk holds nothing up.
 *
 * @throws ShuttleError FILE_UNREADABLE naming the setting and the path
 */
export function readConfigured(path: string, setting: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new ShuttleError('FILE_UNREADABLE', `The file of ${setting} cannot be read.`, {
      cause,
      at: { setting, path },
    });
  }
}
