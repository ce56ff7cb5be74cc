/** How requests and answers travel: latencies, losses and outages, as the seed has them. */
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import type { Story } from './story.ts';

export type Side = 'kafka' | 'fabric';

export interface Way {
  readonly requestMs: number;
  readonly answerMs: number;
  readonly lost: 'request' | 'answer' | null;
}

/** Everything that can go wrong, by the names under which it is counted. */
export const FAULTS = [
  'lost request',
  'lost answer',
  'slow call',
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
  'aborted producer',
  'busy peer',
  'late submit',
  'dropped submit',
  'submit ordered twice',
  'invalid transaction',
  'lagging peer',
  'slow orderer',
  'stream cut',
  'stream silent',
  'another publisher',
  'partial produce',
  'blocks topic emptied',
] as const;

export type Fault = (typeof FAULTS)[number];

/** How often single calls fail, in [0, 1]. */
export interface CallFaults {
  readonly lostRequest: number;
  readonly lostAnswer: number;
  readonly slow: number;
}

const LATENCY_MS = 12;
const SLOW_MS = 3_000;
const NEVER = { untilMs: 0, n: 0 };

export class Network {
  readonly counts = new Map<Fault, number>();
  /** Single calls fail only while this is on. */
  faulty = true;
  private readonly scheduler: Scheduler;
  private readonly random: Random;
  private readonly story: Story;
  private readonly faults: CallFaults;
  /** Until when a side is away, and which outage that is. */
  private readonly down = new Map<Side, { readonly untilMs: number; readonly n: number }>();
  private outages = 0;
  /** Told of each outage that begins. */
  onOutage: (side: Side, forMs: number) => void = () => undefined;

  constructor(scheduler: Scheduler, random: Random, story: Story, faults: CallFaults) {
    this.scheduler = scheduler;
    this.random = random;
    this.story = story;
    this.faults = faults;
  }

  /** Counts a fault, so that no run can pass without any. */
  happened(fault: Fault): void {
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
  }

  way(host: string, side: Side, name: string): Way {
    const requestMs = this.latencyMs();
    const answerMs = this.latencyMs();
    if (!this.faulty) {
      return { requestMs, answerMs, lost: null };
    }
    const { lostRequest, lostAnswer, slow } = this.faults;
    const chance = this.random.next();
    if (chance < lostRequest + lostAnswer) {
      const lost = chance < lostRequest ? 'request' : 'answer';
      this.happened(`lost ${lost}`);
      this.story.tell(host, () => `loses the ${lost} of ${side} ${name}`);
      return { requestMs, answerMs, lost };
    }
    if (chance < lostRequest + lostAnswer + slow) {
      this.happened('slow call');
      const [requestShare, answerShare] = [this.random.next(), this.random.next()];
      return {
        requestMs: requestMs + requestShare * SLOW_MS,
        answerMs: answerMs + answerShare * SLOW_MS,
        lost: null,
      };
    }
    return { requestMs, answerMs, lost: null };
  }

  latencyMs(): number {
    return this.random.next() * this.random.next() * LATENCY_MS;
  }

  isDown(side: Side): boolean {
    return this.outageOf(side) !== null;
  }

  /** The outage that goes on, as a number of its own. */
  outageOf(side: Side): number | null {
    const { untilMs, n } = this.down.get(side) ?? NEVER;
    return untilMs > this.scheduler.nowMs ? n : null;
  }

  /** Nobody reaches the side for so long. */
  outage(side: Side, forMs: number): void {
    this.happened(`${side} outage`);
    this.story.tell(side, () => `is away for ${Math.round(forMs)} ms`);
    const { untilMs } = this.down.get(side) ?? NEVER;
    const n = this.outageOf(side) ?? ++this.outages;
    this.down.set(side, { untilMs: Math.max(untilMs, this.scheduler.nowMs + forMs), n });
    this.onOutage(side, forMs);
  }

  /** Both sides answer again. */
  restore(): void {
    this.down.clear();
  }
}
