/** Tests on real networks run two at a time, so that no two of them may want the same port. */
import { expect, test } from '@jest/globals';
import { DEFAULT_TOPOLOGY } from '../../../network/src/options.ts';
import { chaincodePort, createTopology } from '../../../network/src/topology.ts';
import { sourceFiles } from '../../support/sources.ts';

const OFFSET = /(?:portOffset: |createWorld\(|OFFSET = |'--port-offset', ')([0-9_]+)/g;

/** The port offsets that a file's text names. */
function offsetsOf(text: string): number[] {
  return [...text.matchAll(OFFSET)].map((match) => Number(match[1]?.replaceAll('_', '')));
}

/** Every port that a network at this offset can use; only the bft profile has a fourth orderer. */
function portsOf(portOffset: number, orderers: 3 | 4): Set<number> {
  const options = { ...DEFAULT_TOPOLOGY, portOffset, orderers, brokers: 3 } as const;
  const topology = createTopology(options);
  const ports = JSON.stringify(topology).matchAll(/[pP]ort":([0-9]+)/g);
  const chaincodes = topology.peers.flatMap(({ org }) =>
    [0, 1, 2].flatMap((slot) => [0, 1].map((n) => chaincodePort(options, slot, n, org))),
  );
  return new Set([...Array.from(ports, (match) => Number(match[1])), ...chaincodes]);
}

/** What one command runs. */
const SUITES = [['test/network', 'test/integration', 'test/e2e'], ['test/faults']];

test.each(SUITES.map((folders) => ({ folders })))(
  'no two files of $folders want the same port',
  ({ folders }) => {
    const files = folders.flatMap(sourceFiles);
    const networks = files.flatMap(({ path, text }) =>
      offsetsOf(text).map((offset) => {
        const ports = portsOf(offset, text.includes("'bft'") ? 4 : 3);
        return { path, offset, ports };
      }),
    );
    expect(networks.length).toBeGreaterThan(4);
    expect(networks[0]?.ports.size).toBeGreaterThan(30);
    const shared = networks.flatMap((one, index) =>
      networks.slice(index + 1).flatMap((other) => {
        const both = [...one.ports].filter((port) => other.ports.has(port));
        return both.length === 0 ? [] : [`${one.path} and ${other.path}: ${both.join(', ')}`];
      }),
    );
    expect(shared).toEqual([]);
  },
);
