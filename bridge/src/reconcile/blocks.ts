/** Compares the blocks topic with the channel, both read once from the start. */
import { checkDataHash } from '../block/check.ts';
import { type Block, decodeBlock } from '../block/decode.ts';
import { ShuttleError } from '../errors.ts';
import type { FindingLog } from './findings.ts';

/** Blocks that the topic has skipped are remembered up to so many, to tell late from missing. */
const SKIPPED_MAX = 100_000;

interface ChannelBlock {
  readonly hash: string;
  readonly validationCodes: Uint8Array;
}

/** A record of the topic; `fault` says why its bytes are no sound block. */
interface TopicBlock extends ChannelBlock {
  readonly number: bigint;
  readonly fault: string | null;
}

/**
 * Blocks of the channel come by `channel`, in order; records of the topic are taken from the
 * iterator as far as the channel has come, so neither side is ever held as a whole.
 */
export class BlockCheck {
  /** Records of the topic that were compared. */
  compared = 0;
  private readonly records: AsyncIterator<Uint8Array>;
  private readonly findings: FindingLog;
  /** Blocks that the topic has not shown yet, or has skipped. */
  private readonly due = new Map<bigint, ChannelBlock>();
  /** Numbers below it have been on the topic or were skipped. */
  private next = 0n;
  private ahead: TopicBlock | null = null;
  private ended = false;

  constructor(records: AsyncIterable<Uint8Array>, findings: FindingLog) {
    this.records = records[Symbol.asyncIterator]();
    this.findings = findings;
  }

  /** Takes the channel's next block. */
  async channel(block: Block): Promise<void> {
    const { header, hash, validationCodes } = block;
    this.due.set(header.number, { hash, validationCodes: Buffer.from(validationCodes) });
    while (!this.ended) {
      const record = await this.peek();
      if (record === null || record.number > header.number) {
        return;
      }
      this.ahead = null;
      this.compare(record);
    }
  }

  /** To be called when the channel has no more blocks: tells what is left on either side. */
  async finish(height: bigint): Promise<{ readonly pending: bigint }> {
    for (let record = await this.peek(); record !== null; record = await this.peek()) {
      this.ahead = null;
      const detail = `the channel had ${height} blocks when this run began`;
      const blockNumber = record.number;
      if (blockNumber < height) {
        this.compare(record);
      } else {
        this.findings.add({ kind: 'BLOCK_UNKNOWN', blockNumber, detail });
      }
    }
    for (const blockNumber of this.due.keys()) {
      if (blockNumber < this.next) {
        this.findings.add({ kind: 'BLOCK_MISSING', blockNumber });
      }
    }
    return { pending: height > this.next ? height - this.next : 0n };
  }

  private async peek(): Promise<TopicBlock | null> {
    while (this.ahead === null && !this.ended) {
      const { done, value } = await this.records.next();
      this.ended = done === true;
      if (!this.ended) {
        this.compared += 1;
        this.ahead = this.decode(value);
      }
    }
    return this.ahead;
  }

  /** Null when not even the block's number can be told. */
  private decode(bytes: Uint8Array): TopicBlock | null {
    try {
      const block = decodeBlock(bytes);
      const { hash, validationCodes, header } = block;
      return { number: header.number, hash, validationCodes, fault: dataFault(block) };
    } catch (error) {
      const { at, message } = asShuttleError(error);
      if (typeof at.block_number === 'bigint') {
        const validationCodes = new Uint8Array();
        return { number: at.block_number, hash: '', validationCodes, fault: message };
      }
      this.findings.add({ kind: 'BLOCK_UNKNOWN', detail: message });
      return null;
    }
  }

  private compare(record: TopicBlock): void {
    const { number: blockNumber, hash, validationCodes, fault } = record;
    const expected = this.due.get(blockNumber);
    if (expected === undefined) {
      this.findings.add({ kind: 'BLOCK_TWICE', blockNumber });
      return;
    }
    if (blockNumber < this.next) {
      this.findings.add({ kind: 'BLOCK_ORDER', blockNumber });
    }
    const isSame =
      hash === expected.hash && Buffer.from(validationCodes).equals(expected.validationCodes);
    if (fault !== null || !isSame) {
      const detail = fault ?? `header hash ${hash}, on the channel ${expected.hash}`;
      this.findings.add({ kind: 'BLOCK_DIFFERS', blockNumber, detail });
    }
    this.pass(blockNumber);
  }

  private pass(blockNumber: bigint): void {
    this.due.delete(blockNumber);
    if (blockNumber >= this.next) {
      this.next = blockNumber + 1n;
    }
    for (const skipped of this.due.keys()) {
      if (this.due.size <= SKIPPED_MAX || skipped >= this.next) {
        return;
      }
      this.due.delete(skipped);
      this.findings.add({ kind: 'BLOCK_MISSING', blockNumber: skipped });
    }
  }
}

function dataFault(block: Block): string | null {
  try {
    checkDataHash(block);
    return null;
  } catch (error) {
    return asShuttleError(error).message;
  }
}

/** What is no fault of the bytes is thrown on. */
function asShuttleError(error: unknown): ShuttleError {
  if (error instanceof ShuttleError) {
    return error;
  }
  throw error;
}
