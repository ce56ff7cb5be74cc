/** Proves a chain from its first block to its end, in memory that does not grow with it. */
import type { AttestationKeys } from '../block/attestation.ts';
import { ShuttleError } from '../errors.ts';
import type { RecordHeader } from '../values.ts';
import type { Doubt, DoubtCode, Verdict } from '../verify/findings.ts';
import { type BlockReport, createVerifier } from '../verify/verifier.ts';
import { type ChainFinding, Told } from './findings.ts';
import { comparePeer, type PeerBlocks, type PeerComparison } from './peers.ts';
import { attestationNote, createHeaderVerifier, isDoubt } from './records.ts';
import type { BlockSource, ProvenTip, SourcedBlock } from './source.ts';

export interface ChainOptions {
  /** Header hash of block 0, lower-case hex; null trusts the one that is there. */
  readonly genesisHash: string | null;
  /** Null takes the channel of the first block. */
  readonly channel: string | null;
  /** Number of a block that the chain has to reach; null takes its end as it is. */
  readonly height: bigint | null;
  /** Follows the state, so that codes are proven that need it; memory grows with the ledger. */
  readonly replay?: boolean;
  readonly peers: readonly PeerBlocks[];
  /** Reads the headers of the topic's records only: the header chain, and nothing in the blocks. */
  readonly headersOnly?: boolean;
  /** Public keys whose attestations are asked for; left out, nobody's. */
  readonly attestedBy?: AttestationKeys;
  /** So many findings are told in full; all are counted. */
  readonly toldMax: number;
  readonly onProgress: (blocks: number, done: number, total: number) => void;
}

/**
 * What the validation codes rest on that need the state of the ledger, as that of every transaction
 * that has read something: the state, followed from block 0 on; attestations of the bridge; or
 * nothing but the commit hashes, which nobody signs. `none` were read with `headersOnly`.
 */
export type CodesBy = 'state' | 'attestations' | 'commit-hashes' | 'none';

export interface ChainSummary {
  /** Number of the first block that was there; null without any. */
  readonly first: bigint | null;
  /** The last block; null without any. */
  readonly last: ProvenTip | null;
  /** The last one before whatever is wrong: so far the chain is proven. */
  readonly proven: ProvenTip | null;
  /** Header hash of block 0; null when it was not there. */
  readonly genesisHash: string | null;
  readonly blocks: Readonly<Record<Verdict, number>>;
  readonly transactions: number;
  readonly findings: readonly ChainFinding[];
  readonly findingCount: number;
  readonly findingCounts: Told['counts'];
  readonly doubts: Readonly<Partial<Record<DoubtCode, DoubtCount>>>;
  readonly codesBy: CodesBy;
  readonly peers: readonly PeerComparison[];
  /** False when the signal has ended it before. */
  readonly isComplete: boolean;
}

export interface DoubtCount {
  readonly count: number;
  /** The first one. */
  readonly example: Doubt;
}

/**
 * Verifies every block of the source, then compares its end with peers.
 *
 * @throws ShuttleError what the source throws; what cannot be read or decrypted is a finding, and
 * nothing behind it is read
 */
export async function verifyChain(
  source: BlockSource,
  options: ChainOptions,
  signal: AbortSignal,
): Promise<ChainSummary> {
  const walk = new Walk(source, options);
  try {
    for await (const sourced of source.blocks(null, signal)) {
      const { done, total } = sourced;
      walk.take(sourced);
      options.onProgress(walk.blockCount, done, total);
      if (signal.aborted) {
        break;
      }
    }
  } catch (error) {
    walk.fail(error);
  }
  if (!signal.aborted) {
    walk.finish();
  }
  const { proven, told } = walk;
  const peers: PeerComparison[] = [];
  if (proven !== null && !signal.aborted) {
    for (const peer of options.peers) {
      peers.push(await comparePeer(source, proven, peer, signal));
    }
  }
  for (const finding of peers.flatMap((each) => each.finding ?? [])) {
    told.add(finding);
  }
  return walk.summary(peers, !signal.aborted);
}

/** A file that stops being an archive; a record that is not the one that was encrypted there. */
const BROKEN_SOURCE: readonly string[] = ['ARCHIVE_INVALID', 'DECRYPTION_FAILED'];

class Walk {
  readonly told: Told;
  proven: ProvenTip | null = null;
  private readonly source: BlockSource;
  private readonly options: ChainOptions;
  private readonly judge: (sourced: SourcedBlock) => BlockReport;
  private first: bigint | null = null;
  private last: ProvenTip | null = null;
  private genesisHash: string | null = null;
  private readonly blocks: Record<Verdict, number> = { verified: 0, unverifiable: 0, failed: 0 };
  private transactions = 0;
  private readonly doubts: Partial<Record<DoubtCode, DoubtCount>> = {};

