/** Cuts drained partitions into other lanes. */
import { Command } from 'commander';
import type { Relaned, RelaneOutcome } from '../../ingest/relane.ts';
import { EXIT_FINDINGS, EXIT_OK } from '../io.ts';
import { type Cli, define } from '../session.ts';
import { plainJson, table } from '../text.ts';

const HELP = `
Set ingest.lanes and ingest.keyExpression to what is wanted, drain the partitions under the old
settings with \`shuttle ingest --until-end\`, and stop every bridge of the group before.
Exits with 1 when a partition is not drained.`;

export function relaneCommand(cli: Cli): Command {
  const command = new Command('relane')
    .description('cut the source partitions into lanes as configured now')
    .option('--topic <topic>', 'only the partitions of this source topic')
    .option('--dry-run', 'tell what would be done')
    .addHelpText('after', HELP);
  return define(cli, command, { once: true }, async (session) => {
    const { topic, dryRun } = session.options;
    const results = await session.shuttle().relane({
      topic: typeof topic === 'string' ? topic : null,
      dryRun: dryRun === true,
    });
    const { lanes } = session.loaded.settings.ingest;
    if (session.json) {
      session.print(plainJson({ lanes, partitions: results }));
    } else {
      relaneTable(results, lanes).forEach(session.print);
    }
    return results.some(({ outcome }) => outcome === 'undrained') ? EXIT_FINDINGS : EXIT_OK;
  });
}

function relaneTable(results: readonly Relaned[], lanes: number): string[] {
  return table([
    ['PARTITION', 'LANES', 'ACKED', 'FINISHED', ''],
    ...results.map((each) => [
      `${each.topic}/${each.partition}`,
      each.lanesBefore === null ? '-' : `${each.lanesBefore}`,
      `${each.position ?? '-'}`,
      `${each.finished ?? '-'}`,
      sentence(each, lanes),
    ]),
  ]);
}

function sentence({ outcome, position, finished }: Relaned, lanes: number): string {
  const sentences: Readonly<Record<RelaneOutcome, string>> = {
    unopened: 'not begun yet; takes the configured cut by itself',
    standing: 'is cut like this already',
    drained: `drained; would be cut into ${lanes} lanes at offset ${position}`,
    relaned: `cut into ${lanes} lanes at offset ${position}`,
    undrained:
      position === null
        ? 'the group has no ack of this ledger; drain it with the settings before'
        : `not drained: offset ${finished} is finished, but not all below it`,
  };
  return sentences[outcome];
}
