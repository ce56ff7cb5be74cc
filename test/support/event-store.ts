/** An event store in memory, which counts what is asked of it. */
import { entriesOf } from '../../chaincode/src/epcis/entries.ts';
import { type EpcisEvent, isEvent, parseEvent } from '../../chaincode/src/epcis/event.ts';
import { history, item, recall, trace } from '../../chaincode/src/epcis/questions.ts';
import type { Entry, EntryQuery, EventStore } from '../../chaincode/src/epcis/store.ts';
import type { Thing, ThingPrefix } from '../../chaincode/src/epcis/things.ts';

interface Indexed {
  readonly thing: Thing;
  readonly entries: Entry[];
  isSorted: boolean;
}

const bytes = (one: string, other: string): number =>
  Buffer.compare(Buffer.from(one), Buffer.from(other));

const partsOf = (thing: Thing): string =>
  [thing.ai, thing.key, thing.qualifierAi || '-', thing.qualifier || '-'].join('\0');

const placeOf = ({ time, role, eventKey }: Entry): string => [time, role, eventKey].join('\0');

export class MemoryEventStore implements EventStore {
  reads = 0;
  private readonly events = new Map<string, EpcisEvent | null>();
  private readonly index = new Map<string, Indexed>();

  /** Entries of what was under the key before stay, as they do on the ledger. */
  put(key: string, document: unknown): void {
    if (document === null) {
      this.events.set(key, null);
      return;
    }
    const event = parseEvent(key, Buffer.from(JSON.stringify(document)));
    const entries = isEvent(event) ? entriesOf(event) : event;
    if (!isEvent(event) || 'reason' in entries) {
      throw new Error((entries as { reason: string }).reason);
    }
    this.events.set(key, event);
    for (const { time, role, ...thing } of entries) {
      const there = this.index.get(partsOf(thing)) ?? { thing, entries: [], isSorted: false };
      const entry = { time, role, eventKey: key };
      if (
        !there.entries.some((each) => each.eventKey === key && placeOf(each) === placeOf(entry))
      ) {
        there.entries.push(entry);
        there.isSorted = false;
      }
      this.index.set(partsOf(thing), there);
    }
  }

  entries(thing: Thing, { from, until, after, limit }: EntryQuery): readonly Entry[] {
    this.reads++;
    const there = this.index.get(partsOf(thing));
    if (there === undefined) {
      return [];
    }
    if (!there.isSorted) {
      there.entries.sort((a, b) => bytes(placeOf(a), placeOf(b)));
      there.isSorted = true;
    }
    return there.entries
      .filter(
        (entry) =>
          (from === null || entry.time >= from) &&
          (until === null || entry.time <= until) &&
          (after === null || bytes(placeOf(entry), placeOf(after)) > 0),
      )
      .slice(0, limit);
  }

  things({ ai, key }: ThingPrefix, after: Thing | null, limit: number): readonly Thing[] {
    this.reads++;
    return [...this.index.values()]
      .map(({ thing }) => thing)
      .filter((thing) => thing.ai === ai && thing.key === key)
      .filter((thing) => after === null || bytes(partsOf(thing), partsOf(after)) > 0)
      .sort((a, b) => bytes(partsOf(a), partsOf(b)))
      .slice(0, limit);
  }

  event(key: string): EpcisEvent | null {
    this.reads++;
    return this.events.get(key) ?? null;
  }
}

export const NO_LIMITS = { readsMax: Number.MAX_SAFE_INTEGER, entriesMax: 100_000 };

/** How tests ask unless they say otherwise. */
export const ASKED = {
  asOf: null,
  cursor: '',
  rowsMax: 10_000,
  limits: NO_LIMITS,
  foundMax: 100_000,
  edgesMax: 100_000,
} as const;

/** What the chaincode does with its arguments, in pages of so many rows. */
export function evaluateOn(store: EventStore, rowsMax = 1_000) {
  return async (name: string, args: readonly string[]): Promise<Uint8Array> => {
    const [cursor = '', , asOf = ''] = args.toReversed();
    const [id = '', direction, depth] = args;
    const asked = { ...ASKED, asOf: asOf || null, cursor, rowsMax, edgesMax: rowsMax };
    const ask = async () => {
      switch (name) {
        case 'getEvents':
          return history(store, id, asked);
        case 'item':
          return item(store, id, asked);
        case 'trace':
          return trace(store, id, direction as 'up', { ...asked, depthMax: Number(depth) });
        default:
          return recall(store, id, asked);
      }
    };
    const { cursor: bookmark, ...answer } = await ask();
    return Buffer.from(JSON.stringify({ ...answer, bookmark }));
  };
}
