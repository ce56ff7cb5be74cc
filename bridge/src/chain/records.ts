/** What the records of a topic tell of blocks beside them: a header each, and an attestation. */
import {
  type AttestationKeys,
  type AttestedBlock,
  checkAttestation,
} from '../block/attestation.ts';
import { publishedHeader } from '../block/published-header.ts';
import { toShuttleError } from '../errors.ts';
import type { OutputHeader } from '../values.ts';
import type { Doubt, Finding, FindingCode } from '../verify/findings.ts';
import type { BlockReport } from '../verify/verifier.ts';
import type { ChainFinding } from './findings.ts';
import type { ProvenTip } from './source.ts';

/**
 * Verifies the header chain by the headers of records, for who cannot read what is in them: the
 * content of a block, its signatures and codes stay unproven.
 *
 * @param genesisHash - null takes the first block that comes
 */
export function createHeaderVerifier(
  genesisHash: string | null,
): (headers: readonly OutputHeader[]) => BlockReport {
  let tip: ProvenTip | null = null;
  return (headers) => {
    const findings: Finding[] = [];
    const due = tip === null ? 0n : tip.number + 1n;
    const find = (block: bigint, code: FindingCode, sentence: string): void => {
      findings.push({ code, block, transaction: null, byte: null, sentence });
    };
    const facts = { transactions: 0, doubts: [unread(due)] };
    try {
      const { header, hash, commitHash } = publishedHeader(headers);
      const { number } = header;
      if (number !== due && tip !== null) {
        find(number, 'NUMBER_WRONG', `Block ${number} comes where block ${due} is due.`);
      }
      const previous = Buffer.from(header.previousHash).toString('hex');
      if (tip !== null && previous !== tip.hash) {
        const sentence = `Block ${number} does not continue block ${tip.number}, ${tip.hash}.`;
        find(number, 'PREVIOUS_HASH_WRONG', sentence);
      }
      if (number === 0n && genesisHash !== null && hash !== genesisHash) {
        find(number, 'GENESIS_WRONG', `Block 0 is ${hash}, and has to be ${genesisHash}.`);
      }
      tip = { number, hash, commitHash };
      const verdict = findings.length > 0 ? 'failed' : 'unverifiable';
      return { number, hash, commitHash, verdict, findings, ...facts, doubts: [unread(number)] };
    } catch (error) {
      find(due, 'BLOCK_UNREADABLE', toShuttleError(error).message);
      return { number: due, hash: '', commitHash: null, verdict: 'failed', findings, ...facts };
    }
  };
}

const unread = (block: bigint): Doubt => ({
  code: 'VALUE_UNREAD',
  block,
  transaction: null,
  byte: null,
  sentence: 'Only the headers of its record were read.',
});

/** What is to be said of a block's attestation; null when a key that was given has signed it. */
export function attestationNote(
  headers: readonly OutputHeader[],
  block: AttestedBlock,
  keys: AttestationKeys,
): ChainFinding | Doubt | null {
  const checked = checkAttestation(headers, block, keys);
  const place = { block: block.number, transaction: null, byte: null };
  switch (checked.kind) {
    case 'valid':
      return null;
    case 'wrong': {
      const sentence = `Key ${checked.keyId} has not signed this hash with this commit hash.`;
      return { code: 'ATTESTATION_WRONG', ...place, sentence };
    }
    case 'absent':
      return { code: 'NOT_ATTESTED', ...place, sentence: 'Its record has no attestation.' };
    case 'unknown-key': {
      const sentence = `It is attested by key ${checked.keyId}, which was not given.`;
      return { code: 'NOT_ATTESTED', ...place, sentence };
    }
  }
}

export function isDoubt(note: ChainFinding | Doubt): note is Doubt {
  return note.code === 'NOT_ATTESTED';
}
