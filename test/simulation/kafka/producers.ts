/** Kafka's transaction coordinator, and the two producers of the bridge: dead letters and blocks. */
import { ShuttleError } from '@shuttle/bridge/dist/errors.js';
import { readBlockTail } from '@shuttle/bridge/dist/kafka/block-tail.js';
import type { PartitionReader } from '@shuttle/bridge/dist/kafka/reader.js';
import type { BlockSink, BlockTail, DeadLetter, DeadLetters } from '@shuttle/bridge/dist/ports.js';
import type { OutputRecord } from '@shuttle/bridge/dist/values.js';
import type { Host } from '../host.ts';
import type { Scheduler, Timer } from '../scheduler.ts';
import { type PartitionLog, stored, type Topics, Transaction } from './log.ts';

const TIMEOUT_MS = 3_000;
const RETRY_MS = 200;
/** A transaction that is open for longer is aborted by the coordinator. */
const TRANSACTION_TIMEOUT_MS = 15_000;
const MARKER_MS_MAX = 40;
const FETCH_RECORDS_MAX = 20;

interface ProducerState {
  epoch: number;
  transaction: Transaction | null;
  timer: Timer | null;
  /** Resolves when the markers of the last transaction are written. */
  marked: Promise<void>;
}

export class Coordinator {
  /** Off only in a mutation: what becomes of Shuttle when nobody fences. */
  fences = true;
  private readonly scheduler: Scheduler;
  private readonly random: { next(): number };
  private readonly producers = new Map<string, ProducerState>();

  constructor(scheduler: Scheduler, random: { next(): number }) {
    this.scheduler = scheduler;
    this.random = random;
  }

  /** A new epoch: fences older instances and settles what they left open. */
  async begin(id: string): Promise<number> {
    const state = this.stateOf(id);
    if (this.fences) {
      state.epoch += 1;
      this.finish(state, 'aborted');
    }
    const { epoch } = state;
    await state.marked;
    return epoch;
  }

  /** The transaction that the producer of this epoch writes in. @throws PUBLISHER_FENCED */
  async transaction(id: string, epoch: number): Promise<Transaction> {
    const state = this.stateOf(id);
    this.check(state, epoch);
    await state.marked;
    this.check(state, epoch);
    if (state.transaction === null) {
      state.transaction = new Transaction();
      state.timer = this.scheduler.after(TRANSACTION_TIMEOUT_MS, () => {
        state.epoch += 1;
        this.finish(state, 'aborted');
      });
    }
    return state.transaction;
  }

  /** Answered before the markers are written, as brokers do. @throws PUBLISHER_FENCED */
  commit(id: string, epoch: number): void {
    const state = this.stateOf(id);
    this.check(state, epoch);
    this.finish(state, 'committed');
  }

  /** Resolves when readers see all that was committed. */
  async settled(id: string): Promise<void> {
    await this.stateOf(id).marked;
  }

  private check(state: ProducerState, epoch: number): void {
    if (this.fences && state.epoch !== epoch) {
      throw new ShuttleError('PUBLISHER_FENCED', 'A newer producer has taken over.');
    }
  }

  private finish(state: ProducerState, outcome: 'committed' | 'aborted'): void {
    const { transaction } = state;
    if (transaction === null) {
      return;
    }
    state.timer?.cancel();
    state.transaction = null;
    transaction.outcome = outcome;
    const markers = [...transaction.partitions].map(async (log) => {
      await this.scheduler.wait(this.random.next() * MARKER_MS_MAX);
      log.mark(transaction);
    });
    const before = state.marked;
    state.marked = Promise.all([before, ...markers]).then(() => undefined);
  }

  private stateOf(id: string): ProducerState {
    const state = this.producers.get(id) ?? {
      epoch: 0,
      transaction: null,
      timer: null,
      marked: Promise.resolve(),
    };
    this.producers.set(id, state);
    return state;
  }
}

/** Sends until it is acknowledged, so a lost answer makes a second letter of the same record. */
export class SimulatedDeadLetters implements DeadLetters {
  private readonly host: Host;
  private readonly arrived: (letter: DeadLetter) => void;
  private last: Promise<void> = Promise.resolve();

  constructor(host: Host, arrived: (letter: DeadLetter) => void) {
    this.host = host;
    this.arrived = arrived;
  }

  send(letters: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    const mine = this.last.then(() => this.sendUntilAcked(letters, signal));
    this.last = mine.catch(() => undefined);
    return mine;
  }

