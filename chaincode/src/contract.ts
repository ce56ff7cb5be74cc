/** Shuttle's own contract: batches from Kafka as they are, and single documents from clients. */
import { Context, Info, Returns, Transaction } from 'fabric-contract-api';
import { BatchContract } from './base-contract.ts';
import { mayWrite, readClaims } from './claims.ts';
import { checkDocument } from './documents.ts';
import { PACKAGE, requireAccepted, requireDocument, requireKey } from './documents-contract.ts';
import { encodeEnvelope } from './envelope.ts';
import { eventIndex } from './epcis/index-keys.ts';
import { eventsPage, itemPage, recallPage, tracePage } from './event-queries.ts';
import { type IndexKey, putIndex } from './index-keys.ts';
import { documentRefusal, Refusal } from './refusal.ts';
import { refuse } from './rule.ts';
import { openState, type State } from './state.ts';
import { Inheritable } from './transactions.ts';
import type { RuleRefusal } from './wire.ts';

/** Name of the rule that refuses what is under an event's key and is no event. */
const EVENT_INVALID = 'EVENT_INVALID';

/** Name of the event of setData and deleteData. */
export const DOCUMENT_EVENT = 'document';

@Info({
  title: 'Shuttle',
  description: 'Keeps documents that arrive from Kafka in batches, exactly once, or one by one',
  version: PACKAGE.version,
  license: { name: 'Apache-2.0' },
})
@Inheritable()
export class ShuttleContract extends BatchContract {
  constructor(name: string = 'shuttle') {
    super(name);
  }

  /** Documents under keys that begin with `event/` are EPCIS events, or they are refused. */
  protected override index(key: string, document: Uint8Array): readonly IndexKey[] | RuleRefusal {
    const keys = eventIndex(key, document);
    return 'reason' in keys ? refuse(EVENT_INVALID, keys.reason) : keys;
  }

  /**
   * Sets one document. It reads the claims alone, so two writers of a key never conflict, and the
   * last one in block order counts.
   *
   * @throws Refusal KEY_EMPTY, KEY_TOO_LONG, KEY_NOT_UTF8, KEY_RESERVED, KEY_CLAIMED,
   *   VALUE_NOT_UTF8, VALUE_NOT_JSON, VALUE_TOO_LARGE; RULE_REFUSED for what is no event
   */
  @Transaction()
  async setData(ctx: Context, key: string, json: string): Promise<void> {
    const state = openState(ctx);
    requireKey(state, key);
    const document = Buffer.from(json);
    const code = state.isArgumentUtf8(2) ? checkDocument(document) : 'VALUE_NOT_UTF8';
    requireAccepted(code);
    await requireUnclaimed(state, key);
    const index = this.index(key, document);
    if ('sentence' in index) {
      throw new Refusal('RULE_REFUSED', `${index.name}: ${index.sentence}`);
    }
    putIndex(state, index);
    await writeDocument(state, key, document);
  }

  /**
   * Deletes one document; its history stays. Unlike setData it reads the key, because a deletion
   * that finds nothing is most likely a mistyped key: it can therefore fail with
   * MVCC_READ_CONFLICT when the document is written at the same moment, and is then repeated.
   *
   * @throws Refusal NOT_FOUND, and setData's for keys
   */
  @Transaction()
  async deleteData(ctx: Context, key: string): Promise<void> {
    const state = openState(ctx);
    requireKey(state, key);
    await requireUnclaimed(state, key);
    await requireDocument(state, key);
    await writeDocument(state, key, null);
  }

  /**
   * The events of a thing and of the containers that it was in, while it was in them, in the order
   * of their time: {"events":[{"event","time","type","action","step","disposition","readPoint",
   * "bizLocation","role","through"}],"partial","bookmark"}.
   *
   * @param id - an identifier in its canonical form
   * @param asOf - an instant up to which events count, or ''
   * @throws Refusal ARGUMENT_INVALID
   */
  @Transaction(false)
  @Returns('string')
  async getEvents(
    ctx: Context,
    id: string,
    asOf: string,
    pageSize: string,
    bookmark: string,
  ): Promise<string> {
    return eventsPage(openState(ctx), id, { asOf, pageSize, bookmark });
  }

  /**
   * Where a thing was last seen, what it is in and what is in it: an ItemAnswer.
   *
   * @param pageSize - of its parts
   * @throws Refusal ARGUMENT_INVALID
   */
  @Transaction(false)
  @Returns('string')
  async item(
    ctx: Context,
    id: string,
    asOf: string,
    pageSize: string,
    bookmark: string,
  ): Promise<string> {
    return itemPage(openState(ctx), id, { asOf, pageSize, bookmark });
  }

  /**
   * What a thing was made of and holds (up), or what was made of it and holds it (down): a
   * TraceAnswer. An edge may stand on an earlier page than one of its things.
   *
   * @param depth - steps from the thing
   * @throws Refusal ARGUMENT_INVALID
   */
  @Transaction(false)
  @Returns('string')
  async trace(
    ctx: Context,
    id: string,
    direction: string,
    depth: string,
    asOf: string,
    pageSize: string,
    bookmark: string,
  ): Promise<string> {
    return tracePage(openState(ctx), id, direction, depth, { asOf, pageSize, bookmark });
  }

  /**
   * Everything that a lot, an item, or any lot or item of a product went into, and where each was
   * last seen: a RecallAnswer.
   *
   * @throws Refusal ARGUMENT_INVALID
   */
  @Transaction(false)
  @Returns('string')
  async recall(
    ctx: Context,
    id: string,
    asOf: string,
    pageSize: string,
    bookmark: string,
  ): Promise<string> {
    return recallPage(openState(ctx), id, { asOf, pageSize, bookmark });
  }
}

async function writeDocument(
  state: State,
  key: string,
  document: Uint8Array | null,
): Promise<void> {
  const { mspId, timestamp } = state;
  const version = { offset: null, timestamp, document };
  state.put(key, encodeEnvelope({ kind: 'client', mspId }, [version]));
  const event = { key, deleted: document === null };
  state.emit(DOCUMENT_EVENT, Buffer.from(JSON.stringify(event)));
  await state.flush();
}

async function requireUnclaimed(state: State, key: string): Promise<void> {
  if (!mayWrite(await readClaims(state), key, state.mspId)) {
    throw documentRefusal('KEY_CLAIMED');
  }
}
