/** run, ingest and publish: the pipelines, until they are asked to stop or reach the end. */
import { Command } from 'commander';
import { ShuttleError } from '../../errors.ts';
import type { IngestSummary } from '../../ingest/context.ts';
import type { PublishSummary } from '../../publish/publish.ts';
import { EXIT_OK } from '../io.ts';
import { showProgress } from '../progress.ts';
import { errorObject, renderError } from '../render-error.ts';
import { type Cli, define, type Session, showsProgress } from '../session.ts';
import { ingestText, publishText } from '../summary.ts';
import { plainJson } from '../text.ts';

interface Timed {
  readonly durationMs: number;
}

type Pipeline = 'ingest' | 'publish';

interface Outcome {
  readonly ingest?: IngestSummary & Timed;
  readonly publish?: PublishSummary & Timed;
  readonly errors: readonly ShuttleError[];
}

const UNTIL_END = 'stop at the ends as they are at the start';

/** Both pipelines. With --until-end publish follows ingest, so that it carries its blocks too. */
export function runCommand(cli: Cli): Command {
  const about = 'carry records to the ledger and its blocks back to Kafka, until stopped';
  return pipelineCommand(cli, 'run', about, ['ingest', 'publish']);
}

export function ingestCommand(cli: Cli): Command {
  return pipelineCommand(cli, 'ingest', 'carry records to the ledger, until stopped', ['ingest']);
}

export function publishCommand(cli: Cli): Command {
  return pipelineCommand(cli, 'publish', 'carry blocks to Kafka, until stopped', ['publish']);
}

function pipelineCommand(
  cli: Cli,
  name: string,
  about: string,
  pipelines: readonly Pipeline[],
): Command {
  const command = new Command(name).description(about).option('--until-end', UNTIL_END);
  return define(cli, command, { once: false }, async (session) => {
    const stop = session.io.stopRequest();
    const shuttle = session.shuttle();
    const address = await shuttle.serve(['kafka', 'fabric']);
    if (address !== null && !session.json) {
      session.io.stderr.write(`Health and metrics at ${address}\n`);
    }
    const untilEnd = session.options.untilEnd === true;
    const outcome = untilEnd
      ? await runInTurn(session, pipelines, stop)
      : await runTogether(session, pipelines, stop);
    report(session, outcome, untilEnd);
    return outcome.errors[0]?.kind.exit ?? EXIT_OK;
  });
}

async function runInTurn(
  session: Session,
  pipelines: readonly Pipeline[],
  stop: AbortSignal,
): Promise<Outcome> {
  let outcome: Outcome = { errors: [] };
  for (const pipeline of pipelines) {
    if (stop.aborted || outcome.errors.length > 0) {
      break;
    }
    const bar = showsProgress(session.io, session.options)
      ? await showProgress(session.io.stderr, session.shuttle(), pipeline)
      : null;
    try {
      outcome = { ...outcome, ...(await runOne(session, pipeline, true, stop)) };
    } finally {
      bar?.stop();
    }
  }
  return outcome;
}

/** When one of them ends by itself, the other is stopped too: half a service looks like a whole. */
async function runTogether(
  session: Session,
  pipelines: readonly Pipeline[],
  stop: AbortSignal,
): Promise<Outcome> {
  const end = new AbortController();
  const both = AbortSignal.any([stop, end.signal]);
  const outcomes = await Promise.all(
    pipelines.map(async (pipeline) => {
      const outcome = await runOne(session, pipeline, false, both);
      end.abort();
      return outcome;
    }),
  );
  const errors = outcomes.flatMap((outcome) => outcome.errors);
  return Object.assign({}, ...outcomes, { errors }) as Outcome;
}

async function runOne(
  session: Session,
  pipeline: Pipeline,
  untilEnd: boolean,
  signal: AbortSignal,
): Promise<Outcome> {
  const shuttle = session.shuttle();
  const startedMs = shuttle.clock.now();
  const timed = <T>(summary: T): T & Timed => {
    return { ...summary, durationMs: shuttle.clock.now() - startedMs };
  };
  try {
    if (pipeline === 'publish') {
      return { publish: timed(await shuttle.publish({ untilEnd }, signal)), errors: [] };
    }
    const ingest = await shuttle.ingest({ untilEnd }, signal);
    return { ingest: timed(ingest), errors: ingest.stops.map((stopped) => stopped.error) };
  } catch (error) {
    if (error instanceof ShuttleError) {
      return { errors: [error] };
    }
    throw error;
  }
}

/** A pace is of use where there was work all the time. */
function report(session: Session, outcome: Outcome, withPace: boolean): void {
  const { ingest, publish, errors } = outcome;
  if (session.json) {
    const stops = ingest?.stops.map(({ topic, partition, error }) => ({
      topic,
      partition,
      code: error.code,
    }));
    session.print(
      plainJson({
        ...(ingest === undefined ? {} : { ingest: { ...ingest, stops } }),
        ...(publish === undefined ? {} : { publish }),
        errors: errors.map(errorObject),
      }),
    );
    return;
  }
  if (ingest !== undefined) {
    session.print(ingestText(ingest, ingest.durationMs, withPace));
  }
  if (publish !== undefined) {
    session.print(publishText(publish, publish.durationMs, withPace));
  }
  for (const error of errors) {
    session.io.stderr.write(renderError(error));
  }
}
