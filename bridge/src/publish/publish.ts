/** The outbound pipeline: every committed block to Kafka, exactly once, in order, without a gap. */
import type { Attest } from '../block/attestation.ts';
import type { ChainTip } from '../block/check.ts';
import type { Block } from '../block/decode.ts';
import type { EncryptRecord } from '../block/encryption.ts';
import { OUTPUTS, type Output } from '../block/records.ts';
import { topicNames } from '../block/topics.ts';
import { ShuttleError, toShuttleError } from '../errors.ts';
import { backOffMs, PUBLISH_QUEUE_BYTES_MAX, PUBLISH_STOP_PATIENCE_MS } from '../limits.ts';
import { Outage, type Side, type Waiter } from '../outage.ts';
import { tryUntilAnswered } from '../patience.ts';
import type { BlockSink, BlockTail, Clock, Ledger, Log, Meter } from '../ports.ts';
import type { LedgerIdentity } from '../values.ts';
import { openProving, type ProveBlock } from './proving.ts';
import { BlockQueue, type PreparedBlock } from './queue.ts';
import { type ReaderOptions, readBlocks } from './reader.ts';
import { orAborted, withPatience } from './waiting.ts';

export interface PublishDeps {
  /** A new sink each time: one that has failed is of no more use. */
  readonly openSink: () => BlockSink;
  readonly ledger: Pick<Ledger, 'identity' | 'height' | 'blocks'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** Shared with the other pipeline of the process; one of its own by default. */
  readonly outage?: Outage;
}

export interface PublishOptions {
  readonly channel: string;
  readonly chaincode: string;
  readonly prefix: string;
  /** Publish what the channel holds at the start, then return. */
  readonly untilEnd: boolean;
  readonly transactionBytesMax: number;
  readonly transactionRecordsMax: number;
  readonly queueBytesMax?: number;
  /** Topics beside blocks; all by default. */
  readonly outputs?: readonly Output[];
  /** Vouches for each block in its headers; left out, nobody does. */
  readonly attest?: Attest;
  /** Proves each block before it is published: signatures, policies, codes. Default false. */
  readonly prove?: boolean;
  /** Encrypts the values; left out, they stay readable. */
  readonly encrypt?: EncryptRecord;
  /** With untilEnd: give up when nothing has moved for this long; without it, wait. */
  readonly deadlineMs?: number;
}

export interface PublishSummary {
  readonly blocks: number;
  readonly transactions: number;
  readonly changes: number;
  readonly events: number;
  /** Records on all topics. */
  readonly records: number;
  /** Kafka transactions that were committed. */
  readonly commits: number;
  /** The last block that the topic is known to hold; null when it holds none. */
  readonly lastBlock: bigint | null;
}

/**
 * Publishes until the signal aborts, or with `untilEnd` until the channel's end. Keeps no state of
 * its own: each new sink's tail says where to go on. Outages of either side are waited for.
 *
 * @throws ShuttleError FORKED, BLOCKS_TRUNCATED, BLOCK_INVALID, PUBLISHER_FENCED (stop codes),
 * DEADLINE, and what a port throws that does not pass by itself
 */
export async function runPublish(
  deps: PublishDeps,
  options: PublishOptions,
  signal: AbortSignal,
): Promise<PublishSummary> {
  return new Publisher(deps, options, signal).run();
}

class Publisher {
  private readonly deps: PublishDeps;
  private readonly options: PublishOptions;
  private readonly outage: Outage;
  private readonly waiter: Waiter;
  private readonly deadline = new AbortController();
  private readonly finished = new AbortController();
  /** Aborts at the caller's wish and at the deadline. */
  private readonly signal: AbortSignal;
  private readonly counts = {
    blocks: 0,
    transactions: 0,
    changes: 0,
    events: 0,
    records: 0,
    commits: 0,
  };
  private lastBlock: bigint | null = null;
  /** The blocks of a Kafka transaction whose outcome is not known yet. */
  private inFlight: readonly PreparedBlock[] = [];
  private sentAtMs = 0;
  private movedAtMs: number;
  private sinkAttempt = 0;

  constructor(deps: PublishDeps, options: PublishOptions, signal: AbortSignal) {
    this.deps = deps;
    this.options = options;
    this.outage = deps.outage ?? new Outage(deps.log, deps.meter, deps.clock);
    this.waiter = this.outage.waiter();
    this.signal = AbortSignal.any([signal, this.deadline.signal]);
    this.movedAtMs = deps.clock.now();
  }

