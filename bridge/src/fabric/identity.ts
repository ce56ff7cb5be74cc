/** An identity from an MSP folder: signcerts with one certificate, keystore with its key. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ShuttleError } from '../errors.ts';

export interface Identity {
  /** PEM. */
  readonly certificate: Buffer;
  readonly privateKey: KeyObject;
  /** Where the key lies. */
  readonly keyFile: string;
}

/**
 * Reads the first certificate whose key lies beside it.
 *
 * @param nowMs for the certificate's validity
 * @throws ShuttleError FILE_UNREADABLE, IDENTITY_INVALID (expired, or no key belongs to it)
 */
export async function readMspIdentity(mspFolder: string, nowMs: number): Promise<Identity> {
  const certificates = await readFolder(join(mspFolder, 'signcerts'));
  const certificate = certificates[0];
  if (certificate === undefined) {
    throw new ShuttleError('IDENTITY_INVALID', `${mspFolder}/signcerts holds no certificate.`);
  }
  const parsed = parseCertificate(certificate);
  if (nowMs > Date.parse(parsed.validTo)) {
    throw new ShuttleError(
      'IDENTITY_INVALID',
      `The certificate in ${mspFolder} expired on ${parsed.validTo}.`,
      { at: { path: certificate.path } },
    );
  }
  for (const file of await readFolder(join(mspFolder, 'keystore'))) {
    const privateKey = parseKey(file);
    if (privateKey !== null && parsed.checkPrivateKey(privateKey)) {
      return { certificate: certificate.bytes, privateKey, keyFile: file.path };
    }
  }
  throw new ShuttleError(
    'IDENTITY_INVALID',
    `No key in ${mspFolder}/keystore belongs to the certificate in signcerts.`,
  );
}

interface FileBytes {
  readonly path: string;
  readonly bytes: Buffer;
}

async function readFolder(folder: string): Promise<FileBytes[]> {
  try {
    const names = (await readdir(folder)).sort();
    return await Promise.all(
      names.map(async (name) => {
        const path = join(folder, name);
        return { path, bytes: await readFile(path) };
      }),
    );
  } catch (cause) {
    throw new ShuttleError('FILE_UNREADABLE', `The folder ${folder} cannot be read.`, { cause });
  }
}

function parseCertificate(file: FileBytes): X509Certificate {
  try {
    return new X509Certificate(file.bytes);
  } catch (cause) {
    throw new ShuttleError('IDENTITY_INVALID', `${file.path} is not a PEM certificate.`, { cause });
  }
}

function parseKey(file: FileBytes): KeyObject | null {
  try {
    return createPrivateKey(file.bytes);
  } catch {
    return null;
  }
}
