/** What a commit hash covers: of each key the last write, in the order of the keys' bytes. */
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readAccessSets } from '../../bridge/src/verify/rwset.ts';
import { Updates, versionBytes } from '../../bridge/src/verify/updates.ts';

interface Made {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Null where the message does not say it, as Fabric leaves out what is false. */
  readonly isDelete: boolean | null;
  /** Another order of the fields than Fabric's own serializer has. */
  readonly isReversed: boolean;
}

const BLOCK = 7n;
const LARGE_BYTES = 70_000;

const write = fc.record<Made>({
  key: fc.uint8Array({ minLength: 1, maxLength: 3, max: 3 }),
  value: fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.constant(new Uint8Array(LARGE_BYTES).fill(1)),
  ),
  isDelete: fc.constantFrom(true, false, null),
  isReversed: fc.boolean(),
});

/** kvrwset.KVWrite: key 1, is_delete 2, value 3. */
function message({ key, value, isDelete, isReversed }: Made): Uint8Array {
  const writer = new BinaryWriter();
  const parts = [
    () => writer.tag(1, 2).bytes(key),
    () => (isDelete === null ? writer : writer.tag(2, 0).bool(isDelete)),
    () => (value.length > 0 ? writer.tag(3, 2).bytes(value) : writer),
  ];
  for (const put of isReversed ? parts.toReversed() : parts) {
    put();
  }
  return writer.finish();
}

/** rwset.TxReadWriteSet with one namespace, whose KVRWSet has these writes. */
function results(writes: readonly Made[]): Uint8Array {
  const set = new BinaryWriter();
  for (const each of writes) {
    set.tag(3, 2).bytes(message(each));
  }
  const namespace = new BinaryWriter().tag(1, 2).string('chaincode').tag(2, 2).bytes(set.finish());
  return new BinaryWriter().tag(2, 2).bytes(namespace.finish()).finish();
}

/** txmgr.Updates: kvwrites 1, each with namespace 1, key 3, is_delete 4, value 5, version 6. */
function expected(transactions: readonly (readonly Made[])[]): Buffer {
  const last = new Map<string, { made: Made; version: Buffer }>();
  transactions.forEach((writes, index) => {
    for (const made of writes) {
      const version = versionBytes(BLOCK, index);
      last.set(Buffer.from(made.key).toString('hex'), { made, version });
    }
  });
  const all = new BinaryWriter();
  const inOrder = [...last.values()].sort((a, b) => Buffer.compare(a.made.key, b.made.key));
  inOrder.forEach(({ made: { key, value, isDelete }, version }, at) => {
    const one = new BinaryWriter();
    if (at === 0) {
      one.tag(1, 2).string('chaincode');
    }
    one.tag(3, 2).bytes(key);
    if (isDelete === true || value.length === 0) {
      one.tag(4, 0).bool(true);
    } else {
      one.tag(5, 2).bytes(value);
    }
    all.tag(1, 2).bytes(one.tag(6, 2).bytes(version).finish());
  });
  return Buffer.from(all.finish());
}

test('the last write of each key is hashed, whatever order and form the writes have', () => {
  const sorted = fc.boolean();
  fc.assert(
    fc.property(
      fc.array(fc.array(write, { maxLength: 12 }), { maxLength: 6 }),
      sorted,
      (all, is) => {
        const transactions = all.map((writes) =>
          is ? writes.toSorted((a, b) => Buffer.compare(a.key, b.key)) : writes,
        );
        const updates = new Updates();
        transactions.forEach((writes, index) => {
          updates.apply(readAccessSets(results(writes)), versionBytes(BLOCK, index));
        });
        const pieces: Buffer[] = [];
        updates.hashInto({ update: (piece) => pieces.push(Buffer.from(piece)) });
        expect(Buffer.concat(pieces).equals(expected(transactions))).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});
