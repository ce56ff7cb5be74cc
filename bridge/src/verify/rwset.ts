/** Read-write sets. Source: Fabric's rwset and kvrwset messages. */
import { bytesField, readFields, readRanges } from './wire.ts';
import { Writes } from './writes.ts';

/** Where and when a value was written: block and index in it; null for "not there". */
export type Version = { readonly block: bigint; readonly transaction: bigint } | null;

export interface Read {
  readonly key: Buffer;
  readonly version: Version;
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
  readonly writes: Writes;
  readonly metadataWrites: readonly MetadataWrite[];
}

const KEY_POLICY = 'VALIDATION_PARAMETER';

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
  const writes = new Writes(bytes, false);
  const metadataWrites: MetadataWrite[] = [];
  let hasRanges = false;
  readRanges(bytes, 0, bytes.length, {
    bytes: (field, start, end) => {
      hasRanges ||= field === 2;
      if (field === 1) {
        reads.push(readRead(bytes.subarray(start, end)));
      } else if (field === 3) {
        writes.read(start, end);
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
  const writes = new Writes(bytes, true);
  const metadataWrites: MetadataWrite[] = [];
  readRanges(bytes, 0, bytes.length, {
    bytes: (field, start, end) => {
      if (field === 1) {
        reads.push(readRead(bytes.subarray(start, end)));
      } else if (field === 2) {
        writes.read(start, end);
      } else if (field === 3) {
        metadataWrites.push(readMetadataWrite(bytes.subarray(start, end)));
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
