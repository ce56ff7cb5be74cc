/**
 * What becomes of a record by the answer of a contract's own rule.
 *
 * Whatever a rule does, its record is decided: accepted, or refused with a code. A record that the
 * rule fails on must neither hold up those behind it nor disappear, so it is refused too.
 */
import { types } from 'node:util';
import { checkDocument } from './documents.ts';
import type { IndexKey } from './index-keys.ts';
import { RuleError, refuse } from './rule.ts';
import {
  type RecordRefusalCode,
  type Rejection,
  RULES_BYTES_MAX,
  type RuleRefusal,
} from './wire.ts';

/** Why a record does not become a version of its document. */
export type Refused = Pick<Rejection, 'rule'> & { readonly code: RecordRefusalCode };

/** What becomes of a record: the document with the index keys beside it, or why not. */
export type Decision =
  | { readonly document: Uint8Array | null; readonly index: readonly IndexKey[] }
  | Refused;

/** What a contract decides with. */
export interface Deciders {
  readonly apply: (value: Uint8Array | null) => unknown;
  readonly index: (document: Uint8Array) => readonly IndexKey[] | RuleRefusal;
}

export function isRefused(decision: object): decision is Refused {
  return 'code' in decision;
}

/**
 * Asks a rule about a record's value.
 *
 * The rule is given a copy and its answer is copied, so that a rule which keeps or changes bytes
 * changes nothing that was decided already.
 *
 * @param failed - is told of a rule that throws, or answers what no rule may answer
 */
export function decide(
  { apply, index }: Deciders,
  value: Uint8Array | null,
  failed: (error: unknown) => void,
): Decision {
  try {
    const decided = documentOf(apply(value === null ? null : Buffer.from(value)), value);
    return isRefused(decided) ? decided : withIndex(decided.document, index);
  } catch (error) {
    failed(error);
    return { code: 'RULE_FAILED' };
  }
}

function withIndex(document: Uint8Array | null, index: Deciders['index']): Decision {
  const keys = document === null ? [] : index(Buffer.from(document));
  return isRuleRefusal(keys) ? ruleRefused(keys) : { document, index: keys };
}

/** @throws RuleError when it is none of what a rule may answer */
function documentOf(
  answer: unknown,
  value: Uint8Array | null,
): { readonly document: Uint8Array | null } | Refused {
  if (answer === null) {
    return { document: null };
  }
  if (types.isUint8Array(answer)) {
    // The value itself was checked before; whatever the rule made of it is checked like a value.
    if (value !== null && Buffer.compare(answer, value) === 0) {
      return { document: value };
    }
    const document = Buffer.from(answer);
    const code = checkDocument(document);
    return code === null ? { document } : { code };
  }
  if (types.isPromise(answer)) {
    // A rejection that nobody handles would end the chaincode's process.
    answer.catch(() => undefined);
  }
  const { name, sentence } = (answer ?? {}) as Partial<RuleRefusal>;
  if (typeof name !== 'string' || typeof sentence !== 'string') {
    throw new RuleError('A rule answers bytes, null, or what refuse() gives.');
  }
  return ruleRefused({ name, sentence });
}

function isRuleRefusal(answer: readonly IndexKey[] | RuleRefusal): answer is RuleRefusal {
  return 'sentence' in answer;
}

function ruleRefused({ name, sentence }: RuleRefusal): Refused {
  return { code: 'RULE_REFUSED', rule: refuse(name, sentence) };
}

/**
 * Takes the rules' names and sentences off what no longer fits RULES_BYTES_MAX: the watermarks of
 * all lanes are read in one answer, which has to fit one message.
 */
export function withinRulesBytes(rejections: readonly Rejection[]): readonly Rejection[] {
  let bytes = 0;
  return rejections.map((rejection) => {
    const { offset, code, rule } = rejection;
    bytes += rule === undefined ? 0 : rule.name.length + Buffer.byteLength(rule.sentence);
    return bytes > RULES_BYTES_MAX ? { offset, code } : rejection;
  });
}

/**
 * What an error tells without what the record says: an engine's messages may quote it, and a
 * chaincode's log holds no values.
 */
export function withoutValues(error: unknown): string {
  if (!(error instanceof Error)) {
    return 'it threw what is no error';
  }
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const head = error instanceof RuleError ? `${error.name}: ${error.message}` : error.name;
  return [head, ...frames.slice(0, 5)].join('\n');
}
