import { describe, expect, test } from '@jest/globals';
import { NetworkError } from '../../../network/src/errors.ts';
import {
  DEFAULT_TOPOLOGY,
  PORT_OFFSET_MAX,
  resolveTopology,
} from '../../../network/src/options.ts';
import { chaincodePort, createTopology } from '../../../network/src/topology.ts';

const refusal = (action: () => unknown): NetworkError => {
  try {
    action();
  } catch (error) {
    if (error instanceof NetworkError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
};

describe('which network is meant', () => {
  test('nothing said and nothing there: the default', () => {
    expect(resolveTopology({}, undefined)).toEqual(DEFAULT_TOPOLOGY);
  });

  test('nothing said and a network there: that network, whatever the defaults are', () => {
    const existing = { ...DEFAULT_TOPOLOGY, orderers: 3 as const, portOffset: 20_000 };
    expect(resolveTopology({}, existing)).toBe(existing);
  });

  test('the same said again is no difference', () => {
    expect(resolveTopology({ brokers: 1, portOffset: 0 }, DEFAULT_TOPOLOGY)).toBe(DEFAULT_TOPOLOGY);
  });

  test('a network from before an option was there has its default', () => {
    const { blockTransactions: _, ...older } = DEFAULT_TOPOLOGY;
    const existing = older as typeof DEFAULT_TOPOLOGY;
    expect(resolveTopology({ blockTransactions: 500 }, existing)).toBe(existing);
    const error = refusal(() => resolveTopology({ blockTransactions: 1 }, existing));
    expect(error.message).toContain('blockTransactions 500, not 1');
  });

  test('the bft profile has four orderers without saying so, and no other number', () => {
    expect(resolveTopology({ profile: 'bft' }, undefined).orderers).toBe(4);
    expect(resolveTopology({ profile: 'bft', orderers: 4 }, undefined).orderers).toBe(4);
    const error = refusal(() => resolveTopology({ profile: 'bft', orderers: 3 }, undefined));
    expect(error.message).toBe('--orderers is 4 with --profile bft, not 3.');
  });

  test('another profile is refused as a difference, not as a wrong number of orderers', () => {
    const error = refusal(() => resolveTopology({ profile: 'bft' }, DEFAULT_TOPOLOGY));
    expect(error.code).toBe('OPTIONS_DIFFER');
    expect(error.message).toContain('profile raft, not bft');
    const bft = resolveTopology({ profile: 'bft' }, undefined);
    expect(resolveTopology({}, bft)).toBe(bft);
  });

  test('another number of orderers is refused with what there is and what was said', () => {
    const error = refusal(() => resolveTopology({ orderers: 3, brokers: 3 }, DEFAULT_TOPOLOGY));
    expect(error.code).toBe('OPTIONS_DIFFER');
    expect(error.exitCode).toBe(2);
    expect(error.message).toBe(
      'The network in this folder has orderers 1, not 3; brokers 1, not 3.',
    );
  });

  test.each([
    [{ orderers: 2 }],
    [{ brokers: 0 }],
    [{ portOffset: -1 }],
    [{ portOffset: 1.5 }],
    [{ portOffset: PORT_OFFSET_MAX + 1 }],
    [{ blockTransactions: 0 }],
    [{ blockTimeoutMs: 1.5 }],
    [{ channel: 'MyChannel' }],
    [{ channel: '' }],
    [{ profile: 'solo' }],
    [{ profile: 'bft', orderers: 3 }],
    [{ profile: 'raft', orderers: 4 }],
    [{ orderers: 4 }],
  ])('%j is refused as a usage error', (given) => {
    expect(refusal(() => resolveTopology(given as object, undefined)).code).toBe('USAGE');
  });
});

describe('ports', () => {
  const portsOf = (offset: number): number[] => {
    const options = { ...DEFAULT_TOPOLOGY, orderers: 4, brokers: 3, portOffset: offset } as const;
    const { orderers, peers, brokers } = createTopology(options);
    const nodes = [...orderers, ...peers, ...brokers].flatMap((node) =>
      Object.entries(node).flatMap(([key, value]) =>
        /port$/i.test(key) && typeof value === 'number' ? [value] : [],
      ),
    );
    const chaincodes = [0, 19].flatMap((slot) =>
      [1, 2].flatMap((sequence) =>
        peers.map(({ org }) => chaincodePort(options, slot, sequence, org)),
      ),
    );
    return [...nodes, ...chaincodes];
  };

  test('are those of fabric-samples and Kafka without an offset', () => {
    const { orderers, peers, brokers } = createTopology(DEFAULT_TOPOLOGY);
    expect(orderers.map(({ port, adminPort }) => [port, adminPort])).toEqual([[7050, 7053]]);
    expect(peers.map(({ port }) => port)).toEqual([7051, 9051]);
    expect(brokers.map(({ port }) => port)).toEqual([9092]);
  });

  test('never collide within a network of every kind of node', () => {
    const ports = portsOf(0);
    expect(new Set(ports).size).toBe(ports.length);
    expect(ports.length).toBeGreaterThan(40);
  });

  test('all move by the offset and stay below 65536', () => {
    expect(portsOf(PORT_OFFSET_MAX)).toEqual(portsOf(0).map((port) => port + PORT_OFFSET_MAX));
    expect(Math.max(...portsOf(PORT_OFFSET_MAX))).toBeLessThan(65_536);
  });
});
