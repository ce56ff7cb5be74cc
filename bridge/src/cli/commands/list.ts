import { Command } from 'commander';
import { EXIT_OK } from '../io.ts';
import { type Cli, define, wholeOption } from '../session.ts';
import { readPages, splitEntry } from './pages.ts';

const LIMIT_DEFAULT = 100;

/** Documents whose key starts with a prefix, in the order of their keys. */
export function listCommand(cli: Cli): Command {
  const command = new Command('list')
    .description('print the documents whose key starts with a prefix, in the order of their keys')
    .argument('[prefix]', 'how keys start; without it all documents', '')
    .option('--limit <n>', `print so many at most (default: ${LIMIT_DEFAULT})`)
    .option('--bookmark <text>', 'go on where an earlier answer ended')
    .option('--keys', 'print the keys alone');
  return define(cli, command, { once: true }, async (session, [prefix = '']) => {
    const limit = wholeOption(session, 'limit', 1) ?? LIMIT_DEFAULT;
    const from = (session.options.bookmark as string | undefined) ?? '';
    const ledger = await session.shuttle().ledger();
    const { entries, bookmark } = await readPages(ledger, 'listData', prefix, limit, from);
    if (session.json) {
      const next = JSON.stringify(bookmark);
      session.print(`{"documents":[${entries.join(',')}],"bookmark":${next}}`);
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

/** A key with control characters is quoted, so that it cannot move the terminal's cursor. */
export function shownKey(key: string): string {
  return /\p{Cc}/u.test(key) ? JSON.stringify(key) : key;
}
