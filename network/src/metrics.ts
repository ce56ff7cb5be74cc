/**
 * One sample of a Prometheus page: the first line of this name whose labels hold the given text.
 * Undefined when there is none.
 */
export function readMetric(page: string, name: string, label: string): number | undefined {
  for (const line of page.split('\n')) {
    if (!line.startsWith(`${name}{`) && !line.startsWith(`${name} `)) continue;
    if (!line.includes(label)) continue;
    const value = Number(line.slice(line.lastIndexOf(' ') + 1));
    if (Number.isFinite(value)) return value;
  }
  return undefined;
}

const FETCH_TIMEOUT_MS = 2000;

/** The metrics page of a Fabric node's operations port. */
export async function fetchMetrics(operationsPort: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${operationsPort}/metrics`, {
    signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
  });
  return response.text();
}

/** The height of a peer's copy of the channel; undefined while it has not joined. */
export async function peerHeight(
  operationsPort: number,
  channel: string,
): Promise<number | undefined> {
  const page = await fetchMetrics(operationsPort);
  return readMetric(page, 'ledger_blockchain_height', `channel="${channel}"`);
}

/** Where an ordering node stands with a channel. */
export interface OrdererStanding {
  readonly joined: boolean;
  readonly leader: boolean;
}

/** Whether an ordering node takes part in the channel, and whether it leads it. */
export async function ordererStanding(
  operationsPort: number,
  channel: string,
): Promise<OrdererStanding> {
  const page = await fetchMetrics(operationsPort);
  const label = `channel="${channel}"`;
  // A node has the figures of the one consensus that the channel runs.
  const figure = (name: string): number | undefined =>
    readMetric(page, `consensus_etcdraft_${name}`, label) ??
    readMetric(page, `consensus_BFT_${name}`, label);
  return { joined: figure('cluster_size') !== undefined, leader: figure('is_leader') === 1 };
}
