import { NetworkError } from './errors.ts';

/** The ordering service: raft survives crashes, bft (SmartBFT) also nodes that lie. */
export type Profile = 'raft' | 'bft';

/** What a network is made of; fixed when it is created and kept in its state file. */
export interface TopologyOptions {
  readonly profile: Profile;
  /** 1 or 3 with raft; always 4 with bft, which goes on without one of them. */
  readonly orderers: 1 | 3 | 4;
  readonly brokers: 1 | 3;
  readonly channel: string;
  /** A block is cut at so many transactions. */
  readonly blockTransactions: number;
  /** A block is cut when its first transaction has waited for so long. */
  readonly blockTimeoutMs: number;
  /** Added to every port, so that several networks run side by side. */
  readonly portOffset: number;
  /** Serves Go's profiler on the peers and orderers, for benchmarks. */
  readonly pprof: boolean;
  /** Adds the SSL and SASL_SSL listeners to the brokers. */
  readonly kafkaSecure: boolean;
  /** Adds a listener that is advertised at another port, where a test puts a fault proxy. */
  readonly kafkaProxied: boolean;
}

/** The network that `up` makes when nothing is said. */
export const DEFAULT_TOPOLOGY: TopologyOptions = {
  profile: 'raft',
  orderers: 1,
  brokers: 1,
  channel: 'mychannel',
  blockTransactions: 500,
  blockTimeoutMs: 200,
  portOffset: 0,
  pprof: false,
  kafkaSecure: false,
  kafkaProxied: false,
};

/** How many ordering nodes a profile can have; the first number is its default. */
const ORDERERS: Readonly<Record<Profile, readonly TopologyOptions['orderers'][]>> = {
  raft: [1, 3],
  bft: [4],
};

/** The highest base port is 9979, and a port ends at 65535. */
export const PORT_OFFSET_MAX = 55_000;
export const BLOCK_TRANSACTIONS_MAX = 10_000;
export const BLOCK_TIMEOUT_MS_MAX = 60_000;

const KEYS = Object.keys(DEFAULT_TOPOLOGY) as (keyof TopologyOptions)[];

/**
 * The topology to run: what is given, else what the network in this folder has, else the default.
 *
 * @throws NetworkError USAGE for values out of range; OPTIONS_DIFFER when given ones contradict
 * the network.
 */
export function resolveTopology(
  given: Partial<TopologyOptions>,
  existing: TopologyOptions | undefined,
): TopologyOptions {
  // A network from before an option came has the default of it.
  const base = { ...DEFAULT_TOPOLOGY, ...existing };
  const wanted = withGiven(base, given);
  checkTopology(wanted);
  if (existing === undefined) return wanted;
  const differences = KEYS.filter((key) => wanted[key] !== base[key]);
  if (differences.length === 0) return existing;
  const list = differences.map((key) => `${key} ${base[key]}, not ${wanted[key]}`).join('; ');
  throw new NetworkError('OPTIONS_DIFFER', `The network in this folder has ${list}.`);
}

function withGiven(base: TopologyOptions, given: Partial<TopologyOptions>): TopologyOptions {
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  const wanted = { ...base, ...Object.fromEntries(named) };
  if (wanted.profile === base.profile || given.orderers !== undefined) return wanted;
  return { ...wanted, orderers: ORDERERS[wanted.profile]?.[0] ?? wanted.orderers };
}

function checkTopology(options: TopologyOptions): void {
  const refuse = (sentence: string): never => {
    throw new NetworkError('USAGE', sentence);
  };
  checkOrderers(options, refuse);
  if (options.brokers !== 1 && options.brokers !== 3) refuse('--brokers is 1 or 3.');
  const offset = options.portOffset;
  if (!Number.isInteger(offset) || offset < 0 || offset > PORT_OFFSET_MAX) {
    refuse(`--port-offset is a whole number from 0 to ${PORT_OFFSET_MAX}.`);
  }
  checkBlocks(options, refuse);
  // The rule of Fabric's configtx for channel names.
  if (!/^[a-z][a-z0-9.-]{0,248}$/.test(options.channel)) {
    refuse('--channel starts with a small letter and holds small letters, digits, "." and "-".');
  }
}

function checkOrderers(
  { profile, orderers }: TopologyOptions,
  refuse: (sentence: string) => never,
): void {
  const numbers = ORDERERS[profile];
  if (numbers === undefined) {
    refuse(`There is no profile "${String(profile)}", only "raft" and "bft".`);
  }
  if (!numbers.includes(orderers)) {
    refuse(`--orderers is ${numbers.join(' or ')} with --profile ${profile}, not ${orderers}.`);
  }
}

function checkBlocks(
  { blockTransactions, blockTimeoutMs }: TopologyOptions,
  refuse: (sentence: string) => never,
): void {
  const within = (value: number, max: number): boolean =>
    Number.isInteger(value) && value >= 1 && value <= max;
  if (!within(blockTransactions, BLOCK_TRANSACTIONS_MAX)) {
    refuse(`--block-transactions is a whole number from 1 to ${BLOCK_TRANSACTIONS_MAX}.`);
  }
  if (!within(blockTimeoutMs, BLOCK_TIMEOUT_MS_MAX)) {
    refuse(`--block-timeout is a whole number from 1 to ${BLOCK_TIMEOUT_MS_MAX}.`);
  }
}
