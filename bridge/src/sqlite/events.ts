/** `EventStore` on the database: the same answers in the same order as by the ledger's index. */
import { type EpcisEvent, isEvent, parseEvent, type Role } from '@shuttle/chaincode/epcis/event';
import {
  compare,
  type Entry,
  type EntryQuery,
  type EventStore,
} from '@shuttle/chaincode/epcis/store';
import type { Thing, ThingPrefix } from '@shuttle/chaincode/epcis/things';
import { type Database, named } from './database.ts';

/** Time, role and event key. */
type EntryRow = readonly [time: string, role: Role, eventKey: string];

interface ThingRow {
  readonly qualifier_ai: string;
  readonly qualifier: string;
}

/** Behind every time that an event can have. */
const END_OF_TIME = '~';

const OF_THING = 'ai = ? AND key = ? AND qualifier_ai = ? AND qualifier = ?';

const ORDER = 'time, role, event';

function inOrder(one: EntryRow, other: EntryRow): number {
  const [[time, role, eventKey], [otherTime, otherRole, otherKey]] = [one, other];
  return (
    compare(time, otherTime) ||
    compare(role, otherRole) ||
    Buffer.compare(Buffer.from(eventKey), Buffer.from(otherKey))
  );
}

export function createEvents(file: string, database: Database): EventStore {
  // One row with all of the entries takes half the time of a row for each. They come as the index
  // has them, which no SQL promises; to ask for their order again takes a twelfth of a recall.
  const select = (behind: string) =>
    `SELECT json_group_array(json_array(time, role, CAST(event AS TEXT))) ` +
    `AS entries FROM (SELECT * FROM entries WHERE ${OF_THING} ${behind} ORDER BY ${ORDER} LIMIT ?)`;
  // Nearly all questions are for the first entries of a thing, of any time.
  const firstEntries = database.prepare(select(''));
  const entries = database.prepare(
    select('AND time >= ? AND time <= ? AND (time, role, event) > (?, ?, ?)'),
  );
  const things = database.prepare(
    'SELECT DISTINCT qualifier_ai, qualifier FROM entries WHERE ai = ? AND key = ? ' +
      'AND (qualifier_ai, qualifier) > (?, ?) ORDER BY qualifier_ai, qualifier LIMIT ?',
  );
  const firstThings = database.prepare(
    'SELECT DISTINCT qualifier_ai, qualifier FROM entries WHERE ai = ? AND key = ? ' +
      'ORDER BY qualifier_ai, qualifier LIMIT ?',
  );
  const document = database.prepare('SELECT document FROM documents WHERE key = ?');
  return {
    entries: (thing: Thing, { from, until, after, limit }: EntryQuery): readonly Entry[] =>
      named(file, () => {
        const { ai, key, qualifierAi, qualifier } = thing;
        const of = [ai, key, qualifierAi, qualifier];
        const isFirst = from === null && until === null && after === null;
        const bounds = [from ?? '', until ?? END_OF_TIME];
        const behind = [after?.time ?? '', after?.role ?? '', Buffer.from(after?.eventKey ?? '')];
        const row = isFirst
          ? firstEntries.get([...of, limit])
          : entries.get([...of, ...bounds, ...behind, limit]);
        const rows = JSON.parse((row as { entries: string }).entries) as EntryRow[];
        return rows.sort(inOrder).map(([time, role, eventKey]) => ({ time, role, eventKey }));
      }),
    things: ({ ai, key }: ThingPrefix, after: Thing | null, limit: number): readonly Thing[] =>
      named(file, () => {
        const rows =
          after === null
            ? firstThings.all([ai, key, limit])
            : things.all([ai, key, after.qualifierAi, after.qualifier, limit]);
        return (rows as ThingRow[]).map(({ qualifier_ai: qualifierAi, qualifier }) => {
          return { ai, key, qualifierAi, qualifier };
        });
      }),
    event: (key: string): EpcisEvent | null =>
      named(file, () => {
        const row = document.get([Buffer.from(key)]) as { document: Uint8Array } | undefined;
        const event = row === undefined ? null : parseEvent(key, row.document);
        return event !== null && isEvent(event) ? event : null;
      }),
  };
}
