/**
 * The bridge's own signature of a block: what one peer has told it of the chain, vouched for by
 * whoever runs the bridge. docs/encryption.md shows how others check it.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { OutputHeader } from '../values.ts';
import { ATTESTATION_HEADER, ATTESTATION_KEY_HEADER } from './topics.ts';

/** What is signed. Hashes are lower-case hex. */
export interface AttestedBlock {
  readonly channel: string;
  /** Header hash of block 0. */
  readonly genesisHash: string;
  readonly number: bigint;
  /** Header hash. */
  readonly hash: string;
  /** Covers the validation codes; null where the peer keeps none (block 0). */
  readonly commitHash: string | null;
}

/** The headers that attest a block. */
export type Attest = (block: AttestedBlock) => readonly OutputHeader[];

/** Public keys by their fingerprints. */
export type AttestationKeys = ReadonlyMap<string, KeyObject>;

export type AttestationCheck =
  | { readonly kind: 'absent' }
  | { readonly kind: 'valid'; readonly keyId: string }
  /** Signed by a key that nobody has named as trusted. */
  | { readonly kind: 'unknown-key'; readonly keyId: string }
  /** The signature is not by this key, or not of this block. */
  | { readonly kind: 'wrong'; readonly keyId: string };

const LABEL = 'shuttle.attestation.1';
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * The bytes that are signed: lines, each with its end. A channel's name has no line end, and the
 * commit hash that is not there is a dash.
 */
export function attestationBytes(block: AttestedBlock): Uint8Array {
  const { channel, genesisHash, number, hash, commitHash } = block;
  const lines = [LABEL, channel, genesisHash, number.toString(), hash, commitHash ?? '-'];
  return Buffer.from(`${lines.join('\n')}\n`);
}

/** Which curve the key is of; null for a key that attests nothing. */
export function attestationAlgorithm(key: KeyObject): 'ed25519' | 'p-256' | null {
  if (key.asymmetricKeyType === 'ed25519') {
    return 'ed25519';
  }
  const isP256 = key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  return key.asymmetricKeyType === 'ec' && isP256 ? 'p-256' : null;
}

/** SHA-256 of the public key as SubjectPublicKeyInfo (DER), lower-case hex. */
export function attestationKeyId(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex');
}

/** @param privateKey - Ed25519, or ECDSA on P-256 (with SHA-256, the signature in DER) */
export function createAttester(privateKey: KeyObject): Attest {
  const digest = digestOf(privateKey);
  const keyHeader = { name: ATTESTATION_KEY_HEADER, value: attestationKeyId(privateKey) };
  return (block) => {
    const signature = sign(digest, attestationBytes(block), privateKey);
    return [keyHeader, { name: ATTESTATION_HEADER, value: signature.toString('base64') }];
  };
}

/**
 * Checks the attestation that a blocks record carries in its headers against facts that the caller
 * has computed from the block itself. Never throws: what cannot be read is wrong.
 */
export function checkAttestation(
  headers: readonly OutputHeader[],
  block: AttestedBlock,
  keys: AttestationKeys,
): AttestationCheck {
  const keyId = headerText(headers, ATTESTATION_KEY_HEADER);
  const signature = headerText(headers, ATTESTATION_HEADER);
  if (keyId === null && signature === null) {
    return { kind: 'absent' };
  }
  const key = keys.get(keyId ?? '');
  if (keyId === null || key === undefined) {
    return { kind: 'unknown-key', keyId: keyId ?? '' };
  }
  const isValid = signature !== null && BASE64.test(signature) && isSigned(key, block, signature);
  return { kind: isValid ? 'valid' : 'wrong', keyId };
}

function isSigned(key: KeyObject, block: AttestedBlock, signature: string): boolean {
  try {
    return verify(digestOf(key), attestationBytes(block), key, Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}

/** Ed25519 hashes by itself. */
function digestOf(key: KeyObject): 'sha256' | null {
  return attestationAlgorithm(key) === 'p-256' ? 'sha256' : null;
}

function headerText(headers: readonly OutputHeader[], name: string): string | null {
  const value = headers.find((header) => header.name === name)?.value;
  return value == null ? null : Buffer.from(value).toString();
}
