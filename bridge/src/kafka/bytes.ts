/** Kafka's variable-length integers, and reading a buffer from front to back. */

/** Reads a buffer from front to back; a read past the end throws a RangeError. */
export class Cursor {
  readonly buffer: Buffer;
  at: number;

  constructor(buffer: Buffer, at = 0) {
    this.buffer = buffer;
    this.at = at;
  }

  int8(): number {
    return this.buffer.readInt8(this.at++);
  }

  int16(): number {
    this.at += 2;
    return this.buffer.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.buffer.readInt32BE(this.at - 4);
  }

  int64(): bigint {
    this.at += 8;
    return this.buffer.readBigInt64BE(this.at - 8);
  }

  string(): string {
    const size = this.int16();
    return size < 0 ? '' : this.take(size).toString('utf8');
  }

  take(size: number): Buffer {
    if (size < 0 || this.at + size > this.buffer.length) {
      throw new RangeError('A Kafka response is shorter than it says.');
    }
    this.at += size;
    return this.buffer.subarray(this.at - size, this.at);
  }

  private byte(): number {
    const byte = this.buffer[this.at++];
    if (byte === undefined) {
      throw new RangeError('A Kafka response is shorter than it says.');
    }
    return byte;
  }

  /** Zigzag of at most 32 bits. */
  varint(): number {
    const value = this.uvarint();
    return (value >>> 1) ^ -(value & 1);
  }

  /** At most 32 bits without a sign. */
  uvarint(): number {
    let byte = this.byte();
    let value = byte & 0x7f;
    for (let shift = 7; byte > 0x7f; shift += 7) {
      if (shift > 28) {
        throw new RangeError('A number of a Kafka response is longer than 32 bits.');
      }
      byte = this.byte();
      value |= (byte & 0x7f) << shift;
    }
    return value >>> 0;
  }

  /** Zigzag of at most 64 bits; exact up to 2^53. */
  varlong(): number {
    let byte = this.byte();
    let value = byte & 0x7f;
    for (let unit = 0x80; byte > 0x7f; unit *= 0x80) {
      if (unit > 2 ** 63) {
        throw new RangeError('A number of a Kafka response is longer than 64 bits.');
      }
      byte = this.byte();
      value += (byte & 0x7f) * unit;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Bytes behind their length; -1 is null. */
  varbytes(): Buffer | null {
    const size = this.varint();
    return size < 0 ? null : this.take(size);
  }
}

/** Bytes that a zigzag varint takes. */
export function varintBytes(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  if (zigzag < 0x80) return 1;
  if (zigzag < 0x4000) return 2;
  if (zigzag < 0x200000) return 3;
  return zigzag < 0x10000000 ? 4 : 5;
}

/** Bytes that a zigzag varlong takes; exact up to 2^52. */
export function varlongBytes(value: number): number {
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  let bytes = 1;
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80);
    bytes++;
  }
  return bytes;
}

/** Writes a zigzag varint and returns the position behind it. */
export function writeVarint(buffer: Buffer, at: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  let i = at;
  while (zigzag >= 0x80) {
    buffer[i++] = (zigzag & 0x7f) | 0x80;
    zigzag >>>= 7;
  }
  buffer[i++] = zigzag;
  return i;
}

/** Writes a zigzag varlong and returns the position behind it. */
export function writeVarlong(buffer: Buffer, at: number, value: number): number {
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  let i = at;
  while (rest >= 0x80) {
    buffer[i++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  buffer[i++] = rest;
  return i;
}
