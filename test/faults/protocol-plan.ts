/** Which requests go wrong in a run, by seed: every kind of call, again and again. */
import { randomBySeed, SHORT } from '../support/faults.ts';
import { API, type ApiName, type Fate, type ProxiedRequest } from '../support/kafka-proxy.ts';

/** How a kind of call is hit: with what chance each time, and how often at most. */
interface Rate {
  readonly chance: number;
  readonly most: number;
}

/** Calls that are made all the time: some of them, all along the run. */
const OFTEN: Rate = { chance: SHORT ? 0.1 : 0.05, most: SHORT ? 6 : 40 };
/** Calls that are made at a start or now and then: most of the first ones. */
const SELDOM: Rate = { chance: 0.5, most: 4 };
/** A join that hangs holds the group up for its rebalance time-out. */
const ONCE: Rate = { chance: 0.5, most: 1 };

const RATES: Readonly<Partial<Record<ApiName, Rate>>> = {
  produce: OFTEN,
  fetch: { chance: 0.2, most: 20 },
  metadata: SELDOM,
  offsetCommit: { chance: 0.2, most: 8 },
  offsetFetch: SELDOM,
  findCoordinator: SELDOM,
  joinGroup: SELDOM,
  heartbeat: { chance: 0.3, most: 4 },
  syncGroup: SELDOM,
  initProducerId: SELDOM,
  addPartitionsToTxn: OFTEN,
  endTxn: OFTEN,
};

/** The calls that both pipelines make. */
export const CALLS = Object.keys(RATES) as readonly ApiName[];

export interface FaultPlan {
  readonly decide: (request: ProxiedRequest) => Fate;
  /** How many requests of each kind came, and how many of them went wrong. */
  readonly tally: ReadonlyMap<ApiName, { seen: number; hit: number }>;
}

export function createFaultPlan(seed: number, fates: readonly Fate[]): FaultPlan {
  const random = randomBySeed(seed);
  const hangs = fates.includes('hang');
  const ratesOf = (name: ApiName): Rate => {
    const rate = (hangs && name === 'joinGroup' ? ONCE : RATES[name]) ?? SELDOM;
    // What hangs is waited for, so there are fewer of them in the same time.
    return hangs ? { chance: rate.chance / 2, most: Math.min(rate.most, 8) } : rate;
  };
  const names = new Map<number, ApiName>(CALLS.map((name) => [API[name], name]));
  const tally = new Map(CALLS.map((name) => [name, { seen: 0, hit: 0 }]));
  const decide = ({ apiKey }: ProxiedRequest): Fate => {
    const name = names.get(apiKey);
    const count = name === undefined ? undefined : tally.get(name);
    if (name === undefined || count === undefined) {
      return 'pass';
    }
    count.seen++;
    const { chance, most } = ratesOf(name);
    // Everything is drawn for each request, so that a seed means the same whatever was hit before.
    const [chosen, which] = [random(), random()];
    // The first of each kind goes wrong, so that none is left out.
    if (count.hit >= most || (count.seen > 1 && chosen >= chance)) {
      return 'pass';
    }
    count.hit++;
    return fates[Math.floor(which * fates.length)] ?? 'pass';
  };
  return { decide, tally };
}
