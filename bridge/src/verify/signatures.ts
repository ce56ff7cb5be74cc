/** Who has signed a block. Source: Fabric's protoutil.BlockSignatureVerifier. */
import { type BlockParts, type BlockSignature, SIGNATURES, signedHeader } from './block-bytes.ts';
import type { ChannelConfig } from './config.ts';
import type { FindingCode } from './findings.ts';
import type { Identity } from './msp.ts';

const BLOCK_POLICY = '/Channel/Orderer/BlockValidation';

export interface Wrong {
  readonly code: FindingCode;
  readonly sentence: string;
  /** A view into the block at the place that is wrong; null when it is about none. */
  readonly at: Uint8Array | null;
}

/**
 * What is wrong with the signatures of a block, by the config that held before it.
 *
 * @throws Unprovable when the config has a policy or identity that is not understood
 */
export function wrongSignatures(block: BlockParts, config: ChannelConfig): Wrong[] {
  const { header, metadata } = block;
  const slot = metadata[SIGNATURES] ?? Buffer.alloc(0);
  const { value, signatures, isCanonical } = block.signatures;
  if (!isCanonical) {
    const sentence = 'The signatures of the block are not encoded as orderers encode them.';
    return [{ code: 'BLOCK_NOT_CANONICAL', sentence, at: slot }];
  }
  const wrong: Wrong[] = [];
  const signers: Identity[] = [];
  for (const each of signatures) {
    const { identity, head } = signerOf(each, config);
    if (identity === null) {
      continue;
    }
    const message = [value, head, signedHeader(header)];
    const refusal = config.members.refusal({ identity, message, signature: each.signature });
    const signer = config.members.identityOf(identity);
    if (refusal !== null || typeof signer === 'string') {
      const sentence = `A signature of the block does not count: ${refusal}.`;
      wrong.push({ code: 'SIGNATURE_WRONG', sentence, at: each.signature });
    } else if (!signers.some(({ certificate: { id } }) => id === signer.certificate.id)) {
      signers.push(signer);
    }
  }
  const policy = config.policy(BLOCK_POLICY);
  if (policy === null || !policy(signers)) {
    const quorum = quorumOf(config);
    const needed = quorum === null ? '' : `; ${quorum} orderers have to sign`;
    const sentence = `The ${signatures.length} signatures do not satisfy ${BLOCK_POLICY}${needed}.`;
    wrong.push({ code: 'SIGNATURES_TOO_FEW', sentence, at: slot });
  }
  return wrong;
}

/** Identity null: an orderer that the config does not have, which a peer passes over. */
function signerOf(
  { signatureHeader, identifierHeader, creator, identifier }: BlockSignature,
  { isBft, consenters }: ChannelConfig,
): { readonly identity: Uint8Array | null; readonly head: Buffer } {
  if (!isBft || signatureHeader.length > 0 || identifierHeader.length === 0) {
    return { identity: creator, head: signatureHeader };
  }
  const consenter = consenters.find(({ id }) => BigInt(id) === identifier);
  return { identity: consenter?.identity ?? null, head: identifierHeader };
}

/** Of n orderers, f = (n - 1) / 3 may lie: ceil((n + f + 1) / 2) have to sign. */
function quorumOf({ consenters }: ChannelConfig): number | null {
  const n = consenters.length;
  return n === 0 ? null : Math.ceil((n + Math.floor((n - 1) / 3) + 1) / 2);
}
