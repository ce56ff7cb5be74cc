/** A rule file: what it may say. How it is checked and compiled is in compile.ts. */
import { MEMBER_NAME } from './members.ts';
import { settings } from './step.ts';

/**
 * How the bytes of a record, or of a file, hold documents. `xml` is EPCIS 1.0 to 1.2; `epcis` is
 * that or JSON, told apart by the first character, and takes a list of events too. `registry` is
 * Avro or JSON as the schema says that a record names.
 */
export type FormatName = 'json' | 'jsonl' | 'csv' | 'tsv' | 'xml' | 'epcis' | 'registry';

export const FORMATS: readonly FormatName[] = [
  'json',
  'jsonl',
  'csv',
  'tsv',
  'xml',
  'epcis',
  'registry',
];

export interface Format {
  readonly kind: FormatName;
  /** Of csv; default a comma. */
  readonly delimiter?: string;
  readonly quote?: string;
  /** Names of the columns of csv or tsv without a line that names them. */
  readonly columns?: readonly string[];
}

/** Where the key of a cleaned document comes from; without it, it is the raw record's. */
export type KeyRule =
  | string
  | {
      readonly pointer: string;
      readonly prefix?: string;
      /** When the pointer finds nothing: the hash of the document without these members. */
      readonly otherwiseHash?: { readonly without?: readonly string[] };
    }
  | { readonly expression: string };

export interface RuleFile {
  readonly name: string;
  readonly version: string | number;
  readonly description?: string;
  /** Absent: JSON on a topic; by the name of the file otherwise. */
  readonly format?: FormatName | Format;
  /** The member that says which rules made the document; default `_cleaned`. */
  readonly madeBy?: string;
  readonly key?: KeyRule;
  /** Whether a record without a value, which deletes its key, passes; default refuse. */
  readonly deletes?: 'refuse' | 'pass';
  readonly steps: readonly RuleStep[];
}

/** A name, and one member named after the kind of the rule, with its settings. */
export interface RuleStep {
  readonly rule: string;
  readonly [kind: string]: unknown;
}

/** A document of its own tells who made it; a key of that name would be Fabric's. */
export const MADE_BY_DEFAULT = '_cleaned';

/** Names that refusals use for what is not a step. */
export const RESERVED_RULES = ['format', 'key', 'madeBy'];

const NAME = '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$';
const POINTER = { type: 'string', pattern: '^(?:/(?:[^~/]|~[01])*)+$', description: 'a pointer' };
const TEXT = { type: 'string', minLength: 1, description: 'a text' };
const FORMAT_NAME = { enum: FORMATS, description: `one of ${FORMATS.join(', ')}` };

export const RULE_FILE_SCHEMA = settings(
  {
    name: {
      type: 'string',
      pattern: NAME,
      description: 'a name of letters, digits, ".", "_", "-"',
    },
    version: {
      description: 'a whole number from 1 on, or a text such as 1.4.0',
      anyOf: [
        { type: 'integer', minimum: 1 },
        { type: 'string', pattern: NAME },
      ],
    },
    description: { type: 'string', description: 'a text' },
    format: {
      description: `one of ${FORMATS.join(', ')}, or {kind, delimiter, quote, columns}`,
      anyOf: [
        FORMAT_NAME,
        settings(
          {
            kind: FORMAT_NAME,
            delimiter: { ...TEXT, maxLength: 8 },
            quote: { ...TEXT, maxLength: 1 },
            columns: { type: 'array', minItems: 1, uniqueItems: true, items: MEMBER_NAME },
          },
          ['kind'],
        ),
      ],
    },
    madeBy: { ...MEMBER_NAME, description: 'a member name' },
    key: {
      description: 'a JSON Pointer such as /id, {pointer, prefix, otherwiseHash}, or {expression}',
      anyOf: [
        POINTER,
        settings(
          {
            pointer: POINTER,
            prefix: TEXT,
            otherwiseHash: {
              ...settings({ without: { type: 'array', items: MEMBER_NAME } }, []),
              description: '{without}, a list of member names',
            },
          },
          ['pointer'],
        ),
        settings({ expression: TEXT }, ['expression']),
      ],
    },
    deletes: { enum: ['refuse', 'pass'], description: '"refuse" or "pass"' },
    steps: {
      type: 'array',
      minItems: 1,
      description: 'a list of rules',
      items: {
        type: 'object',
        description: 'a rule: a name, and one kind with its settings',
        properties: {
          rule: { type: 'string', pattern: NAME, description: 'the name of the rule' },
        },
        required: ['rule'],
      },
    },
  },
  ['name', 'version', 'steps'],
);
