/** From the peer's block stream to checked blocks with their records, ahead of the publisher. */
import { type ChainTip, checkBlock } from '../block/check.ts';
import { decodeBlock } from '../block/decode.ts';
import { blockRecords, type RecordOptions } from '../block/records.ts';
import { ShuttleError, toShuttleError } from '../errors.ts';
import { backOffMs, PEER_BEHIND_POLL_MS } from '../limits.ts';
import type { Outage, Waiter } from '../outage.ts';
import type { Clock, Ledger, Log } from '../ports.ts';
import type { ProveBlock } from './proving.ts';
import type { BlockQueue, PreparedBlock } from './queue.ts';
import { orAborted } from './waiting.ts';

export interface ReaderDeps {
  readonly ledger: Pick<Ledger, 'height' | 'blocks'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly outage: Outage;
}

export interface ReaderOptions {
  readonly records: RecordOptions;
  readonly genesisHash: string;
  /** Proves each block; null publishes what has the right hashes. */
  readonly prove: ProveBlock | null;
  /** Number of blocks to stop behind; null follows the chain. */
  readonly end: bigint | null;
}

/**
 * Reads from the block behind `tip` and fills the queue, never beyond its bound. A cut stream is
 * opened again at the next block. Ends the queue when the end is reached, the signal aborts, or a
 * block is not what it should be.
 */
export async function readBlocks(
  deps: ReaderDeps,
  options: ReaderOptions,
  tip: ChainTip | null,
  queue: BlockQueue,
  signal: AbortSignal,
): Promise<void> {
  const reader = new BlockReader(deps, options, tip, queue, signal);
  try {
    await reader.run();
    queue.end(null);
  } catch (error) {
    queue.end(signal.aborted ? null : toShuttleError(error));
  } finally {
    reader.leave();
  }
}

class BlockReader {
  private readonly deps: ReaderDeps;
  private readonly options: ReaderOptions;
  private readonly queue: BlockQueue;
  private readonly signal: AbortSignal;
  private readonly waiter: Waiter;
  private tip: ChainTip | null;
  /** Tries since the last block came. */
  private attempt = 0;
  /** Blocks below it are known to be there. */
  private height = 0n;

  constructor(
    deps: ReaderDeps,
    options: ReaderOptions,
    tip: ChainTip | null,
    queue: BlockQueue,
    signal: AbortSignal,
  ) {
    this.deps = deps;
    this.options = options;
    this.tip = tip;
    this.queue = queue;
    this.signal = signal;
    this.waiter = deps.outage.waiter();
  }

  private get next(): bigint {
    return this.tip === null ? 0n : this.tip.number + 1n;
  }

  private get isDone(): boolean {
    const { end } = this.options;
    return this.signal.aborted || (end !== null && this.next >= end);
  }

  async run(): Promise<void> {
    const { clock } = this.deps;
    while (!this.isDone) {
      try {
        await this.untilPeerHasTip();
        await this.stream();
      } catch (caught) {
        const error = toShuttleError(caught);
        if (this.signal.aborted || error.kind.retry === 'never') {
          throw caught;
        }
        this.queue.expectMore(false);
        this.waiter.failed('fabric', error);
        this.attempt += 1;
        await clock.sleep(backOffMs(this.attempt, clock.random()), this.signal);
      }
    }
  }

  leave(): void {
    this.waiter.leave();
  }

  /** A peer that was restored, or another one, may lack blocks that the topic has. */
  private async untilPeerHasTip(): Promise<void> {
    const { ledger, clock, log } = this.deps;
    let said = false;
    for (;;) {
      const height = await orAborted(ledger.height(), this.signal);
      const fields = { block_number: this.next, height };
      this.height = height;
      if (height >= this.next) {
        if (said) {
          log.info(fields, 'found the peer caught up with the topic');
        }
        if (height === this.next) {
          // No block will come soon to show that the peer is back.
          this.waiter.answered('fabric');
        }
        return;
      }
      if (!said) {
        said = true;
        log.warn(fields, 'found the peer behind the topic, waiting');
      }
      this.waiter.answered('fabric');
      await clock.sleep(PEER_BEHIND_POLL_MS, this.signal);
    }
  }

  private async stream(): Promise<void> {
    const { ledger } = this.deps;
    for await (const bytes of ledger.blocks(this.next, this.signal)) {
      if (this.signal.aborted) {
        return;
      }
      this.waiter.answered('fabric');
      this.attempt = 0;
      const prepared = this.prepare(bytes);
      this.queue.expectMore(this.next < this.height && !this.isDone);
      this.queue.push(prepared);
      while (!this.queue.hasRoom() && !this.signal.aborted) {
        await orAborted(this.queue.changed(), this.signal);
      }
      if (this.isDone) {
        return;
      }
    }
    if (!this.signal.aborted) {
      throw new ShuttleError('FABRIC_UNREACHABLE', 'The peer ended the block stream.');
    }
  }

  private prepare(bytes: Uint8Array): PreparedBlock {
    const block = decodeBlock(bytes);
    checkBlock(block, this.tip);
    const { number } = block.header;
    const { genesisHash } = this.options;
    if (number === 0n && block.hash !== genesisHash) {
      throw new ShuttleError('BLOCK_INVALID', 'Block 0 is not the genesis that the peer names.', {
        at: { block_hash: block.hash, genesis_hash: genesisHash },
      });
    }
    const prepared = blockRecords(block, this.recordOptions(bytes));
    this.tip = { number, hash: block.hash, from: 'stream' };
    return { number, hash: block.hash, ...prepared };
  }

  /** The proof's headers stand before those by which the bridge vouches for the block. */
  private recordOptions(bytes: Uint8Array): RecordOptions {
    const { prove, records } = this.options;
    const headers = prove?.(bytes) ?? [];
    return { ...records, attest: (block) => [...headers, ...(records.attest?.(block) ?? [])] };
  }
}
