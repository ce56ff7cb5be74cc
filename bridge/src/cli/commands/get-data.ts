import { Command } from 'commander';
import { EXIT_OK } from '../io.ts';
import { type Cli, define } from '../session.ts';

/** Prints the exact bytes of a document; exit code 1 when there is none. */
export function getDataCommand(cli: Cli): Command {
  const command = new Command('getData')
    .description("print a document, byte for byte; on a terminal with a line's end")
    .argument('<key>', 'the document key')
    .addHelpText('after', '\nA key that starts with "-" goes behind "--": shuttle getData -- -key');
  return define(cli, command, { once: true }, async (session, [key = '']) => {
    const ledger = await session.shuttle().ledger();
    const document = await ledger.evaluate('getData', [key]);
    if (session.json) {
      const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(document);
      session.print(`{"key":${JSON.stringify(key)},"document":${text}}`);
    } else {
      session.io.stdout.write(document);
      if (session.io.stdout.isTTY) {
        session.io.stdout.write('\n');
      }
    }
    return EXIT_OK;
  });
}
