/** index: keeps a read model beside the ledger, for questions that would be many to a peer. */
import { Command } from 'commander';
import { startBar } from '../bar.ts';
import { EXIT_OK } from '../io.ts';
import { type Cli, define, type Session, showsProgress } from '../session.ts';
import type { IndexSummary } from '../shuttle.ts';
import { counted, grouped, plainJson } from '../text.ts';

const BAR = 'index   {bar} {percentage}%  {shown} changes';

export function indexCommand(cli: Cli): Command {
  const command = new Command('index')
    .description('keep a read model of the ledger, fed by the changes topic, until stopped')
    .option('--until-end', 'stop at the ends as they are at the start')
    .option('--rebuild', 'forget what the file holds, and feed it from the start of the topic');
  return define(cli, command, { once: false }, async (session) => {
    const { io, options } = session;
    const untilEnd = options.untilEnd === true;
    const stop = io.stopRequest();
    const shuttle = session.shuttle();
    const startedMs = shuttle.clock.now();
    const bar = showsProgress(io, options) ? startBar(io.stderr, BAR, { shown: '0' }) : null;
    const onProgress = (read: number, ahead: number) =>
      bar?.show(read, read + ahead, { shown: `${grouped(read)}/${grouped(read + ahead)}` });
    const rebuild = options.rebuild === true;
    const summary = await shuttle
      .index({ untilEnd, rebuild, onProgress }, stop)
      .finally(() => bar?.stop());
    report(session, summary, shuttle.clock.now() - startedMs);
    return EXIT_OK;
  });
}

function report({ json, print }: Session, summary: IndexSummary, durationMs: number): void {
  if (json) {
    print(plainJson({ ...summary, durationMs }));
    return;
  }
  const { file, changes, lastBlock, complete } = summary;
  const upTo = lastBlock === null ? '' : `, up to block ${lastBlock}`;
  const end = complete ? '' : ' It is not complete yet: start it again.';
  const seconds = (durationMs / 1_000).toFixed(1);
  print(`Indexed: ${counted(changes, 'change')}${upTo}, into ${file} in ${seconds} s.${end}`);
}
