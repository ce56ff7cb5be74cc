/**
 * The questions about events, to whoever has them: the ledger, or a read model of it. Both answer
 * with the same words, because both reason with the same code.
 */
import {
  type HistoryAnswer,
  history,
  type ItemAnswer,
  item,
  type RecallAnswer,
  recall,
  type TraceAnswer,
  trace,
} from '@shuttle/chaincode/epcis/questions';
import type { EventStore } from '@shuttle/chaincode/epcis/store';
import type { Direction } from '@shuttle/chaincode/epcis/walk';
import { TRACE_ENTRIES_MAX, TRACE_FOUND_MAX, TRACE_PAGE_ROWS } from '../limits.ts';
import type { Ledger } from '../ports.ts';

/** Where a page begins. */
export interface PageOf {
  /** Only events up to this instant count, in UTC; null for all. */
  readonly asOf: string | null;
  /** '' for the first page, or the cursor of the page before. */
  readonly cursor: string;
}

/** Each answers with a page; its `cursor` is '' when it is the last one. */
export interface Questions {
  /** The events of a thing, and of the containers that it was in while it was there. */
  history(id: string, page: PageOf): Promise<HistoryAnswer>;
  /** Where a thing was last seen, what it is in and what it holds. */
  item(id: string, page: PageOf): Promise<ItemAnswer>;
  trace(id: string, direction: Direction, depth: number, page: PageOf): Promise<TraceAnswer>;
  /** All that a lot, an item or a product went into, and where each was last seen. */
  recall(id: string, page: PageOf): Promise<RecallAnswer>;
}

/** Asks the ledger, a page with each transaction that is evaluated. */
export function askLedger(ledger: Pick<Ledger, 'evaluate'>): Questions {
  const ask = async <T>(name: string, args: readonly string[], { asOf, cursor }: PageOf) => {
    const page = [asOf ?? '', String(TRACE_PAGE_ROWS), cursor];
    const bytes = await ledger.evaluate(name, [...args, ...page]);
    const { bookmark, ...answer } = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
      readonly bookmark: string;
    };
    return { ...answer, cursor: bookmark } as T;
  };
  return {
    history: (id, page) => ask('getEvents', [id], page),
    item: (id, page) => ask('item', [id], page),
    trace: (id, direction, depth, page) => ask('trace', [id, direction, String(depth)], page),
    recall: (id, page) => ask('recall', [id], page),
  };
}

/** Asks a store in this process: an answer has one page. */
export function askStore(store: EventStore): Questions {
  const asked = ({ asOf, cursor }: PageOf) => ({
    asOf,
    cursor,
    rowsMax: TRACE_FOUND_MAX,
    foundMax: TRACE_FOUND_MAX,
    edgesMax: TRACE_FOUND_MAX,
    limits: { readsMax: Number.MAX_SAFE_INTEGER, entriesMax: TRACE_ENTRIES_MAX },
  });
  return {
    history: (id, page) => history(store, id, asked(page)),
    item: (id, page) => item(store, id, asked(page)),
    trace: (id, direction, depthMax, page) =>
      trace(store, id, direction, { ...asked(page), depthMax }),
    recall: (id, page) => recall(store, id, asked(page)),
  };
}

/** All pages of an answer, until the last one or until `enough` says so. */
export async function readAll<T extends { readonly cursor: string }>(
  ask: (cursor: string) => Promise<T>,
  enough: (page: T) => boolean,
): Promise<{ readonly pages: readonly T[]; readonly isWhole: boolean }> {
  const pages: T[] = [];
  let cursor = '';
  do {
    const page = await ask(cursor);
    pages.push(page);
    cursor = page.cursor;
    if (enough(page)) {
      break;
    }
  } while (cursor !== '');
  return { pages, isWhole: cursor === '' };
}