  constructor(source: BlockSource, options: ChainOptions) {
    const { genesisHash, channel, toldMax, replay = false } = options;
    this.source = source;
    this.options = options;
    this.told = new Told(toldMax);
    if (options.headersOnly === true) {
      const verify = createHeaderVerifier(genesisHash);
      this.judge = ({ headers = [] }) => verify(headers);
    } else {
      const verifier = createVerifier({ genesisHash, channel, replay });
      this.judge = ({ bytes }) => verifier.verify(bytes);
    }
  }

  get blockCount(): number {
    const { verified, unverifiable, failed } = this.blocks;
    return verified + unverifiable + failed;
  }

  take(sourced: SourcedBlock): void {
    const report = this.judge(sourced);
    this.blocks[report.verdict] += 1;
    this.transactions += report.transactions;
    for (const finding of report.findings) {
      this.told.add(finding);
    }
    for (const doubt of report.doubts) {
      this.addDoubt(doubt);
    }
    if (report.hash !== '') {
      this.reach(report);
      this.checkAttestation(report, sourced.headers ?? []);
    }
  }

  private addDoubt(doubt: Doubt): void {
    const known = this.doubts[doubt.code];
    this.doubts[doubt.code] = {
      count: (known?.count ?? 0) + 1,
      example: known?.example ?? doubt,
    };
  }

  private checkAttestation(
    { number, hash, commitHash }: BlockReport,
    headers: readonly RecordHeader[],
  ): void {
    const { attestedBy, channel, genesisHash } = this.options;
    const genesis = genesisHash ?? this.genesisHash;
    if (attestedBy === undefined || channel === null || genesis === null) {
      return;
    }
    const block = { channel, genesisHash: genesis, number, hash, commitHash };
    const note = attestationNote(headers, block, attestedBy);
    if (note !== null && isDoubt(note)) {
      this.addDoubt(note);
    } else if (note !== null) {
      this.told.add(note);
      this.blocks.failed += 1;
    }
  }

  /** What is wrong with the source is wrong with its next block; other errors are thrown on. */
  fail(error: unknown): void {
    if (!(error instanceof ShuttleError) || !BROKEN_SOURCE.includes(error.code)) {
      throw error;
    }
    const block = this.last === null ? 0n : this.last.number + 1n;
    const { message: sentence } = error;
    this.told.add({ code: 'BLOCK_UNREADABLE', block, transaction: null, byte: null, sentence });
  }

  finish(): void {
    const { height, genesisHash } = this.options;
    const { first, last } = this;
    const place = { transaction: null, byte: null };
    const isPinned = this.source.isWhole || genesisHash !== null;
    if (isPinned && first !== null && first > 0n) {
      const sentence = `The ${this.source.name} begins with block ${first}.`;
      this.told.add({ code: 'HEAD_MISSING', block: 0n, ...place, sentence });
    }
    const next = last === null ? 0n : last.number + 1n;
    if (height !== null && next <= height) {
      const end = last === null ? 'There is no block' : `The last block is ${last.number}`;
      const sentence = `${end}, and the chain has to reach block ${height}.`;
      this.told.add({ code: 'TAIL_MISSING', block: next, ...place, sentence });
    }
  }

  summary(peers: readonly PeerComparison[], isComplete: boolean): ChainSummary {
    const { first, last, proven, genesisHash, blocks, transactions, doubts } = this;
    const { findings, count: findingCount, counts: findingCounts } = this.told;
    return {
      first,
      last,
      proven,
      genesisHash,
      blocks,
      transactions,
      findings,
      findingCount,
      findingCounts,
      doubts,
      codesBy: this.codesBy(),
      peers,
      isComplete,
    };
  }

  private codesBy(): CodesBy {
    const { headersOnly, replay, attestedBy } = this.options;
    if (headersOnly === true) {
      return 'none';
    }
    if (replay === true && this.first === 0n) {
      return 'state';
    }
    return attestedBy === undefined ? 'commit-hashes' : 'attestations';
  }

  private reach({ number, hash, commitHash }: BlockReport): void {
    this.first ??= number;
    this.last = { number, hash, commitHash };
    if (number === 0n) {
      this.genesisHash ??= hash;
    }
    if (this.blocks.failed === 0) {
      this.proven = this.last;
    }
  }
}
