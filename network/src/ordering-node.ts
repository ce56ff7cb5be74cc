import { isListening } from './busy-ports.ts';
import { ordererStanding } from './metrics.ts';
import type { NetworkContext } from './network-context.ts';
import type { Orderer } from './topology.ts';
import { waitFor } from './wait.ts';

/** How long the ledger may take to answer or to go on. */
export const LEDGER_DEADLINE_MS = 30_000;

/**
 * The ordering node for Fabric's commands, which send to one alone: the first that listens,
 * wherever it runs, or with bft the one that leads. A bft node that has complained about its leader
 * passes nothing on.
 */
export function orderingNode(context: NetworkContext): Promise<Orderer> {
  const { orderers } = context.topology;
  const probe = async (): Promise<Orderer | undefined> => {
    const answers = await Promise.all(orderers.map(({ port }) => isListening(port)));
    const listening = orderers.filter((_, index) => answers[index]);
    const leader = orderers[mostNamed(await leaderIds(context, listening)) - 1];
    return leader !== undefined && listening.includes(leader) ? leader : listening[0];
  };
  return waitFor(probe, { what: 'An ordering node', deadlineMs: LEDGER_DEADLINE_MS });
}

async function leaderIds(
  context: NetworkContext,
  nodes: readonly Orderer[],
): Promise<readonly number[]> {
  const { channel } = context.topology.options;
  const standings = await Promise.all(
    nodes.map(({ operationsPort }) =>
      ordererStanding(operationsPort, channel).catch(() => undefined),
    ),
  );
  return standings.flatMap((standing) => standing?.leaderId ?? []);
}

/** What most nodes name: one that is behind names an earlier leader. 0 when nobody names any. */
export function mostNamed(ids: readonly number[]): number {
  const votes = (id: number): number => ids.filter((each) => each === id).length;
  return ids.reduce((most, id) => (votes(id) > votes(most) ? id : most), 0);
}
