/** Records that name their schema: read by it, or refused with the reason. */
import { describe, expect, it } from '@jest/globals';
import avro, { type Schema } from 'avsc';
import { createCleaner } from '../../../bridge/src/clean/cleaner.ts';
import {
  createRegisteredReader,
  type RegisteredSchema,
  SCHEMAS_MAX,
} from '../../../bridge/src/clean/wire-schema.ts';
import { registered } from '../../support/schema-registry.ts';
import { compiled, TIMESTAMP } from './cleaning.ts';

const ORDER = {
  type: 'record',
  name: 'Order',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'mode', type: ['null', 'string'] },
  ],
};
const JSON_ORDER = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'integer' }, place: { $ref: 'place.json' } },
};
const PLACE = { $id: 'place.json', type: 'string', minLength: 2, format: 'made-up' };

const of = (type: string, schema: unknown, references: object[] = []): RegisteredSchema => ({
  type,
  text: typeof schema === 'string' ? schema : JSON.stringify(schema),
  references: references.map((each) => ({ name: 'place.json', text: JSON.stringify(each) })),
});

const SCHEMAS: Readonly<Record<number, RegisteredSchema>> = {
  1: of('AVRO', ORDER),
  2: of('JSON', JSON_ORDER, [PLACE]),
  3: of('PROTOBUF', 'syntax = "proto3";'),
  4: of('AVRO', '"string"'),
  5: of('AVRO', '{"type": "recor"}'),
  6: of('JSON', { $schema: 'https://json-schema.org/draft/2020-12/schema', prefixItems: [] }),
  7: of('AVRO', { type: 'array', items: 'null' }),
  8: of('JSON', { $schema: 'https://json-schema.org/draft/2019-09/schema', type: 'object' }),
};

const avroOrder = avro.Type.forSchema(ORDER as Schema);

async function clean(value: Uint8Array) {
  const asked: number[] = [];
  const find = async (id: number) => {
    asked.push(id);
    return SCHEMAS[id] ?? null;
  };
  const rules = compiled({
    key: '/id',
    format: 'registry',
    steps: [{ rule: 'tidy', trim: { members: 'all' } }],
  });
  const cleaner = createCleaner(rules, { kind: 'json' }, { find });
  const raw = { key: null, value, headers: [], timestamp: TIMESTAMP, offset: 0n };
  const { documents, refused } = await cleaner.clean(raw);
  return { asked, refused, value: JSON.parse(String(documents?.[0]?.value ?? 'null')) as unknown };
}

describe('a record with the number of its schema', () => {
  it('is read as Avro', async () => {
    const payload = avroOrder.toBuffer({ id: 7, mode: { string: ' Air ' }.string });
    expect((await clean(registered(1, payload))).value).toMatchObject({ id: 7, mode: 'Air' });
  });

  it('is read as JSON that fits its schema, and the schemas that one uses', async () => {
    const { value } = await clean(registered(2, '{"id": 7, "place": "Ulm"}'));
    expect(value).toMatchObject({ id: 7, place: 'Ulm' });
    expect((await clean(registered(8, '{"id": 7}'))).value).toMatchObject({ id: 7 });
  });

  it.each([
    ['no number', Buffer.from('{"id":7}'), 'SCHEMA_ID_MISSING', 'does not start with a zero byte'],
    ['half a number', Buffer.from([0, 0, 0]), 'SCHEMA_ID_MISSING', 'does not start'],
    ['a number that is not known', registered(9, ''), 'SCHEMA_UNKNOWN', 'has no schema 9.'],
    ['the largest number', registered(0xffff_ffff, ''), 'SCHEMA_UNKNOWN', 'no schema 4294967295.'],
    ['Protobuf', registered(3, ''), 'SCHEMA_UNUSABLE', 'its type is PROTOBUF.'],
    ['a schema that is none', registered(5, ''), 'SCHEMA_UNUSABLE', 'Schema 5 cannot be used'],
    ['a schema of JSON that is none', registered(6, '{}'), 'SCHEMA_UNUSABLE', 'Schema 6'],
    ['a list without bytes', registered(7, Buffer.from([0])), 'SCHEMA_UNUSABLE', 'without bytes'],
    ['a text', registered(4, Buffer.from([2, 0x61])), 'DOCUMENT_INVALID', 'is no record'],
    ['bytes left over', registered(1, Buffer.from([2, 0, 0])), 'AVRO_INVALID', '1 bytes are left'],
    ['JSON that does not fit', registered(2, '{"place":"Ulm"}'), 'SCHEMA_VIOLATED', 'lacks "id"'],
    [
      'a part that does not fit',
      registered(2, '{"id":1,"place":"U"}'),
      'SCHEMA_VIOLATED',
      '/place',
    ],
    ['no JSON', registered(2, '{'), 'JSON_INVALID', 'not JSON'],
    [
      'JSON that would change',
      registered(2, '{"id":9007199254740993}'),
      'NUMBER_INEXACT',
      'digits',
    ],
  ])('is refused with %s', async (_, value, code, words) => {
    const { refused } = await clean(value);
    expect(refused).toMatchObject({ rule: 'format', code });
    expect(refused?.sentence).toContain(words);
  });
});

it('a schema is asked for once, until too many others have been', async () => {
  const asked: number[] = [];
  const read = createRegisteredReader({
    find: async (id) => {
      asked.push(id);
      return of('JSON', { type: 'object' });
    },
  });
  for (let id = 0; id <= SCHEMAS_MAX; id++) {
    await read(registered(id, '{}'));
    await read(registered(1, '{}'));
  }
  expect(asked).toHaveLength(SCHEMAS_MAX + 1);
  await read(registered(0, '{}'));
  await read(registered(1, '{}'));
  expect(asked.slice(SCHEMAS_MAX + 1)).toEqual([0]);
}, 60_000);

it('a cleaner without a registry says so instead of refusing records', async () => {
  const rules = compiled({ format: 'registry', steps: [{ rule: 't', trim: { members: 'all' } }] });
  const raw = { key: null, value: registered(1, ''), headers: [], timestamp: 0, offset: 0n };
  await expect(createCleaner(rules, { kind: 'json' }).clean(raw)).rejects.toThrow('without one');
});
