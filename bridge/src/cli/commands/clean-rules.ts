/** For people who write rules: what each one does to a record, and whether a file is valid. */
import { Command } from 'commander';
import { type Change, changesOf } from '../../clean/changes.ts';
import { type Cleaned, createCleaner, type TraceEntry } from '../../clean/cleaner.ts';
import type { CompiledRules } from '../../clean/compile.ts';
import type { Json } from '../../clean/json.ts';
import { parseDocuments } from '../../clean/parse.ts';
import type { Format } from '../../clean/rules.ts';
import { loadRules } from '../../config/rule-file.ts';
import { ShuttleError } from '../../errors.ts';
import { cleanInput, type InputRecord, openInput } from '../clean-input.ts';
import { registryOf, requiredText, timeOption } from '../clean-options.ts';
import { EXIT_FINDINGS, EXIT_OK } from '../io.ts';
import { type Cli, define, type Session, wholeOption } from '../session.ts';
import { counted, table } from '../text.ts';

export function checkRulesCommand(cli: Cli): Command {
  const command = new Command('check')
    .description('check a rule file, and list its rules')
    .option('--rules <file>', 'the rule file, or preset:NAME');
  return define(cli, command, { once: true }, async (session) => {
    const named = requiredText(session.options, 'rules');
    const { name, version, steps } = loadRules(named, session.io.cwd);
    if (session.json) {
      const rules = steps.map(({ rule, kind }) => ({ rule, kind }));
      session.print(JSON.stringify({ ok: true, name, version, rules }));
      return EXIT_OK;
    }
    session.print(`${named} is valid: ${name} ${version}, ${counted(steps.length, 'rule')}`);
    for (const line of table(steps.map(({ rule, kind }) => ['', rule, kind]))) {
      session.print(line);
    }
    return EXIT_OK;
  });
}

export function explainCommand(cli: Cli): Command {
  const command = new Command('explain')
    .description('show what each rule does to one record, side by side')
    .option('--rules <file>', 'the rule file, or preset:NAME')
    .option('--record <text>', 'the record itself')
    .option('--file <file>', 'a file of records, with --line')
    .option('--line <number>', 'the line in which the record starts, or which it holds')
    .option('--key <text>', 'the key of the raw record')
    .option('--timestamp <time>', "the record's time, ISO 8601 (default: now, or the file's)");
  return define(cli, command, { once: true }, async (session) => {
    const { options, io } = session;
    const rules = loadRules(requiredText(options, 'rules'), io.cwd);
    const { chosen, before, format, timestamp } = await chosenRecord(session, rules);
    const entries: TraceEntry[] = [];
    const key = typeof options.key === 'string' ? Buffer.from(options.key) : null;
    const cleaner = createCleaner(rules, format, registryOf(session, format));
    const clean = async ({ record, offset }: Numbered, onTrace?: (entry: TraceEntry) => void) => {
      const raw = { key, value: record.bytes, headers: [], timestamp, offset };
      return await cleanInput(cleaner, record, raw, onTrace);
    };
    for (const earlier of before) {
      await clean(earlier);
    }
    const cleaned = await clean(chosen, (entry) => entries.push(entry));
    for (const line of session.json ? [explainedJson(entries, cleaned)] : text(entries, cleaned)) {
      session.print(line);
    }
    return cleaned.refused === null ? EXIT_OK : EXIT_FINDINGS;
  });
}

interface Numbered {
  readonly record: InputRecord;
  /** How many records are before it. */
  readonly offset: bigint;
}

interface Chosen {
  readonly chosen: Numbered;
  /** As many as the rules look back. */
  readonly before: readonly Numbered[];
  readonly format: Format;
  readonly timestamp: number;
}

