/** load: produces a file's rows, lines or documents to a topic, as raw records. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { basename, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Command } from 'commander';
import { compileKey } from '../../clean/key.ts';
import { RefusedError } from '../../clean/refusal.ts';
import { FORMATS, type Format } from '../../clean/rules.ts';
import { loadRules } from '../../config/rule-file.ts';
import { ShuttleError } from '../../errors.ts';
import type { LoadRecord, LoadSummary } from '../../load/load.ts';
import { startBar } from '../bar.ts';
import { type Input, type InputRecord, openInput } from '../clean-input.ts';
import { EXIT_OK, EXIT_STOPPED } from '../io.ts';
import { type Cli, define, type Session } from '../session.ts';
import { counted, grouped } from '../text.ts';

const BAR = 'load    {bar} {percentage}%  {shown} records  {rate}/s';

export function loadCommand(cli: Cli): Command {
  const command = new Command('load')
    .description('produce the rows, lines or documents of a file to a topic, each once')
    .argument('<file>', 'a .csv, .tsv, .json or .jsonl file')
    .option('--topic <topic>', 'the topic to load to (default: clean.from)')
    .option('--format <format>', `what the file holds: ${FORMATS.join(', ')} (default: its name)`)
    .option('--rules <file>', 'take format and columns from these rules, or preset:NAME')
    .option('--key <pointer>', 'JSON Pointer to what becomes the record key (default: no key)')
    .option('--key-column <name>', 'the same for a column of a csv or tsv file')
    .option('--as <name>', "name of this load, which is carried on (default: the file's name)");
  return define(cli, command, { once: false, quiet: true }, async (session, [file = '']) => {
    const { io, options } = session;
    const input = await openInput(file, io.cwd, formatOf(session));
    const keyOf = keyOption(session);
    const stop = io.stopRequest();
    const shuttle = session.shuttle();
    const bar =
      session.json || !io.stderr.isTTY ? null : startBar(io.stderr, BAR, { shown: '0', rate: '0' });
    const startedMs = shuttle.clock.now();
    let first: number | null = null;
    const onProgress = (records: number): void => {
      first ??= records;
      const seconds = Math.max(0.001, (shuttle.clock.now() - startedMs) / 1_000);
      const rate = grouped(Math.round((records - first) / seconds));
      bar?.show(input.bytesRead(), input.bytesTotal, { shown: grouped(records), rate });
    };
    const digest = await digestOf(resolve(io.cwd, file));
    const name = typeof options.as === 'string' ? options.as : basename(file);
    const topic = topicOf(session);
    const records = () => loadRecords(input, keyOf);
    const summary = await shuttle
      .load({ topic, name, digest, records, onProgress }, stop)
      .finally(() => bar?.stop());
    report(session, { file, topic }, summary, shuttle.clock.now() - startedMs);
    return summary.isComplete ? EXIT_OK : EXIT_STOPPED;
  });
}

function topicOf({ options, loaded }: Session): string {
  return typeof options.topic === 'string' ? options.topic : loaded.settings.clean.from;
}

/** @throws ShuttleError USAGE */
function formatOf({ options, io }: Session): Format | null {
  const { format, rules } = options;
  if (typeof format === 'string') {
    const kind = FORMATS.find((name) => name === format);
    if (kind === undefined) {
      const message = `--format is one of ${FORMATS.join(', ')}.`;
      throw new ShuttleError('USAGE', message, { at: { '--format': format } });
    }
    return { kind };
  }
  return typeof rules === 'string' ? loadRules(rules, io.cwd).format : null;
}

type KeyOf = (record: InputRecord) => Promise<string | null>;

/** @throws ShuttleError USAGE for a pointer that is none */
function keyOption({ options }: Session): KeyOf {
  const { key, keyColumn } = options;
  const pointer =
    typeof keyColumn === 'string'
      ? `/${keyColumn.replaceAll('~', '~0').replaceAll('/', '~1')}`
      : key;
  if (typeof pointer !== 'string') {
    return async () => null;
  }
  if (!/^(?:\/(?:[^~/]|~[01])*)+$/.test(pointer)) {
    throw new ShuttleError('USAGE', '--key is no JSON Pointer.', { at: { '--key': pointer } });
  }
  const findKey = compileKey(pointer, () => {});
  return async (record) => {
    try {
      // What only a registry tells has no members here that a key could be taken from.
      const [document] = record.read?.() ?? [];
      const raw = { offset: 0n, key: null, value: record.bytes, headers: [], timestamp: 0 };
      return document === undefined || findKey === null ? null : await findKey(document, raw);
    } catch (error) {
      if (error instanceof RefusedError) {
        // Raw records may be dirty: what is wrong with one is for the cleaning to tell.
        return null;
      }
      throw error;
    }
  };
}

/** A row stands with the line that names its columns, so that it can be read alone. */
async function* loadRecords(input: Input, keyOf: KeyOf): AsyncIterable<LoadRecord> {
  for await (const record of input.records()) {
    const { line, bytes, header } = record;
    const value = header === undefined ? bytes : Buffer.concat([header, bytes]);
    yield { line, key: await keyOf(record), value };
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

function report(
  { json, print }: Session,
  where: { readonly file: string; readonly topic: string },
  summary: LoadSummary,
  durationMs: number,
): void {
  if (json) {
    print(JSON.stringify({ ...where, ...summary, durationMs }));
    return;
  }
  const { records, bytes, before, isComplete } = summary;
  const seconds = Math.max(0.001, durationMs / 1_000);
  const pace = `${grouped(Math.round(records / seconds))} records/s`;
  const volume = `${(bytes / seconds / 1e6).toFixed(1)} MB/s`;
  const known = before === 0 ? '' : `, ${grouped(before)} were there already`;
  print(
    `Loaded: ${counted(records, 'record')} to ${where.topic} in ${seconds.toFixed(1)} s ` +
      `(${pace}, ${volume})${known}.`,
  );
  if (!isComplete) {
    print('Stopped before the end of the file; started again, it goes on there.');
  }
}
