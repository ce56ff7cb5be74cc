/**
 * What a transaction writes to a namespace or collection. A block has hundreds of thousands of
 * writes, of which most are hashed and never looked at: views are made for who looks.
 */
import { readRanges, uvarintBytes } from './wire.ts';

export interface Write {
  readonly key: Buffer;
  /** Null deletes. */
  readonly value: Buffer | null;
}

/** SHA-256 of nothing, by which a write of a collection deletes. */
const HASH_OF_NOTHING = Buffer.from(
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  'hex',
);

/** Of each write: where its message, its key and its value are. A value without bytes deletes. */
const [START, END, KEY, KEY_END, VALUE, VALUE_END] = [0, 1, 2, 3, 4, 5];
const PLACES = 6;

export class Writes implements Iterable<Write> {
  private readonly source: Buffer;
  private readonly isHashed: boolean;
  private readonly places: number[] = [];
  /** The write that is being read. */
  private key = 0;
  private keyEnd = 0;
  private value = 0;
  private valueEnd = 0;
  private isDelete = false;

  /** @param isHashed - whether keys and values are hashes, as those of collections are */
  constructor(source: Buffer, isHashed: boolean) {
    this.source = source;
    this.isHashed = isHashed;
  }

  private readonly onField = {
    bytes: (field: number, start: number, end: number): void => {
      if (field === 1) {
        [this.key, this.keyEnd] = [start, end];
      } else if (field === 3) {
        [this.value, this.valueEnd] = [start, end];
      }
    },
    integer: (field: number, found: bigint): void => {
      this.isDelete = field === 2 ? found !== 0n : this.isDelete;
    },
  };

  /**
   * Takes kvrwset.KVWrite or KVWriteHash from there: key 1, is_delete 2, value 3.
   *
   * @throws Error when the bytes are none
   */
  read(start: number, end: number): void {
    this.key = this.keyEnd = this.value = this.valueEnd = end;
    this.isDelete = false;
    readRanges(this.source, start, end, this.onField);
    const { key, keyEnd, value, valueEnd } = this;
    const isGone = this.isDelete || (this.isHashed && this.isOfNothing(value, valueEnd));
    this.places.push(start, end, key, keyEnd, value, isGone ? value : valueEnd);
  }

  get length(): number {
    return this.places.length / PLACES;
  }

  *[Symbol.iterator](): Generator<Write> {
    for (let index = 0; index < this.length; index++) {
      yield { key: this.keyOf(index), value: this.valueOf(index) };
    }
  }

  /** The first keys, all of them if no number is given. */
  keys(most = this.length): Buffer[] {
    return Array.from({ length: Math.min(most, this.length) }, (_, index) => this.keyOf(index));
  }

  /** Of the last write of a key; -1 when there is none. */
  lastIndexOf(key: Buffer): number {
    for (let index = this.length - 1; index >= 0; index--) {
      if (this.keyLength(index) === key.length && this.keyOf(index).equals(key)) {
        return index;
      }
    }
    return -1;
  }

  keyOf(index: number): Buffer {
    return this.source.subarray(this.place(index, KEY), this.place(index, KEY_END));
  }

  valueOf(index: number): Buffer | null {
    const [start, end] = [this.place(index, VALUE), this.place(index, VALUE_END)];
    return start === end ? null : this.source.subarray(start, end);
  }

  /** One write alone, the bytes of all of them behind it. */
  only(index: number): Writes {
    const one = new Writes(this.source, this.isHashed);
    one.places.push(...this.places.slice(index * PLACES, (index + 1) * PLACES));
    return one;
  }

  keyLength(index: number): number {
    return this.place(index, KEY_END) - this.place(index, KEY);
  }

  /** 0 of a write that deletes. */
  valueLength(index: number): number {
    return this.place(index, VALUE_END) - this.place(index, VALUE);
  }

  /** The key's first byte; 0 of an empty one. */
  firstByte(index: number): number {
    return this.keyLength(index) === 0 ? 0 : (this.source[this.place(index, KEY)] ?? 0);
  }

  /** Below 0 when the key is before the other one by its bytes, 0 when they are the same. */
  compareKeys(index: number, other: Writes, at: number): number {
    const { source, places } = this;
    const { source: bytes, places: others } = other;
    const mine = places[index * PLACES + KEY] as number;
    const theirs = others[at * PLACES + KEY] as number;
    const length = (places[index * PLACES + KEY_END] as number) - mine;
    const otherLength = (others[at * PLACES + KEY_END] as number) - theirs;
    const most = Math.min(length, otherLength);
    for (let n = 0; n < most; n++) {
      const difference = (source[mine + n] as number) - (bytes[theirs + n] as number);
      if (difference !== 0) {
        return difference;
      }
    }
    return length - otherLength;
  }

  /**
   * Copies key and value of a write that does not delete, each behind a tag and its length, and
   * puts other tags there. Nothing happens unless they stand like this in the message.
   *
   * @returns how many bytes were put there; 0 when it was not done
   */
  copyFields(index: number, target: Buffer, at: number, keyTag: number, valueTag: number): number {
    const [start, end] = [this.place(index, START), this.place(index, END)];
    const [keyLength, valueLength] = [this.keyLength(index), this.valueLength(index)];
    const valueAt = 1 + uvarintBytes(keyLength) + keyLength;
    const isPlain =
      valueLength > 0 &&
      this.place(index, KEY_END) - start === valueAt &&
      this.place(index, VALUE_END) === end &&
      end - start === valueAt + 1 + uvarintBytes(valueLength) + valueLength;
    if (!isPlain) {
      return 0;
    }
    this.source.copy(target, at, start, end);
    target[at] = keyTag;
    target[at + valueAt] = valueTag;
    return end - start;
  }

  private place(index: number, which: number): number {
    return this.places[index * PLACES + which] ?? 0;
  }

  private isOfNothing(start: number, end: number): boolean {
    return this.source.subarray(start, end).equals(HASH_OF_NOTHING);
  }
}
