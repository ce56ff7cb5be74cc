import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { ShuttleError } from '../../errors.ts';
import type { Submitted } from '../../ports.ts';
import { EXIT_OK, type Io } from '../io.ts';
import { type Cli, define, type Session } from '../session.ts';
import { submit } from './submit.ts';

/** Writes one document by a transaction of its own. */
export function setCommand(cli: Cli): Command {
  const command = new Command('set')
    .description('write a document: its JSON, @FILE, or - for standard input; kept byte for byte')
    .argument('<key>', 'the document key')
    .argument('<json>', 'JSON text, @FILE or -');
  return define(cli, command, { once: true }, async (session, [key = '', given = '']) => {
    const document = await readDocument(session.io, given);
    report(session, 'Set', key, await submit(session, 'setData', [key, document]));
    return EXIT_OK;
  });
}

/** Deletes one document; its history stays. Exit code 1 when there is none. */
export function deleteCommand(cli: Cli): Command {
  const command = new Command('delete')
    .description('delete a document; its history stays')
    .argument('<key>', 'the document key');
  return define(cli, command, { once: true }, async (session, [key = '']) => {
    report(session, 'Deleted', key, await submit(session, 'deleteData', [key]));
    return EXIT_OK;
  });
}

function report(session: Session, done: string, key: string, { txId, blockNumber }: Submitted) {
  session.print(
    session.json
      ? JSON.stringify({ key, txId, blockNumber: blockNumber.toString() })
      : `${done} ${key} by transaction ${txId} in block ${blockNumber}.`,
  );
}

async function readDocument(io: Io, given: string): Promise<string> {
  if (given === '-') {
    const chunks: Buffer[] = [];
    for await (const chunk of io.stdin()) {
      chunks.push(Buffer.from(chunk));
    }
    return decode(Buffer.concat(chunks), 'standard input');
  }
  if (!given.startsWith('@')) {
    return given;
  }
  const path = resolve(io.cwd, given.slice(1));
  try {
    return decode(await readFile(path), path);
  } catch (cause) {
    if (cause instanceof ShuttleError) {
      throw cause;
    }
    throw new ShuttleError('USAGE', 'The file with the document cannot be read.', {
      cause,
      at: { path },
    });
  }
}

/** Nothing is replaced or left out on the way: a BOM stays, and the chaincode judges it. */
function decode(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ShuttleError('USAGE', 'The document is not valid UTF-8.', { cause, at: { where } });
  }
}
