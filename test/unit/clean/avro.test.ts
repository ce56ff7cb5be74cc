/** Avro's bytes to JSON: each value exact, and any bytes a value or a refusal, soon. */
import { describe, expect, it } from '@jest/globals';
import avro, { type Schema } from 'avsc';
import fc from 'fast-check';
import { compileAvro } from '../../../bridge/src/clean/avro.ts';
import { RefusedError } from '../../../bridge/src/clean/refusal.ts';

const read = (schema: unknown, bytes: Uint8Array) => compileAvro(JSON.stringify(schema), [])(bytes);
const record = (...fields: [string, unknown][]) => ({
  type: 'record',
  name: 'R',
  fields: fields.map(([name, type]) => ({ name, type })),
});

/** Zigzag, as the encoding of longs has it. */
function long(value: bigint): number[] {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  for (; left > 127n; left >>= 7n) {
    bytes.push(Number(left & 127n) | 128);
  }
  return [...bytes, Number(left)];
}

const logical = (type: unknown, logicalType: string, more: object = {}) => ({
  type,
  logicalType,
  ...more,
});

describe('a value', () => {
  it.each([
    ['a long that a number keeps', 'long', long(9_007_199_254_740_991n), 9_007_199_254_740_991],
    ['a long that none keeps', 'long', long(9_007_199_254_740_993n), '9007199254740993'],
    ['the least long', 'long', long(-9_223_372_036_854_775_808n), '-9223372036854775808'],
    ['bytes', 'bytes', [4, 0xff, 0x00], '/wA='],
    ['a text', 'string', [4, 0xc3, 0xa9], 'é'],
    ['bytes of a fixed size', { type: 'fixed', name: 'F', size: 2 }, [1, 2], 'AQI='],
    ['one of few words', { type: 'enum', name: 'E', symbols: ['A', 'B'] }, [2], 'B'],
    ['a list in two blocks', { type: 'array', items: 'int' }, [2, 2, 1, 2, 4, 0], [1, 2]],
    ['a map', { type: 'map', values: 'boolean' }, [2, 2, 0x61, 1, 0], { a: true }],
    ['nothing of a union', ['null', 'string'], [0], null],
    ['something of a union', ['null', 'string'], [2, 2, 0x61], 'a'],
    ['a number of a union', ['int', 'double', 'string'], [0, 6], 3],
    ['bytes beside a text', ['bytes', 'string'], [0, 2, 0x61], { bytes: 'YQ==' }],
    [
      'a decimal',
      logical('bytes', 'decimal', { precision: 9, scale: 2 }),
      [4, 0x04, 0xe2],
      '12.50',
    ],
    [
      'a small one below zero',
      logical('bytes', 'decimal', { precision: 9, scale: 2 }),
      [2, 0xff],
      '-0.01',
    ],
    [
      'a large one',
      logical('fixed', 'decimal', { name: 'D', size: 9, precision: 20 }),
      [1, 0, 0, 0, 0, 0, 0, 0, 1],
      '18446744073709551617',
    ],
    ['a date', logical('int', 'date'), long(20_000n), '2024-10-04'],
    ['one before 1970', logical('int', 'date'), long(-1n), '1969-12-31'],
    ['a time', logical('int', 'time-millis'), long(45_000_001n), '12:30:00.001'],
    ['a finer time', logical('long', 'time-micros'), long(1n), '00:00:00.000001'],
    [
      'an instant',
      logical('long', 'timestamp-millis'),
      long(1_767_323_045_678n),
      '2026-01-02T03:04:05.678Z',
    ],
    [
      'a finer instant',
      logical('long', 'timestamp-micros'),
      long(-1n),
      '1969-12-31T23:59:59.999999Z',
    ],
    [
      'a local time',
      logical('long', 'local-timestamp-millis'),
      long(0n),
      '1970-01-01T00:00:00.000',
    ],
    ['an unknown logical type', logical('int', 'dozen'), [6], 3],
    ['a UUID', logical('string', 'uuid'), [2, 0x61], 'a'],
  ])('is told exactly: %s', (_, type, bytes, expected) => {
    expect(read(type, Buffer.from(bytes))).toEqual(expected);
  });

  it('of a type that holds itself is read', () => {
    const node = record(['value', 'int'], ['next', ['null', 'R']]);
    expect(read(node, Buffer.from([2, 2, 4, 0]))).toEqual({
      value: 1,
      next: { value: 2, next: null },
    });
  });

  it('may use the names of other schemas', () => {
    const place = { type: 'record', name: 'a.Place', fields: [{ name: 'gln', type: 'string' }] };
    const text = JSON.stringify(record(['at', 'a.Place']));
    const bytes = Buffer.from([2, 0x39]);
    expect(compileAvro(text, [JSON.stringify(place)])(bytes)).toEqual({ at: { gln: '9' } });
  });
});

