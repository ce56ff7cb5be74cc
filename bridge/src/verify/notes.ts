/** What is said of one block while it is verified. */
import {
  type Doubt,
  type DoubtCode,
  type Finding,
  type FindingCode,
  Unprovable,
  type Verdict,
} from './findings.ts';

export interface BlockReport {
  readonly number: bigint;
  /** Header hash, lower-case hex. */
  readonly hash: string;
  /** Lower-case hex; null where the block has none. */
  readonly commitHash: string | null;
  readonly transactions: number;
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
  readonly doubts: readonly Doubt[];
}

/** Collects what is said of one block. */
export class Notes {
  block: bigint;
  private readonly bytes: Uint8Array;
  private readonly findings: Finding[] = [];
  private readonly doubts: Doubt[] = [];

  constructor(block: bigint, bytes: Uint8Array) {
    this.block = block;
    this.bytes = bytes;
  }

  /** @param at - a view into the block */
  find(
    code: FindingCode,
    sentence: string,
    at: Uint8Array | null,
    transaction: number | null = null,
  ): void {
    const isWithin = at !== null && at.buffer === this.bytes.buffer;
    const byte = isWithin ? at.byteOffset - this.bytes.byteOffset : null;
    this.findings.push({ code, block: this.block, transaction, byte, sentence });
  }

  get hasFindings(): boolean {
    return this.findings.length > 0;
  }

  findAt(code: FindingCode, sentence: string, byte: number): void {
    this.findings.push({ code, block: this.block, transaction: null, byte, sentence });
  }

  doubt(code: DoubtCode, sentence: string, transaction: number | null): void {
    this.doubts.push({ code, block: this.block, transaction, byte: null, sentence });
  }

  /** Runs a check that may meet what nobody here understands: false is returned then. */
  proving(transaction: number | null, check: () => void): boolean {
    try {
      check();
      return true;
    } catch (error) {
      const isKnown = error instanceof Unprovable;
      const sentence = isKnown ? error.message : `It cannot be checked: ${String(error)}.`;
      this.doubt(isKnown ? error.code : 'POLICY_UNKNOWN', sentence, transaction);
      return false;
    }
  }

  report(facts: Pick<BlockReport, 'hash' | 'commitHash' | 'transactions'>): BlockReport {
    const { block: number, findings, doubts } = this;
    const verdict =
      findings.length > 0 ? 'failed' : doubts.length > 0 ? 'unverifiable' : 'verified';
    return { number, ...facts, verdict, findings, doubts };
  }
}
