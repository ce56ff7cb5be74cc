/** The database file of a read model: opening it, its tables, and errors with a name. */
import { existsSync } from 'node:fs';
import Libsql from 'libsql';
import { ShuttleError } from '../errors.ts';

export type Database = Libsql.Database;

/** How long a writer waits for another one; a reader waits for nobody. */
const BUSY_TIMEOUT_MS = 10_000;

/** Changes with the tables below; a file of another version is rebuilt, never converted. */
const SCHEMA_VERSION = 1;

const TABLES = `
  CREATE TABLE about (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    cluster_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    channel TEXT NOT NULL,
    chaincode TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    complete_at INTEGER,
    block INTEGER
  );
  CREATE TABLE positions (
    partition INTEGER PRIMARY KEY,
    next TEXT NOT NULL,
    last_offset TEXT,
    last_id TEXT
  );
  CREATE TABLE documents (
    key BLOB PRIMARY KEY,
    document BLOB NOT NULL,
    source TEXT,
    block INTEGER
  ) WITHOUT ROWID;
  CREATE TABLE entries (
    ai TEXT NOT NULL,
    key TEXT NOT NULL,
    qualifier_ai TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    time TEXT NOT NULL,
    role TEXT NOT NULL,
    event BLOB NOT NULL,
    PRIMARY KEY (ai, key, qualifier_ai, qualifier, time, role, event)
  ) WITHOUT ROWID;
`;

/** What a read model is of: another one of these is another model. */
export interface ModelSource {
  readonly clusterId: string;
  readonly topic: string;
  readonly channel: string;
  readonly chaincode: string;
}

/**
 * Opens the file, and makes it when it is absent.
 *
 * @throws ShuttleError INDEX_FOREIGN when it is something else, INDEX_FAILED when it cannot be used
 */
export function openDatabase(file: string): Database {
  return named(file, () => {
    const database = new Libsql(file, { timeout: BUSY_TIMEOUT_MS } as Libsql.Options);
    try {
      // Readers go on while a change is written, and a process that is killed leaves nothing half.
      database.exec('PRAGMA journal_mode = WAL');
      database.exec('PRAGMA synchronous = NORMAL');
      const version = userVersion(database);
      if (version === 0 && isEmpty(database)) {
        createTables(database);
      } else if (version !== SCHEMA_VERSION) {
        throw foreign(file, 'It was made by another version of Shuttle, or by another program.');
      }
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/** Opens a file that is there already; null when it is not. */
export function openExisting(file: string): Database | null {
  return existsSync(file) ? openDatabase(file) : null;
}

/** One transaction: everything or nothing. */
export function inTransaction<T>(database: Database, mode: 'write' | 'read', work: () => T): T {
  database.exec(mode === 'write' ? 'BEGIN IMMEDIATE' : 'BEGIN');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.inTransaction) {
      database.exec('ROLLBACK');
    }
    throw error;
  }
}

/** @throws ShuttleError INDEX_FOREIGN when the file is a read model of something else */
export function bindSource(
  file: string,
  database: Database,
  source: ModelSource,
  nowMs: number,
): void {
  const { clusterId, topic, channel, chaincode } = source;
  const sql =
    'INSERT OR IGNORE INTO about (one, cluster_id, topic, channel, chaincode, began_at) ' +
    'VALUES (1, ?, ?, ?, ?, ?)';
  database.prepare(sql).run([clusterId, topic, channel, chaincode, nowMs]);
  const held = readAbout(database);
  if (held === null || held.clusterId !== clusterId) {
    throw foreign(file, `It is of Kafka cluster ${held?.clusterId}, not of ${clusterId}.`);
  }
  requireSame(file, held, source);
}

/** What the file says of itself. */
export interface About extends ModelSource {
  /** When it held all that was on the topic; null while it is built. */
  readonly completeAtMs: number | null;
  /** The highest block of a change that it holds. */
  readonly block: bigint | null;
}

export function readAbout(database: Database): About | null {
  const row = database.prepare('SELECT * FROM about').get() as AboutRow | undefined;
  return row === undefined
    ? null
    : {
        clusterId: row.cluster_id,
        topic: row.topic,
        channel: row.channel,
        chaincode: row.chaincode,
        completeAtMs: row.complete_at,
        block: row.block === null || row.block < 0 ? null : BigInt(row.block),
      };
}

interface AboutRow {
  readonly cluster_id: string;
  readonly topic: string;
  readonly channel: string;
  readonly chaincode: string;
  readonly complete_at: number | null;
  readonly block: number | null;
}

/** @throws ShuttleError INDEX_FOREIGN; which cluster it is of is for those who ask Kafka */
export function requireSame(
  file: string,
  held: ModelSource,
  wanted: Omit<ModelSource, 'clusterId'>,
): void {
  for (const name of ['topic', 'channel', 'chaincode'] as const) {
    if (held[name] !== wanted[name]) {
      throw foreign(file, `It is of ${name} ${held[name]}, not of ${wanted[name]}.`);
    }
  }
}

export function foreign(file: string, sentence: string): ShuttleError {
  return new ShuttleError('INDEX_FOREIGN', `${file} cannot be used as index. ${sentence}`);
}

/** Gives SQLite's errors a name. */
export function named<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof ShuttleError) {
      throw cause;
    }
    const message = cause instanceof Error ? cause.message : String(cause);
    const code = (cause as { code?: unknown }).code;
    if (code === 'SQLITE_NOTADB') {
      throw foreign(file, 'It is no database.');
    }
    throw new ShuttleError('INDEX_FAILED', `${file}: ${message}.`, { cause, at: { file } });
  }
}

function userVersion(database: Database): number {
  const row = database.prepare('PRAGMA user_version').get() as { user_version: number };
  return row.user_version;
}

function isEmpty(database: Database): boolean {
  const row = database.prepare('SELECT count(*) AS tables FROM sqlite_master').get();
  return (row as { tables: number }).tables === 0;
}

/** Two that open a new file at once make the tables once. */
function createTables(database: Database): void {
  inTransaction(database, 'write', () => {
    if (isEmpty(database)) {
      database.exec(TABLES);
      database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    }
  });
}
