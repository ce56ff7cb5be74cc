/** What verification says: what is wrong, what cannot be proven, and where in the bytes. */

/** Something that contradicts the chain, its config or its signatures. */
export const FINDINGS = {
  BLOCK_UNREADABLE: 'The bytes are no block.',
  BLOCK_NOT_CANONICAL: 'The block has bytes that no peer would send.',
  NUMBER_WRONG: 'The block has another number than the one that is due.',
  PREVIOUS_HASH_WRONG: 'The block does not continue the block before it.',
  GENESIS_WRONG: 'The first block is not the one that was pinned.',
  DATA_HASH_WRONG: 'The data of the block is not the data that its header names.',
  ENTRY_NOT_CANONICAL: 'An entry could be cut in another way, with the same data hash.',
  SIGNATURE_WRONG: 'A signature of the block is not of the orderer that it names.',
  SIGNATURES_TOO_FEW: 'The signatures of the block do not satisfy the policy for blocks.',
  LAST_CONFIG_WRONG: 'The block names another last config block than the chain has.',
  CONFIG_WRONG: 'A config block does not follow from the config before it.',
  CHANNEL_WRONG: 'An entry is of another channel.',
  CODE_WRONG: 'A validation code is not the one that the transaction must have.',
  COMMIT_HASH_WRONG: 'The commit hash does not follow from the codes and the writes.',
  EVIDENCE_UNREADABLE: 'The file is no evidence.',
  TRANSACTION_INVALID: 'The transaction was committed without effect.',
  KEY_NOT_WRITTEN: 'The transaction does not write the key.',
} as const;

export type FindingCode = keyof typeof FINDINGS;

/** Something that these bytes alone do not prove; anything unknown is a doubt. */
export const DOUBTS = {
  GENESIS_NOT_PINNED: 'Nobody has said which first block is the right one.',
  START_NOT_PROVEN: 'The chain begins behind its first block, at a block that is taken as it is.',
  CONFIG_UNKNOWN: 'The config that the block was signed under is not known, or not proven.',
  IDENTITY_UNKNOWN: 'An identity is of a kind that is not understood.',
  POLICY_UNKNOWN: 'A policy is of a kind that is not understood.',
  CHAINCODE_UNKNOWN: 'What defines a chaincode is not among the blocks so far, or is in doubt.',
  KEY_POLICY_UNKNOWN: 'A key may have an endorsement policy of its own that is not known.',
  CODE_UNPROVEN: 'The validation code needs the state of the ledger to be proven.',
  EARLIER_STATE_NEEDED: 'The commit hash covers a value that was written in an earlier block.',
  COMMIT_HASH_MISSING: 'The block has no commit hash, so that nothing covers its codes.',
  VALUE_UNREAD: 'Only the headers of the record were read, and not the block.',
  NOT_ATTESTED: 'No key that was given vouches for the commit hash.',
  CODE_UNSIGNED: 'Validation codes are signed by nobody; only peers can be asked for them.',
  LATER_DEFINITION: 'A later definition or key policy than those at hand cannot be excluded.',
} as const;

export type DoubtCode = keyof typeof DOUBTS;

interface Place {
  readonly block: bigint;
  /** Index of the entry in the block; null when it is about the block itself. */
  readonly transaction: number | null;
  /** Where in the bytes of the block, from 0; null when it is about none of them. */
  readonly byte: number | null;
  /** One sentence with the case. */
  readonly sentence: string;
}

export interface Finding extends Place {
  readonly code: FindingCode;
}

export interface Doubt extends Place {
  readonly code: DoubtCode;
}

/** `failed` with a finding; `unverifiable` with a doubt; `verified` with neither. */
export type Verdict = 'verified' | 'unverifiable' | 'failed';

/** What stops a proof, wherever it is met; the place is added on the way out. */
export class Unprovable extends Error {
  override readonly name = 'Unprovable';
  readonly code: DoubtCode;

  constructor(code: DoubtCode, sentence: string) {
    super(sentence);
    this.code = code;
  }
}
