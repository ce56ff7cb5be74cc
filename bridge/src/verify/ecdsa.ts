/** Signatures as Fabric takes them: ECDSA with the low S only, and Ed25519. */
import { createVerify, verify } from 'node:crypto';
import type { Certificate } from './certificate.ts';

/** Half of the orders of P-224 to P-521. Source: NIST SP 800-186, section 3.2.1. */
const HALF_ORDERS: Readonly<Record<string, bigint>> = {
  secp224r1: half(`${'f'.repeat(28)}16a2e0b8f03e13dd29455c5c2a3d`),
  prime256v1: half('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'),
  secp384r1: half(`${'f'.repeat(48)}c7634d81f4372ddf581a0db248b0a77aecec196accc52973`),
  secp521r1: half(
    `1${'f'.repeat(64)}fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409`,
  ),
};

function half(order: string): bigint {
  return BigInt(`0x${order}`) >> 1n;
}

/** Why a signature is not one of the certificate's key over the message; null when it is. */
export function wrongSignature(
  { key, keyType, curve }: Certificate,
  message: readonly Uint8Array[],
  signature: Uint8Array,
): string | null {
  if (keyType === 'ed25519') {
    return verify(null, Buffer.concat(message), key, signature) ? null : 'it does not match';
  }
  const most = keyType === 'ec' ? HALF_ORDERS[curve] : undefined;
  if (most === undefined) {
    return `keys of the kind ${keyType} ${curve} do not sign here`;
  }
  const s = secondInteger(signature);
  if (s === null) {
    return 'it is no signature';
  }
  if (s > most) {
    return 'its S is high, so that another signature could be made of it';
  }
  const verifier = createVerify('sha256');
  for (const piece of message) {
    verifier.update(piece);
  }
  return verifier.verify(key, signature) ? null : 'it does not match';
}

const SEQUENCE = 0x30;
const INTEGER = 0x02;
/** A length of more than 127 bytes follows in one byte. */
const LONG = 0x81;

/** S of the DER SEQUENCE {INTEGER r, INTEGER s}; null when the bytes are not exactly that. */
function secondInteger(der: Uint8Array): bigint | null {
  const content = der[1] === LONG ? 3 : 2;
  const length = der[content - 1] ?? 0;
  const r = content + 2;
  const rLength = der[r - 1] ?? 0;
  const s = r + rLength + 2;
  const sLength = der[s - 1] ?? 0;
  const isPair =
    der[0] === SEQUENCE &&
    length === der.length - content &&
    length >= 0x80 === (content === 3) &&
    der[content] === INTEGER &&
    der[s - 2] === INTEGER &&
    s + sLength === der.length &&
    rLength > 0 &&
    sLength > 0;
  if (!isPair || (der[s] ?? 0) >= 0x80) {
    return null;
  }
  return BigInt(`0x${Buffer.from(der.subarray(s)).toString('hex')}`);
}
