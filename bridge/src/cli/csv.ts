/** Rows for spreadsheets: RFC 4180. */

/** A spreadsheet takes these for the begin of a formula. */
const FORMULA = /^[=+\-@\t\r]/;

export function csvRow(cells: readonly (string | number | null)[]): string {
  return cells.map(csvCell).join(',');
}

function csvCell(cell: string | number | null): string {
  if (cell === null || typeof cell === 'number') {
    return String(cell ?? '');
  }
  const text = FORMULA.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
