/** Bytes to text, or the place where they are no UTF-8. */
import { isUtf8 } from 'node:buffer';
import { RefusedError } from './refusal.ts';

const UTF16_MARKS = ['fffe', 'feff'];
const REPLACEMENT = '\uFFFD';
const REPLACEMENT_BYTES = Buffer.from(REPLACEMENT);

/** Text at the start of a file or record may have a byte order mark, which is no part of it. */
export function withoutMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

/**
 * The text, with every character.
 *
 * @throws RefusedError ENCODING_INVALID with the position of the first byte that is wrong, from 0
 */
export function readUtf8(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!isUtf8(buffer)) {
    const mark = buffer.subarray(0, 2).toString('hex');
    const guess = UTF16_MARKS.includes(mark) ? '; it starts like UTF-16' : '';
    const sentence = `Byte ${wrongByte(buffer)} is not UTF-8${guess}.`;
    throw new RefusedError('ENCODING_INVALID', sentence);
  }
  return buffer.toString('utf8');
}

/** Where decoding puts its first replacement character that the bytes do not hold themselves. */
function wrongByte(buffer: Buffer): number {
  const text = buffer.toString('utf8');
  let byte = 0;
  let from = 0;
  for (let at = text.indexOf(REPLACEMENT); at >= 0; at = text.indexOf(REPLACEMENT, from)) {
    byte += Buffer.byteLength(text.slice(from, at));
    if (!buffer.subarray(byte, byte + REPLACEMENT_BYTES.length).equals(REPLACEMENT_BYTES)) {
      return byte;
    }
    byte += REPLACEMENT_BYTES.length;
    from = at + 1;
  }
  return byte;
}
