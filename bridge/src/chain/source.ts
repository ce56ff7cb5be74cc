/** Where the blocks of a chain are read from: the blocks topic, a peer, or an archive. */
import type { Ledger } from '../ports.ts';
import type { RecordHeader } from '../values.ts';

export interface SourcedBlock {
  /** As they are there; whether they are a block is for the reader to find out. */
  readonly bytes: Uint8Array;
  /** How far the reading has come, in the source's own measure. */
  readonly done: number;
  readonly total: number;
  /** Of the record that carries it, on a topic. */
  readonly headers?: readonly RecordHeader[];
}

/** Where a proof ends. */
export interface ProvenTip {
  readonly number: bigint;
  /** Header hash, lower-case hex. */
  readonly hash: string;
  /** Lower-case hex; null where the block has none. */
  readonly commitHash: string | null;
}

/** What a command reads blocks from. */
export interface BlockSource {
  readonly kind: 'topic' | 'peer' | 'file';
  /** In words, for reports: `topic shuttle.mychannel.blocks`. */
  readonly name: string;
  /** Whether it has to begin with block 0: a topic that is kept for ever, or a peer. */
  readonly isWhole: boolean;
  /**
   * In their order, up to the end as it is at the call.
   *
   * @param from - number of the first block; null for the first that is there
   * @throws ShuttleError KAFKA_UNREACHABLE, FABRIC_UNREACHABLE, ARCHIVE_INVALID and their like
   */
  blocks(from: bigint | null, signal: AbortSignal): AsyncIterable<SourcedBlock>;
  close(): Promise<void>;
}

/** Blocks of a peer, up to the height that it has at the call. The ledger is not closed. */
export function createPeerSource(
  ledger: Pick<Ledger, 'height' | 'blocks'>,
  endpoint: string,
): BlockSource {
  return {
    kind: 'peer',
    name: `peer ${endpoint}`,
    isWhole: true,
    async *blocks(from, signal) {
      const first = from ?? 0n;
      const total = Number((await ledger.height()) - first);
      let done = 0;
      if (total <= 0) {
        return;
      }
      for await (const bytes of ledger.blocks(first, signal)) {
        done += 1;
        yield { bytes, done, total };
        if (done === total) {
          return;
        }
      }
    },
    close: async () => {},
  };
}
