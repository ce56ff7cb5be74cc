/** An identity of an organisation whose certificate expires soon. */
import { createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Tag and length of a UTCTime as certificates have it. */
const UTC_TIME = Buffer.from([0x17, 0x0d]);
const BIT_STRING = 0x03;
const SEQUENCE = 0x30;

/**
 * Writes an MSP folder beside a user's: the same key, and the user's certificate with another end,
 * signed by the organisation's own CA.
 *
 * @param userMspDir of a user as cryptogen has made it
 * @returns the new folder
 */
export async function shortLivedIdentity(userMspDir: string, until: Date): Promise<string> {
  const user = dirname(userMspDir);
  const ca = join(dirname(dirname(user)), 'ca');
  const folder = join(user, `until-${until.getTime()}`);
  const certificate = new X509Certificate(await onlyFile(join(userMspDir, 'signcerts')));
  const caKey = createPrivateKey(await onlyFile(ca, '_sk'));
  await mkdir(join(folder, 'signcerts'), { recursive: true });
  const pem = toPem(ending(certificate.raw, until, (tbs) => sign('sha256', tbs, caKey)));
  await writeFile(join(folder, 'signcerts', 'cert.pem'), pem);
  await cp(join(userMspDir, 'keystore'), join(folder, 'keystore'), { recursive: true });
  return folder;
}

async function onlyFile(folder: string, suffix = ''): Promise<Buffer> {
  const name = (await readdir(folder)).find((each) => each.endsWith(suffix));
  return await readFile(join(folder, name ?? ''));
}

/** Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature BIT STRING }. */
function ending(der: Buffer, until: Date, signTbs: (tbs: Buffer) => Buffer): Buffer {
  const tbs = Buffer.from(elementAt(der, contentAt(der, 0)));
  const algorithm = elementAt(der, contentAt(der, 0) + tbs.length);
  const notBefore = tbs.indexOf(UTC_TIME);
  const notAfter = tbs.indexOf(UTC_TIME, notBefore + 1);
  const text = until.toISOString().replace(/[-:T]|\.\d+/g, '');
  tbs.write(text.slice(2), notAfter + UTC_TIME.length, 'ascii');
  const signature = element(BIT_STRING, Buffer.concat([Buffer.from([0]), signTbs(tbs)]));
  return element(SEQUENCE, Buffer.concat([tbs, algorithm, signature]));
}

/** Where the content of the element at `at` begins. */
function contentAt(der: Buffer, at: number): number {
  const first = der[at + 1] ?? 0;
  return at + 2 + (first < 0x80 ? 0 : first & 0x7f);
}

function elementAt(der: Buffer, at: number): Buffer {
  const from = contentAt(der, at);
  const long = from - at - 2;
  const length = long === 0 ? (der[at + 1] ?? 0) : der.readUIntBE(at + 2, long);
  return der.subarray(at, from + length);
}

function element(tag: number, content: Buffer): Buffer {
  const length =
    content.length < 0x80 ? [content.length] : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

function toPem(der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}/g, '$&\n').trim();
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
