import { Command } from 'commander';
import { EXIT_FINDINGS, EXIT_OK } from '../io.ts';
import { type Cli, define, wholeOption } from '../session.ts';
import { readPages, splitEntry, writer } from './pages.ts';

const LIMIT_DEFAULT = 100;

/** Every version of a key, newest first; exit code 1 when there never was one. */
export function historyCommand(cli: Cli): Command {
  const command = new Command('history')
    .description('print the versions of a document, newest first')
    .argument('<key>', 'the document key')
    .option('--limit <n>', `print so many at most (default: ${LIMIT_DEFAULT})`)
    .option('--bookmark <text>', 'go on where an earlier answer ended');
  return define(cli, command, { once: true }, async (session, [key = '']) => {
    const limit = wholeOption(session, 'limit', 1) ?? LIMIT_DEFAULT;
    const from = (session.options.bookmark as string | undefined) ?? '';
    const ledger = await session.shuttle().ledger();
    const { entries, bookmark } = await readPages(ledger, 'getHistory', key, limit, from);
    if (session.json) {
      const versions = entries.join(',');
      const subject = JSON.stringify(key);
      const next = JSON.stringify(bookmark);
      session.print(`{"key":${subject},"versions":[${versions}],"bookmark":${next}}`);
    } else {
      for (const entry of entries) {
        session.print(versionText(entry));
      }
      if (bookmark !== '') {
        session.io.stderr.write(`There are more: --bookmark ${JSON.stringify(bookmark)}\n`);
      }
    }
    return entries.length === 0 ? EXIT_FINDINGS : EXIT_OK;
  });
}

function versionText(entry: string): string {
  const { head, document } = splitEntry(entry);
  const time = new Date(head.timestamp).toISOString();
  const body = head.deleted === true ? '(deleted)' : document;
  return `${time}  ${writer(head)}  tx ${head.txId ?? '?'}\n  ${body}`;
}
