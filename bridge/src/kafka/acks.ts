/** Commits group offsets one request at a time, newest per partition, and only while owned. */

import { backOffMs } from '../limits.ts';
import type { Clock, Owned } from '../ports.ts';
import { partitionName } from '../values.ts';
import { hasType } from './errors.ts';
import type { GroupOffset } from './member.ts';

interface Waiting {
  readonly owned: Owned;
  offset: bigint;
  metadata: string;
  readonly settle: ((committed: boolean) => void)[];
  readonly refuse: ((error: unknown) => void)[];
}

export interface AcksPort {
  isOwned(owned: Owned): boolean;
  commit(offsets: readonly GroupOffset[]): Promise<void>;
}

export interface Acks {
  /** True when Kafka has taken it, false when the partition was not owned (any more). */
  ack(owned: Owned, offset: bigint, metadata: string): Promise<boolean>;
  /** Resolves when nothing waits; what is left at the deadline is answered false. */
  close(deadlineMs: number): Promise<void>;
}

/** What no repetition mends. */
const REFUSALS = [
  'OFFSET_METADATA_TOO_LARGE',
  'GROUP_AUTHORIZATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
];

export function createAcks(port: AcksPort, clock: Clock): Acks {
  const waiting = new Map<string, Waiting>();
  const closing = new AbortController();
  let active = false;
  let running: Promise<void> = Promise.resolve();

  const settle = (entries: Iterable<Waiting>, committed: boolean): void => {
    for (const entry of entries) {
      for (const resolve of entry.settle) resolve(committed);
    }
  };

  const putBack = (entry: Waiting): void => {
    const name = partitionName(entry.owned);
    const newer = waiting.get(name);
    if (newer === undefined) {
      waiting.set(name, entry);
    } else {
      newer.settle.push(...entry.settle);
      newer.refuse.push(...entry.refuse);
    }
  };

  const commitOnce = async (entries: readonly Waiting[]): Promise<boolean> => {
    try {
      await port.commit(
        entries.map(({ owned: { topic, partition }, offset, metadata }) => ({
          topic,
          partition,
          offset,
          metadata,
        })),
      );
      settle(entries, true);
      return true;
    } catch (error) {
      if (hasType(error, ...REFUSALS)) {
        for (const entry of entries) {
          for (const reject of entry.refuse) reject(error);
        }
        return true;
      }
      entries.forEach(putBack);
      return false;
    }
  };

  const takeAll = (): Waiting[] => {
    const entries = [...waiting.values()];
    waiting.clear();
    return entries;
  };

  const run = async (): Promise<void> => {
    for (let attempt = 1; waiting.size > 0 && !closing.signal.aborted; ) {
      const entries = takeAll();
      const owned = entries.filter((entry) => port.isOwned(entry.owned));
      settle(
        entries.filter((entry) => !owned.includes(entry)),
        false,
      );
      if (owned.length === 0 || (await commitOnce(owned))) {
        attempt = 1;
      } else {
        await clock.sleep(backOffMs(attempt++, clock.random()), closing.signal);
      }
    }
    settle(takeAll(), false);
    // In the same step as the last look at what waits: a later ack would wait for ever.
    active = false;
  };

  const ack = (owned: Owned, offset: bigint, metadata: string): Promise<boolean> => {
    if (!port.isOwned(owned) || closing.signal.aborted) {
      return Promise.resolve(false);
    }
    return new Promise((resolve, reject) => {
      const name = partitionName(owned);
      const entry = waiting.get(name);
      if (entry !== undefined && entry.owned.epoch === owned.epoch) {
        entry.offset = offset > entry.offset ? offset : entry.offset;
        entry.metadata = metadata;
        entry.settle.push(resolve);
        entry.refuse.push(reject);
      } else {
        settle(entry === undefined ? [] : [entry], false);
        waiting.set(name, { owned, offset, metadata, settle: [resolve], refuse: [reject] });
      }
      if (!active) {
        active = true;
        running = run();
      }
    });
  };

  const close = async (deadlineMs: number): Promise<void> => {
    const timer = setTimeout(() => closing.abort(), deadlineMs);
    await running;
    clearTimeout(timer);
    closing.abort();
  };

  return { ack, close };
}
