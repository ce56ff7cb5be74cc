/** Shuttle's own contract: batches from Kafka as they are, and single documents from clients. */
import { Context, Info, Transaction } from 'fabric-contract-api';
import { BatchContract } from './base-contract.ts';
import { mayWrite, readClaims } from './claims.ts';
import { checkDocument } from './documents.ts';
import { PACKAGE, requireAccepted, requireDocument, requireKey } from './documents-contract.ts';
import { encodeEnvelope } from './envelope.ts';
import { documentRefusal } from './refusal.ts';
import { openState, type State } from './state.ts';
import { Inheritable } from './transactions.ts';

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

  /**
   * Sets one document. It reads the claims alone, so two writers of a key never conflict, and the
   * last one in block order counts.
   *
   * @throws Refusal KEY_EMPTY, KEY_TOO_LONG, KEY_NOT_UTF8, KEY_RESERVED, KEY_CLAIMED,
   *   VALUE_NOT_UTF8, VALUE_NOT_JSON, VALUE_TOO_LARGE
   */
  @Transaction()
  async setData(ctx: Context, key: string, json: string): Promise<void> {
    const state = openState(ctx);
    requireKey(state, key);
    const document = Buffer.from(json);
    const code = state.isArgumentUtf8(2) ? checkDocument(document) : 'VALUE_NOT_UTF8';
    requireAccepted(code);
    await requireUnclaimed(state, key);
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
