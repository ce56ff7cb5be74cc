/** One sentence about what a pipeline has done. */
import type { IngestSummary } from '../ingest/context.ts';
import type { PublishSummary } from '../publish/publish.ts';
import type { StageSummary } from '../stage/context.ts';
import { counted, grouped } from './text.ts';

export function ingestText(summary: IngestSummary, durationMs: number, withPace: boolean): string {
  const { recordsRead, applied, rejected, repeated, batches } = summary;
  return (
    `Ingested: ${counted(recordsRead, 'record')} read, ${grouped(applied)} applied, ` +
    `${grouped(rejected)} to the dead letters, ${grouped(repeated)} on the ledger already; ` +
    `${counted(batches, 'transaction')} ${pace(applied + rejected, durationMs, withPace)}.`
  );
}

export function publishText(
  summary: PublishSummary,
  durationMs: number,
  withPace: boolean,
): string {
  const { blocks, transactions, changes, events, records } = summary;
  return (
    `Published: ${counted(blocks, 'block')} with ${counted(transactions, 'transaction')}, ` +
    `${counted(changes, 'change')} and ${counted(events, 'event')} ` +
    `${pace(records, durationMs, withPace)}.`
  );
}

export function cleanText(summary: StageSummary, durationMs: number, withPace: boolean): string {
  const { recordsRead, cleaned, documents, dropped, refused, transactions } = summary;
  const known = dropped === 0 ? '' : `${grouped(dropped)} left out as known, `;
  return (
    `Cleaned: ${counted(recordsRead, 'record')} read, ${grouped(cleaned)} cleaned into ` +
    `${counted(documents, 'document')}, ${known}${grouped(refused)} to the dead letters; ` +
    `${counted(transactions, 'transaction')} ${pace(cleaned + refused, durationMs, withPace)}.`
  );
}

function pace(records: number, durationMs: number, withPace: boolean): string {
  const seconds = Math.max(durationMs, 1) / 1_000;
  const rate = ` (${grouped(Math.round(records / seconds))} records/s)`;
  return `in ${seconds.toFixed(1)} s${withPace ? rate : ''}`;
}
