/** Produces the records of a file to a topic, each of them once, however often it is begun. */
import { ShuttleError } from '../errors.ts';
import { LOAD_TRANSACTION_BYTES_MAX, LOAD_TRANSACTION_RECORDS_MAX } from '../limits.ts';
import type { Outage } from '../outage.ts';
import { tryUntilAnswered } from '../patience.ts';
import type { Clock } from '../ports.ts';

/** A record of the file; without a key it goes to partitions in turn. */
export interface LoadRecord {
  /** Where it starts in the file, from 1. */
  readonly line: number;
  readonly key: string | null;
  readonly value: Uint8Array;
}

/** How far a load has come, and of which file. */
export interface LoadPosition {
  /** Records that are on the topic. */
  readonly records: number;
  /** SHA-256 of the file, lower-case hex. */
  readonly digest: string;
}

/**
 * Where records are loaded to.
 *
 * Guarantees: `open` fences every older load of the same name and settles its transaction before
 * it reads the position. `commit` is one Kafka transaction: the records and the position, or
 * nothing. After any error the sink is of no more use until it is opened again.
 */
export interface LoadSink {
  /** Null when nothing was loaded under this name. */
  open(): Promise<LoadPosition | null>;
  /** `first` is the number of the first record in the file, from 0. */
  commit(records: readonly LoadRecord[], first: number, position: LoadPosition): Promise<void>;
  /** Why the topic does not take the record, as a sentence; null when it does. */
  misfit(record: LoadRecord): string | null;
  close(): Promise<void>;
}

export interface LoadOptions {
  /** A load of this name is carried on, never repeated. */
  readonly name: string;
  /** SHA-256 of the file, lower-case hex. */
  readonly digest: string;
  /** The records from the start of the file, always the same ones. */
  readonly records: () => AsyncIterable<LoadRecord>;
  /** Gives up when a transaction has not been committed for so long. */
  readonly deadlineMs: number;
  /** Told of each transaction: records that are on the topic now. */
  readonly onProgress: (records: number) => void;
}

export interface LoadDeps {
  readonly sink: LoadSink;
  readonly clock: Clock;
  readonly outage: Outage;
}

export interface LoadSummary {
  /** Records that this run has loaded, and their bytes. */
  readonly records: number;
  readonly bytes: number;
  /** Records that earlier runs have loaded. */
  readonly before: number;
  /** Whether the whole file is on the topic now. */
  readonly isComplete: boolean;
}

/**
 * Loads what is not on the topic yet, until the end of the file or the signal.
 *
 * @throws ShuttleError FILE_CHANGED; LOAD_FENCED when another load of the name has started;
 * TOPIC_UNFIT for a record that the topic does not take; KAFKA_UNREACHABLE, PRODUCE_FAILED when
 * nothing was committed for `deadlineMs`
 */
export async function loadRecords(
  deps: LoadDeps,
  options: LoadOptions,
  signal: AbortSignal,
): Promise<LoadSummary> {
  try {
    return await new Load(deps, options, signal).run();
  } finally {
    await deps.sink.close();
  }
}

class Load {
  private readonly deps: LoadDeps;
  private readonly options: LoadOptions;
  private readonly signal: AbortSignal;
  private isOpen = false;
  /** Records that are on the topic, as it was committed or read last. */
  private done = 0;
  private bytes = 0;

  constructor(deps: LoadDeps, options: LoadOptions, signal: AbortSignal) {
    this.deps = deps;
    this.options = options;
    this.signal = signal;
  }

  async run(): Promise<LoadSummary> {
    await this.patiently(() => this.open());
    const before = this.done;
    this.options.onProgress(before);
    let number = 0;
    let step: LoadRecord[] = [];
    let stepBytes = 0;
    for await (const record of this.options.records()) {
      number += 1;
      if (number <= before) {
        continue;
      }
      const size = record.value.length + (record.key?.length ?? 0);
      const isFull = step.length >= LOAD_TRANSACTION_RECORDS_MAX;
      if (isFull || stepBytes + size > LOAD_TRANSACTION_BYTES_MAX) {
        await this.commit(step);
        step = [];
        stepBytes = 0;
      }
      if (this.signal.aborted) {
        return this.summary(before, false);
      }
      this.requireFit(record);
      step.push(record);
      stepBytes += size;
    }
    await this.commit(step);
    return this.summary(before, number === this.done);
  }

  private summary(before: number, isComplete: boolean): LoadSummary {
    return { records: this.done - before, bytes: this.bytes, before, isComplete };
  }

  private requireFit(record: LoadRecord): void {
    const misfit = this.deps.sink.misfit(record);
    if (misfit !== null) {
      const message = `The record at line ${record.line} is too large: ${misfit}`;
      throw new ShuttleError('TOPIC_UNFIT', message, { at: { line: record.line } });
    }
  }

  private async open(): Promise<void> {
    const { digest, name } = this.options;
    const position = await this.deps.sink.open();
    if (position !== null && position.digest !== digest) {
      throw new ShuttleError(
        'FILE_CHANGED',
        `${position.records} records of ${name} are on the topic, of a file with other contents.`,
        { at: { load: name, loaded: position.digest, file: digest } },
      );
    }
    this.done = position?.records ?? 0;
    this.isOpen = true;
  }

  /**
   * An error leaves open what became of the transaction. A sink that is opened again has settled
   * it, and its position tells.
   */
  private async commit(step: readonly LoadRecord[]): Promise<void> {
    if (step.length === 0) {
      return;
    }
    const first = this.done;
    const records = first + step.length;
    await this.patiently(async () => {
      if (!this.isOpen) {
        await this.open();
        if (this.done !== first && this.done !== records) {
          const message = `Another process has loaded up to record ${this.done} meanwhile.`;
          throw new ShuttleError('LOAD_FENCED', message, { at: { load: this.options.name } });
        }
      }
      if (this.done === first) {
        this.isOpen = false;
        await this.deps.sink.commit(step, first, { records, digest: this.options.digest });
        this.isOpen = true;
        this.done = records;
      }
    });
    if (this.done === records) {
      this.bytes += step.reduce((sum, { value }) => sum + value.length, 0);
      this.options.onProgress(this.done);
    }
  }

  /** Tries until it is done, cannot be, or the deadline has passed. */
  private async patiently(call: () => Promise<void>): Promise<void> {
    const { clock, outage } = this.deps;
    const { signal } = this;
    const untilMs = clock.now() + this.options.deadlineMs;
    const waiter = outage.waiter();
    try {
      await tryUntilAnswered(call, {
        clock,
        signal,
        abandons: false,
        live: () => true,
        answered: () => waiter.answered('kafka'),
        failed: (error) => {
          waiter.failed('kafka', error);
          if (signal.aborted || clock.now() >= untilMs) {
            throw error;
          }
        },
      });
    } finally {
      waiter.leave();
    }
  }
}
