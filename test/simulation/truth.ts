/**
 * What must become of every record, and what has: the ground truth that all checks compare with.
 * It knows records from the producer's side and effects from the ledger's and the dead letters'
 * side, never from the bridge.
 */
import type { DeadLetter } from '@shuttle/bridge/dist/ports.js';
import type { SourceRecord, TopicPartition } from '@shuttle/bridge/dist/values.js';
import { type BatchHeader, laneOf } from '@shuttle/chaincode/wire';
import { CODES, type Committed } from './fabric/channel.ts';

/** A promise of Shuttle's that a run has seen broken. */
export class Broken extends Error {
  readonly promise: string;

  constructor(promise: string, message: string) {
    super(message);
    this.name = 'Broken';
    this.promise = promise;
  }
}

/** What a record is bound to become: applied under its document key, or refused with a code. */
export type Fate =
  | { readonly kind: 'applied'; readonly key: string }
  | { readonly kind: 'refused'; readonly code: string; readonly key: string | null };

export interface Fact extends TopicPartition {
  readonly record: SourceRecord;
  readonly fate: Fate;
  readonly lane: number;
  applied: number;
  letters: number;
  /** Gone from the source by compaction: whoever had not read it never will. */
  compacted: boolean;
}

const name = (at: TopicPartition, offset: bigint | string): string =>
  `${at.topic}/${at.partition}@${offset}`;

export class Truth {
  /** By partition, in order of offsets. */
  readonly partitions = new Map<string, Fact[]>();
  /** Records whose fate is still to come. */
  unfinished = 0;
  private readonly facts = new Map<string, Fact>();
  private readonly lastOffsets = new Map<string, bigint>();
  /** By key, the partition of its last version. */
  private readonly homes = new Map<string, number>();
  private readonly lanes: number;

  constructor(lanes: number) {
    this.lanes = lanes;
  }

  get size(): number {
    return this.facts.size;
  }

  all(): IterableIterator<Fact> {
    return this.facts.values();
  }

  /** A record that committed readers are about to see. */
  produced({ topic, partition }: TopicPartition, record: SourceRecord, fate: Fate): void {
    const lane = fate.key === null ? 0 : laneOf(Buffer.from(fate.key), this.lanes);
    const counts = { applied: 0, letters: 0, compacted: false };
    const fact: Fact = { topic, partition, record, fate, lane, ...counts };
    const of = this.partitions.get(`${topic}/${partition}`) ?? [];
    of.push(fact);
    of.sort((a, b) => Number(a.record.offset - b.record.offset));
    this.partitions.set(`${topic}/${partition}`, of);
    this.facts.set(name(fact, record.offset), fact);
    this.unfinished += 1;
  }

  compacted(fact: Fact): void {
    this.change(fact, () => {
      fact.compacted = true;
    });
  }

  /** A block was cut: each version that it holds must be due, and in order. */
  committed(block: readonly Committed[]): void {
    for (const { envelope, code } of block) {
      if (code === CODES.valid && envelope.fn === 'submitBatch') {
        const header = JSON.parse(envelope.args[0] ?? '{}') as TopicPartition;
        for (const { key, value } of envelope.writes.filter((w) => !w.key.startsWith('\u0000'))) {
          this.written(header, key, value);
        }
      }
    }
  }

  private written(at: TopicPartition, key: string, value: Buffer | null): void {
    const envelope = JSON.parse(String(value)) as { s: string; b?: { o: string }[] };
    const current = envelope.s.slice(envelope.s.indexOf(':') + 1);
    for (const offset of [...(envelope.b ?? []).map(({ o }) => o), current]) {
      this.applied(at, key, offset);
    }
    const document = this.facts.get(name(at, current))?.record.value ?? null;
    if (document !== null && value?.subarray(-document.length - 1, -1).equals(document) !== true) {
      throw new Broken('verbatim', `${name(at, current)} is not on the ledger as it was sent`);
    }
  }

  private applied(at: TopicPartition, key: string, offset: string): void {
    const fact = this.facts.get(name(at, offset));
    const where = `${name(at, offset)} under key ${key}`;
    if (fact === undefined) {
      throw new Broken('exactly once', `${where} was applied, but was never produced`);
    }
    if (fact.fate.kind !== 'applied' || fact.fate.key !== key) {
      throw new Broken('right key', `${where} was applied, but is ${JSON.stringify(fact.fate)}`);
    }
    this.change(fact, () => {
      fact.applied += 1;
    });
    if (fact.applied > 1) {
      throw new Broken('exactly once', `${where} was applied twice`);
    }
    // A key moves to a partition that was added, and never back.
    if (at.partition < (this.homes.get(key) ?? 0)) {
      throw new Broken('order per key', `${where} was applied behind records that came later`);
    }
    this.homes.set(key, at.partition);
    const last = this.lastOffsets.get(`${at.topic}/${at.partition}/${key}`) ?? -1n;
    if (fact.record.offset <= last) {
      throw new Broken('order per key', `${where} was applied behind offset ${last}`);
    }
    this.lastOffsets.set(`${at.topic}/${at.partition}/${key}`, fact.record.offset);
  }

  /** A dead letter has arrived on its topic. */
  buried(letter: DeadLetter): void {
    const fact = this.facts.get(name(letter, letter.record.offset));
    const where = name(letter, letter.record.offset);
    if (fact?.fate.kind !== 'refused' || fact.fate.code !== letter.code) {
      const fate = JSON.stringify(fact?.fate ?? 'never produced');
      throw new Broken('accepted + refused = read', `${where} is a dead letter, but is ${fate}`);
    }
    this.change(fact, () => {
      fact.letters += 1;
    });
  }

  /** A batch has reached a peer: all refused records before it must be dead letters by now. */
  submitted({ topic, partition, lane, first }: BatchHeader): void {
    for (const fact of this.partitions.get(`${topic}/${partition}`) ?? []) {
      if (fact.record.offset >= first) {
        return;
      }
      if (fact.lane === lane && fact.fate.kind === 'refused' && !isFinished(fact)) {
        const where = name(fact, fact.record.offset);
        throw new Broken(
          'dead letter first',
          `${where} has no dead letter, but offset ${first} of its lane was submitted`,
        );
      }
    }
  }

  /** The group has taken an offset: nothing before it may be unfinished. */
  acked(at: TopicPartition, offset: bigint): void {
    for (const fact of this.partitions.get(`${at.topic}/${at.partition}`) ?? []) {
      if (fact.record.offset >= offset) {
        return;
      }
      if (!isFinished(fact)) {
        const where = name(fact, fact.record.offset);
        throw new Broken('ack', `offset ${offset} was acked, but ${where} is not finished`);
      }
    }
  }

  private change(fact: Fact, change: () => void): void {
    const before = isFinished(fact);
    change();
    this.unfinished -= !before && isFinished(fact) ? 1 : 0;
  }
}

export function isFinished({ fate, applied, letters, compacted }: Fact): boolean {
  return compacted || (fate.kind === 'applied' ? applied > 0 : letters > 0);
}
