/**
 * The bytes by which a commit hash covers what a block has written. Source: Fabric's
 * core/ledger/kvledger/txmgmt/txmgr (update_batch_bytes.go).
 */
import type { AccessSet } from './rwset.ts';
import { uvarint, uvarintBytes } from './wire.ts';
import type { Writes } from './writes.ts';

/** Takes bytes piece by piece, as a hash of node:crypto does; keeps none of them. */
export interface Hashing {
  update(bytes: Uint8Array): unknown;
}

/** What a block writes, as its commit hash has it: the last write of each key. */
export class Updates {
  private readonly byNamespace = new Map<string, Map<string, Group>>();
  /** Keys of which only metadata was written, whose value is one of an earlier block. */
  readonly unknown = new Set<string>();

  /** Transactions of the block whose reads somebody will ask about; before anything is applied. */
  expect(sets: readonly AccessSet[]): void {
    for (const { namespace, collection, reads } of sets) {
      for (const { key } of reads) {
        const { read, shapes } = this.groupOf(namespace, collection);
        read.add(key.toString('latin1'));
        shapes.add(shapeOf(key.length, key[0] ?? 0));
      }
    }
  }

  /** @param version - of the transaction: block and index */
  apply(sets: readonly AccessSet[], version: Buffer): void {
    for (const { namespace, collection, writes, metadataWrites } of sets) {
      if (writes.length + metadataWrites.length === 0) {
        continue;
      }
      const group = this.groupOf(namespace, collection);
      put(group, writes, version);
      for (const { key } of metadataWrites) {
        this.renew(group, `${namespace} ${collection}`, key, version);
      }
    }
  }

  /** Whether something that was read has been written. */
  conflictsWith(sets: readonly AccessSet[]): boolean {
    return sets.some(({ namespace, collection, reads }) =>
      reads.some(({ key }) =>
        this.groupOf(namespace, collection).written.has(key.toString('latin1')),
      ),
    );
  }

  /** Hashes txmgr.Updates: namespaces, collections and keys in the order of their bytes. */
  hashInto(hash: Hashing): void {
    const writer = new Writer(hash);
    for (const [namespace, collections] of inOrder(this.byNamespace)) {
      let name = Buffer.from(namespace);
      for (const [collection, { runs }] of inOrder(collections)) {
        let collectionName = Buffer.from(collection);
        forLastOfEach(runs, (writes, index, version) => {
          writeUpdate(writer, { writes, index, version }, name, collectionName);
          [name, collectionName] = [NONE, NONE];
        });
      }
    }
    writer.flush();
  }

  private groupOf(namespace: string, collection: string): Group {
    let collections = this.byNamespace.get(namespace);
    if (collections === undefined) {
      collections = new Map<string, Group>();
      this.byNamespace.set(namespace, collections);
    }
    let group = collections.get(collection);
    if (group === undefined) {
      group = { runs: [], read: new Set(), shapes: new Set(), written: new Set() };
      collections.set(collection, group);
    }
    return group;
  }

  /** A key keeps its value and gets a new version with its metadata. */
  private renew(group: Group, where: string, key: Buffer, version: Buffer): void {
    const before = lastWrite(group.runs, key);
    if (before === null) {
      const name = key.toString('latin1');
      this.unknown.add(`${where} ${name}`);
      group.written.add(name);
    } else if (before.valueLength(0) > 0) {
      put(group, before, version);
    }
  }
}

/** What is written, and which of it is read by other transactions of the block. */
interface Group {
  /** In the order of the transactions. */
  readonly runs: Run[];
  readonly read: Set<string>;
  /** Of the keys that are read: few keys need to be looked at. */
  readonly shapes: Set<number>;
  readonly written: Set<string>;
}

interface Run {
  readonly writes: Writes;
  readonly version: Buffer;
}

const shapeOf = (length: number, firstByte: number): number => length * 0x100 + firstByte;

