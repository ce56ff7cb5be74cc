/**
 * Avro's binary form to JSON. The library reads schemas; the bytes are read here, since its own
 * reader goes on behind their end: a count in five bytes could keep it busy for hours.
 *
 * Source: Apache Avro 1.12 specification, "Binary encoding" and "Logical types".
 */
import avro, { type Schema, type Type } from 'avsc';
import { AvroCursor, wrong } from './avro-cursor.ts';
import { logicalReader } from './avro-logical.ts';
import type { Json, JsonObject } from './json.ts';
import { shown } from './json.ts';
import { RefusedError } from './refusal.ts';
import { readUtf8 } from './utf8.ts';

const { types } = avro;

/** @throws RefusedError AVRO_INVALID, ENCODING_INVALID, NESTING_TOO_DEEP, NUMBER_INEXACT */
export type AvroReader = (bytes: Uint8Array) => Json;

type Read = (cursor: AvroCursor) => Json;

/** Keeps what a logical type says beside the type that it stands on. */
class Marked extends types.LogicalType {
  readonly said: Readonly<Record<string, unknown>>;

  constructor(schema: Schema, options?: unknown) {
    super(schema, options);
    this.said = schema as unknown as Record<string, unknown>;
  }
}

const LOGICAL = [
  'decimal',
  'uuid',
  'date',
  'time-millis',
  'time-micros',
  'timestamp-millis',
  'timestamp-micros',
  'timestamp-nanos',
  'local-timestamp-millis',
  'local-timestamp-micros',
  'local-timestamp-nanos',
] as const;

/**
 * @param text - the schema, as JSON
 * @param named - schemas of the names that it uses, each behind those that it uses itself
 * @throws Error with what is wrong with the schemas
 */
export function compileAvro(text: string, named: readonly string[]): AvroReader {
  const options = {
    registry: {},
    logicalTypes: Object.fromEntries(LOGICAL.map((name) => [name, Marked])),
  };
  const parse = (each: string) => avro.Type.forSchema(JSON.parse(each) as Schema, options);
  for (const each of named) {
    parse(each);
  }
  const read = createReaders()(parse(text));
  return (bytes) => {
    const cursor = new AvroCursor(bytes);
    const value = read(cursor);
    if (cursor.left > 0) {
      throw wrong(`${cursor.left} bytes are left behind the value`);
    }
    return value;
  };
}

/** Schemas refer to themselves, so a reader is found by its type. */
function createReaders(): (type: Type) => Read {
  const known = new Map<Type, Read>();
  const readerOf = (type: Type): Read => {
    const found = known.get(type);
    if (found !== undefined) {
      return found;
    }
    let own: Read | null = null;
    known.set(type, (cursor) => own?.(cursor) ?? null);
    own = makeReader(type, readerOf);
    known.set(type, own);
    return own;
  };
  return readerOf;
}

const PRIMITIVES: Readonly<Record<string, Read>> = {
  null: () => null,
  boolean: (cursor) => cursor.flag(),
  int: (cursor) => Number(cursor.long()),
  long: (cursor) => whole(cursor.long()),
  float: (cursor) => finite(cursor.take(4).getFloat32(0, true)),
  double: (cursor) => finite(cursor.take(8).getFloat64(0, true)),
  bytes: (cursor) => base64(cursor.bytes()),
  string: (cursor) => readUtf8(cursor.bytes()),
};

function makeReader(type: Type, readerOf: (type: Type) => Read): Read {
  const primitive = PRIMITIVES[type.typeName];
  if (primitive !== undefined) {
    return primitive;
  }
  if (type instanceof types.FixedType) {
    return (cursor) => base64(cursor.raw(type.size));
  }
  if (type instanceof types.EnumType) {
    return (cursor) => one(type.symbols, cursor.index(), 'symbols');
  }
  if (type instanceof types.RecordType) {
    return recordReader(type, readerOf);
  }
  if (type instanceof types.ArrayType) {
    return arrayReader(type, readerOf);
  }
  if (type instanceof types.MapType) {
    return mapReader(readerOf(type.valuesType as Type));
  }
  if (type instanceof types.UnwrappedUnionType || type instanceof types.WrappedUnionType) {
    return unionReader(type.types, readerOf);
  }
  if (type instanceof Marked) {
    const { underlyingType, said } = type;
    const size = underlyingType instanceof types.FixedType ? underlyingType.size : null;
    return logicalReader(said, size) ?? readerOf(underlyingType);
  }
  throw new Error(`"${type.typeName}" is no type that is read`);
}

