/** Cleans a topic, or a file without Kafka: for trying rules, and for files that come as files. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { type Cleaned, createCleaner } from '../../clean/cleaner.ts';
import type { Refusal } from '../../clean/refusal.ts';
import { loadRules } from '../../config/rule-file.ts';
import { ShuttleError } from '../../errors.ts';
import { startBar } from '../bar.ts';
import { cleanInput, type InputRecord, openInput } from '../clean-input.ts';
import {
  type Lines,
  openOutput,
  registryOf,
  requiredText,
  STANDARD_OUTPUT,
  timeOption,
} from '../clean-options.ts';
import { EXIT_FINDINGS, EXIT_OK, EXIT_STOPPED } from '../io.ts';
import { type Cli, define, type Session } from '../session.ts';
import { counted, grouped, table } from '../text.ts';
import { checkRulesCommand, explainCommand } from './clean-rules.ts';
import { cleanTopic } from './clean-topic.ts';

const BAR = 'clean {bar} {percentage}%  {shown} records  {duration_formatted}';

export function cleanCommand(cli: Cli): Command {
  const command = new Command('clean')
    .addCommand(checkRulesCommand(cli))
    .addCommand(explainCommand(cli))
    .description('clean the raw topic by rules, until stopped; or, with --file, a file')
    .option('--rules <file>', 'the rule file, or preset:NAME')
    .option('--format <format>', 'what raw records hold, where the rules do not say it')
    .option('--from <topic>', 'the topic of the raw records')
    .option('--to <topic>', 'the topic of the cleaned records')
    .option('--until-end', 'stop at the ends as they are at the start')
    .option('--file <file>', 'clean this instead of a topic: .csv, .tsv, .json, .jsonl or .xml')
    .option('--out <file>', 'of a file: write cleaned documents there (default: standard output)')
    .option('--refused <file>', 'of a file: write refused records there')
    .option(
      '--timestamp <time>',
      "of a file: the records' time, ISO 8601 (default: when the file was changed)",
    )
    .option('--strict', 'exit with 1 when a record was refused');
  const how = { once: false, quiet: isOfFile, settings: SETTINGS };
  return define(cli, command, how, async (session) => {
    requireFitting(session);
    if (!isOfFile(session.options)) {
      return await cleanTopic(session);
    }
    const summary = await cleanFile(session);
    report(session, summary);
    if (summary.isStopped) {
      return EXIT_STOPPED;
    }
    return summary.refused > 0 && session.options.strict === true ? EXIT_FINDINGS : EXIT_OK;
  });
}

/** Options that are short for a setting. */
const SETTINGS = {
  rules: 'clean.rules',
  format: 'clean.format',
  from: 'clean.from',
  to: 'clean.to',
};

const OF_FILE = ['out', 'refused', 'timestamp'];
const OF_TOPIC = ['format', 'from', 'to', 'untilEnd'];

const isOfFile = (options: Session['options']): boolean => options.file !== undefined;

/** @throws ShuttleError USAGE for options that do not belong to what is cleaned */
function requireFitting({ options }: Session): void {
  const unfit = (isOfFile(options) ? OF_TOPIC : OF_FILE).find(
    (name) => options[name] !== undefined,
  );
  if (unfit !== undefined) {
    const flag = unfit === 'untilEnd' ? 'until-end' : unfit;
    const message = isOfFile(options)
      ? `--${flag} is of topics, and --file names a file.`
      : `--${flag} is of a file, and there is no --file.`;
    throw new ShuttleError('USAGE', message);
  }
}

interface Summary {
  readonly rules: string;
  readonly version: string | number;
  records: number;
  cleaned: number;
  documents: number;
  /** Documents that stood before already, and were left out as the rules say. */
  dropped: number;
  refused: number;
  /** By rule and code. */
  readonly refusals: Map<string, number>;
  /** Before the end of the file. */
  isStopped: boolean;
  /** The first refusals, for who has named no file for them. */
  readonly first: { readonly line: number; readonly refusal: Refusal }[];
}

/** How often the bar moves. */
const PROGRESS_RECORDS = 1_000;

/** Refusals that are told in full without --refused. */
const TOLD_MAX = 10;

async function cleanFile(session: Session): Promise<Summary> {
  const { io } = session;
  const names = fileNames(session);
  const rules = loadRules(names.rules, io.cwd);
  const input = await openInput(names.file, io.cwd, rules.format);
  const timestamp = timeOption(session) ?? input.changedMs;
  const stop = io.stopRequest();
  const cleaner = createCleaner(rules, input.format, registryOf(session, input.format, stop));
  const out = openOutput(names.out, io.cwd, io.stdout);
  const letters = names.refused === null ? null : openOutput(names.refused, io.cwd, io.stdout);
  const bar = session.json || !io.stderr.isTTY ? null : startBar(io.stderr, BAR, { shown: '0' });
  const summary = emptySummary(rules.name, rules.version);
  try {
    for await (const record of input.records()) {
      if (stop.aborted) {
        summary.isStopped = true;
        break;
      }
      const offset = BigInt(summary.records);
      const raw = { key: null, value: record.bytes, headers: [], timestamp, offset };
      const cleaned = await cleanInput(cleaner, record, raw);
      count(summary, record, cleaned);
      await write(record, cleaned, out, letters);
      if (summary.records % PROGRESS_RECORDS === 0) {
        bar?.show(input.bytesRead(), input.bytesTotal, { shown: grouped(summary.records) });
      }
    }
  } finally {
    bar?.stop();
    await out.close();
    await letters?.close();
  }
  return summary;
}

