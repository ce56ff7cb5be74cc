/** A pipeline that only notes what a source tells it. */
import type { Assignment, Source, SourceBatch, SourceEvent } from '../../bridge/src/ports.ts';
import { partitionName } from '../../bridge/src/values.ts';

export interface Reading {
  /** Where a new partition begins; null: not yet. */
  readonly begin: (assignment: Assignment) => bigint | null;
  /** Delays the next event. */
  readonly onRecords?: () => Promise<void>;
}

/** Reads a source's events and keeps them; partitions begin by `begin`. */
export class Member {
  readonly source: Source;
  readonly events: SourceEvent[] = [];
  readonly owned = new Map<string, Assignment>();
  private readonly stop = new AbortController();
  private readonly reading: Promise<unknown>;
  failure: unknown = null;
  private left = false;

  constructor(source: Source, options: Reading) {
    this.source = source;
    this.reading = this.read(options).catch((error: unknown) => {
      this.failure = error;
    });
  }

  private async read({ begin, onRecords }: Reading): Promise<void> {
    for await (const event of this.source.events(this.stop.signal)) {
      this.events.push(event);
      if (event.kind === 'assigned') {
        const { assignment } = event;
        this.owned.set(partitionName(assignment), assignment);
        const offset = begin(assignment);
        if (offset !== null) {
          this.source.start(assignment, offset);
        }
      } else if (event.kind === 'revoked') {
        this.owned.delete(partitionName(event.owned));
      } else if (event.kind === 'records') {
        await onRecords?.();
      }
    }
  }

  get batches(): SourceBatch[] {
    return this.events.flatMap((event) => (event.kind === 'records' ? [event.batch] : []));
  }

  /** Values of all records of a partition in the order in which they came. */
  values(partition = 0): string[] {
    return this.batches
      .filter((batch) => batch.partition === partition)
      .flatMap((batch) => batch.records.map(({ value }) => Buffer.from(value ?? []).toString()));
  }

  get next(): bigint {
    return this.batches.at(-1)?.next ?? -1n;
  }

  count(kind: SourceEvent['kind']): number {
    return this.events.filter((event) => event.kind === kind).length;
  }

  assignment(partition = 0): Assignment {
    const found = [...this.owned.values()].find((owned) => owned.partition === partition);
    if (found === undefined) {
      throw new Error(`Partition ${partition} is not owned.`);
    }
    return found;
  }

  async ended(): Promise<void> {
    await this.reading;
  }

  async leave(): Promise<void> {
    if (!this.left) {
      this.left = true;
      this.stop.abort();
      await this.reading;
      await this.source.close();
    }
  }
}
