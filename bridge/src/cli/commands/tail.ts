import { Argument, Command } from 'commander';
import {
  BLOCK_HASH_HEADER,
  BLOCK_NUMBER_HEADER,
  CHANGE_COUNT_HEADER,
  EVENT_COUNT_HEADER,
  TRANSACTION_COUNT_HEADER,
} from '../../block/topics.ts';
import { ShuttleError } from '../../errors.ts';
import { EXIT_OK } from '../io.ts';
import { jsonLine, textOf } from '../record-json.ts';
import { type Cli, define, type Session, wholeOption, withDeadline } from '../session.ts';
import type { TailKind, TailOptions, TailRecord } from '../shuttle.ts';
import { counted } from '../text.ts';
import { shownKey } from './list.ts';

const KINDS: readonly TailKind[] = ['blocks', 'transactions', 'changes', 'events'];
const LAST_DEFAULT = 10;
const HASH_SHOWN = 12;

/** Records of one of the channel's topics, as a committed reader sees them. */
export function tailCommand(cli: Cli): Command {
  const command = new Command('tail')
    .description("print the newest records of one of the channel's topics")
    .addArgument(new Argument('<topic>', 'which topic').choices(KINDS))
    .option('--last <n>', `start so many records before the end (default: ${LAST_DEFAULT})`)
    .option('--from-beginning', 'start at the first record')
    .option('--follow', 'wait for more, until stopped');
  // The deadline is for the form that ends by itself alone, so the action looks after it.
  return define(cli, command, { once: false, quiet: true }, async (session, [kind]) => {
    const last = wholeOption(session, 'last', 0);
    if (last !== undefined && session.options.fromBeginning === true) {
      throw new ShuttleError('USAGE', '--last and --from-beginning exclude each other.');
    }
    const follow = session.options.follow === true;
    const from =
      session.options.fromBeginning === true
        ? ('beginning' as const)
        : { last: last ?? LAST_DEFAULT };
    const stop = session.io.stopRequest();
    const work = print(session, { kind: kind as TailKind, from, follow }, stop);
    await (follow ? work : withDeadline(session, work));
    return EXIT_OK;
  });
}

async function print(session: Session, options: TailOptions, stop: AbortSignal): Promise<void> {
  for await (const record of session.shuttle().tail(options, stop)) {
    session.print(session.json ? recordJson(record) : text(options.kind, record));
  }
}

function text(kind: TailKind, record: TailRecord): string {
  const key = record.key === null ? '-' : shownKey(decode(record.key));
  switch (kind) {
    case 'blocks':
      return blockText(record);
    case 'changes':
      return `${key}  ${record.value === null ? '(deleted)' : decode(record.value)}`;
    case 'transactions':
    case 'events':
      return `${key}  ${record.value === null ? '-' : decode(record.value)}`;
  }
}

function blockText(record: TailRecord): string {
  const headers = headersOf(record);
  const hash = headers.get(BLOCK_HASH_HEADER)?.slice(0, HASH_SHOWN) ?? '-';
  const time = new Date(record.timestamp).toISOString();
  const count = (name: string, noun: string) => counted(Number(headers.get(name) ?? 0), noun);
  const holds = [
    count(TRANSACTION_COUNT_HEADER, 'transaction'),
    count(CHANGE_COUNT_HEADER, 'change'),
    count(EVENT_COUNT_HEADER, 'event'),
    counted(record.value?.length ?? 0, 'byte'),
  ];
  return `block ${headers.get(BLOCK_NUMBER_HEADER) ?? '?'}  ${time}  ${hash}…  ${holds.join(', ')}`;
}

/** JSON text is passed through as it stands, on one line; other bytes travel in base64. */
function recordJson(record: TailRecord): string {
  const { value } = record;
  const text = value === null ? null : textOf(value);
  const shown = (text === null ? null : jsonLine(text)) ?? encode(value);
  const head = {
    partition: record.partition,
    offset: record.offset.toString(),
    timestamp: record.timestamp,
    key: record.key === null ? null : decode(record.key),
    headers: Object.fromEntries(headersOf(record)),
  };
  return `${JSON.stringify(head).slice(0, -1)},"value":${shown}}`;
}

function headersOf(record: TailRecord): Map<string, string> {
  return new Map(
    record.headers.map(({ name, value }) => [name, value === null ? '' : decode(value)]),
  );
}

function encode(value: Uint8Array | null): string {
  return value === null ? 'null' : JSON.stringify(Buffer.from(value).toString('base64'));
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}
