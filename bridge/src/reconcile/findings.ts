/** Differences between the source topic, the ledger and the blocks topic: one finding each. */

/** What each kind of finding means; the table is interface. */
export const FINDINGS = {
  RECORD_MISSING: 'the ledger has passed this record without applying or refusing it',
  RECORD_TWICE: 'the ledger has applied this record more than once',
  RECORD_UNKNOWN: 'the ledger has a version whose position holds no record in the source',
  ORDER_WRONG: 'the ledger has applied records of one key in another order than the source',
  KEY_DIFFERS: 'the ledger has another key for this record',
  VALUE_DIFFERS: 'the ledger has another document for this record',
  LETTER_MISSING: 'the record was refused, and no dead letter says so',
  LETTER_UNFOUNDED: 'a dead letter names a record that was not refused',
  LETTER_DIFFERS: 'the dead letter holds another code, key or value than the refused record',
  RECORD_PENDING: 'the record is not carried yet',
  BLOCK_MISSING: 'the block is not on the blocks topic, although later ones are',
  BLOCK_TWICE: 'the block is on the blocks topic more than once',
  BLOCK_ORDER: 'the block stands behind a later one on the blocks topic',
  BLOCK_DIFFERS: "the block on the blocks topic is not the channel's",
  BLOCK_UNKNOWN: 'the blocks topic holds a record that is no block of the channel',
  BLOCK_PENDING: 'the block is not published yet',
} as const;

export type FindingKind = keyof typeof FINDINGS;

export interface Finding {
  readonly kind: FindingKind;
  /** Source partition and offset, for what concerns a record. */
  readonly partition?: number;
  readonly offset?: bigint;
  /** SHA-256 of the record's key, 12 hex digits: keys may be confidential. */
  readonly keyHash?: string;
  readonly txId?: string;
  readonly blockNumber?: bigint;
  /** What was found where something else was due. */
  readonly detail?: string;
}

/** Tells the first findings of each kind in full and counts all of them. */
export class FindingLog {
  readonly counts = new Map<FindingKind, number>();
  private readonly told: (finding: Finding) => void;
  private readonly toldMax: number;

  /** @param toldMax - findings of one kind that are told in full */
  constructor(told: (finding: Finding) => void, toldMax: number) {
    this.told = told;
    this.toldMax = toldMax;
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  add(finding: Finding): void {
    const count = (this.counts.get(finding.kind) ?? 0) + 1;
    this.counts.set(finding.kind, count);
    if (count <= this.toldMax) {
      this.told(finding);
    }
  }
}