function put({ runs, read, shapes, written }: Group, writes: Writes, version: Buffer): void {
  runs.push({ writes, version });
  for (let index = 0; shapes.size > 0 && index < writes.length; index++) {
    if (shapes.has(shapeOf(writes.keyLength(index), writes.firstByte(index)))) {
      const name = writes.keyOf(index).toString('latin1');
      if (read.has(name)) {
        written.add(name);
      }
    }
  }
}

function lastWrite(runs: readonly Run[], key: Buffer): Writes | null {
  for (const { writes } of runs.toReversed()) {
    const index = writes.lastIndexOf(key);
    if (index >= 0) {
      return writes.only(index);
    }
  }
  return null;
}

/** Tells of each key the last write of it, in the order of the keys. */
function forLastOfEach(
  runs: readonly Run[],
  tell: (writes: Writes, index: number, version: Buffer) => void,
): void {
  const merge = new Merge(runs);
  const order = merge.order();
  for (let at = 0; at < order.length; at++) {
    const [one, next] = [order[at] ?? 0, order[at + 1]];
    if (next === undefined || !merge.hasRepeated || merge.compare(one, next) !== 0) {
      const { writes, version } = merge.runOf(one);
      tell(writes, merge.indexOf(one), version);
    }
  }
}

/**
 * Puts all writes of runs in the order of their keys, those of the same key as they were written.
 * A peer has sorted those of each transaction, so that only what is in order already is merged.
 */
class Merge {
  /** Whether some key is written more than once: whatever is the same is compared on the way. */
  hasRepeated = false;
  private readonly runs: readonly Run[];
  /** Of each write, as they come: which run, and which of its writes. */
  private readonly run: Uint32Array;
  private readonly index: Uint32Array;

  constructor(runs: readonly Run[]) {
    const count = runs.reduce((sum, { writes }) => sum + writes.length, 0);
    this.runs = runs;
    this.run = new Uint32Array(count);
    this.index = new Uint32Array(count);
    let next = 0;
    runs.forEach(({ writes }, run) => {
      for (let index = 0; index < writes.length; index++) {
        this.run[next] = run;
        this.index[next] = index;
        next += 1;
      }
    });
  }

  runOf(one: number): Run {
    return this.runs[this.run[one] as number] as Run;
  }

  indexOf(one: number): number {
    return this.index[one] as number;
  }

  compare(one: number, other: number): number {
    const { writes } = this.runOf(one);
    const order = writes.compareKeys(
      this.indexOf(one),
      this.runOf(other).writes,
      this.indexOf(other),
    );
    this.hasRepeated ||= order === 0;
    return order;
  }

  order(): Uint32Array {
    let order = this.run.map((_, at) => at);
    let other = new Uint32Array(order.length);
    for (let ends = this.endsOfOrdered(); ends.length > 1; ends = everySecond(ends)) {
      let start = 0;
      for (let n = 0; n < ends.length; n += 2) {
        const middle = ends[n] ?? 0;
        const end = ends[n + 1] ?? middle;
        this.mergeInto(other, order, start, middle, end);
        start = end;
      }
      [order, other] = [other, order];
    }
    return order;
  }

  /** Behind which writes the next one has a lower key; and the end. */
  private endsOfOrdered(): number[] {
    const ends: number[] = [];
    for (let at = 1; at <= this.run.length; at++) {
      if (at === this.run.length || this.compare(at - 1, at) > 0) {
        ends.push(at);
      }
    }
    return ends;
  }

  private mergeInto(
    target: Uint32Array,
    from: Uint32Array,
    start: number,
    middle: number,
    end: number,
  ): void {
    let [left, right] = [start, middle];
    for (let at = start; at < end; at++) {
      const isLeft =
        right === end ||
        (left < middle && this.compare(from[left] as number, from[right] as number) <= 0);
      target[at] = from[isLeft ? left++ : right++] as number;
    }
  }
}

