/**
 * Records that name their schema: a zero byte, four bytes with the schema's number in the registry,
 * and the payload. Source: Confluent Schema Registry, "Wire format".
 */
import { Ajv, type ValidateFunction } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { type AvroReader, compileAvro } from './avro.ts';
import type { JsonObject } from './json.ts';
import { isObject, type Json, readJson } from './json.ts';
import { LINEAR_CODE } from './pattern.ts';
import { RefusedError } from './refusal.ts';
import { violationOf } from './schema.ts';
import { readUtf8 } from './utf8.ts';

export interface RegisteredSchema {
  /** AVRO, JSON, PROTOBUF. */
  readonly type: string;
  readonly text: string;
  /** Schemas that it uses, each behind those that it uses itself. */
  readonly references: readonly { readonly name: string; readonly text: string }[];
}

/** What the cleaning needs of a schema registry. */
export interface SchemaSource {
  /**
   * The schema of that number, which never becomes another one; null when the registry has none.
   * Waits while the registry does not answer.
   */
  find(id: number): Promise<RegisteredSchema | null>;
}

/** Schemas that are kept ready; the one used longest ago goes first. */
export const SCHEMAS_MAX = 200;

const MAGIC = 0;
const HEAD_BYTES = 5;

/** @throws RefusedError */
export type ReadRegistered = (bytes: Uint8Array) => Promise<JsonObject>;

/** Reads records by the schemas they name; each schema is asked for and compiled once. */
export function createRegisteredReader(schemas: SchemaSource): ReadRegistered {
  const known = new Map<number, AvroReader>();
  return async (bytes) => {
    const id = schemaId(bytes);
    const reader = known.get(id) ?? readerOf(id, await schemas.find(id));
    known.delete(id);
    known.set(id, reader);
    for (const [oldest] of known.size > SCHEMAS_MAX ? known : []) {
      known.delete(oldest);
      break;
    }
    const value = reader(bytes.subarray(HEAD_BYTES));
    if (!isObject(value)) {
      const sentence = `The value of schema ${id} is no record: it cannot be a document.`;
      throw new RefusedError('DOCUMENT_INVALID', sentence);
    }
    return value;
  };
}

function schemaId(bytes: Uint8Array): number {
  if (bytes.length < HEAD_BYTES || bytes[0] !== MAGIC) {
    const sentence = 'The record does not start with a zero byte and the number of its schema.';
    throw new RefusedError('SCHEMA_ID_MISSING', sentence);
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, HEAD_BYTES).readUInt32BE(1);
}

function readerOf(id: number, schema: RegisteredSchema | null): AvroReader {
  if (schema === null) {
    throw new RefusedError('SCHEMA_UNKNOWN', `The registry has no schema ${id}.`);
  }
  const { type, text, references } = schema;
  const others = references.map((reference) => reference.text);
  try {
    switch (type) {
      case 'AVRO':
        return compileAvro(text, others);
      case 'JSON':
        return jsonReader(schema);
      default:
        throw new Error(`its type is ${type}`);
    }
  } catch (error) {
    const sentence = `Schema ${id} cannot be used: ${(error as Error).message}.`;
    throw new RefusedError('SCHEMA_UNUSABLE', sentence.replace(/\.\.$/, '.'));
  }
}

/** JSON as any other, once it fits: only what it holds is asked of the schema. */
function jsonReader({ text, references }: RegisteredSchema): AvroReader {
  const validate = compileJsonSchema(text, references);
  return (bytes) => {
    const value: Json = readJson(readUtf8(bytes));
    if (!validate(value)) {
      const { pointer, sentence } = violationOf(validate.errors ?? []);
      throw new RefusedError('SCHEMA_VIOLATED', sentence, pointer);
    }
    return value;
  };
}

/** Schemas of others: unknown words and formats say nothing, as the registry itself has it. */
const OPTIONS = {
  verbose: true,
  strict: false,
  validateFormats: false,
  logger: false,
  code: LINEAR_CODE,
} as const;

function compileJsonSchema(
  text: string,
  references: RegisteredSchema['references'],
): ValidateFunction {
  const schema = JSON.parse(text) as { readonly $schema?: string };
  const draft = String(schema.$schema ?? '');
  const ajv = draft.includes('2020-12')
    ? new Ajv2020(OPTIONS)
    : draft.includes('2019-09')
      ? new Ajv2019(OPTIONS)
      : new Ajv(OPTIONS);
  for (const reference of references) {
    ajv.addSchema(JSON.parse(reference.text) as object, reference.name);
  }
  return ajv.compile(schema);
}
