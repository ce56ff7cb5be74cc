/**
 * Read-write sets, and the bytes by which a commit hash covers what a block has written. Source:
 * Fabric's kvrwset messages, and core/ledger/kvledger/txmgmt/txmgr (update_batch_bytes.go).
 */
import { bytesField, readFields, readRanges, uvarint } from './wire.ts';

/** Where and when a value was written: block and index in it; null for "not there". */
export type Version = { readonly block: bigint; readonly transaction: bigint } | null;

export interface Read {
  readonly key: Buffer;
  readonly version: Version;
}

export interface Write {
  readonly key: Buffer;
  /** Null deletes. */
  readonly value: Buffer | null;
}

export interface MetadataWrite {
  readonly key: Buffer;
  /** The endorsement policy that the key has from now on; null when it has none. */
  readonly policy: Buffer | null;
}

/** A collection is '' for what is public; keys and values of others are hashes. */
export interface AccessSet {
  readonly namespace: string;
  readonly collection: string;
  readonly reads: readonly Read[];
  readonly hasRanges: boolean;
  readonly writes: readonly Write[];
  readonly metadataWrites: readonly MetadataWrite[];
}

const KEY_POLICY = 'VALIDATION_PARAMETER';
/** A hash of nothing deletes as well (SHA-256). */
const HASH_OF_NOTHING = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/**
 * The sets of rwset.TxReadWriteSet: for each namespace what is public, then its collections.
 *
 * @throws Error when the bytes are none
 */
export function readAccessSets(results: Uint8Array): AccessSet[] {
  const sets: AccessSet[] = [];
  readFields(results, {
    bytes: (field, value) => {
      if (field === 2) {
        sets.push(...readNamespace(value));
      }
    },
  });
  return sets;
}

function readNamespace(bytes: Buffer): AccessSet[] {
  const namespace = bytesField(bytes, 1).toString('utf8');
  const sets: AccessSet[] = [];
  const collections: Buffer[] = [];
  let open: Buffer = Buffer.alloc(0);
  readFields(bytes, {
    bytes: (field, value) => {
      open = field === 2 ? value : open;
      if (field === 3) {
        collections.push(value);
      }
    },
  });
  sets.push({ namespace, collection: '', ...readPublic(open) });
  for (const each of collections) {
    const collection = bytesField(each, 1).toString('utf8');
    sets.push({ namespace, collection, ...readHashed(bytesField(each, 2)) });
  }
  return sets;
}

type Accesses = Omit<AccessSet, 'namespace' | 'collection'>;

/** kvrwset.KVRWSet: reads 1, range_queries_info 2, writes 3, metadata_writes 4. */
function readPublic(bytes: Buffer): Accesses {
  const reads: Read[] = [];
  const writes: Write[] = [];
  const metadataWrites: MetadataWrite[] = [];
  const readWrite = createWriteReader(bytes);
  let hasRanges = false;
  readRanges(bytes, 0, bytes.length, {
    bytes: (field, start, end) => {
      hasRanges ||= field === 2;
      if (field === 1) {
        reads.push(readRead(bytes.subarray(start, end)));
      } else if (field === 3) {
        writes.push(readWrite(start, end));
      } else if (field === 4) {
        metadataWrites.push(readMetadataWrite(bytes.subarray(start, end)));
      }
    },
  });
  return { reads, hasRanges, writes, metadataWrites };
}

/** kvrwset.HashedRWSet: hashed_reads 1, hashed_writes 2, metadata_writes 3. */
function readHashed(bytes: Buffer): Accesses {
  const reads: Read[] = [];
  const writes: Write[] = [];
  const metadataWrites: MetadataWrite[] = [];
  readFields(bytes, {
    bytes: (field, value) => {
      if (field === 1) {
        reads.push(readRead(value));
      } else if (field === 2) {
        const write = createWriteReader(value)(0, value.length);
        const isGone = write.value?.toString('hex') === HASH_OF_NOTHING;
        writes.push(isGone ? { ...write, value: null } : write);
      } else if (field === 3) {
        metadataWrites.push(readMetadataWrite(value));
      }
    },
  });
  return { reads, hasRanges: false, writes, metadataWrites };
}

/** kvrwset.KVRead and KVReadHash: key 1, version 2 {block_num 1, tx_num 2}. */
function readRead(bytes: Buffer): Read {
  let key: Buffer = Buffer.alloc(0);
  let version: Version = null;
  readFields(bytes, {
    bytes: (field, value) => {
      key = field === 1 ? value : key;
      version = field === 2 ? readVersion(value) : version;
    },
  });
  return { key, version };
}

function readVersion(bytes: Buffer): Version {
  let [block, transaction] = [0n, 0n];
  readFields(bytes, {
    integer: (field, value) => {
      block = field === 1 ? value : block;
      transaction = field === 2 ? value : transaction;
    },
  });
  return { block, transaction };
}

