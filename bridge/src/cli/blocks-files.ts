/** Archives and other files that the commands on a chain read and write. */
import { createReadStream } from 'node:fs';
import { access, type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { readArchive } from '../block/blocks-file.ts';
import { decodeBlock } from '../block/decode.ts';
import type { BlockSource } from '../chain/source.ts';
import { ShuttleError } from '../errors.ts';
import type { Io, Output } from './io.ts';

/** An archive as a source; `from` is looked for from its start. `name` is for reports. */
export function createFileSource(path: string, name = path): BlockSource {
  return {
    kind: 'file',
    name: `file ${name}`,
    isWhole: false,
    async *blocks(from, signal) {
      const total = (await sizeOf(path)) ?? 0;
      let done = 0;
      const chunks = async function* (): AsyncGenerator<Uint8Array> {
        for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
          done += (chunk as Buffer).length;
          yield chunk as Buffer;
        }
      };
      for await (const bytes of readArchive(chunks())) {
        if (signal.aborted) {
          return;
        }
        if (from === null || decodeBlock(bytes).header.number >= from) {
          yield { bytes, done, total };
        }
      }
    },
    close: async () => {},
  };
}

const CHUNK_BYTES = 1024 * 1024;

/** @throws ShuttleError FILE_UNREADABLE */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    throw new ShuttleError('FILE_UNREADABLE', `The file ${path} cannot be read.`, {
      cause,
      at: { path },
    });
  }
}

/** Bytes on their way into a file, which is there as a whole or not at all. */
export interface NewFile {
  write(bytes: Uint8Array): Promise<void>;
  /** Puts the whole file in its place. */
  finish(): Promise<void>;
  /** Takes away what was written. */
  abandon(): Promise<void>;
}

/** `-` is standard output. @throws ShuttleError FILE_EXISTS, FILE_UNWRITABLE */
export async function createFile(path: string, io: Io, force: boolean): Promise<NewFile> {
  if (path === '-') {
    return { write: (bytes) => writeOut(io.stdout, bytes), finish: done, abandon: done };
  }
  if (!force && (await isThere(path))) {
    throw new ShuttleError('FILE_EXISTS', `The file ${path} is there already.`, { at: { path } });
  }
  const partial = `${path}.partial`;
  const file = await writing(path, () => open(partial, 'w'));
  return {
    write: (bytes) => writing(path, () => writeAll(file, bytes)),
    finish: () =>
      writing(path, async () => {
        await file.sync();
        await file.close();
        await rename(partial, path);
      }),
    abandon: () =>
      writing(path, async () => {
        await file.close();
        await rm(partial, { force: true });
      }),
  };
}

const done = async (): Promise<void> => {};

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await file.write(bytes, at)).bytesWritten;
  }
}

async function writing<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw new ShuttleError('FILE_UNWRITABLE', `The file ${path} cannot be written.`, {
      cause,
      at: { path },
    });
  }
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** Waits for a reader that is slower than the blocks come. */
async function writeOut(output: Output, bytes: Uint8Array): Promise<void> {
  if (output.write(bytes) === false && output.once !== undefined) {
    await new Promise<void>((resolve) => output.once?.('drain', () => resolve()));
  }
}
