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

const key = fc.uint8Array({ minLength: 1, maxLength: 3, max: 3 });

const write = fc.record<Made>({
  key,
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

interface Transaction {
  readonly writes: readonly Made[];
  /** Keys whose metadata is written. */
  readonly renewed: readonly Uint8Array[];
}

/** rwset.TxReadWriteSet with one namespace, whose KVRWSet has writes 3 and metadata_writes 4. */
function results({ writes, renewed }: Transaction): Uint8Array {
  const set = new BinaryWriter();
  for (const each of writes) {
    set.tag(3, 2).bytes(message(each));
  }
  for (const each of renewed) {
    set.tag(4, 2).bytes(new BinaryWriter().tag(1, 2).bytes(each).finish());
  }
  const namespace = new BinaryWriter().tag(1, 2).string('chaincode').tag(2, 2).bytes(set.finish());
  return new BinaryWriter().tag(2, 2).bytes(namespace.finish()).finish();
}

const isGone = ({ isDelete, value }: Made): boolean => isDelete === true || value.length === 0;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** txmgr.Updates: kvwrites 1, each with namespace 1, key 3, is_delete 4, value 5, version 6. */
function expected(transactions: readonly Transaction[]): Buffer {
  const last = new Map<string, { made: Made; version: Buffer }>();
  transactions.forEach(({ writes, renewed }, index) => {
    const version = versionBytes(BLOCK, index);
    for (const made of writes) {
      last.set(hex(made.key), { made, version });
    }
    for (const { made } of renewed.flatMap((key) => last.get(hex(key)) ?? [])) {
      if (!isGone(made)) {
        last.set(hex(made.key), { made, version });
      }
    }
  });
  const all = new BinaryWriter();
  const inOrder = [...last.values()].sort((a, b) => Buffer.compare(a.made.key, b.made.key));
  inOrder.forEach(({ made, version }, at) => {
    const one = new BinaryWriter();
    if (at === 0) {
      one.tag(1, 2).string('chaincode');
    }
    one.tag(3, 2).bytes(made.key);
    if (isGone(made)) {
      one.tag(4, 0).bool(true);
    } else {
      one.tag(5, 2).bytes(made.value);
    }
    all.tag(1, 2).bytes(one.tag(6, 2).bytes(version).finish());
  });
  return Buffer.from(all.finish());
}

const transaction = fc
  .record({
    writes: fc.array(write, { maxLength: 12 }),
    renewed: fc.array(key, { maxLength: 3 }),
    isSorted: fc.boolean(),
  })
  .map(({ writes, renewed, isSorted }): Transaction => {
    const byKey = writes.toSorted((a, b) => Buffer.compare(a.key, b.key));
    return { writes: isSorted ? byKey : writes, renewed };
  });

test('the last write of each key is hashed, whatever order and form the writes have', () => {
  fc.assert(
    fc.property(fc.array(transaction, { maxLength: 6 }), (transactions) => {
      const updates = new Updates();
      transactions.forEach((each, index) => {
        updates.apply(readAccessSets(results(each)), versionBytes(BLOCK, index));
      });
      const pieces: Buffer[] = [];
      updates.hashInto({ update: (piece) => pieces.push(Buffer.from(piece)) });
      expect(Buffer.concat(pieces).equals(expected(transactions))).toBe(true);
    }),
    { numRuns: 500 },
  );
});
