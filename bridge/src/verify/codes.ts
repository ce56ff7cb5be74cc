/** Whether a transaction can have the validation code that its block gives it. */
import { HEADER_TYPES } from './envelope.ts';
import type { DoubtCode } from './findings.ts';
import type { Updates } from './rwset.ts';
import type { StateVersions } from './state.ts';
import { CODES, type Judgement } from './transaction.ts';

export type Say = (isWrong: boolean, doubt: DoubtCode | null, sentence: string) => void;

/** By state only: a peer comes to these when everything else is right. */
const BY_STATE: readonly number[] = [
  CODES.DUPLICATE_TXID,
  CODES.MVCC_READ_CONFLICT,
  CODES.PHANTOM_READ_CONFLICT,
];

/** What is known of a block's transactions before one of them. */
export interface Before {
  readonly ids: ReadonlySet<string>;
  readonly updates: Pick<Updates, 'conflictsWith'>;
  /** Null unless the state is followed. */
  readonly state: StateVersions | null;
}

/** Holds the code of a transaction against what is known of it. */
export function checkCode(judgement: Judgement, code: number, before: Before, say: Say): void {
  if (judgement.kind === 'unknown') {
    say(false, judgement.doubt, judgement.sentence);
  } else if (judgement.kind === 'refused') {
    checkRefused(judgement, code, before, say);
  } else {
    checkPassed(judgement, code, before, say);
  }
}

const isRepeated = ({ header }: Judgement, { ids }: Before): boolean =>
  header !== null && ids.has(header.txId);

type JudgementOf<K> = Extract<Judgement, { readonly kind: K }>;

function checkRefused(
  judgement: JudgementOf<'refused'>,
  code: number,
  before: Before,
  say: Say,
): void {
  if (code === CODES.DUPLICATE_TXID && judgement.isBehindIds) {
    if (!isRepeated(judgement, before)) {
      say(false, 'CODE_UNPROVEN', 'Its id may be that of a transaction in an earlier block.');
    }
  } else if (code !== judgement.code) {
    const wanted = `the code has to be ${judgement.code}, and is ${code}`;
    say(true, null, `${judgement.sentence.replace(/\.$/, '')}: ${wanted}.`);
  }
}

function checkPassed(
  judgement: JudgementOf<'passes'>,
  code: number,
  before: Before,
  say: Say,
): void {
  const repeated = isRepeated(judgement, before);
  const conflicts =
    before.updates.conflictsWith(judgement.sets) ||
    before.state?.isCurrent(judgement.sets) === false;
  if (code === CODES.VALID) {
    if (repeated || conflicts) {
      const why = repeated ? 'has the id of one before it' : 'has read what was not so any more';
      say(true, null, `It is told to be valid, and ${why}.`);
    }
  } else if (!BY_STATE.includes(code) || judgement.header.type === HEADER_TYPES.CONFIG) {
    say(true, null, `Nothing is wrong with it but, at most, what it read; its code is ${code}.`);
  } else if (code === CODES.MVCC_READ_CONFLICT && before.state !== null && !conflicts) {
    say(true, null, 'It is told to have read what was not so any more, and all was so.');
  } else if (!(code === CODES.DUPLICATE_TXID ? repeated : conflicts)) {
    say(false, 'CODE_UNPROVEN', `Whether it has the code ${code} only the state can tell.`);
  }
}
