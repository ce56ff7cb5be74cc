/** Identities of an organisation that cryptogen does not make: expiring ones and revoked ones. */
import { createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const TAG = { integer: 0x02, bits: 0x03, time: 0x17, sequence: 0x30, context: 0xa0 };
/** Tag and length of a UTCTime as certificates have it. */
const UTC_TIME = Buffer.from([TAG.time, 0x0d]);
/** 2.5.29.35, by which a revocation list names the key that signed the certificates. */
const AUTHORITY_KEY = Buffer.from([0x06, 0x03, 0x55, 0x1d, 0x23]);
const DAY_MS = 86_400_000;

export interface Issued {
  /** An MSP folder with signcerts and keystore. */
  readonly mspDir: string;
  /** A list that revokes the certificate, PEM. */
  readonly revocation: string;
}

/**
 * Writes an MSP folder beside a user's: the same key, and the user's certificate with another end
 * and a serial number of its own, signed by the organisation's CA.
 *
 * @param userMspDir of a user as cryptogen has made it
 */
export async function issueIdentity(userMspDir: string, until: Date): Promise<Issued> {
  const user = dirname(userMspDir);
  const ca = join(dirname(dirname(user)), 'ca');
  const mspDir = join(user, `until-${until.getTime()}`);
  const { raw } = new X509Certificate(await onlyFile(join(userMspDir, 'signcerts')));
  const caKey = createPrivateKey(await onlyFile(ca, '_sk'));
  const signed = (tbs: Buffer): Buffer => {
    const bits = Buffer.concat([Buffer.from([0]), sign('sha256', tbs, caKey)]);
    return element(TAG.sequence, tbs, algorithmOf(raw), element(TAG.bits, bits));
  };
  const tbs = issuedFrom(raw, until);
  await mkdir(join(mspDir, 'signcerts'), { recursive: true });
  await writeFile(join(mspDir, 'signcerts', 'cert.pem'), toPem('CERTIFICATE', signed(tbs)));
  await cp(join(userMspDir, 'keystore'), join(mspDir, 'keystore'), { recursive: true });
  return { mspDir, revocation: toPem('X509 CRL', signed(revocationOf(tbs))) };
}

async function onlyFile(folder: string, suffix = ''): Promise<Buffer> {
  const name = (await readdir(folder)).find((each) => each.endsWith(suffix));
  return await readFile(join(folder, name ?? ''));
}

/** TBSCertificate ::= SEQUENCE { version, serialNumber, signature, issuer, validity, ... }. */
function issuedFrom(certificate: Buffer, until: Date): Buffer {
  const tbs = Buffer.from(elementAt(certificate, contentAt(certificate, 0)));
  const notAfter = tbs.indexOf(UTC_TIME, tbs.indexOf(UTC_TIME) + 1);
  utcTime(until).copy(tbs, notAfter);
  const [, serial = tbs] = childrenOf(tbs);
  serial.writeUInt32BE(until.getTime() % 2 ** 32, serial.length - 4);
  return tbs;
}

/** TBSCertList of the one certificate, which lasts from yesterday to tomorrow. */
function revocationOf(tbs: Buffer): Buffer {
  const [, serial = tbs, algorithm = tbs, issuer = tbs] = childrenOf(tbs);
  const [yesterday, tomorrow] = [-1, 1].map((by) => utcTime(new Date(Date.now() + by * DAY_MS)));
  const named = tbs.lastIndexOf(TAG.sequence, tbs.indexOf(AUTHORITY_KEY));
  const extensions = element(TAG.sequence, elementAt(tbs, named));
  return element(
    TAG.sequence,
    element(TAG.integer, Buffer.from([1])),
    algorithm,
    issuer,
    yesterday ?? tbs,
    tomorrow ?? tbs,
    element(TAG.sequence, element(TAG.sequence, serial, yesterday ?? tbs)),
    element(TAG.context, extensions),
  );
}

/** Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature BIT STRING }. */
function algorithmOf(certificate: Buffer): Buffer {
  return childrenOf(certificate)[1] ?? certificate;
}

function utcTime(at: Date): Buffer {
  const text = at.toISOString().replace(/[-:T]|\.\d+/g, '');
  return Buffer.concat([UTC_TIME, Buffer.from(text.slice(2), 'ascii')]);
}

/** Where the content of the element at `at` begins. */
function contentAt(der: Buffer, at: number): number {
  const first = der[at + 1] ?? 0;
  return at + 2 + (first < 0x80 ? 0 : first & 0x7f);
}

/** A view of the element. */
function elementAt(der: Buffer, at: number): Buffer {
  const from = contentAt(der, at);
  const long = from - at - 2;
  const length = long === 0 ? (der[at + 1] ?? 0) : der.readUIntBE(at + 2, long);
  return der.subarray(at, from + length);
}

function childrenOf(der: Buffer): Buffer[] {
  const children: Buffer[] = [];
  for (let at = contentAt(der, 0); at < der.length; at += children.at(-1)?.length ?? der.length) {
    children.push(elementAt(der, at));
  }
  return children;
}

function element(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content]);
}

/** In as few bytes as DER asks for. */
function lengthOf(length: number): number[] {
  if (length < 0x80) {
    return [length];
  }
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

function toPem(what: string, der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}/g, '$&\n').trim();
  return `-----BEGIN ${what}-----\n${lines}\n-----END ${what}-----\n`;
}