  async run(): Promise<PublishSummary> {
    const watching = this.watchDeadline();
    try {
      await this.publishAll();
      this.deadline.signal.throwIfAborted();
    } catch (caught) {
      // What a stop interrupts is no failure; a deadline is one.
      const { aborted: late, reason } = this.deadline.signal;
      if (late || !this.signal.aborted) {
        throw this.told(late ? reason : caught);
      }
    } finally {
      this.finished.abort();
      this.waiter.leave();
      await watching;
    }
    return { ...this.counts, lastBlock: this.lastBlock };
  }

  /** Says in log and meter what ended the run. */
  private told(caught: unknown): ShuttleError {
    const error = toShuttleError(caught);
    const { channel } = this.options;
    const fields = { channel, code: error.code, err: error.message, ...error.at };
    this.deps.meter.failed(error.code);
    this.deps.log.error(fields, 'stopped publishing');
    return error;
  }

  private async publishAll(): Promise<void> {
    const { channel, chaincode, prefix, outputs = OUTPUTS, attest, encrypt } = this.options;
    const { ledger } = this.deps;
    const identity = await this.persist('fabric', () => ledger.identity());
    const end = this.options.untilEnd ? await this.persist('fabric', () => ledger.height()) : null;
    const { genesisHash } = identity;
    const records = {
      channel,
      chaincode,
      outputs,
      topics: topicNames(prefix, channel),
      ...(encrypt === undefined ? {} : { encrypt }),
      ...(attest === undefined ? {} : { attest: attesting(attest, channel, genesisHash) }),
    };
    const reader = { records, genesisHash, end };
    while (!this.signal.aborted && !(await this.session(identity, reader))) {
      this.sinkAttempt += 1;
      await this.backOff(this.sinkAttempt);
    }
  }

  /** One sink's life. True when all is published, false when a new sink has to go on. */
  private async session(
    identity: LedgerIdentity,
    reader: Omit<ReaderOptions, 'prove'>,
  ): Promise<boolean> {
    const sink = this.deps.openSink();
    try {
      const tail = await this.kafka(orAborted(sink.open(), this.signal));
      const tip = checkTail(tail, identity);
      this.waiter.answered('kafka');
      this.settle(tip?.number ?? null);
      const prove = await this.openProving(tail, reader);
      await this.pump(sink, tip, { ...reader, prove });
      return true;
    } catch (error) {
      if (error instanceof SinkFailure && !this.signal.aborted) {
        this.waiter.failed('kafka', error.reason);
        return false;
      }
      throw error;
    } finally {
      await this.close(sink);
    }
  }

  private async openProving(
    tail: BlockTail,
    { genesisHash }: Pick<ReaderOptions, 'genesisHash'>,
  ): Promise<ProveBlock | null> {
    const { channel, prove } = this.options;
    const { ledger, log } = this.deps;
    const last = tail.kind === 'resume' ? tail.last : null;
    return prove === true
      ? await this.persist('fabric', () =>
          openProving(ledger, { genesisHash, channel }, last, log, this.signal),
        )
      : null;
  }

  /** Blocks are read and decoded ahead while one Kafka transaction is in flight. */
  private async pump(sink: BlockSink, tip: ChainTip | null, options: ReaderOptions): Promise<void> {
    const { transactionBytesMax, transactionRecordsMax, queueBytesMax } = this.options;
    const limits = { bytesMax: transactionBytesMax, recordsMax: transactionRecordsMax };
    const queue = new BlockQueue(queueBytesMax ?? PUBLISH_QUEUE_BYTES_MAX);
    const over = new AbortController();
    const signal = AbortSignal.any([this.signal, over.signal]);
    const reading = readBlocks({ ...this.deps, outage: this.outage }, options, tip, queue, signal);
    try {
      while (!this.signal.aborted) {
        const group = queue.take(limits);
        if (group === null) {
          await orAborted(queue.changed(), this.signal);
        } else if (group.length === 0) {
          return;
        } else {
          await this.publish(sink, group);
        }
      }
    } finally {
      over.abort();
      await reading;
    }
  }

  private async publish(sink: BlockSink, group: readonly PreparedBlock[]): Promise<void> {
    this.inFlight = group;
    this.sentAtMs = this.deps.clock.now();
    const sent = this.kafka(sink.publish(group.flatMap((block) => block.records)));
    await this.finishOrAbandon(sent);
    this.sinkAttempt = 0;
    this.settle(group.at(-1)?.number ?? null);
  }

  /** A stop lets the Kafka transaction in flight finish; one that hangs is left to be aborted. */
  private async finishOrAbandon(sent: Promise<void>): Promise<void> {
    try {
      await orAborted(sent, this.signal);
    } catch (error) {
      if (!this.signal.aborted) {
        throw error;
      }
      if (!(await withPatience(sent, this.deps.clock, PUBLISH_STOP_PATIENCE_MS))) {
        throw error;
      }
    }
  }

