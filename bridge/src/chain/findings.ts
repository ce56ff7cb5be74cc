/** What is wrong with a chain as a whole, beside what is wrong with one of its blocks. */
import { FINDINGS, type Finding } from '../verify/findings.ts';

export const CHAIN_FINDINGS = {
  ...FINDINGS,
  HEAD_MISSING: 'The chain does not begin with its first block.',
  TAIL_MISSING: 'The chain ends before the height that it has to reach.',
  PEER_DIFFERS: 'A peer has committed something else.',
  ATTESTATION_WRONG: 'A key has not signed what its attestation says.',
} as const;

export type ChainFindingCode = keyof typeof CHAIN_FINDINGS;

export interface ChainFinding extends Omit<Finding, 'code'> {
  readonly code: ChainFindingCode;
}

/** Counts findings by their codes, and tells the first so many of them. */
export class Told {
  readonly counts: Partial<Record<ChainFindingCode, number>> = {};
  readonly findings: ChainFinding[] = [];
  count = 0;
  private readonly most: number;

  constructor(most: number) {
    this.most = most;
  }

  add(finding: ChainFinding): void {
    this.count += 1;
    this.counts[finding.code] = (this.counts[finding.code] ?? 0) + 1;
    if (this.findings.length < this.most) {
      this.findings.push(finding);
    }
  }
}
