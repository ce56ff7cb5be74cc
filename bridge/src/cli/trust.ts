/** Which first block a verification rests on: pinned, as a file has kept it, or as it is there. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { readArchive } from '../block/blocks-file.ts';
import { decodeBlock } from '../block/decode.ts';
import { ShuttleError } from '../errors.ts';
import { createFile } from './blocks-files.ts';
import type { Io } from './io.ts';

/** What a trust file holds: JSON of this. */
interface TrustFile {
  readonly version: 1;
  /** Header hash of block 0, lower-case hex. */
  readonly genesisHash: string;
}

export interface Trust {
  /** Null where nobody has said which first block is the right one. */
  readonly genesisHash: string | null;
  readonly kind: 'pinned' | 'stored' | 'first-use';
  /** Where the hash is kept from the first use on; null when it is not. */
  readonly file: string | null;
}

const HASH = /^[0-9a-f]{64}$/i;

/**
 * By `--genesis <hash|file>` and `--trust <file>`.
 *
 * @throws ShuttleError FILE_UNREADABLE; USAGE when both are given and differ
 */
export async function readTrust(
  options: Readonly<Record<string, unknown>>,
  cwd: string,
): Promise<Trust> {
  const { genesis, trust } = options;
  const pinned = typeof genesis === 'string' ? await genesisHashOf(genesis, cwd) : null;
  if (typeof trust !== 'string') {
    return { genesisHash: pinned, kind: pinned === null ? 'first-use' : 'pinned', file: null };
  }
  const file = resolve(cwd, trust);
  const stored = await storedHash(file);
  if (pinned !== null && stored !== null && pinned !== stored) {
    const message = 'The hash of --genesis is not the one that the file of --trust holds.';
    throw new ShuttleError('USAGE', message, { at: { '--genesis': pinned, '--trust': stored } });
  }
  const kind = pinned !== null ? 'pinned' : stored === null ? 'first-use' : 'stored';
  return { genesisHash: pinned ?? stored, kind, file };
}

/** Keeps the hash for the next time, unless the file holds one already. */
export async function keepTrust({ file }: Trust, genesisHash: string, io: Io): Promise<void> {
  if (file !== null && (await storedHash(file)) === null) {
    const content: TrustFile = { version: 1, genesisHash };
    const written = await createFile(file, io, false);
    await written.write(Buffer.from(`${JSON.stringify(content)}\n`));
    await written.finish();
  }
}

async function genesisHashOf(text: string, cwd: string): Promise<string> {
  return HASH.test(text) ? text.toLowerCase() : await hashOfFile(resolve(cwd, text));
}

/** The tag of common.Block's header: no archive begins with it, as no block has ten bytes. */
const BLOCK_HEADER_TAG = 0x0a;

/** Of a genesis block as a file of its own, or of the first block of an archive. */
async function hashOfFile(path: string): Promise<string> {
  const bytes = await readOrNull(path);
  if (bytes === null) {
    throw unreadable(path, 'is no hash, and no file that can be read');
  }
  const block = bytes[0] === BLOCK_HEADER_TAG ? bytes : await firstBlock(bytes);
  const { header, hash } = decodeBlock(block);
  if (header.number !== 0n) {
    throw unreadable(path, `begins with block ${header.number}, not with the genesis block`);
  }
  return hash;
}

async function firstBlock(bytes: Buffer): Promise<Uint8Array> {
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    yield bytes;
  };
  for await (const block of readArchive(chunks())) {
    return block;
  }
  return new Uint8Array();
}

/** Null when there is no such file yet. */
async function storedHash(path: string): Promise<string | null> {
  const bytes = await readOrNull(path);
  if (bytes === null) {
    return null;
  }
  try {
    const { version, genesisHash } = JSON.parse(bytes.toString()) as Partial<TrustFile>;
    if (version === 1 && typeof genesisHash === 'string' && HASH.test(genesisHash)) {
      return genesisHash;
    }
  } catch {
    // Not even JSON: told below like any other file that is none.
  }
  throw unreadable(path, 'is no file that --trust has written');
}

async function readOrNull(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      return null;
    }
    throw new ShuttleError('FILE_UNREADABLE', `The file ${path} cannot be read.`, { cause });
  }
}

function unreadable(path: string, why: string): ShuttleError {
  return new ShuttleError('FILE_UNREADABLE', `${path} ${why}.`, { at: { path } });
}
