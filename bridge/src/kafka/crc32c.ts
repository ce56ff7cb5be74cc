/** CRC-32C (Castagnoli), by which record batches are protected: eight bytes a step. */

const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;

function createTables(): Int32Array {
  const tables = new Int32Array(SLICES * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    }
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256] ?? 0;
    tables[i] = (before >>> 8) ^ (tables[before & 0xff] ?? 0);
  }
  return tables;
}

const T = createTables();

/** CRC-32C of bytes [start, end), as an unsigned integer; `crc` continues an earlier one. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, crc = 0): number {
  const b = bytes as { readonly [index: number]: number } as number[];
  const t = T as unknown as number[];
  let c = ~crc;
  let i = start;
  for (const last = end - 7; i < last; i += 8) {
    const lo = c ^ (at(b, i) | (at(b, i + 1) << 8) | (at(b, i + 2) << 16) | (at(b, i + 3) << 24));
    c =
      at(t, 1792 + (lo & 0xff)) ^
      at(t, 1536 + ((lo >>> 8) & 0xff)) ^
      at(t, 1280 + ((lo >>> 16) & 0xff)) ^
      at(t, 1024 + (lo >>> 24)) ^
      at(t, 768 + at(b, i + 4)) ^
      at(t, 512 + at(b, i + 5)) ^
      at(t, 256 + at(b, i + 6)) ^
      at(t, at(b, i + 7));
  }
  for (; i < end; i++) {
    c = (c >>> 8) ^ at(t, (c ^ at(b, i)) & 0xff);
  }
  return ~c >>> 0;
}

/** The loops stay inside the arrays; the type checker cannot know it. */
function at(values: ArrayLike<number>, index: number): number {
  return values[index] as number;
}
