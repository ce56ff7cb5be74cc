/**
 * Claims of key prefixes: who may write documents whose keys start with a prefix.
 *
 * All claims stand in one document, because every transaction that writes documents reads them:
 * one key more, however many claims there are. Its size is bounded for the same reason.
 */
import { checkDocument, checkKey, utf8Text } from './documents.ts';
import { CLAIMS_TYPE, type Claim, decodeClaims, encodeClaims } from './ledger.ts';
import { Refusal } from './refusal.ts';
import type { State } from './state.ts';
import { CLAIMS_BYTES_MAX, NAME_BYTES_MAX, type RecordRefusalCode } from './wire.ts';

/** Reads all claims, in the order of their prefixes; none when nobody ever claimed. */
export async function readClaims(state: State): Promise<readonly Claim[]> {
  const stored = await state.get(claimsKey(state));
  return stored === null ? [] : decodeClaims(utf8Text(stored));
}

/**
 * Puts the claims back.
 *
 * @throws Refusal CLAIMS_FULL when they take more than CLAIMS_BYTES_MAX
 */
export function putClaims(state: State, claims: readonly Claim[]): void {
  const bytes = Buffer.from(encodeClaims(claims));
  if (bytes.length > CLAIMS_BYTES_MAX) {
    throw new Refusal(
      'CLAIMS_FULL',
      `All claims together would take more than ${CLAIMS_BYTES_MAX} bytes.`,
    );
  }
  state.put(claimsKey(state), bytes);
}

function claimsKey(state: State): string {
  return state.compositeKey(CLAIMS_TYPE, ['all']);
}

/**
 * Whether an organisation may write under a key: nobody claimed it, or the longest claim that
 * covers it is its own or shared with it.
 */
export function mayWrite(claims: readonly Claim[], key: string, mspId: string): boolean {
  let decisive: Claim | null = null;
  for (const claim of claims) {
    if (key.startsWith(claim.prefix) && claim.prefix.length > (decisive?.prefix.length ?? 0)) {
      decisive = claim;
    }
  }
  return decisive === null || decisive.mspId === mspId || decisive.shared.includes(mspId);
}

/** Why a record cannot become a document, whatever the contract's rules are. */
export function checkRecord(
  key: Uint8Array,
  value: Uint8Array | null,
  claims: readonly Claim[],
  mspId: string,
): RecordRefusalCode | null {
  const code = checkKey(key);
  if (code !== null) {
    return code;
  }
  if (claims.length > 0 && !mayWrite(claims, utf8Text(key), mspId)) {
    return 'KEY_CLAIMED';
  }
  return value === null ? null : checkDocument(value);
}

/**
 * The claims with one of `mspId` added, or shared anew when it stands already; null when nothing
 * changes.
 *
 * @throws Refusal CLAIM_TAKEN when the prefix lies within, above or on another organisation's
 */
export function withClaim(claims: readonly Claim[], wanted: Claim): readonly Claim[] | null {
  for (const { prefix, mspId } of claims) {
    const overlaps = prefix.startsWith(wanted.prefix) || wanted.prefix.startsWith(prefix);
    if (overlaps && mspId !== wanted.mspId) {
      throw new Refusal('CLAIM_TAKEN', `${mspId} has claimed ${JSON.stringify(prefix)}.`);
    }
  }
  const others = claims.filter(({ prefix }) => prefix !== wanted.prefix);
  const next = [...others, wanted].sort((a, b) => compareText(a.prefix, b.prefix));
  return encodeClaims(next) === encodeClaims(claims) ? null : next;
}

/**
 * The claims without one of `mspId`.
 *
 * @throws Refusal CLAIM_TAKEN when it is another organisation's, NOT_FOUND when there is none
 */
export function withoutClaim(
  claims: readonly Claim[],
  released: string,
  mspId: string,
): readonly Claim[] {
  const claim = claims.find(({ prefix }) => prefix === released);
  if (claim === undefined) {
    throw new Refusal('NOT_FOUND', 'There is no claim of exactly this prefix.');
  }
  if (claim.mspId !== mspId) {
    throw new Refusal('CLAIM_TAKEN', `Only ${claim.mspId}, its owner, can release this claim.`);
  }
  return claims.filter((each) => each !== claim);
}

/**
 * A prefix is the beginning of a key, so it obeys the same rules.
 *
 * @throws Refusal ARGUMENT_INVALID
 */
export function requirePrefix(prefix: string, isUtf8: boolean): void {
  const code = isUtf8 ? checkKey(Buffer.from(prefix)) : 'KEY_NOT_UTF8';
  if (code !== null) {
    throw new Refusal('ARGUMENT_INVALID', `No document key starts like this (${code}).`);
  }
}

/**
 * The organisations that a claim is shared with, in one order and without the owner.
 *
 * @param json - a JSON array of MSP ids
 * @throws Refusal ARGUMENT_INVALID
 */
export function parseShared(json: string, owner: string): readonly string[] {
  const ids = jsonArray(json);
  const isMspId = (id: unknown): id is string =>
    typeof id === 'string' && id !== '' && Buffer.byteLength(id) <= NAME_BYTES_MAX;
  if (ids === null || !ids.every(isMspId)) {
    throw new Refusal('ARGUMENT_INVALID', 'shared is not a JSON array of MSP ids.');
  }
  return [...new Set(ids)].filter((id) => id !== owner).sort(compareText);
}

// The parser's error is dropped on purpose: its text differs between versions of the engine.
function jsonArray(json: string): readonly unknown[] | null {
  try {
    const value: unknown = JSON.parse(json);
    return Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** By UTF-16 units: not a locale's order, which differs between machines. */
function compareText(a: string, b: string): number {
  if (a === b) {
    return 0;
  }
  return a < b ? -1 : 1;
}
