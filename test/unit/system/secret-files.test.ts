import { chmodSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { exposedFiles } from '../../../bridge/src/system/secret-files.ts';
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts';

let folder: TemporaryFolder;
beforeEach(() => {
  folder = createTemporaryFolder();
});
afterEach(() => folder.remove());

describe('a file that holds a secret', () => {
  test.each([
    [0o600, []],
    [0o400, []],
    [0o700, []],
    [0o640, ['0640']],
    [0o604, ['0604']],
    [0o644, ['0644']],
    [0o440, ['0440']],
  ])('of mode %s is told when others can read it', (mode, expected) => {
    const path = folder.write('key', 'secret');
    chmodSync(path, mode);
    expect(exposedFiles([path])).toEqual(expected.map((told) => ({ path, mode: told })));
  });

  test('that is not there is told by whoever reads it', () => {
    expect(exposedFiles([`${folder.path}/none`])).toEqual([]);
  });
});