interface FileNames {
  readonly file: string;
  readonly rules: string;
  readonly out: string;
  readonly refused: string | null;
}

/** @throws ShuttleError USAGE when one is missing, or one file is named twice */
function fileNames({ io, options }: Session): FileNames {
  const names = {
    file: requiredText(options, 'file'),
    rules: requiredText(options, 'rules'),
    out: (options.out as string | undefined) ?? STANDARD_OUTPUT,
    refused: (options.refused as string | undefined) ?? null,
  };
  const paths = Object.values(names)
    .filter((name) => name !== null && name !== STANDARD_OUTPUT)
    .map((name) => resolve(io.cwd, name ?? ''));
  if (new Set(paths).size < paths.length) {
    throw new ShuttleError('USAGE', 'Two of --file, --rules, --out and --refused are one file.');
  }
  return names;
}

function emptySummary(rules: string, version: string | number): Summary {
  const counts = { records: 0, cleaned: 0, documents: 0, dropped: 0, refused: 0 };
  return { rules, version, ...counts, refusals: new Map(), isStopped: false, first: [] };
}

function count(summary: Summary, { line }: InputRecord, cleaned: Cleaned): void {
  const { documents, refused } = cleaned;
  summary.records += 1;
  if (refused === null) {
    summary.cleaned += 1;
    summary.documents += documents.length;
    summary.dropped += cleaned.dropped;
    return;
  }
  summary.refused += 1;
  const name = `${refused.rule} ${refused.code}`;
  summary.refusals.set(name, (summary.refusals.get(name) ?? 0) + 1);
  if (summary.first.length < TOLD_MAX) {
    summary.first.push({ line, refusal: refused });
  }
}

async function write(
  { line, bytes }: InputRecord,
  { documents, refused }: Cleaned,
  out: Lines,
  letters: Lines | null,
): Promise<void> {
  if (refused !== null) {
    await letters?.write(JSON.stringify({ line, ...refused, ...original(bytes) }));
    return;
  }
  for (const { key, value } of documents) {
    const text = value === null ? 'null' : Buffer.from(value).toString();
    await out.write(`{"key":${JSON.stringify(Buffer.from(key).toString())},"value":${text}}`);
  }
}

/** The record's bytes: as text where they are text, otherwise in base64. */
function original(bytes: Uint8Array): { readonly text: string } | { readonly base64: string } {
  const text = Buffer.from(bytes).toString('utf8');
  return Buffer.from(text).equals(bytes)
    ? { text }
    : { base64: Buffer.from(bytes).toString('base64') };
}

function report(session: Session, summary: Summary): void {
  const { out } = session.options;
  const output =
    out === undefined || out === STANDARD_OUTPUT ? session.io.stderr : session.io.stdout;
  const lines = session.json ? [jsonOf(summary)] : textOf(summary, session.options);
  output.write(`${lines.join('\n')}\n`);
}

function jsonOf(summary: Summary): string {
  const { rules, version, records, cleaned, documents, dropped, refused, isStopped } = summary;
  const refusals = [...summary.refusals].map(([name, number]) => {
    const [rule, code] = name.split(' ');
    return { rule, code, records: number };
  });
  const counts = { records, cleaned, documents, dropped, refused };
  return JSON.stringify({ rules, version, ...counts, isStopped, refusals });
}

function textOf(summary: Summary, options: Session['options']): string[] {
  const { rules, version, records, cleaned, documents, refused, refusals, first } = summary;
  const { dropped } = summary;
  const left = dropped > 0 ? ` (${grouped(dropped)} dropped as duplicates)` : '';
  const sorted = [...refusals].sort(([, a], [, b]) => b - a);
  const told = options.refused === undefined ? first : [];
  return [
    `${counted(records, 'record')}: ${grouped(cleaned)} cleaned into ` +
      `${counted(documents, 'document')}${left}, ` +
      `${grouped(refused)} refused, by ${rules} ${version}`,
    ...table(sorted.map(([name, number]) => [` ${grouped(number)}`, ...name.split(' ')])),
    ...told.map(({ line, refusal }) => `line ${line}: ${refusal.sentence}`),
    ...(refused > TOLD_MAX && told.length > 0 ? ['--refused FILE keeps all of them.'] : []),
    ...(summary.isStopped ? ['Stopped before the end of the file.'] : []),
  ];
}
