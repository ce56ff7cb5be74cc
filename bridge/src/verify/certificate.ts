/**
 * X.509 certificates as Fabric's MSP looks at them. node:crypto checks signatures and holds keys;
 * what it does not tell - names bytewise, organisational units, key identifiers, revocation lists -
 * is read by @peculiar/asn1-x509. Source: RFC 5280, sections 4 and 5.
 */
import { createHash, type KeyObject, verify, X509Certificate } from 'node:crypto';
import { AsnConvert, AsnSerializer, OctetString } from '@peculiar/asn1-schema';
import {
  Certificate as AsnCertificate,
  AuthorityKeyIdentifier,
  BasicConstraints,
  CertificateList,
  ExtendedKeyUsage,
  type Extension,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_serverAuth,
} from '@peculiar/asn1-x509';

export interface Certificate {
  /** DER. */
  readonly raw: Uint8Array;
  /** SHA-256 of the DER, lower-case hex. */
  readonly id: string;
  readonly key: KeyObject;
  /** As node:crypto names them: `ec`, `ed25519`, `rsa`. */
  readonly keyType: string;
  readonly curve: string;
  /** Of the subject, in their order. */
  readonly units: readonly string[];
  /** Lower-case hex of the DER, for comparing. */
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  readonly isCa: boolean;
  /** CA certificates that may follow; null when there is no limit. */
  readonly pathLength: number | null;
  readonly subjectKeyId: string | null;
  /** Whether it may serve as Go's verifier asks by default: no usage named, or that of servers. */
  readonly isUsable: boolean;
  /** Critical extensions that nobody here understands. */
  readonly unknown: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  isSignedBy(issuer: Certificate): boolean;
}

/** Of a revocation list. */
export interface RevocationList {
  readonly authorityKeyId: string | null;
  /** Serial numbers, hex as in `Certificate.serial`. */
  readonly revoked: ReadonlySet<string>;
  isSignedBy(issuer: Certificate): boolean;
}

const UNIT = '2.5.4.11';
const ANY_USAGE = '2.5.29.37.0';
const UNDERSTOOD: readonly string[] = [
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
];

/** So many certificates are kept ready: a config names the same ones many times over. */
const KEPT_MAX = 1_000;
/** Nobody's certificate is longer. What is, is read each time and not kept. */
export const KEPT_BYTES_MAX = 16_384;

const kept = new Map<string, Certificate>();

/**
 * @param pem - the first certificate in it counts
 * @throws Error when it is none
 */
export function readCertificate(pem: Uint8Array): Certificate {
  if (pem.length > KEPT_BYTES_MAX) {
    return parse(pem);
  }
  const name = Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength).toString('latin1');
  let certificate = kept.get(name);
  if (certificate === undefined) {
    certificate = parse(pem);
    if (kept.size >= KEPT_MAX) {
      kept.clear();
    }
    kept.set(name, certificate);
  }
  return certificate;
}

function parse(pem: Uint8Array): Certificate {
  const x509 = new X509Certificate(pem);
  const { tbsCertificate } = AsnConvert.parse(x509.raw, AsnCertificate);
  const { extensions = [] } = tbsCertificate;
  const constraints = valueIn(extensions, id_ce_basicConstraints, BasicConstraints);
  const keyId = valueIn(extensions, id_ce_subjectKeyIdentifier, OctetString);
  const usages = valueIn(extensions, id_ce_extKeyUsage, ExtendedKeyUsage);
  return {
    raw: x509.raw,
    id: createHash('sha256').update(x509.raw).digest('hex'),
    key: x509.publicKey,
    keyType: x509.publicKey.asymmetricKeyType ?? '',
    curve: x509.publicKey.asymmetricKeyDetails?.namedCurve ?? '',
    units: [...tbsCertificate.subject].flatMap((relative) =>
      [...relative].filter(({ type }) => type === UNIT).map(({ value }) => value.toString()),
    ),
    subject: hex(AsnSerializer.serialize(tbsCertificate.subject)),
    issuer: hex(AsnSerializer.serialize(tbsCertificate.issuer)),
    serial: hex(tbsCertificate.serialNumber),
    isCa: constraints?.cA ?? false,
    pathLength: constraints?.pathLenConstraint ?? null,
    subjectKeyId: keyId === null ? null : hex(keyId.buffer),
    isUsable:
      usages === null || [...usages].some((id) => id === id_kp_serverAuth || id === ANY_USAGE),
    unknown: extensions
      .filter(({ critical, extnID }) => critical && !UNDERSTOOD.includes(extnID))
      .map(({ extnID }) => extnID),
    notBefore: Date.parse(x509.validFrom),
    notAfter: Date.parse(x509.validTo),
    isSignedBy: (issuer) => x509.verify(issuer.key),
  };
}

/** @throws Error when the bytes (PEM or DER) are none */
export function readRevocationList(bytes: Uint8Array): RevocationList {
  const der = derOf(bytes);
  const list = AsnConvert.parse(der, CertificateList);
  const { crlExtensions = [], revokedCertificates = [] } = list.tbsCertList;
  const keyId = valueIn(crlExtensions, id_ce_authorityKeyIdentifier, AuthorityKeyIdentifier);
  const signed = firstElement(der);
  return {
    authorityKeyId: keyId?.keyIdentifier === undefined ? null : hex(keyId.keyIdentifier.buffer),
    revoked: new Set(revokedCertificates.map(({ userCertificate }) => hex(userCertificate))),
    isSignedBy: ({ key }) =>
      verify(
        HASHES[list.signatureAlgorithm.algorithm] ?? null,
        signed,
        key,
        Buffer.from(list.signature),
      ),
  };
}

/** By the algorithm of a signature: ECDSA with SHA-2; Ed25519 has none. */
const HASHES: Readonly<Record<string, string>> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
};

function derOf(bytes: Uint8Array): Buffer {
  const text = Buffer.from(bytes).toString('latin1');
  const found = /-----BEGIN [^-]+-----([^-]+)-----END/.exec(text);
  return found === null ? Buffer.from(bytes) : Buffer.from(found[1] ?? '', 'base64');
}

/** The first element of a SEQUENCE, with its tag and length: what a signature covers. */
function firstElement(der: Buffer): Buffer {
  const [start] = contentOf(der, 0);
  const [, end] = contentOf(der, start);
  return der.subarray(start, end);
}

/** Where the content of the element at `at` starts and ends. */
function contentOf(der: Buffer, at: number): readonly [start: number, end: number] {
  const first = der[at + 1] ?? 0;
  const more = first < 0x80 ? 0 : first & 0x7f;
  const length = more === 0 ? first : der.readUIntBE(at + 2, more);
  const start = at + 2 + more;
  return [start, start + length];
}

function valueIn<T>(extensions: readonly Extension[], id: string, type: new () => T): T | null {
  const found = extensions.find(({ extnID }) => extnID === id);
  return found === undefined ? null : AsnConvert.parse(found.extnValue.buffer, type);
}

const hex = (bytes: ArrayBuffer): string => Buffer.from(bytes).toString('hex');
