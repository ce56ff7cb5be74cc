/** What the demo writes on standard output. */

const WIDTH = 160;

export function line(text = ''): void {
  process.stdout.write(`${text}\n`);
}

export function heading(text: string): void {
  line(`\n==> ${text}`);
}

/** 5000 as 5,000. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): void {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    }
  }
  for (const row of rows) {
    line(`  ${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ')}`.trimEnd());
  }
}

/** The beginning of a text that is too long for a line. */
export function short(text: string, width = WIDTH): string {
  return text.length <= width ? text : `${text.slice(0, width - 3)}...`;
}
