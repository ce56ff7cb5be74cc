/** Data beside the project, which is not the project's own to carry. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const DATA =
  process.env.SHUTTLE_TEST_DATA ?? join(import.meta.dirname, '../../../shared/data');

export const isThere = existsSync(DATA);
export const because = isThere ? '' : ' (skipped: there is no shared/data beside this checkout)';

/** The JSON files of a folder of EPCIS samples, by name. */
export function epcisSamples(folder: string): readonly { name: string; document: unknown }[] {
  const path = join(DATA, 'epcis/2.0/EPCIS/JSON', folder);
  return readdirSync(path)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => ({ name, document: JSON.parse(readFileSync(join(path, name), 'utf8')) }));
}
