/** Blocks one after another in a file: the length as a varint of protobuf, then the bytes. */

export function joinBlocks(blocks: readonly Uint8Array[]): Buffer {
  return Buffer.concat(blocks.flatMap((bytes) => [varint(bytes.length), bytes]));
}

export function splitBlocks(file: Uint8Array): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < file.length; ) {
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = file[at++] ?? 0;
      length += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    if (at + length > file.length) throw new Error('the file ends within a block');
    blocks.push(file.subarray(at, at + length));
    at += length;
  }
  return blocks;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}
