import type { NetworkDescription, ProcessDescription } from './describe.ts';

/** Lays out rows in columns as wide as their widest cell. */
export function renderTable(header: readonly string[], rows: readonly string[][]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(header), ...rows.map(line)].join('\n');
}

/** The table of endpoints: what runs, where it listens, and where its log is. */
export function endpointsTable(
  description: NetworkDescription,
  heights: Readonly<Record<string, number | undefined>>,
): string {
  const rows = description.processes.map((process) => [
    process.name,
    process.status,
    process.pid === undefined ? '-' : String(process.pid),
    process.endpoint,
    process.operations ?? '-',
    detailOf(process, description, heights),
  ]);
  return renderTable(['NAME', 'STATUS', 'PID', 'ENDPOINT', 'OPERATIONS', 'DETAIL'], rows);
}

function detailOf(
  process: ProcessDescription,
  description: NetworkDescription,
  heights: Readonly<Record<string, number | undefined>>,
): string {
  if (process.kind === 'peer') {
    const mspId = description.peers.find(({ name }) => name === process.name)?.mspId ?? '';
    const height = heights[process.name];
    return height === undefined ? mspId : `${mspId}, ${description.channel} height ${height}`;
  }
  if (process.kind !== 'chaincode') return '';
  const deployed = description.chaincodes.find(({ name }) =>
    process.name.startsWith(`chaincode-${name}-org`),
  );
  return deployed === undefined ? '' : `${deployed.version}, sequence ${deployed.sequence}`;
}