function recordReader(
  { fields }: { readonly fields: readonly { name: string; type: Type }[] },
  readerOf: (type: Type) => Read,
): Read {
  const members = fields.map(({ name, type }) => [name, readerOf(type)] as const);
  return (cursor) =>
    cursor.inside(() => {
      const made: JsonObject = {};
      for (const [name, read] of members) {
        addMember(made, name, read(cursor));
      }
      return made;
    });
}

/** Items take a byte at least each: the bytes bound how many there can be. */
function arrayReader(
  { itemsType }: { readonly itemsType: Type },
  readerOf: (type: Type) => Read,
): Read {
  if (leastBytes(itemsType, new Set()) === 0) {
    throw new Error('it has a list of items without bytes, of which there may be any number');
  }
  const read = readerOf(itemsType);
  return (cursor) =>
    cursor.inside(() => {
      const made: Json[] = [];
      for (let count = cursor.count(); count > 0; count = cursor.count()) {
        for (; count > 0; count--) {
          made.push(read(cursor));
        }
      }
      return made;
    });
}

function mapReader(read: Read): Read {
  return (cursor) =>
    cursor.inside(() => {
      const made: JsonObject = {};
      for (let count = cursor.count(); count > 0; count = cursor.count()) {
        for (; count > 0; count--) {
          const name = readUtf8(cursor.bytes());
          addMember(made, name, read(cursor));
        }
      }
      return made;
    });
}

/** The value alone, unless two branches look the same in JSON: then `{"branch": value}`. */
function unionReader(branches: readonly Type[], readerOf: (type: Type) => Read): Read {
  const forms = branches.map(formOf).filter((form) => form !== 'null' && form !== 'number');
  const isPlain = new Set(forms).size === forms.length;
  const reads = branches.map((branch) => {
    const read = readerOf(branch);
    const name = branch.branchName ?? branch.typeName;
    const plain = isPlain || formOf(branch) === 'null';
    return plain ? read : (cursor: AvroCursor) => ({ [name]: read(cursor) });
  });
  return (cursor) => one(reads, cursor.index(), 'branches')(cursor);
}

function formOf(type: Type): string {
  const { typeName } = type;
  const name = type instanceof Marked ? type.underlyingType.typeName : typeName;
  const forms: Readonly<Record<string, string>> = {
    int: 'number',
    long: 'number',
    float: 'number',
    double: 'number',
    bytes: 'text',
    string: 'text',
    fixed: 'text',
    enum: 'text',
    record: 'object',
    map: 'object',
  };
  // What a logical type makes of a number is a text.
  const form = forms[name] ?? name;
  return type instanceof Marked && form === 'number' ? 'text' : form;
}

function leastBytes(type: Type, above: ReadonlySet<Type>): number {
  if (type instanceof types.FixedType) {
    return type.size;
  }
  if (type instanceof Marked) {
    return leastBytes(type.underlyingType, above);
  }
  if (!(type instanceof types.RecordType)) {
    return type.typeName === 'null' ? 0 : 1;
  }
  // A record within itself has to stand behind a union, whose index is a byte.
  const inside = new Set([...above, type]);
  return above.has(type)
    ? 0
    : type.fields.reduce((sum, field) => sum + leastBytes(field.type, inside), 0);
}

function addMember(made: JsonObject, name: string, value: Json): void {
  if (name === '__proto__' || Object.hasOwn(made, name)) {
    const why = name === '__proto__' ? 'has a name that no document may use' : 'stands twice';
    throw new RefusedError('JSON_AMBIGUOUS', `The member ${shown(name)} ${why}.`);
  }
  made[name] = value;
}

function one<T>(items: readonly T[], index: number, what: string): T {
  const found = items[index];
  if (found === undefined) {
    throw wrong(`number ${index} is meant of ${items.length} ${what}`);
  }
  return found;
}

/** A number while it is one in JavaScript too, otherwise a text with all of its digits. */
function whole(value: bigint): Json {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

function finite(value: number): number {
  if (!Number.isFinite(value)) {
    throw new RefusedError('NUMBER_INEXACT', `The number is ${value}, which JSON has not.`);
  }
  return value;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
