/** Files that hold secrets, and who else on this machine can read them. */
import { statSync } from 'node:fs';

/** A file that others than its owner can read. */
export interface ExposedFile {
  readonly path: string;
  /** As chmod takes it: 0644. */
  readonly mode: string;
}

const OTHERS_READ = 0o044;
const PERMISSIONS = 0o777;

/** Those of the files whose group or everybody may read them. One that is not there is not told. */
export function exposedFiles(paths: readonly string[]): ExposedFile[] {
  if (process.platform === 'win32') {
    // Windows has no such modes; Node makes some up.
    return [];
  }
  return paths.flatMap((path) => {
    const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
    return (mode & OTHERS_READ) === 0
      ? []
      : [{ path, mode: `0${(mode & PERMISSIONS).toString(8).padStart(3, '0')}` }];
  });
}