/** @throws ShuttleError USAGE when no record, or more than one way to it, is named */
async function chosenRecord(session: Session, rules: CompiledRules): Promise<Chosen> {
  const { options, io } = session;
  const { record: given, file } = options;
  const line = wholeOption(session, 'line', 1);
  if ((typeof given === 'string') === (typeof file === 'string' && line !== undefined)) {
    throw new ShuttleError('USAGE', 'Either --record, or --file and --line, tell which record.');
  }
  if (typeof given === 'string') {
    const format = rules.format ?? { kind: 'json' };
    const bytes = Buffer.from(given);
    const read = format.kind === 'registry' ? null : () => parseDocuments(bytes, format);
    return {
      chosen: { record: { line: 1, bytes, read }, offset: 0n },
      before: [],
      format,
      timestamp: timeOption(session) ?? Date.now(),
    };
  }
  const input = await openInput(requiredText(options, 'file'), io.cwd, rules.format);
  const timestamp = timeOption(session) ?? input.changedMs;
  const { windowRecords } = rules;
  let before: Numbered[] = [];
  let offset = 0n;
  for await (const record of input.records()) {
    if (line !== undefined && record.line <= line && lastLine(record) >= line) {
      before.splice(0, before.length - windowRecords);
      return { chosen: { record, offset }, before, format: input.format, timestamp };
    }
    before.push({ record, offset });
    before =
      before.length > 2 * windowRecords ? before.slice(before.length - windowRecords) : before;
    offset += 1n;
  }
  throw new ShuttleError('USAGE', `There is no record at line ${line}.`);
}

function lastLine({ line, bytes }: InputRecord): number {
  const ends = Buffer.from(bytes)
    .toString('latin1')
    .trimEnd()
    .match(/\r\n|\n|\r/g);
  return line + (ends?.length ?? 0);
}

interface ExplainedStep {
  readonly rule: string;
  readonly kind: string;
  /** One list for each document that came of it. */
  readonly changes: readonly (readonly Change[])[];
}

function explained({ rule, kind, before, after }: TraceEntry): ExplainedStep {
  return { rule, kind, changes: after.map((document) => changesOf(before ?? {}, document)) };
}

function explainedJson(entries: readonly TraceEntry[], { documents, refused }: Cleaned): string {
  const made = documents?.map(({ key, value }) => ({
    key: Buffer.from(key).toString(),
    value: value === null ? null : (JSON.parse(Buffer.from(value).toString()) as Json),
  }));
  return JSON.stringify({ steps: entries.map(explained), documents: made ?? null, refused });
}

const HEAD = ['RULE', 'KIND', 'MEMBER', 'BEFORE', 'AFTER'];
const SHOWN_MAX = 48;

function text(entries: readonly TraceEntry[], { documents, refused }: Cleaned): string[] {
  const rows = entries.map(explained).flatMap(rowsOf);
  const made = (documents ?? []).flatMap(({ key, value }) => [
    '',
    `key       ${Buffer.from(key).toString()}`,
    `document  ${value === null ? 'deleted' : Buffer.from(value).toString()}`,
  ]);
  const why =
    refused === null
      ? []
      : ['', `Refused by the rule "${refused.rule}", ${refused.code}: ${refused.sentence}`];
  return [...table([HEAD, ...rows]), ...made, ...why];
}

function rowsOf({ rule, kind, changes }: ExplainedStep): string[][] {
  const rows = changes.flatMap((some, index) => {
    const title =
      changes.length > 1 ? [[`document ${index + 1} of ${changes.length}`, '', '']] : [];
    return [
      ...title,
      ...some.map(({ pointer, before, after }) => [pointer, cell(before), cell(after)]),
    ];
  });
  const all = rows.length === 0 ? [['nothing to change', '', '']] : rows;
  return all.map((row, index) => (index === 0 ? [rule, kind, ...row] : ['', '', ...row]));
}

function cell(value: Json | undefined): string {
  const whole = value === undefined ? '' : JSON.stringify(value);
  return whole.length > SHOWN_MAX ? `${whole.slice(0, SHOWN_MAX)}...` : whole;
}
