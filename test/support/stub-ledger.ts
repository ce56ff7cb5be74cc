/**
 * A ledger in memory under Fabric's rules: versions of keys, history, and the MVCC check of a
 * block.
 */

export interface StubWrite {
  readonly key: string;
  readonly value: Buffer | null;
}

/** What a transaction did on one peer, before it is ordered. */
export interface Simulation {
  readonly txId: string;
  readonly seconds: number;
  readonly nanos: number;
  /** Version of each key that was read; null for an absent one. */
  readonly reads: ReadonlyMap<string, string | null>;
  /** In the order in which the chaincode sent them. */
  readonly writes: readonly StubWrite[];
}

export interface StubModification {
  readonly txId: string;
  readonly seconds: number;
  readonly nanos: number;
  readonly value: Buffer | null;
}

export type Validity = 'VALID' | 'MVCC_READ_CONFLICT';

export class StubLedger {
  private readonly state = new Map<string, { value: Buffer; version: string }>();
  private readonly histories = new Map<string, StubModification[]>();
  private height = 0;

  get(key: string): { readonly value: Buffer; readonly version: string } | undefined {
    return this.state.get(key);
  }

  /** Entries from `start` (included) to `end` (not included, '' for the last), in byte order. */
  range(start: string, end: string): StubWrite[] {
    const from = Buffer.from(start);
    const to = end === '' ? null : Buffer.from(end);
    return [...this.state]
      .map(([key, { value }]) => ({ key, value, bytes: Buffer.from(key) }))
      .filter(({ bytes }) => bytes.compare(from) >= 0 && (to === null || bytes.compare(to) < 0))
      .sort((a, b) => a.bytes.compare(b.bytes));
  }

  /** Newest first. */
  history(key: string): readonly StubModification[] {
    return (this.histories.get(key) ?? []).toReversed();
  }

  /** Commits a block: a transaction that read what changed since it was simulated is invalid. */
  commit(block: readonly Simulation[]): Validity[] {
    this.height++;
    return block.map((simulation, index) => {
      for (const [key, version] of simulation.reads) {
        if ((this.state.get(key)?.version ?? null) !== version) {
          return 'MVCC_READ_CONFLICT';
        }
      }
      this.apply(simulation, `${this.height}:${index}`);
      return 'VALID';
    });
  }

  private apply({ txId, seconds, nanos, writes }: Simulation, version: string): void {
    // A write set keeps one value for each key, the last.
    const lastByKey = new Map(writes.map((write) => [write.key, write.value]));
    for (const [key, value] of lastByKey) {
      if (value === null) {
        this.state.delete(key);
      } else {
        this.state.set(key, { value, version });
      }
      const history = this.histories.get(key) ?? [];
      history.push({ txId, seconds, nanos, value });
      this.histories.set(key, history);
    }
  }
}