function everySecond(ends: readonly number[]): number[] {
  return ends.filter((_, n) => n % 2 === 1 || n === ends.length - 1);
}

const NONE: Buffer<ArrayBuffer> = Buffer.alloc(0);

/** Updates.kvwrites 1, each a KVWrite. */
const ITEM = 0x0a;
/** KVWrite: namespace 1, collection 2, key 3, isDelete 4, value 5, version_bytes 6. */
const [NAMESPACE, COLLECTION, KEY] = [0x0a, 0x12, 0x1a];
const [IS_DELETE, VALUE, VERSION] = [0x20, 0x2a, 0x32];

interface Update extends Run {
  readonly index: number;
}

/** A name that is that of the update before it is left out. */
function writeUpdate(
  writer: Writer,
  { writes, index, version }: Update,
  name: Buffer,
  collectionName: Buffer,
): void {
  const valueLength = writes.valueLength(index);
  const length =
    sizeOf(name.length) +
    sizeOf(collectionName.length) +
    sizeOf(writes.keyLength(index)) +
    (valueLength === 0 ? 2 : sizeOf(valueLength)) +
    sizeOf(version.length);
  writer.reserve(length);
  writer.byte(ITEM);
  writer.length(length);
  writer.field(NAMESPACE, name);
  writer.field(COLLECTION, collectionName);
  writer.write(writes, index);
  writer.field(VERSION, version);
}

const sizeOf = (length: number): number => (length === 0 ? 0 : 1 + uvarintBytes(length) + length);

/** What is hashed at once: a call for each small field would take longer than the hashing. */
const CHUNK_BYTES = 64 * 1_024;
/** Hashing is over before anybody else can come. */
const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
/** All tags and lengths of an update. */
const HEADS_BYTES_MAX = 64;
const ROOM_BYTES = CHUNK_BYTES - HEADS_BYTES_MAX;

class Writer {
  private readonly hash: Hashing;
  private at = 0;

  constructor(hash: Hashing) {
    this.hash = hash;
  }

  /** Makes room for heads of fields, and for so many bytes if they fit at all. */
  reserve(bytes: number): void {
    if (this.at + HEADS_BYTES_MAX + bytes > CHUNK_BYTES) {
      this.flush();
    }
  }

  byte(value: number): void {
    chunk[this.at] = value;
    this.at += 1;
  }

  length(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** Nothing when the value is empty, as proto3 has it. */
  field(tag: number, value: Buffer): void {
    if (value.length === 0) {
      return;
    }
    this.byte(tag);
    this.length(value.length);
    if (value.length > ROOM_BYTES) {
      this.flush();
      this.hash.update(value);
      return;
    }
    if (this.at + value.length > ROOM_BYTES) {
      this.flush();
    }
    chunk.set(value, this.at);
    this.at += value.length;
  }

  write(writes: Writes, index: number): void {
    const isSmall = this.at + writes.valueLength(index) + writes.keyLength(index) < ROOM_BYTES;
    const copied = isSmall ? writes.copyFields(index, chunk, this.at, KEY, VALUE) : 0;
    if (copied > 0) {
      this.at += copied;
      return;
    }
    const value = writes.valueOf(index);
    this.field(KEY, writes.keyOf(index));
    if (value === null) {
      this.byte(IS_DELETE);
      this.byte(1);
    } else {
      this.field(VALUE, value);
    }
  }

  flush(): void {
    this.hash.update(chunk.subarray(0, this.at));
    this.at = 0;
  }
}

function inOrder<V>(map: ReadonlyMap<string, V>): [string, V][] {
  return [...map].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Each number as the count of its bytes and the bytes, most significant first. */
export function versionBytes(block: bigint, transaction: number): Buffer {
  return Buffer.concat([ordered(block), ordered(BigInt(transaction))]);
}

function ordered(value: bigint): Buffer {
  const hex = value === 0n ? '' : value.toString(16);
  const digits = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return Buffer.concat([uvarint(digits.length), digits]);
}
