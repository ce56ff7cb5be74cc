/** Shuttle's own contract: batches from Kafka, single documents from clients, and reading both. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Context, Info, Returns, Transaction } from 'fabric-contract-api';
import { BatchContract } from './base-contract.ts';
import { mayWrite, readClaims } from './claims.ts';
import { checkDocument, checkKey, utf8Text } from './documents.ts';
import { encodeEnvelope } from './envelope.ts';
import { parseWhole } from './layout.ts';
import {
  currentDocument,
  historyPage,
  listPage,
  PAGE_BYTES_MAX,
  PAGE_SIZE_MAX,
} from './queries.ts';
import { documentRefusal, Refusal } from './refusal.ts';
import { openState, type State } from './state.ts';
import { Inheritable } from './transactions.ts';
import {
  BATCH_BYTES_MAX,
  BATCH_RECORDS_MAX,
  CLAIMS_BYTES_MAX,
  DOCUMENT_BYTES_MAX,
  KEY_BYTES_MAX,
  LANE_HASH_VERSION,
  LANES_MAX,
  NAME_BYTES_MAX,
  type RecordRefusalCode,
  WIRE_VERSION,
} from './wire.ts';

/** Name of the event of setData and deleteData. */
export const DOCUMENT_EVENT = 'document';

const PACKAGE = JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8')) as {
  readonly name: string;
  readonly version: string;
};

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

  /**
   * The document under a key, byte for byte.
   *
   * @throws Refusal NOT_FOUND when there is none or it was deleted, and setData's for keys
   */
  @Transaction(false)
  @Returns('string')
  async getData(ctx: Context, key: string): Promise<string> {
    const state = openState(ctx);
    requireKey(state, key);
    return utf8Text(await requireDocument(state, key));
  }

  /**
   * The versions of a key, newest first: {"versions":[{"txId","timestamp","mspId","source",
   * "deleted","document"}],"bookmark"}. `timestamp` is the transaction's, in ms; `source` is
   * {"stream","topic","partition","offset","timestamp"}, or null for a client's version;
   * `document` is verbatim.
   *
   * @param pageSize - 1 to PAGE_SIZE_MAX; a page may end earlier, before PAGE_BYTES_MAX
   * @param bookmark - '' or the one of the page before; it is '' on the last page
   * @throws Refusal ARGUMENT_INVALID, and setData's for keys
   */
  @Transaction(false)
  @Returns('string')
  async getHistory(ctx: Context, key: string, pageSize: string, bookmark: string): Promise<string> {
    const state = openState(ctx);
    requireKey(state, key);
    return historyPage(state, key, parsePageSize(pageSize), bookmark);
  }

  /**
   * The documents whose key starts with a prefix ('' for all), in the order of their keys:
   * {"documents":[{"key","timestamp","mspId","source","document"}],"bookmark"}. `timestamp` is the
   * version's; the other members are getHistory's.
   *
   * @param pageSize - 1 to PAGE_SIZE_MAX; a page may end earlier, and only '' as bookmark is the
   *   end
   * @throws Refusal ARGUMENT_INVALID
   */
  @Transaction(false)
  @Returns('string')
  async listData(
    ctx: Context,
    prefix: string,
    pageSize: string,
    bookmark: string,
  ): Promise<string> {
    return listPage(openState(ctx), prefix, parsePageSize(pageSize), bookmark);
  }

  /** Name and version of this chaincode, and the protocol and the limits that it keeps to. */
  @Transaction(false)
  @Returns('string')
  async info(_ctx: Context): Promise<string> {
    return JSON.stringify({
      name: PACKAGE.name,
      version: PACKAGE.version,
      wireVersion: WIRE_VERSION,
      laneHashVersion: LANE_HASH_VERSION,
      limits: {
        keyBytesMax: KEY_BYTES_MAX,
        documentBytesMax: DOCUMENT_BYTES_MAX,
        batchRecordsMax: BATCH_RECORDS_MAX,
        batchBytesMax: BATCH_BYTES_MAX,
        lanesMax: LANES_MAX,
        nameBytesMax: NAME_BYTES_MAX,
        claimsBytesMax: CLAIMS_BYTES_MAX,
        pageSizeMax: PAGE_SIZE_MAX,
        pageBytesMax: PAGE_BYTES_MAX,
      },
    });
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

async function requireDocument(state: State, key: string): Promise<Uint8Array> {
  const document = await currentDocument(state, key);
  if (document === null) {
    throw new Refusal('NOT_FOUND', 'There is no document under this key.');
  }
  return document;
}

function requireKey(state: State, key: string): void {
  requireAccepted(state.isArgumentUtf8(1) ? checkKey(Buffer.from(key)) : 'KEY_NOT_UTF8');
}

async function requireUnclaimed(state: State, key: string): Promise<void> {
  if (!mayWrite(await readClaims(state), key, state.mspId)) {
    throw documentRefusal('KEY_CLAIMED');
  }
}

function requireAccepted(code: RecordRefusalCode | null): void {
  if (code !== null) {
    throw documentRefusal(code);
  }
}

function parsePageSize(pageSize: string): number {
  return parseWhole('pageSize', pageSize, 1, PAGE_SIZE_MAX);
}
