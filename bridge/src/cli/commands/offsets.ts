/** The group's acks: whose they are, and moving them back. */
import { Command } from 'commander';
import { ShuttleError } from '../../errors.ts';
import { EXIT_OK } from '../io.ts';
import { type Cli, define, wholeOption } from '../session.ts';
import { plainJson, table } from '../text.ts';

const RESET_HELP = `
Reading begins there at the next start. What the ledger has finished is not carried again, so a
reset costs only reading. An ack is never moved forward: what it passes would be lost.`;

export function offsetsCommand(cli: Cli): Command {
  return new Command('offsets')
    .description('print or move back the offsets that the consumer group has acked')
    .addCommand(showCommand(cli))
    .addCommand(resetCommand(cli));
}

function showCommand(cli: Cli): Command {
  const command = new Command('show').description(
    'print how far each source partition is acked, and whether for this ledger',
  );
  return define(cli, command, { once: true }, async (session) => {
    const rows = await session.shuttle().offsets();
    if (session.json) {
      session.print(plainJson({ partitions: rows }));
      return EXIT_OK;
    }
    const shown = table([
      ['PARTITION', 'START', 'END', 'ACKED', 'FOR', 'UNFINISHED'],
      ...rows.map((row) => [
        `${row.topic}/${row.partition}`,
        `${row.logStart}`,
        `${row.logEnd}`,
        `${row.acked ?? '-'}`,
        row.of ?? '-',
        `${row.unfinished ?? '-'}`,
      ]),
    ]);
    shown.forEach(session.print);
    return EXIT_OK;
  });
}

function resetCommand(cli: Cli): Command {
  const command = new Command('reset')
    .description('move acks back, while no bridge of the group runs')
    .requiredOption('--topic <topic>', 'the source topic')
    .option('--partition <number>', 'only this partition')
    .requiredOption('--to <offset>', 'an offset, or earliest')
    .addHelpText('after', RESET_HELP);
  return define(cli, command, { once: true }, async (session) => {
    const { topic, to } = session.options;
    const options = {
      topic: String(topic),
      partition: wholeOption(session, 'partition', 0) ?? null,
      to: parseTarget(String(to)),
    };
    const stop = session.io.stopRequest();
    const done = await session.shuttle().resetOffsets(options, stop);
    if (session.json) {
      session.print(plainJson({ partitions: done }));
      return EXIT_OK;
    }
    for (const { partition, before, after } of done) {
      session.print(
        `${options.topic}/${partition} is read from offset ${after}, before ${before}.`,
      );
    }
    if (done.length === 0) {
      session.print('Nothing had to move.');
    }
    return EXIT_OK;
  });
}

function parseTarget(text: string): bigint | 'earliest' {
  if (text !== 'earliest' && !/^[0-9]{1,18}$/.test(text)) {
    throw new ShuttleError('USAGE', '--to is neither an offset nor "earliest".', {
      at: { '--to': text },
    });
  }
  return text === 'earliest' ? text : BigInt(text);
}
