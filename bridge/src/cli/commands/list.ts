import { Command } from 'commander';
import { ShuttleError } from '../../errors.ts';
import type { ReadModel } from '../../read-model/queries.ts';
import { EXIT_OK } from '../io.ts';
import { addLedgerOption, stateJson, withReadModel } from '../read-model-options.ts';
import { type Cli, define, wholeOption } from '../session.ts';
import { type Pages, readPages, splitEntry } from './pages.ts';

const LIMIT_DEFAULT = 100;

/** Documents whose key starts with a prefix, in the order of their keys. */
export function listCommand(cli: Cli): Command {
  const command = new Command('list')
    .description('print the documents whose key starts with a prefix, in the order of their keys')
    .argument('[prefix]', 'how keys start; without it all documents', '')
    .option('--limit <n>', `print so many at most (default: ${LIMIT_DEFAULT})`)
    .option('--bookmark <text>', 'go on where an earlier answer ended')
    .option('--keys', 'print the keys alone');
  addLedgerOption(command);
  return define(cli, command, { once: true }, async (session, [prefix = '']) => {
    const limit = wholeOption(session, 'limit', 1) ?? LIMIT_DEFAULT;
    const from = (session.options.bookmark as string | undefined) ?? '';
    const { answer, state } = await withReadModel(
      session,
      (model) => modelPage(model, prefix, limit, from),
      async () => readPages(await session.shuttle().ledger(), 'listData', prefix, limit, from),
    );
    const { entries, bookmark } = answer;
    if (session.json) {
      const tail = JSON.stringify({ bookmark, ...stateJson(state) }).slice(1);
      session.print(`{"documents":[${entries.join(',')}],${tail}`);
      return EXIT_OK;
    }
    for (const entry of entries) {
      const { head, document } = splitEntry(entry);
      const key = shownKey(head.key ?? '');
      session.print(session.options.keys === true ? key : `${key}  ${document}`);
    }
    if (bookmark !== '') {
      session.io.stderr.write(`There are more: --bookmark ${JSON.stringify(bookmark)}\n`);
    }
    return EXIT_OK;
  });
}

/** The same page by the read model, which knows neither timestamps nor writers. */
function modelPage(model: ReadModel, prefix: string, limit: number, from: string): Pages {
  if (!from.startsWith(prefix) && from !== '') {
    throw new ShuttleError('USAGE', 'The bookmark is not one of this list.');
  }
  const found = model.list(prefix, from, limit + 1);
  const next = found[limit];
  return {
    entries: found.slice(0, limit).map(({ key, source, block, document }) => {
      const head = {
        key: textOf(key),
        source: positionOf(source),
        block: block?.toString() ?? null,
      };
      return `${JSON.stringify(head).slice(0, -1)},"document":${textOf(document)}}`;
    }),
    bookmark: next === undefined ? '' : textOf(next.key),
  };
}

const textOf = (bytes: Uint8Array) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);

/** Topic names hold no slash, so the position is read from the right whatever the stream is. */
function positionOf(source: string | null): object | null {
  const parts = /^(.*)\/([^/]*)\/([0-9]+)\/([0-9]+)$/s.exec(source ?? '');
  if (parts === null) {
    return null;
  }
  const [, stream, topic, partition, offset] = parts;
  return { stream, topic, partition: Number(partition), offset };
}

/** A key with control characters is quoted, so that it cannot move the terminal's cursor. */
export function shownKey(key: string): string {
  return /\p{Cc}/u.test(key) ? JSON.stringify(key) : key;
}
