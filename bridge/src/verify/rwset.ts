/**
 * Read-write sets, and the bytes by which a commit hash covers what a block has written. Source:
 * Fabric's kvrwset messages, and core/ledger/kvledger/txmgmt/txmgr (update_batch_bytes.go).
 */
import { bytesField, encodeBytes, encodeItem, readFields, uvarint } from './wire.ts';

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
  let hasRanges = false;
  readFields(bytes, {
    bytes: (field, value) => {
      hasRanges ||= field === 2;
      if (field === 1) {
        reads.push(readRead(value));
      } else if (field === 3) {
        writes.push(readWrite(value));
      } else if (field === 4) {
        metadataWrites.push(readMetadataWrite(value));
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
        const write = readWrite(value);
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
function readWrite(bytes: Buffer): Write {
  let [key, value]: Buffer[] = [Buffer.alloc(0), Buffer.alloc(0)];
  let isDelete = false;
  readFields(bytes, {
    bytes: (field, found) => {
      key = field === 1 ? found : key;
      value = field === 3 ? found : value;
    },
    integer: (field, found) => {
      isDelete = field === 2 ? found !== 0n : isDelete;
    },
  });
  const there = key ?? Buffer.alloc(0);
  return {
    key: there,
    value: isDelete || value === undefined || value.length === 0 ? null : value,
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

/** What a block writes, as its commit hash has it: the last write of each key. */
export class Updates {
  private readonly byNamespace = new Map<string, Map<string, Map<string, Update>>>();
  /** Keys of which only metadata was written, whose value is one of an earlier block. */
  readonly unknown: string[] = [];

  /** @param version - of the transaction: block and index */
  apply(sets: readonly AccessSet[], version: Buffer): void {
    for (const { namespace, collection, writes, metadataWrites } of sets) {
      for (const { key, value } of writes) {
        this.put(namespace, collection, { key, value, version });
      }
      const written = new Set(writes.map(({ key }) => key.toString('latin1')));
      for (const { key } of metadataWrites) {
        if (!written.has(key.toString('latin1'))) {
          this.renew(namespace, collection, key, version);
        }
      }
    }
  }

  /** The bytes of txmgr.Updates: namespaces, collections and keys in the order of their bytes. */
  encode(): Buffer {
    const parts: Buffer[] = [];
    for (const [namespace, collections] of inOrder(this.byNamespace)) {
      let name = namespace;
      for (const [collection, updates] of inOrder(collections)) {
        let collectionName = collection;
        for (const [, { key, value, version }] of inOrderOfKeys(updates)) {
          const fields = [
            ...encodeBytes(1, Buffer.from(name)),
            ...encodeBytes(2, Buffer.from(collectionName)),
            ...encodeBytes(3, key),
            ...(value === null ? DELETES : encodeBytes(5, value)),
            ...encodeBytes(6, version),
          ];
          parts.push(...encodeItem(1, Buffer.concat(fields)));
          [name, collectionName] = ['', ''];
        }
      }
    }
    return Buffer.concat(parts);
  }

  private put(namespace: string, collection: string, update: Update): void {
    const collections = this.byNamespace.get(namespace) ?? new Map<string, Map<string, Update>>();
    const updates = collections.get(collection) ?? new Map<string, Update>();
    updates.set(update.key.toString('latin1'), update);
    collections.set(collection, updates);
    this.byNamespace.set(namespace, collections);
  }

  /** A key keeps its value and gets a new version with its metadata. */
  private renew(namespace: string, collection: string, key: Buffer, version: Buffer): void {
    const before = this.byNamespace.get(namespace)?.get(collection)?.get(key.toString('latin1'));
    if (before === undefined) {
      this.unknown.push(`${namespace} ${collection} ${key.toString('utf8')}`);
    } else if (before.value !== null) {
      this.put(namespace, collection, { ...before, version });
    }
  }
}

interface Update {
  readonly key: Buffer;
  readonly value: Buffer | null;
  readonly version: Buffer;
}

/** KVWrite.isDelete. */
const DELETES: readonly Buffer[] = [Buffer.from([0x20, 0x01])];

function inOrder<V>(map: ReadonlyMap<string, V>): [string, V][] {
  return [...map].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Keys are latin1 of their bytes, whose order is that of the bytes. */
function inOrderOfKeys(map: ReadonlyMap<string, Update>): [string, Update][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
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
