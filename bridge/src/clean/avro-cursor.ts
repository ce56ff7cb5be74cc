/** Where the reading of Avro's bytes is; it never goes behind their end. */
import { NESTING_MAX } from './json.ts';
import { RefusedError } from './refusal.ts';

export function wrong(what: string): RefusedError {
  return new RefusedError('AVRO_INVALID', `The bytes do not fit their schema: ${what}.`);
}

const LONG_BYTES_MAX = 10;

export class AvroCursor {
  readonly #bytes: Uint8Array;
  #at = 0;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  raw(length: number): Uint8Array {
    if (length > this.left) {
      throw wrong(`${length} bytes should follow, and there are ${this.left}`);
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  take(length: number): DataView {
    const { buffer, byteOffset } = this.raw(length);
    return new DataView(buffer, byteOffset, length);
  }

  flag(): boolean {
    const [byte = 0] = this.raw(1);
    if (byte > 1) {
      throw wrong(`${byte} is neither true nor false`);
    }
    return byte === 1;
  }

  /** Zigzag, seven bits a byte, the lowest first. */
  long(): bigint {
    let value = 0n;
    for (let shift = 0; shift < LONG_BYTES_MAX; shift++) {
      const [byte = 0] = this.raw(1);
      value |= BigInt(byte & 0x7f) << BigInt(7 * shift);
      if (byte < 0x80) {
        const signed = (value >> 1n) ^ -(value & 1n);
        return BigInt.asIntN(64, signed);
      }
    }
    throw wrong('a number has no end');
  }

  index(): number {
    return Number(this.long());
  }

  bytes(): Uint8Array {
    const length = Number(this.long());
    if (length < 0) {
      throw wrong(`a length is ${length}`);
    }
    return this.raw(length);
  }

  /** Of a block of items; a negative count has the block's length behind it. */
  count(): number {
    const count = Number(this.long());
    if (count < 0) {
      this.long();
    }
    if (Math.abs(count) > this.left) {
      throw wrong(`${Math.abs(count)} items should follow in ${this.left} bytes`);
    }
    return Math.abs(count);
  }

  inside<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > NESTING_MAX) {
      const sentence = `Records, lists and maps are nested more than ${NESTING_MAX} deep.`;
      throw new RefusedError('NESTING_TOO_DEEP', sentence);
    }
    const made = read();
    this.#depth -= 1;
    return made;
  }
}
