/**
 * What a contract's own rule is written with. It loads nothing of Fabric, so that a rule is tested
 * by itself.
 */
import { boundedSentence, RULE_NAME, type RuleRefusal } from './wire.ts';

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
