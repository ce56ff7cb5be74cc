/** A peer's block stream in memory, with the faults that a test asks for. */
import { ShuttleError } from '../../bridge/src/errors.ts';
import type { LedgerIdentity } from '../../bridge/src/values.ts';
import { type BuiltBlock, CHAINCODE, CHANNEL, MSP_ID } from './blocks.ts';

export class BlocksLedger {
  /** How many blocks the peer has; may be fewer than the chain's. */
  served: number;
  genesisHash: string;
  /** Blocks handed out so far, over all streams. */
  pulled = 0;
  /** Where streams were opened. */
  readonly opened: bigint[] = [];
  /** Streams that are open now. */
  streams = 0;
  /** Called before each block; throwing there cuts the stream. */
  beforeBlock: (number: number) => void | Promise<void> = () => {};
  /** Called before each call of height and identity. */
  beforeCall: () => void = () => {};
  /** Ends the stream without an error behind this block. */
  endsBehind: number | null = null;
  private readonly chain: readonly BuiltBlock[];
  private wake: () => void = () => {};

  constructor(chain: readonly BuiltBlock[]) {
    this.chain = chain;
    this.served = chain.length;
    this.genesisHash = chain[0]?.hash ?? '';
  }

  async identity(): Promise<LedgerIdentity> {
    this.beforeCall();
    const { genesisHash } = this;
    return { channel: CHANNEL, chaincode: CHAINCODE, mspId: MSP_ID, genesisHash };
  }

  async height(): Promise<bigint> {
    this.beforeCall();
    return BigInt(this.served);
  }

  /** Lets the peer commit up to `served` blocks. */
  serve(served: number): void {
    this.served = served;
    this.wake();
  }

  async *blocks(from: bigint, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    this.opened.push(from);
    this.streams += 1;
    try {
      for (let number = Number(from); ; number += 1) {
        await this.untilServed(number, signal);
        const block = this.chain[number];
        if (signal.aborted || block === undefined) {
          return;
        }
        await this.beforeBlock(number);
        this.pulled += 1;
        yield block.bytes;
        if (this.endsBehind === number) {
          this.endsBehind = null;
          return;
        }
      }
    } finally {
      // A real stream takes a turn of the event loop to close.
      await new Promise((resolve) => setImmediate(resolve));
      this.streams -= 1;
    }
  }

  private async untilServed(number: number, signal: AbortSignal): Promise<void> {
    while (number >= this.served && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
}

export const peerGone = (): ShuttleError =>
  new ShuttleError('FABRIC_UNREACHABLE', 'The peer does not answer.');
