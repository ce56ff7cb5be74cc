/** Producers upstream: plain and transactional ones, with everything that a cleaned topic may hold. */
import type { SourceRecord, TopicPartition } from '@shuttle/bridge/dist/values.js';
import { type PartitionLog, Transaction } from './kafka/log.ts';
import type { Network } from './network.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import type { Fate, Truth } from './truth.ts';

export interface WorkloadPlan {
  readonly records: number;
  /** Produced within so long. */
  readonly spanMs: number;
  /** Distinct keys of each partition. */
  readonly keys: number;
  /** JSON Pointer of one step, or ''. */
  readonly keyExpression: '' | '/id' | '/alias';
  /** Share of records that must be refused. */
  readonly refused: number;
  readonly tombstones: number;
  /** Share of records that come from transactional producers. */
  readonly transactional: number;
  /** A larger record cannot travel. */
  readonly batchBytes: number;
}

interface WorkloadDeps {
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly truth: Truth;
  /** How many partitions a topic had at first, and has now. */
  readonly partitionsOf: (topic: string) => { readonly before: number; readonly now: number };
}

type Unwritten = Omit<SourceRecord, 'offset'>;

interface Made {
  readonly record: Unwritten;
  readonly fate: Fate;
}

const SPOILS = ['VALUE_NOT_JSON', 'KEY_RESERVED', 'KEY_EMPTY', 'KEY_MISSING', 'TOO_LARGE'] as const;

export class Workload {
  /** False while records are still to come. */
  isOver = false;
  private readonly plan: WorkloadPlan;
  private readonly random: Random;
  private readonly scheduler: Scheduler;
  private readonly network: Network;
  private readonly truth: Truth;
  private made = 0;
  private openTransactions = 0;
  private readonly partitionsOf: WorkloadDeps['partitionsOf'];

  constructor(plan: WorkloadPlan, deps: WorkloadDeps) {
    this.plan = plan;
    this.random = deps.random;
    this.scheduler = deps.scheduler;
    this.network = deps.network;
    this.truth = deps.truth;
    this.partitionsOf = deps.partitionsOf;
  }

  /** Produces in bursts, until all records are made and all transactions have ended. */
  async produce(logs: readonly PartitionLog[]): Promise<void> {
    const { random, scheduler, plan } = this;
    const pauseMs = plan.spanMs / plan.records;
    while (this.made < plan.records) {
      const log = random.pick(logs);
      const count = random.int(1, 12);
      if (random.chance(plan.transactional)) {
        void this.transact(log, count);
      } else {
        for (let i = 0; i < count; i++) {
          this.append(log, this.make(log));
        }
      }
      if (random.chance(0.1)) {
        log.skip(random.int(1, 5));
      }
      await scheduler.wait(pauseMs * count * 2 * random.next());
    }
    while (this.openTransactions > 0) {
      await scheduler.wait(100);
    }
    this.isOver = true;
  }

  /** Records of other producers may stand between those of a transaction. */
  private async transact(log: PartitionLog, count: number): Promise<void> {
    const transaction = new Transaction();
    const written: { readonly record: SourceRecord; readonly fate: Fate }[] = [];
    this.openTransactions += 1;
    for (let i = 0; i < count; i++) {
      const { record, fate } = this.make(log);
      written.push({ record: log.append(record, transaction), fate });
      await this.scheduler.wait(this.random.next() * 20);
    }
    await this.scheduler.wait(this.random.next() * (this.random.chance(0.1) ? 6_000 : 300));
    if (this.random.chance(0.3)) {
      this.network.happened('aborted producer');
      transaction.outcome = 'aborted';
      this.made -= count;
    } else {
      transaction.outcome = 'committed';
      for (const { record, fate } of written) {
        this.truth.produced(log, record, fate);
      }
    }
    await this.scheduler.wait(this.random.next() * 50);
    log.mark(transaction);
    this.openTransactions -= 1;
  }

  /**
   * Keys belong to a partition. When a topic has grown to twice its partitions, the even keys of
   * each have moved to its new half, and no producer writes them to the old one any more.
   */
  private keyOf({ topic, partition }: TopicPartition): string {
    const { keys } = this.plan;
    const { before, now } = this.partitionsOf(topic);
    const number = this.random.int(1, keys);
    if (now === before) {
      return `${topic}/${partition}/k${number}`;
    }
    const parity = partition < before ? 1 : 0;
    const own = number % 2 === parity ? number : number > 1 ? number - 1 : number + 1;
    return `${topic}/${partition % before}/k${own}`;
  }

  private append(log: PartitionLog, { record, fate }: Made): void {
    // Known before it is seen.
    const offset = log.end;
    this.truth.produced(log, { ...record, offset }, fate);
    log.append(record);
  }

  private make(at: TopicPartition): Made {
    const { plan, random } = this;
    this.made += 1;
    const timestamp = 1_690_000_000_000 + this.made;
    const key = this.keyOf(at);
    if (random.chance(plan.refused)) {
      return this.spoiled(key, timestamp);
    }
    if (random.chance(plan.tombstones)) {
      return made(timestamp, key, null, { kind: 'applied', key });
    }
    const own = plan.keyExpression === '' || random.chance(0.5);
    return made(timestamp, own ? key : null, this.document(key), { kind: 'applied', key });
  }

  /** Text that careless handling would change: letters beyond ASCII, large numbers, doubled names. */
  private document(key: string): string {
    const named = { id: key, alias: `${key}/alias`, name: 'Größe 漢字 🚚'.slice(0, this.made % 9) };
    const text = JSON.stringify({ ...named, nth: this.made });
    return `${text.slice(0, -1)},"big":12345678901234567890,"huge":1e400,"nth":0}`;
  }

  private spoiled(key: string, timestamp: number): Made {
    const spoil = this.random.pick(SPOILS);
    const refused = (code: string, under: string | null): Fate => ({
      kind: 'refused',
      code,
      key: under,
    });
    switch (spoil) {
      case 'VALUE_NOT_JSON':
        return made(timestamp, key, '{"open":', refused(spoil, key));
      case 'KEY_RESERVED':
        return made(timestamp, `_${key}`, '{}', refused(spoil, `_${key}`));
      case 'KEY_EMPTY':
        return made(timestamp, '', '{}', refused(spoil, ''));
      case 'KEY_MISSING':
        return made(timestamp, null, '{}', refused(spoil, null));
      case 'TOO_LARGE': {
        const value = JSON.stringify('x'.repeat(this.plan.batchBytes));
        return made(timestamp, key, value, refused('RECORD_TOO_LARGE', key));
      }
    }
  }
}

function made(timestamp: number, key: string | null, value: string | null, fate: Fate): Made {
  const bytes = (text: string | null): Uint8Array | null =>
    text === null ? null : Buffer.from(text);
  return { record: { timestamp, key: bytes(key), value: bytes(value), headers: [] }, fate };
}
