/** Whether a transaction can have the validation code that its block gives it. */
import { HEADER_TYPES } from './envelope.ts';
import type { DoubtCode } from './findings.ts';
import type { LedgerState } from './state.ts';
import { CODES, type Judgement } from './transaction.ts';
import type { Updates } from './updates.ts';

export type Say = (isWrong: boolean, doubt: DoubtCode | null, sentence: string) => void;

const { CONFIG } = HEADER_TYPES;

/** By state only: a peer comes to these when everything else is right. */
const BY_STATE: readonly number[] = [
  CODES.DUPLICATE_TXID,
  CODES.MVCC_READ_CONFLICT,
  CODES.PHANTOM_READ_CONFLICT,
];

/** What is known of a block's transactions before one of them. */
export interface Before {
  /** Of those in the block in which nothing is wrong but, at most, what they have read. */
  readonly ids: ReadonlySet<string>;
  readonly updates: Pick<Updates, 'conflictsWith'>;
  /** Null unless the state is followed. */
  readonly state: LedgerState | null;
}

/** Whether a code says that nothing is wrong but, at most, what the transaction has read. */
export const isPast = (code: number): boolean =>
  code === CODES.VALID || code === CODES.MVCC_READ_CONFLICT || code === CODES.PHANTOM_READ_CONFLICT;

/** Holds the code of a transaction against what is known of it. */
export function checkCode(judgement: Judgement, code: number, before: Before, say: Say): void {
  if (judgement.kind === 'unknown') {
    say(false, judgement.doubt, judgement.sentence);
  } else if (isOfEarlierBlock(judgement, before)) {
    if (code !== CODES.DUPLICATE_TXID) {
      say(
        true,
        null,
        `It has the id of one in an earlier block, and is told to have code ${code}.`,
      );
    }
  } else if (judgement.kind === 'refused') {
    checkRefused(judgement, code, before, say);
  } else {
    checkPassed(judgement, code, before, say);
  }
}

type JudgementOf<K> = Extract<Judgement, { readonly kind: K }>;

/** A peer looks for ids when what the client has made is right, and before the endorsements. */
function isOfEarlierBlock(
  judgement: JudgementOf<'passes' | 'refused'>,
  { state }: Before,
): boolean {
  const { kind, header } = judgement;
  const isLookedFor = kind === 'refused' ? judgement.isBehindIds : header.type !== CONFIG;
  return isLookedFor && header !== null && state?.hasId(header.txId) === true;
}

function checkRefused(
  judgement: JudgementOf<'refused'>,
  code: number,
  { state }: Before,
  say: Say,
): void {
  if (code === CODES.DUPLICATE_TXID && judgement.isBehindIds && state === null) {
    say(false, 'CODE_UNPROVEN', 'Its id may be that of a transaction in an earlier block.');
  } else if (code !== judgement.code) {
    const wanted = `the code has to be ${judgement.code}, and is ${code}`;
    say(true, null, `${judgement.sentence.replace(/\.$/, '')}: ${wanted}.`);
  }
}

function checkPassed(
  judgement: JudgementOf<'passes'>,
  code: number,
  { ids, updates, state }: Before,
  say: Say,
): void {
  const isRepeated = judgement.header.type !== CONFIG && ids.has(judgement.header.txId);
  const conflicts =
    updates.conflictsWith(judgement.sets) || state?.isCurrent(judgement.sets) === false;
  if (code === CODES.VALID) {
    checkValid(isRepeated, conflicts, say);
  } else if (!BY_STATE.includes(code) || judgement.header.type === CONFIG) {
    say(true, null, `Nothing is wrong with it but, at most, what it read; its code is ${code}.`);
  } else if (isRepeated || code === CODES.DUPLICATE_TXID) {
    checkRepeated(isRepeated, code, state !== null, say);
  } else if (code === CODES.MVCC_READ_CONFLICT && state !== null && !conflicts) {
    say(true, null, 'It is told to have read what was not so any more, and all was so.');
  } else if (!conflicts) {
    unproven(code, say);
  }
}

function checkValid(isRepeated: boolean, conflicts: boolean, say: Say): void {
  if (isRepeated || conflicts) {
    const why = isRepeated ? 'has the id of one before it' : 'has read what was not so any more';
    say(true, null, `It is told to be valid, and ${why}.`);
  }
}

function checkRepeated(isRepeated: boolean, code: number, knowsEarlier: boolean, say: Say): void {
  if (isRepeated && code !== CODES.DUPLICATE_TXID) {
    say(true, null, `It has the id of one before it, and its code is ${code}.`);
  } else if (!isRepeated && knowsEarlier) {
    say(true, null, `No transaction before it has its id, and its code is ${code}.`);
  } else if (!isRepeated) {
    unproven(code, say);
  }
}

function unproven(code: number, say: Say): void {
  say(false, 'CODE_UNPROVEN', `Whether it has the code ${code} only the state can tell.`);
}
