/** Everything that a seed decides before the first event: sizes, settings, and which faults come. */
import type { LedgerFaults } from './fabric/ledger.ts';
import type { CallFaults, Fault } from './network.ts';
import { Random } from './random.ts';
import type { WorkloadPlan } from './workload.ts';

/** Faults that come at a moment of their own; the others lie in the plan's rates. */
export const MOMENTS = [
  'kafka outage',
  'fabric outage',
  'crash',
  'freeze',
  'stop',
  'another instance',
  'rebalance',
  'offsets lost',
  'offsets moved back',
  'ack of another ledger',
  'other settings',
  'compaction',
  'retention',
  'partitions added',
  'lagging peer',
  'slow orderer',
  'another publisher',
  'blocks topic emptied',
] as const satisfies readonly Fault[];

export type Moment = (typeof MOMENTS)[number];

export interface Plan {
  readonly seed: number;
  readonly topics: readonly { readonly name: string; readonly partitions: number }[];
  readonly workload: WorkloadPlan;
  readonly lanes: number;
  readonly batchRecords: number;
  readonly inFlightMax: number;
  readonly bufferRecordsMax: number;
  readonly fetchRecordsMax: number;
  readonly ingests: number;
  readonly publishers: number;
  readonly publishRecordsMax: number;
  readonly publishQueueBytesMax: number;
  readonly cut: { readonly transactionsMax: number; readonly timeoutMs: number };
  readonly calls: CallFaults;
  readonly ledger: LedgerFaults;
  readonly partialProduce: number;
  /** Share of lives that end at one of their calls. */
  readonly deaths: number;
  /** Faults end here, and everything must drain. */
  readonly faultsMs: number;
  readonly moments: readonly { readonly atMs: number; readonly fault: Moment }[];
}

/** After these the group does not know any more what is finished. */
export const FORGETTING: readonly Fault[] = [
  'offsets lost',
  'offsets moved back',
  'ack of another ledger',
];

/** One in so many seeds is left without its blocks topic. */
const EMPTIED_SHARE = 0.1;

export function planOf(seed: number): Plan {
  const random = new Random(`plan/${seed}`);
  const faultsMs = random.int(12_000, 30_000);
  const batchBytes = 4_000;
  // Each seed leaves most faults out: what hides behind one fault shows without it.
  const rate = (max: number): number => (random.chance(0.5) ? random.next() * max : 0);
  const workload: WorkloadPlan = {
    records: random.int(100, 500),
    spanMs: faultsMs * (0.6 + random.next() * 0.4),
    keys: random.int(1, 10),
    keyExpression: random.pick(['', '/id'] as const),
    refused: rate(0.3),
    tombstones: rate(0.2),
    transactional: rate(0.6),
    batchBytes,
  };
  return {
    seed,
    topics: random.chance(0.2)
      ? [
          { name: 'orders', partitions: random.int(1, 2) },
          { name: 'returns', partitions: 1 },
        ]
      : [{ name: 'orders', partitions: random.int(1, 4) }],
    workload,
    lanes: random.int(1, 5),
    batchRecords: random.int(2, 20),
    inFlightMax: random.int(1, 8),
    bufferRecordsMax: random.int(10, 80),
    fetchRecordsMax: random.int(5, 30),
    ingests: random.int(1, 2),
    publishers: random.chance(0.25) ? 2 : 1,
    publishRecordsMax: random.int(5, 200),
    publishQueueBytesMax: random.int(2_000, 40_000),
    cut: { transactionsMax: random.int(1, 10), timeoutMs: random.int(50, 400) },
    calls: { lostRequest: rate(0.04), lostAnswer: rate(0.06), slow: rate(0.05) },
    ledger: {
      busy: rate(0.1),
      late: rate(0.25),
      dropped: rate(0.08),
      twice: rate(0.1),
      invalid: rate(0.08),
      cut: rate(0.1),
      silent: rate(0.04),
    },
    partialProduce: rate(0.15),
    deaths: rate(0.9),
    faultsMs,
    moments: momentsOf(random, faultsMs),
  };
}

function momentsOf(random: Random, faultsMs: number): Plan['moments'] {
  const moments: { atMs: number; fault: Moment }[] = [];
  for (const fault of MOMENTS) {
    const share = fault === 'blocks topic emptied' ? EMPTIED_SHARE : 0.4;
    const most = fault === 'blocks topic emptied' ? 1 : 3;
    const count = random.chance(share) ? random.int(1, most) : 0;
    for (let i = 0; i < count; i++) {
      // An outage may be there before anything begins.
      const atMs = fault.endsWith('outage') && random.chance(0.3) ? 0 : random.next() * faultsMs;
      moments.push({ atMs, fault });
    }
  }
  const all = new Set(moments.map(({ fault }) => fault));
  const without = new Set<Moment>();
  // What the group has forgotten cannot be told from what retention has taken: that must stop.
  if (FORGETTING.some((fault) => all.has(fault as Moment))) {
    without.add('retention');
  }
  // Whoever opens a partition first decides how it is cut, and nobody can tell that he is wrong.
  if (all.has('other settings')) {
    without.add('partitions added');
  }
  return moments.filter(({ fault }) => !without.has(fault));
}
