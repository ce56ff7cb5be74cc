/** Brings dead letters back to the topic that they came from. */
import { Command } from 'commander';
import { ShuttleError } from '../../errors.ts';
import { LEFT, type Left, type LeftReason, type ReplaySummary } from '../../letters/replay.ts';
import type { Selection } from '../../letters/selection.ts';
import { startBar } from '../bar.ts';
import { EXIT_FINDINGS, EXIT_OK } from '../io.ts';
import { type Cli, define, type Session, wholeOption } from '../session.ts';
import { counted, grouped, plainJson } from '../text.ts';
import { addSelection, placeOf, selectionOf, sourcesOf } from './letter-options.ts';

const TOLD_DEFAULT = 100;
const BAR = 'replay {bar} {percentage}%  {replayed} replayed  {duration_formatted}';

export function replayCommand(cli: Cli): Command {
  const command = new Command('replay')
    .description('bring dead letters back to the topic that they came from, each once')
    .argument('[letters...]', 'where they stand, as list prints it: partition@offset');
  addSelection(command)
    .option('--all', 'every letter that has not been replayed')
    .option('--force', 'even where the ledger has a newer document of the key')
    .option('--dry-run', 'tell what would be replayed, and write nothing')
    .option('--max <n>', `letters that are left to tell in full (default: ${TOLD_DEFAULT})`);
  return define(cli, command, { once: false, quiet: true }, async (session, places) => {
    const requests = requestsOf(session, places);
    const toldMax = wholeOption(session, 'max', 0) ?? TOLD_DEFAULT;
    const summary = await replayAll(session, requests, toldMax);
    return summary.leftCount === 0 && !summary.stopped ? EXIT_OK : EXIT_FINDINGS;
  });
}

interface TopicRequest {
  readonly source: string;
  readonly selection: Selection;
}

/** @throws ShuttleError USAGE: what is to be replayed has to be said */
function requestsOf(session: Session, places: readonly string[]): TopicRequest[] {
  const selection = selectionOf(session);
  const isChosen = places.length > 0 || Object.keys(selection).length > 0;
  if (isChosen === (session.options.all === true)) {
    const message = 'Say which dead letters to replay: where they stand, by options, or --all.';
    throw new ShuttleError('USAGE', message);
  }
  if (places.length === 0) {
    return sourcesOf(session).map((source) => ({ source, selection }));
  }
  const positions = new Map<string, Set<string>>();
  for (const text of places) {
    const { source, partition, offset } = placeOf(session, text);
    const known = positions.get(source) ?? new Set();
    positions.set(source, known.add(`${partition}@${offset}`));
  }
  return [...positions].map(([source, chosen]) => ({
    source,
    selection: { ...selection, positions: chosen },
  }));
}

type Summary = Pick<
  ReplaySummary,
  'replayed' | 'forced' | 'already' | 'foreign' | 'left' | 'leftCount' | 'stopped'
>;

const NOTHING: Summary = {
  replayed: 0,
  forced: 0,
  already: 0,
  foreign: 0,
  left: {},
  leftCount: 0,
  stopped: false,
};

async function replayAll(
  session: Session,
  requests: readonly TopicRequest[],
  toldMax: number,
): Promise<Summary> {
  const { io, json, options } = session;
  const [dryRun, force] = [options.dryRun === true, options.force === true];
  const signal = io.stopRequest();
  const bar = json || !io.stderr.isTTY ? null : startBar(io.stderr, BAR, { replayed: '0' });
  const told: (Left & { readonly source: string })[] = [];
  let sum = NOTHING;
  // Should it fail, what was replayed by then is told.
  let replayedNow = 0;
  let stopped = true;
  try {
    for (const { source, selection } of requests) {
      const onLeft = (left: Left) =>
        void (told.length < toldMax ? told.push({ ...left, source }) : 0);
      const onProgress = (replayed: number, walked: number, total: number) => {
        replayedNow = replayed;
        bar?.show(walked, total, { replayed: grouped(sum.replayed + replayed) });
      };
      const request = { source, selection, force, dryRun, onLeft, onProgress };
      sum = add(sum, await session.shuttle().replay(request, signal));
      replayedNow = 0;
    }
    ({ stopped } = sum);
  } finally {
    bar?.stop();
    sum = { ...sum, replayed: sum.replayed + replayedNow, stopped };
    report(session, sum, told);
  }
  return sum;
}

function add(a: Summary, b: Summary): Summary {
  const left: Partial<Record<LeftReason, number>> = { ...a.left };
  for (const [reason, count] of Object.entries(b.left) as [LeftReason, number][]) {
    left[reason] = (left[reason] ?? 0) + count;
  }
  return {
    replayed: a.replayed + b.replayed,
    forced: a.forced + b.forced,
    already: a.already + b.already,
    foreign: a.foreign + b.foreign,
    left,
    leftCount: a.leftCount + b.leftCount,
    stopped: a.stopped || b.stopped,
  };
}

function report(
  session: Session,
  summary: Summary,
  told: readonly (Left & { readonly source: string })[],
): void {
  const { json, options, print } = session;
  const dryRun = options.dryRun === true;
  if (json) {
    const { left, leftCount, ...counts } = summary;
    const letters = told.map(({ source, place, reason, detail }) => ({
      source,
      letter: place,
      reason,
      detail,
    }));
    print(plainJson({ dryRun, ...counts, leftCount, leftCounts: left, left: letters }));
    return;
  }
  for (const { source, place, reason, detail } of told) {
    print(`${source} ${place}  ${reason}  ${detail}`);
  }
  for (const [reason, count] of Object.entries(summary.left) as [LeftReason, number][]) {
    print(`${grouped(count)} x ${reason}: ${LEFT[reason]}`);
  }
  const { replayed, forced, already, foreign, leftCount, stopped } = summary;
  const notes = [
    forced > 0 ? `${grouped(forced)} of them over a newer document` : '',
    already > 0 ? `${grouped(already)} replayed before` : '',
    foreign > 0 ? `${grouped(foreign)} of other streams or topics` : '',
    leftCount > 0 ? `${grouped(leftCount)} left` : '',
    stopped ? 'stopped before the end' : '',
  ].filter(Boolean);
  const done = dryRun ? 'would be replayed' : 'replayed';
  print([`${counted(replayed, 'dead letter')} ${done}`, ...notes].join(', '));
}
