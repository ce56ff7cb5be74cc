/** clean without --file: cleans the raw topic, until stopped or up to its end. */
import type { StageSummary } from '../../stage/context.ts';
import { EXIT_FINDINGS, EXIT_OK } from '../io.ts';
import { showProgress } from '../progress.ts';
import { errorObject, renderError } from '../render-error.ts';
import { type Session, showsProgress } from '../session.ts';
import { cleanText } from '../summary.ts';
import { grouped, plainJson, table } from '../text.ts';

/** @returns the exit code */
export async function cleanTopic(session: Session): Promise<number> {
  const { io, options } = session;
  const stop = io.stopRequest();
  const shuttle = session.shuttle();
  const address = await shuttle.serve(['kafka']);
  if (address !== null && !session.json) {
    io.stderr.write(`Health and metrics at ${address}\n`);
  }
  const startedMs = shuttle.clock.now();
  const bar = showsProgress(io, options) ? await showProgress(io.stderr, shuttle, 'clean') : null;
  const untilEnd = options.untilEnd === true;
  const summary = await shuttle.clean({ untilEnd }, stop).finally(() => bar?.stop());
  report(session, summary, shuttle.clock.now() - startedMs, untilEnd);
  const [first] = summary.stops;
  if (first !== undefined) {
    return first.error.kind.exit;
  }
  return summary.refused > 0 && options.strict === true ? EXIT_FINDINGS : EXIT_OK;
}

function report(
  { json, print, io }: Session,
  summary: StageSummary,
  durationMs: number,
  withPace: boolean,
): void {
  const { stops, ...figures } = summary;
  if (json) {
    const told = stops.map(({ topic, partition, error }) => {
      return { topic, partition, code: error.code };
    });
    const errors = stops.map(({ error }) => errorObject(error));
    print(plainJson({ ...figures, stops: told, durationMs, errors }));
    return;
  }
  print(cleanText(summary, durationMs, withPace));
  const rows = summary.refusals.map(({ rule, code, records }) => {
    return [` ${grouped(records)}`, rule ?? '-', code];
  });
  for (const line of table(rows)) {
    print(line);
  }
  for (const { error } of stops) {
    io.stderr.write(renderError(error));
  }
}
