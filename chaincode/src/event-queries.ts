/**
 * The questions about events as transactions ask them: arguments are texts, and answers are JSON
 * that fits one message.
 */
import { CursorError } from './epcis/cursor.ts';
import { isIdentifier, utcInstant } from './epcis/event.ts';
import { type AskedTrace, history, item, recall, trace } from './epcis/questions.ts';
import { parseWhole } from './layout.ts';
import { ledgerEvents } from './ledger-events.ts';
import { PAGE_SIZE_MAX } from './queries.ts';
import { Refusal } from './refusal.ts';
import type { State } from './state.ts';

/** A page ends at the next chance after so many reads: each is a message to the peer and back. */
const READS_MAX = 2_000;
/** Of the events of one thing, where its whole story is asked for. */
const ENTRIES_MAX = 2_000;
/** Things that an answer finds over all its pages; more is for the read model. */
const FOUND_MAX = 20_000;
const EDGES_MAX = 2_000;
/** Beside a page of 1,000 rows, a cursor of this size fits the 4 MiB that clients receive. */
const CURSOR_BYTES_MAX = 2 * 1024 * 1024;
const DEPTH_MAX = 1_000;

export async function eventsPage(
  state: State,
  id: string,
  { asOf, pageSize, bookmark }: PageArguments,
): Promise<string> {
  requireIdentifier(id);
  const asked = askedOf(asOf, pageSize, bookmark);
  return await answer(() => history(ledgerEvents(state), id, asked));
}

export async function itemPage(
  state: State,
  id: string,
  { asOf, pageSize, bookmark }: PageArguments,
): Promise<string> {
  requireIdentifier(id);
  const asked = askedOf(asOf, pageSize, bookmark);
  return await answer(() => item(ledgerEvents(state), id, asked));
}

export async function tracePage(
  state: State,
  id: string,
  direction: string,
  depth: string,
  { asOf, pageSize, bookmark }: PageArguments,
): Promise<string> {
  requireIdentifier(id);
  if (direction !== 'up' && direction !== 'down') {
    throw new Refusal('ARGUMENT_INVALID', 'The direction is neither up nor down.');
  }
  const depthMax = parseWhole('depth', depth, 0, DEPTH_MAX);
  const asked = { ...askedOf(asOf, pageSize, bookmark), depthMax };
  return await answer(() => trace(ledgerEvents(state), id, direction, asked));
}

export async function recallPage(
  state: State,
  id: string,
  { asOf, pageSize, bookmark }: PageArguments,
): Promise<string> {
  requireIdentifier(id);
  const asked = askedOf(asOf, pageSize, bookmark);
  return await answer(() => recall(ledgerEvents(state), id, asked));
}

export interface PageArguments {
  /** An instant with a time zone, or '' for now. */
  readonly asOf: string;
  readonly pageSize: string;
  readonly bookmark: string;
}

function askedOf(asOf: string, pageSize: string, bookmark: string): Omit<AskedTrace, 'depthMax'> {
  const until = asOf === '' ? null : utcInstant(asOf);
  if (asOf !== '' && until === null) {
    throw new Refusal('ARGUMENT_INVALID', 'asOf is no instant with a time zone.');
  }
  return {
    asOf: until,
    cursor: bookmark,
    rowsMax: parseWhole('pageSize', pageSize, 1, PAGE_SIZE_MAX),
    limits: { readsMax: READS_MAX, entriesMax: ENTRIES_MAX },
    foundMax: FOUND_MAX,
    edgesMax: EDGES_MAX,
  };
}

function requireIdentifier(id: string): void {
  if (!isIdentifier(id)) {
    throw new Refusal('ARGUMENT_INVALID', 'This cannot be the identifier of anything.');
  }
}

/** Answers call the place to go on "bookmark", as all answers of the contract do. */
async function answer(ask: () => Promise<{ readonly cursor: string }>): Promise<string> {
  try {
    const { cursor, ...answered } = await ask();
    return Buffer.byteLength(cursor) > CURSOR_BYTES_MAX
      ? JSON.stringify({ ...answered, isCut: true, bookmark: '' })
      : JSON.stringify({ ...answered, bookmark: cursor });
  } catch (error) {
    if (error instanceof CursorError) {
      throw new Refusal('ARGUMENT_INVALID', 'The bookmark is not one of this question.');
    }
    throw error;
  }
}
