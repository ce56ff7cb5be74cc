/**
 * What every contract on documents has, whoever writes them: reading, and claims of key prefixes.
 * A contract of one's own inherits it, so that all commands of `shuttle` that read work with it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Context, Contract, Returns, Transaction } from 'fabric-contract-api';
import {
  parseShared,
  putClaims,
  readClaims,
  requirePrefix,
  withClaim,
  withoutClaim,
} from './claims.ts';
import { checkKey, utf8Text } from './documents.ts';
import { parseWhole } from './layout.ts';
import { type Claim, encodeClaims } from './ledger.ts';
import {
  currentDocument,
  historyPage,
  listPage,
  PAGE_BYTES_MAX,
  PAGE_SIZE_MAX,
} from './queries.ts';
import { documentRefusal, Refusal } from './refusal.ts';
import { openState, type State } from './state.ts';
import { adoptTransactions, Inheritable } from './transactions.ts';
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

/** The package that this file is part of. */
export const PACKAGE = JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8')) as {
  readonly name: string;
  readonly version: string;
};

@Inheritable()
export class DocumentsContract extends Contract {
  constructor(name?: string) {
    super(name);
    adoptTransactions(this);
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

  /**
   * The contract's name, the package that it is built on, and the protocol and the limits that it
   * keeps to.
   */
  @Transaction(false)
  @Returns('string')
  async info(_ctx: Context): Promise<string> {
    return JSON.stringify({
      contract: this.getName(),
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

  /**
   * Claims the keys that start with a prefix for the submitter's organisation: nobody else writes
   * documents there, but those that it is shared with. The first claim wins. Repeated by its
   * owner, it sets anew whom the claim is shared with.
   *
   * @param shared - a JSON array of MSP ids, "[]" to share with nobody
   * @returns all claims, as encodeClaims() writes them
   * @throws Refusal ADMIN_REQUIRED, ARGUMENT_INVALID, CLAIMS_FULL; CLAIM_TAKEN when the prefix
   *   lies within, above or on another organisation's
   */
  @Transaction()
  @Returns('string')
  async claim(ctx: Context, prefix: string, shared: string): Promise<string> {
    const state = openState(ctx);
    requireAdmin(state);
    requirePrefix(prefix, state.isArgumentUtf8(1));
    const { mspId } = state;
    const claims = await readClaims(state);
    const wanted = { prefix, mspId, shared: parseShared(shared, mspId) };
    return await replaceClaims(state, claims, withClaim(claims, wanted));
  }

  /**
   * Gives a claim of the submitter's organisation up.
   *
   * @returns all claims, as encodeClaims() writes them
   * @throws Refusal ADMIN_REQUIRED, ARGUMENT_INVALID, CLAIM_TAKEN, NOT_FOUND
   */
  @Transaction()
  @Returns('string')
  async releaseClaim(ctx: Context, prefix: string): Promise<string> {
    const state = openState(ctx);
    requireAdmin(state);
    requirePrefix(prefix, state.isArgumentUtf8(1));
    const claims = await readClaims(state);
    return await replaceClaims(state, claims, withoutClaim(claims, prefix, state.mspId));
  }

  /** All claims, of every organisation, as encodeClaims() writes them. */
  @Transaction(false)
  @Returns('string')
  async getClaims(ctx: Context): Promise<string> {
    return encodeClaims(await readClaims(openState(ctx)));
  }
}

export async function requireDocument(state: State, key: string): Promise<Uint8Array> {
  const document = await currentDocument(state, key);
  if (document === null) {
    throw new Refusal('NOT_FOUND', 'There is no document under this key.');
  }
  return document;
}

/** The key is the transaction's first argument. @throws Refusal KEY_... */
export function requireKey(state: State, key: string): void {
  requireAccepted(state.isArgumentUtf8(1) ? checkKey(Buffer.from(key)) : 'KEY_NOT_UTF8');
}

export function requireAccepted(code: RecordRefusalCode | null): void {
  if (code !== null) {
    throw documentRefusal(code);
  }
}

function parsePageSize(pageSize: string): number {
  return parseWhole('pageSize', pageSize, 1, PAGE_SIZE_MAX);
}

function requireAdmin(state: State): void {
  if (!state.isAdmin) {
    throw new Refusal('ADMIN_REQUIRED', `Only an admin of ${state.mspId} can do this.`);
  }
}

async function replaceClaims(
  state: State,
  claims: readonly Claim[],
  next: readonly Claim[] | null,
): Promise<string> {
  if (next === null) {
    return encodeClaims(claims);
  }
  putClaims(state, next);
  await state.flush();
  return encodeClaims(next);
}
