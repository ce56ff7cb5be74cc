/** Why a raw record is not cleaned: a closed table, which docs/errors.md renders. */

/** Codes with which the cleaning refuses a raw record. */
export const CLEAN_REFUSALS = {
  ENCODING_INVALID: 'The bytes are not UTF-8.',
  VALUE_MISSING: 'The record has no value, and the rules do not pass deletes on.',
  RECORD_TOO_LARGE: 'The record is larger than the cleaning takes.',
  JSON_INVALID: 'The text is not JSON.',
  JSON_AMBIGUOUS: 'A member stands twice, or has a name that no document may use.',
  NESTING_TOO_DEEP: 'Objects and lists are nested too deep.',
  XML_INVALID: 'The text is not XML.',
  XML_FORBIDDEN: 'The XML has a document type, which could hold entities.',
  XML_TOO_LARGE: 'The XML has more elements and attributes than the cleaning takes.',
  CSV_INVALID: 'A row has wrong quotes, or not as many cells as there are columns.',
  DOCUMENT_INVALID: 'What should be a document is not an object.',
  DOCUMENTS_TOO_MANY: 'One record makes more documents than the cleaning takes.',
  MEMBER_MISSING: 'A member that the rule needs is not there.',
  MEMBER_EXISTS: 'A member that the rule would write is there already.',
  TYPE_WRONG: 'A value has another type than the rule works on.',
  DATE_INVALID: 'A text is no date in any of the formats listed.',
  DATE_AMBIGUOUS: 'A text is different dates in the formats listed, or a time that stood twice.',
  NUMBER_INVALID: 'A text is no number as the rule describes it.',
  NUMBER_INEXACT: 'A number has more digits than can be kept.',
  BOOLEAN_UNKNOWN: 'A text is among neither the true nor the false ones.',
  WORD_UNKNOWN: 'A text is not in the list or table of the rule.',
  IDENTIFIER_INVALID: 'A text is no identifier as GS1 writes them.',
  REFERENCE_UNKNOWN: 'A value names another record, which is not among the last ones.',
  DUPLICATE: 'The same content stood in one of the last records already.',
  IMPLAUSIBLE: 'Values contradict each other, or the time of the record.',
  AVRO_INVALID: 'The bytes are not what their Avro schema says.',
  SCHEMA_ID_MISSING: 'The record does not say which schema of the registry it has.',
  SCHEMA_UNKNOWN: 'The schema registry does not know the schema.',
  SCHEMA_UNUSABLE: 'The schema of the registry is of a kind that cannot be used, or is wrong.',
  SCHEMA_VIOLATED: 'The document does not fit the schema.',
  EXPRESSION_FAILED: 'An expression failed, or gave nothing that can be used.',
  EXPRESSION_TOO_LONG: 'An expression took more steps, or went deeper, than is allowed.',
  KEY_MISSING: 'There is no key: neither from the rules nor on the record.',
  KEY_INVALID: 'The key is not one that the ledger takes.',
} as const;

export type CleanRefusalCode = keyof typeof CLEAN_REFUSALS;

export interface Refusal {
  /** Name of the rule that refused; `format`, `key` and `madeBy` are those outside the steps. */
  readonly rule: string;
  readonly code: CleanRefusalCode;
  readonly sentence: string;
  /** Where in the document, as a JSON Pointer. */
  readonly pointer?: string;
  /** Which of the record's documents, from 0, when it holds several. */
  readonly item?: number;
}

/** How a step refuses; the cleaner knows the rule's name. It never leaves the cleaner. */
export class RefusedError extends Error {
  readonly code: CleanRefusalCode;
  readonly pointer: string | undefined;

  constructor(code: CleanRefusalCode, sentence: string, pointer?: string) {
    super(sentence);
    this.name = 'RefusedError';
    this.code = code;
    this.pointer = pointer;
  }
}
