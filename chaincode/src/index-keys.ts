/**
 * Index entries that a contract writes beside its documents: composite keys without a value, in the
 * transaction of the document and blindly, so that they add no conflicts. Pure: the bridge cuts
 * batches by the same sums.
 */
import type { State } from './state.ts';

/** A composite key: attributes are not empty, and hold neither U+0000 nor U+10FFFF. */
export interface IndexKey {
  readonly type: string;
  readonly attributes: readonly string[];
}

/**
 * An entry counts as so many bytes of its batch at least. It is a write like a document's, which a
 * peer takes its time for however short it is.
 */
const INDEX_KEY_BYTES_MIN = 256;

/** Bytes by which index entries count against the limit of their batch. */
export function indexBytes(keys: readonly IndexKey[]): number {
  return keys.reduce((sum, { type, attributes }) => {
    const length = attributes.reduce((all, each) => all + Buffer.byteLength(each) + 1, type.length);
    return sum + Math.max(length, INDEX_KEY_BYTES_MIN);
  }, 0);
}

/** Fabric keeps no key without a value. */
const INDEX_VALUE = Buffer.from([0]);

export function putIndex(
  state: Pick<State, 'compositeKey' | 'put'>,
  keys: Iterable<IndexKey>,
): void {
  for (const { type, attributes } of keys) {
    state.put(state.compositeKey(type, attributes), INDEX_VALUE);
  }
}

/** The index of a batch: of each document's last version, as that is what is found by it. */
export class IndexesByKey {
  private readonly keys = new Map<string, readonly IndexKey[]>();
  /** Of all versions, the earlier ones too. */
  bytes = 0;

  add(documentKey: string, keys: readonly IndexKey[]): void {
    this.bytes += indexBytes(keys);
    this.keys.set(documentKey, keys);
  }

  *current(): Generator<IndexKey> {
    for (const keys of this.keys.values()) {
      yield* keys;
    }
  }
}
