/**
 * A contract's own rule: what it is given, what it may answer, and what becomes of its answer.
 *
 * Whatever a rule does, its record is decided: accepted, or refused with a code. A record that the
 * rule fails on must neither hold up those behind it nor disappear, so it is refused too.
 */
import { types } from 'node:util';
import { checkDocument } from './documents.ts';
import {
  boundedSentence,
  type RecordRefusalCode,
  type Rejection,
  RULE_NAME,
  RULES_BYTES_MAX,
  type RuleRefusal,
} from './wire.ts';

/** A record on its way to the ledger; `value` null asks to delete the document. */
export interface IncomingRecord {
  readonly key: string;
  /** A copy of its own: a rule may change it, and nothing else sees that. */
  readonly value: Uint8Array | null;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  /** MSP id of the organisation whose bridge carried the record in. */
  readonly mspId: string;
  readonly stream: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** The document to store, null for a tombstone, or what refuse() gives. */
export type Applied = Uint8Array | null | RuleRefusal;

/** A mistake in how a rule is written. Its message holds nothing of a record. */
export class RuleError extends TypeError {
  override readonly name = 'RuleError';
}

/** Why a record does not become a version of its document. */
export type Refused = Pick<Rejection, 'rule'> & { readonly code: RecordRefusalCode };

/** What becomes of a record. */
export type Decision = { readonly document: Uint8Array | null } | Refused;

export function isRefused(decision: Decision): decision is Refused {
  return 'code' in decision;
}

/**
 * A rule's no to one record: its batch goes on, the record becomes a dead letter with the code
 * RULE_REFUSED, the rule's name and the sentence. Both are stored in the block, for all to read.
 *
 * @param name - of the rule: capitals, digits and "_", 64 characters at most
 * @param sentence - for people; cut to RULE_SENTENCE_BYTES_MAX, control characters become spaces
 * @throws RuleError when it is not a rule's name
 */
export function refuse(name: string, sentence: string): RuleRefusal {
  if (!RULE_NAME.test(name)) {
    throw new RuleError("A rule's name is made of capitals, digits and _, 64 at most.");
  }
  return { name, sentence: boundedSentence(sentence) };
}

/**
 * The value of a document, as JSON. Every document and every record's value is valid JSON, so this
 * does not fail on them; but numbers beyond 2^53 lose digits here, which the document itself keeps.
 */
export function parseDocument(document: Uint8Array): unknown {
  const { buffer, byteOffset, length } = document;
  return JSON.parse(Buffer.from(buffer, byteOffset, length).toString('utf8'));
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
  rule: (value: Uint8Array | null) => unknown,
  value: Uint8Array | null,
  failed: (error: unknown) => void,
): Decision {
  try {
    return decisionOf(rule(value === null ? null : Uint8Array.from(value)), value);
  } catch (error) {
    failed(error);
    return { code: 'RULE_FAILED' };
  }
}

/** @throws RuleError when it is none of what a rule may answer */
function decisionOf(answer: unknown, value: Uint8Array | null): Decision {
  if (answer === null) {
    return { document: null };
  }
  if (types.isUint8Array(answer)) {
    // The value itself was checked before; whatever the rule made of it is checked like a value.
    if (value !== null && Buffer.compare(answer, value) === 0) {
      return { document: value };
    }
    const document = Uint8Array.from(answer);
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
