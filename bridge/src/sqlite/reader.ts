/** `ReadModel` in a SQLite file. */
import type { EventStore } from '@shuttle/chaincode/epcis/store';
import type { ModelDocument, ModelState, ReadModel } from '../read-model/queries.ts';
import {
  type Database,
  type ModelSource,
  named,
  openExisting,
  readAbout,
  requireSame,
} from './database.ts';
import { createEvents } from './events.ts';

interface DocumentRow {
  readonly key: Uint8Array;
  readonly document: Uint8Array;
  readonly source: string | null;
  readonly block: number | null;
}

/**
 * The read model in a file; null when there is none, or when it is still being built. It answers
 * from the moment of this call, whatever is written meanwhile.
 *
 * @throws ShuttleError INDEX_FOREIGN, INDEX_FAILED
 */
export function openReadModel(
  file: string,
  source: Omit<ModelSource, 'clusterId'>,
): ReadModel | null {
  const database = openExisting(file);
  if (database === null) {
    return null;
  }
  try {
    const model = named(file, () => {
      database.exec('BEGIN');
      const about = readAbout(database);
      if (about === null) {
        return null;
      }
      requireSame(file, about, source);
      const { block, completeAtMs } = about;
      return completeAtMs === null ? null : new Reader(database, { file, block, completeAtMs });
    });
    if (model === null) {
      database.close();
    }
    return model;
  } catch (error) {
    database.close();
    throw error;
  }
}

class Reader implements ReadModel {
  readonly state: ModelState;
  readonly events: EventStore;
  private readonly database: Database;

  constructor(database: Database, state: ModelState) {
    this.database = database;
    this.state = state;
    this.events = createEvents(state.file, database);
  }

  list(prefix: string, from: string, limit: number): readonly ModelDocument[] {
    const start = Buffer.from(from === '' ? prefix : from);
    const end = bytesBehind(Buffer.from(prefix));
    const above = end === null ? '' : 'AND key < ?';
    const sql = `SELECT * FROM documents WHERE key >= ? ${above} ORDER BY key LIMIT ?`;
    const bounds = end === null ? [start, limit] : [start, end, limit];
    return named(
      this.state.file,
      () => this.database.prepare(sql).all(...bounds) as DocumentRow[],
    ).map(({ key, document, source, block }) => ({
      key,
      document,
      source,
      block: block === null ? null : BigInt(block),
    }));
  }

  close(): void {
    this.database.close();
  }
}

/** The smallest bytes behind all that start with a prefix; null when there are none. */
function bytesBehind(prefix: Uint8Array): Buffer | null {
  const bytes = Buffer.from(prefix);
  for (let last = bytes.length - 1; last >= 0; last--) {
    const byte = bytes[last] ?? 0xff;
    if (byte < 0xff) {
      bytes[last] = byte + 1;
      return bytes.subarray(0, last + 1);
    }
  }
  return null;
}