  private async sendUntilAcked(letters: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.host.call({
          side: 'kafka',
          name: 'produce dead letters',
          effect: () => letters.forEach(this.arrived),
          timeoutMs: TIMEOUT_MS,
          lost: () => new ShuttleError('PRODUCE_FAILED', 'The dead letters were not acknowledged.'),
        });
        return;
      } catch {
        await this.host.clock.sleep(RETRY_MS, signal);
      }
    }
    throw new ShuttleError('PRODUCE_FAILED', 'The dead letters were not sent before the stop.');
  }

  async close(): Promise<void> {
    await this.last;
  }
}

/** Reads logs by offset; what readBlockTail needs. */
function createReader(host: Host, topics: Topics): PartitionReader {
  const ask = <T>(name: string, effect: () => T): Promise<T> =>
    host.call({
      side: 'kafka',
      name,
      effect,
      timeoutMs: TIMEOUT_MS,
      lost: () => new ShuttleError('KAFKA_UNREACHABLE', `No answer to ${name}.`),
    });
  return {
    ends: (names) =>
      ask('ends', () =>
        names.flatMap((name) =>
          topics.of(name).map(({ topic, partition, logStart, stableEnd, end }) => ({
            topic,
            partition,
            logStart,
            logEnd: stableEnd,
            writtenEnd: end,
          })),
        ),
      ),
    offsetsAt: () => Promise.reject(new TypeError('not asked for')),
    fetch: ({ topic, partition }, offset) =>
      ask('fetch', () => {
        const log = topics.log(topic, partition);
        if (offset < log.logStart) {
          const message = `Offset ${offset} is out of range.`;
          return { kind: 'failed', error: new ShuttleError('KAFKA_UNREACHABLE', message) } as const;
        }
        const fetched = log.fetch(offset, FETCH_RECORDS_MAX);
        const bytes = fetched.records.reduce((sum, r) => sum + (r.value?.length ?? 0), 0);
        return { kind: 'records', ...fetched, lastStable: log.stableEnd, bytes } as const;
      }),
    groupOffsets: () => Promise.reject(new TypeError('The group of a simulation has acks only.')),
    close: async () => undefined,
  };
}

export interface SinkDeps {
  readonly host: Host;
  readonly topics: Topics;
  readonly coordinator: Coordinator;
  readonly blocksTopic: string;
  /** Whether a produce request gets only as far as the first partitions. */
  readonly isPartial: () => boolean;
}

export class SimulatedSink implements BlockSink {
  private readonly deps: SinkDeps;
  private epoch = 0;
  private usable = false;

  constructor(deps: SinkDeps) {
    this.deps = deps;
  }

  async open(): Promise<BlockTail> {
    const { host, topics, coordinator, blocksTopic } = this.deps;
    this.epoch = await this.ask('begin', () => coordinator.begin(blocksTopic));
    const tail = await readBlockTail(createReader(host, topics), blocksTopic);
    this.usable = true;
    host.deps.story.tell(host.name, () =>
      tail.kind === 'resume' ? `finds block ${tail.last.number} last` : `finds blocks ${tail.kind}`,
    );
    return tail;
  }

  async publish(records: readonly OutputRecord[]): Promise<void> {
    if (!this.usable) {
      throw new Error('a sink was used after it failed, or before it was open');
    }
    this.usable = false;
    const { coordinator, blocksTopic, isPartial } = this.deps;
    const partial = isPartial();
    await this.ask('produce blocks', async () => {
      const transaction = await coordinator.transaction(blocksTopic, this.epoch);
      const sent = partial ? records.slice(0, Math.ceil(records.length / 2)) : records;
      for (const record of sent) {
        this.logOf(record).append(stored(record), transaction);
      }
      if (partial) {
        throw new ShuttleError('PRODUCE_FAILED', 'Not all partitions took their records.');
      }
    });
    await this.ask('commit blocks', () => coordinator.commit(blocksTopic, this.epoch));
    this.usable = true;
  }

  private logOf({ topic, partition, key }: OutputRecord): PartitionLog {
    const { topics } = this.deps;
    const count = topics.of(topic).length;
    const bytes = [...Buffer.from((key ?? '') as string)];
    const sum = bytes.reduce((hash, byte) => (hash * 31 + byte) % 65_521, 7);
    return topics.log(topic, partition ?? sum % count);
  }

  private ask<T>(name: string, effect: () => T | Promise<T>): Promise<T> {
    return this.deps.host.call({
      side: 'kafka',
      name,
      effect,
      timeoutMs: TIMEOUT_MS,
      lost: () => new ShuttleError('PRODUCE_FAILED', `No answer to ${name}.`),
    });
  }

  /** Whoever closes a sink in order finds what it published: not before the markers are there. */
  async close(): Promise<void> {
    const { coordinator, blocksTopic } = this.deps;
    if (this.usable) {
      this.usable = false;
      await this.ask('ends', () => coordinator.settled(blocksTopic)).catch(() => undefined);
    }
  }
}
