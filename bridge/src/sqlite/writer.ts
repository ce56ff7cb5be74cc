/** `ReadModelWriter` in a SQLite file. */
import { type IndexEntry, indexEntries } from '@shuttle/chaincode/epcis/entries';
import { EVENT_PREFIX } from '@shuttle/chaincode/epcis/event';
import type {
  ModelChange,
  ModelPosition,
  ModelStep,
  ReadModelWriter,
} from '../read-model/model.ts';
import { bindSource, type Database, inTransaction, type ModelSource, named } from './database.ts';

/** The entries of the index that a document makes; none for what is no event. */
export type EntriesOf = (key: Uint8Array, document: Uint8Array) => readonly IndexEntry[];

/** As the chaincode indexes documents: by their keys alone it knows what is an event. */
export function epcisEntries(key: Uint8Array, document: Uint8Array): readonly IndexEntry[] {
  const text = Buffer.from(key.buffer, key.byteOffset, key.length).toString('utf8');
  if (!text.startsWith(EVENT_PREFIX)) {
    return [];
  }
  const entries = indexEntries(text, document);
  return 'reason' in entries ? [] : entries;
}

type Statement = ReturnType<Database['prepare']>;

interface PositionRow {
  readonly partition: number;
  readonly next: string;
  readonly last_offset: string | null;
  readonly last_id: string | null;
}

/**
 * @param nowMs - when the model begins to be fed, if it is new
 * @throws ShuttleError INDEX_FOREIGN, INDEX_FAILED
 */
export function createWriter(
  file: string,
  database: Database,
  source: ModelSource,
  entriesOf: EntriesOf,
  nowMs: () => number,
): ReadModelWriter {
  named(file, () => bindSource(file, database, source, nowMs()));
  return new Writer(file, database, entriesOf, nowMs);
}

class Writer implements ReadModelWriter {
  private readonly file: string;
  private readonly database: Database;
  private readonly entriesOf: EntriesOf;
  private readonly nowMs: () => number;
  private readonly statements;

  constructor(file: string, database: Database, entriesOf: EntriesOf, nowMs: () => number) {
    this.file = file;
    this.database = database;
    this.entriesOf = entriesOf;
    this.nowMs = nowMs;
    this.statements = prepare(database);
  }

  positions(): ReadonlyMap<number, ModelPosition> {
    return named(this.file, () => {
      const rows = this.database.prepare('SELECT * FROM positions').all() as PositionRow[];
      return new Map(rows.map((row) => [row.partition, positionOf(row)]));
    });
  }

  apply({ partition, from, next, last, changes }: ModelStep): boolean {
    const { position, move, advance } = this.statements;
    return named(this.file, () =>
      inTransaction(this.database, 'write', () => {
        const row = position.get([partition]) as { next: string } | undefined;
        if (BigInt(row?.next ?? 0) !== from) {
          return false;
        }
        for (const change of changes) {
          this.replace(change);
        }
        const mark = last === null ? [null, null] : [last.offset.toString(), last.id];
        move.run([partition, next.toString(), ...mark]);
        advance.run([changes.reduce((most, { block }) => Math.max(most, Number(block ?? -1)), -1)]);
        return true;
      }),
    );
  }

  complete(atMs: number): void {
    named(this.file, () => this.database.prepare('UPDATE about SET complete_at = ?').run([atMs]));
  }

  freshAtMs(): number {
    return named(this.file, () => {
      const row = this.database.prepare('SELECT coalesce(complete_at, began_at) AS at FROM about');
      return (row.get() as { at: number }).at;
    });
  }

  clear(): void {
    named(this.file, () =>
      inTransaction(this.database, 'write', () => {
        this.database.exec('DELETE FROM entries; DELETE FROM documents; DELETE FROM positions');
        const sql = 'UPDATE about SET began_at = ?, complete_at = NULL, block = NULL';
        this.database.prepare(sql).run([this.nowMs()]);
      }),
    );
  }

  private replace({ key, value, source, block }: ModelChange): void {
    const { find, put, remove, addEntry, removeEntry } = this.statements;
    const id = Buffer.from(key);
    const before = find.get([id]) as { document: Uint8Array } | undefined;
    if (before !== undefined) {
      this.eachEntry(key, before.document, removeEntry);
    }
    if (value === null) {
      remove.run([id]);
      return;
    }
    put.run([id, Buffer.from(value), source, block === null ? null : Number(block)]);
    this.eachEntry(key, value, addEntry);
  }

  private eachEntry(key: Uint8Array, document: Uint8Array, statement: Statement): void {
    const event = Buffer.from(key);
    for (const entry of this.entriesOf(key, document)) {
      const { ai, key: of, qualifierAi, qualifier, time, role } = entry;
      statement.run([ai, of, qualifierAi, qualifier, time, role, event]);
    }
  }
}

function prepare(database: Database) {
  return {
    position: database.prepare('SELECT next FROM positions WHERE partition = ?'),
    move: database.prepare('INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)'),
    advance: database.prepare('UPDATE about SET block = max(coalesce(block, -1), ?)'),
    find: database.prepare('SELECT document FROM documents WHERE key = ?'),
    put: database.prepare('INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)'),
    remove: database.prepare('DELETE FROM documents WHERE key = ?'),
    addEntry: database.prepare('INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)'),
    removeEntry: database.prepare(
      'DELETE FROM entries WHERE ai = ? AND key = ? AND qualifier_ai = ? AND qualifier = ? ' +
        'AND time = ? AND role = ? AND event = ?',
    ),
  };
}

function positionOf({ partition, next, last_offset, last_id }: PositionRow): ModelPosition {
  const last = last_offset === null ? null : { offset: BigInt(last_offset), id: last_id ?? '' };
  return { partition, next: BigInt(next), last };
}