describe('bytes that do not fit', () => {
  const list = { type: 'array', items: 'int' };
  const deep = record(['next', ['null', 'R']]);
  it.each([
    ['are too few', 'double', [1], 'AVRO_INVALID', '8 bytes should follow, and there are 1'],
    ['are too many', 'int', [2, 2], 'AVRO_INVALID', '1 bytes are left'],
    ['are none', 'int', [], 'AVRO_INVALID', '1 bytes should follow'],
    ['have no end', 'long', Array(11).fill(0x80), 'AVRO_INVALID', 'a number has no end'],
    ['promise a billion items', list, long(1_000_000_000n), 'AVRO_INVALID', '1000000000 items'],
    ['promise as many backwards', list, [...long(-(2n ** 62n)), 0], 'AVRO_INVALID', 'items'],
    ['promise a long text', 'string', long(2n ** 40n), 'AVRO_INVALID', '1099511627776 bytes'],
    ['have a length below zero', 'bytes', [1], 'AVRO_INVALID', 'a length is -1'],
    ['name a branch that is none', ['null', 'int'], [4], 'AVRO_INVALID', 'number 2 is meant of 2'],
    ['are no truth', 'boolean', [2], 'AVRO_INVALID', 'neither true nor false'],
    ['are no UTF-8', 'string', [2, 0xff], 'ENCODING_INVALID', 'Byte 0 is not UTF-8'],
    ['are no number', 'float', [0, 0, 0xc0, 0x7f], 'NUMBER_INEXACT', 'NaN'],
    ['go deeper than others', deep, Array(200).fill(2), 'NESTING_TOO_DEEP', 'more than 64 deep'],
    [
      'name a member twice',
      { type: 'map', values: 'null' },
      [4, 2, 0x61, 2, 0x61, 0],
      'JSON_AMBIGUOUS',
      'twice',
    ],
    [
      'are beyond any date',
      logical('long', 'timestamp-millis'),
      long(2n ** 62n),
      'DATE_INVALID',
      'beyond',
    ],
    ['are no time of a day', logical('int', 'time-millis'), [1], 'DATE_INVALID', 'no time'],
  ])('are refused when they %s', (_, type, bytes, code, words) => {
    const attempt = () => read(type, Buffer.from(bytes as number[]));
    expect(attempt).toThrow(RefusedError);
    expect(attempt).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(words) }),
    );
  });

  it('of items without bytes are not read at all', () => {
    expect(() => read({ type: 'array', items: 'null' }, Buffer.from([0]))).toThrow('without bytes');
  });

  const everything: Schema = record(
    ['a', { type: 'array', items: ['null', 'string', 'long'] }],
    [
      'm',
      {
        type: 'map',
        values: { type: 'record', name: 'I', fields: [{ name: 'd', type: 'double' }] },
      },
    ],
    ['e', { type: 'enum', name: 'E', symbols: ['X', 'Y'] }],
    ['f', { type: 'fixed', name: 'F', size: 3 }],
    ['t', logical('long', 'timestamp-micros')],
    ['n', ['null', 'R']],
  ) as Schema;

  it('are a value or a refusal, whatever they are', () => {
    const reader = compileAvro(JSON.stringify(everything), []);
    const written = avro.Type.forSchema(everything);
    const some = fc.constant(null).map(() => written.toBuffer(written.random()));
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 80 }), some);
    let read = 0;
    fc.assert(
      fc.property(bytes, fc.nat(), fc.nat(255), (own, at, byte) => {
        const changed = Buffer.from(own);
        changed[at % (changed.length + 1)] = byte;
        try {
          JSON.stringify(reader(changed));
          read += 1;
        } catch (error) {
          expect(error).toBeInstanceOf(RefusedError);
        }
      }),
      { numRuns: 1_000 },
    );
    expect(read).toBeGreaterThan(50);
  });

  it('are read as the library reads them, where it reads them well', () => {
    const plain: Schema = record(
      ['i', 'int'],
      ['l', { type: 'array', items: 'double' }],
      ['s', 'string'],
      ['u', ['null', 'boolean', 'string']],
      ['m', { type: 'map', values: 'int' }],
    ) as Schema;
    const type = avro.Type.forSchema(plain);
    const reader = compileAvro(JSON.stringify(plain), []);
    for (let run = 0; run < 300; run++) {
      const value: unknown = type.random();
      expect(reader(type.toBuffer(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }
  });
});