  /** Counts the blocks in flight that the topic holds; the others are read again. */
  private settle(last: bigint | null): void {
    const { channel } = this.options;
    const { log, meter, clock } = this.deps;
    const held = this.inFlight.filter((block) => last !== null && block.number <= last);
    const durationMs = clock.now() - this.sentAtMs;
    this.inFlight = [];
    for (const { number, records, transactions, changes, events } of held) {
      const fields = {
        channel,
        block_number: number,
        transaction_count: transactions,
        change_count: changes,
        event_count: events,
        record_count: records.length,
        duration_ms: durationMs,
      };
      log.info(fields, 'published a block');
      meter.blockPublished(number, transactions, records.length);
      this.counts.blocks += 1;
      this.counts.transactions += transactions;
      this.counts.changes += changes;
      this.counts.events += events;
      this.counts.records += records.length;
    }
    if (held.length > 0) {
      this.counts.commits += 1;
      this.movedAtMs = clock.now();
    }
    this.lastBlock = last ?? this.lastBlock;
  }

  /** Tells a sink's failure that passes from everything else, which stops the publisher. */
  private async kafka<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (caught) {
      const error = toShuttleError(caught);
      throw error.kind.retry === 'never' ? error : new SinkFailure(error);
    }
  }

  private async persist<T>(side: Side, call: () => Promise<T>): Promise<T> {
    const { signal, waiter } = this;
    const answer = await tryUntilAnswered(call, {
      clock: this.deps.clock,
      signal,
      abandons: true,
      live: () => !signal.aborted,
      answered: () => waiter.answered(side),
      failed: (error) => waiter.failed(side, error),
    });
    if (answer === null) {
      throw signal.reason;
    }
    return answer;
  }

  private backOff(attempt: number): Promise<void> {
    const { clock } = this.deps;
    return clock.sleep(backOffMs(attempt, clock.random()), this.signal);
  }

  private async close(sink: BlockSink): Promise<void> {
    const { clock, log } = this.deps;
    try {
      await withPatience(sink.close(), clock, PUBLISH_STOP_PATIENCE_MS);
    } catch (error) {
      log.debug({ err: toShuttleError(error).message }, 'could not close the producer');
    }
  }

  private async watchDeadline(): Promise<void> {
    const { untilEnd, deadlineMs } = this.options;
    const { clock } = this.deps;
    if (!untilEnd || deadlineMs === undefined) {
      return;
    }
    const over = AbortSignal.any([this.signal, this.finished.signal]);
    while (!over.aborted) {
      const leftMs = this.movedAtMs + deadlineMs - clock.now();
      if (leftMs <= 0) {
        const cause = this.outage.last;
        const details = cause === null ? {} : { cause };
        const message = `Nothing has moved for ${deadlineMs} ms.`;
        this.deadline.abort(new ShuttleError('DEADLINE', message, details));
        return;
      }
      await clock.sleep(leftMs, over);
    }
  }
}

/** Carries a passing failure of the sink from where it happens to the end of its session. */
class SinkFailure extends Error {
  readonly reason: ShuttleError;

  constructor(reason: ShuttleError) {
    super(reason.message, { cause: reason });
    this.name = 'SinkFailure';
    this.reason = reason;
  }
}

const attesting =
  (attest: Attest, channel: string, genesisHash: string) =>
  ({ header: { number }, hash, commitHash }: Block) =>
    attest({ channel, genesisHash, number, hash, commitHash });

/** Where to go on, once it is certain that topic and channel are the same chain. */
function checkTail(tail: BlockTail, identity: LedgerIdentity): ChainTip | null {
  if (tail.kind === 'new') {
    return null;
  }
  if (tail.kind === 'truncated') {
    throw new ShuttleError('BLOCKS_TRUNCATED', 'The blocks topic has lost its first records.', {
      at: { log_start: tail.logStart },
    });
  }
  const { first, last } = tail;
  if (first.number !== 0n) {
    throw new ShuttleError(
      'BLOCKS_TRUNCATED',
      `The blocks topic begins with block ${first.number}.`,
      { at: { block_number: first.number } },
    );
  }
  if (first.hash !== identity.genesisHash) {
    throw new ShuttleError('FORKED', 'The blocks topic holds a channel of another genesis.', {
      at: { topic_genesis: first.hash, channel_genesis: identity.genesisHash },
    });
  }
  return { number: last.number, hash: last.hash, from: 'topic' };
}