/** kvrwset.KVWrite and KVWriteHash: key 1, is_delete 2, value 3; an empty value deletes too. */
function createWriteReader(bytes: Buffer): (start: number, end: number) => Write {
  let [key, value] = [NONE as Buffer, NONE as Buffer];
  let isDelete = false;
  const onRange = {
    bytes: (field: number, start: number, end: number) => {
      if (field === 1) {
        key = bytes.subarray(start, end);
      } else if (field === 3) {
        value = bytes.subarray(start, end);
      }
    },
    integer: (field: number, found: bigint) => {
      isDelete = field === 2 ? found !== 0n : isDelete;
    },
  };
  return (start, end) => {
    [key, value] = [NONE, NONE];
    isDelete = false;
    readRanges(bytes, start, end, onRange);
    return { key, value: isDelete || value.length === 0 ? null : value };
  };
}

/** kvrwset.KVMetadataWrite and KVMetadataWriteHash: key 1, entries 2 {name 1, value 2}. */
function readMetadataWrite(bytes: Buffer): MetadataWrite {
  let key: Buffer = Buffer.alloc(0);
  let policy: Buffer | null = null;
  readFields(bytes, {
    bytes: (field, value) => {
      key = field === 1 ? value : key;
      if (field === 2 && bytesField(value, 1).toString('utf8') === KEY_POLICY) {
        const found = bytesField(value, 2);
        policy = found.length === 0 ? null : found;
      }
    },
  });
  return { key, policy };
}

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
        this.groupOf(namespace, collection).read.add(key.toString('latin1'));
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
      for (const { key, value } of writes) {
        put(group, { name: key.toString('latin1'), key, value, version });
      }
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
      for (const [collection, { updates }] of inOrder(collections)) {
        let collectionName = Buffer.from(collection);
        // The names are latin1 of the keys' bytes, whose order is that of the bytes.
        updates.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
        updates.forEach((update, index) => {
          // Of several writes of a key the last one counts, and sorting keeps their order.
          if (updates[index + 1]?.name !== update.name) {
            writeUpdate(writer, update, name, collectionName);
            [name, collectionName] = [NONE, NONE];
          }
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
      group = { updates: [], read: new Set<string>(), written: new Set<string>() };
      collections.set(collection, group);
    }
    return group;
  }

  /** A key keeps its value and gets a new version with its metadata. */
  private renew(group: Group, where: string, key: Buffer, version: Buffer): void {
    const name = key.toString('latin1');
    const before = group.updates.findLast((update) => update.name === name);
    if (before === undefined) {
      this.unknown.add(`${where} ${name}`);
      group.written.add(name);
    } else if (before.value !== null) {
      put(group, { ...before, version });
    }
  }
}

/** What is written, and which of it is read by other transactions of the block. */
interface Group {
  readonly updates: Update[];
  readonly read: Set<string>;
  readonly written: Set<string>;
}

interface Update {
  /** Latin1 of the key. */
  readonly name: string;
  readonly key: Buffer;
  readonly value: Buffer | null;
  readonly version: Buffer;
}

function put({ updates, read, written }: Group, update: Update): void {
  updates.push(update);
  if (read.has(update.name)) {
    written.add(update.name);
  }
}

const NONE: Buffer<ArrayBuffer> = Buffer.alloc(0);

/** Updates.kvwrites 1, each a KVWrite. */
const ITEM = 0x0a;
/** KVWrite: namespace 1, collection 2, key 3, isDelete 4, value 5, version_bytes 6. */
const [NAMESPACE, COLLECTION, KEY] = [0x0a, 0x12, 0x1a];
const [IS_DELETE, VALUE, VERSION] = [0x20, 0x2a, 0x32];

/** A name that is that of the update before it is left out. */
function writeUpdate(
  writer: Writer,
  { key, value, version }: Update,
  name: Buffer,
  collectionName: Buffer,
): void {
  const length =
    sizeOf(name) +
    sizeOf(collectionName) +
    sizeOf(key) +
    (value === null ? 2 : sizeOf(value)) +
    sizeOf(version);
  writer.reserve(length);
  writer.byte(ITEM);
  writer.length(length);
  writer.field(NAMESPACE, name);
  writer.field(COLLECTION, collectionName);
  writer.field(KEY, key);
  if (value === null) {
    writer.byte(IS_DELETE);
    writer.byte(1);
  } else {
    writer.field(VALUE, value);
  }
  writer.field(VERSION, version);
}

const sizeOf = ({ length }: Buffer): number =>
  length === 0 ? 0 : 1 + uvarintSize(length) + length;

function uvarintSize(value: number): number {
  return value < 0x80
    ? 1
    : value < 0x4000
      ? 2
      : value < 0x20_0000
        ? 3
        : value < 0x1000_0000
          ? 4
          : 5;
}

/** What is hashed at once: a call for each small field would take longer than the hashing. */
const CHUNK_BYTES = 64 * 1_024;
/** Hashing is over before anybody else can come. */
const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
/** All tags and lengths of an update. */
const HEADS_BYTES_MAX = 64;

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
    if (value.length > CHUNK_BYTES - HEADS_BYTES_MAX) {
      this.flush();
      this.hash.update(value);
      return;
    }
    if (this.at + value.length > CHUNK_BYTES - HEADS_BYTES_MAX) {
      this.flush();
    }
    chunk.set(value, this.at);
    this.at += value.length;
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
