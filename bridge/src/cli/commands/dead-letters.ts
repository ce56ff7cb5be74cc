/** The dead letters of the source topics: which there are, and what one holds. */
import { Command } from 'commander';
import { type KeptLetter, positionText } from '../../letters/letter.ts';
import { isSelected, type Selection } from '../../letters/selection.ts';
import type { ListedLetter } from '../../letters/walk.ts';
import { EXIT_OK } from '../io.ts';
import { type Cli, define, type Session, wholeOption, withDeadline } from '../session.ts';
import { counted, grouped, plainJson, table } from '../text.ts';
import { replayCommand } from './dead-letters-replay.ts';
import { addSelection, placeOf, selectionOf, sourcesOf } from './letter-options.ts';
import { shownKey } from './list.ts';

/** Rows whose columns are made equally wide. */
const TABLE_ROWS = 100;
const SHOWN_KEY_LENGTH = 40;

export function deadLettersCommand(cli: Cli): Command {
  return new Command('dead-letters')
    .description('list, show and replay the records that were refused')
    .addCommand(listCommand(cli))
    .addCommand(showCommand(cli))
    .addCommand(replayCommand(cli));
}

function listCommand(cli: Cli): Command {
  const command = new Command('list').description('print where dead letters stand, and why');
  addSelection(command)
    .option('--open', 'only those that have not been replayed')
    .option('--max <n>', 'print so many at most');
  return define(cli, command, { once: false, quiet: true }, async (session) => {
    const selection = selectionOf(session);
    const max = wholeOption(session, 'max', 1) ?? Number.MAX_SAFE_INTEGER;
    await printAll(session, selection, max);
    return EXIT_OK;
  });
}

/** The deadline is for Kafka to answer; a long topic may take longer. */
async function* withinDeadline<T>(session: Session, all: AsyncIterable<T>): AsyncGenerator<T> {
  const steps = all[Symbol.asyncIterator]();
  try {
    for (let step = await withDeadline(session, steps.next()); step.done !== true; ) {
      yield step.value;
      step = await steps.next();
    }
  } finally {
    // Not waited for: it comes behind the step that the deadline has given up.
    void Promise.resolve(steps.return?.()).catch(() => undefined);
  }
}

async function printAll(session: Session, selection: Selection, max: number): Promise<void> {
  const sources = sourcesOf(session);
  const printer = createPrinter(session, sources.length > 1);
  let printed = 0;
  let open = 0;
  for await (const letter of withinDeadline(session, session.shuttle().deadLetters(sources))) {
    const isAsked = !(session.options.open === true && letter.replayed);
    if (isAsked && isSelected(letter, selection)) {
      printer.print(letter);
      printed += 1;
      open += letter.replayed ? 0 : 1;
      if (printed >= max) {
        break;
      }
    }
  }
  printer.end();
  if (!session.json) {
    const rest = open === printed ? '' : `, ${grouped(printed - open)} of them replayed`;
    session.io.stderr.write(`${counted(printed, 'dead letter')}${rest}\n`);
  }
}

/** Rows are printed as they come, a screenful at a time, so that columns are even. */
function createPrinter(session: Session, withTopic: boolean) {
  const HEAD = ['LETTER', 'RECORD', 'CODE', 'TIME', 'ATTEMPTS', 'REPLAYED', 'BYTES', 'KEY'];
  let rows: string[][] = [HEAD];
  const flush = (): void => {
    if (rows.length > 1 || rows[0] !== HEAD) {
      table(rows).forEach(session.print);
    }
    rows = [];
  };
  return {
    print: (letter: ListedLetter): void => {
      if (session.json) {
        session.print(plainJson(listedJson(letter)));
        return;
      }
      rows.push(rowOf(letter, withTopic));
      if (rows.length >= TABLE_ROWS) {
        flush();
      }
    },
    end: flush,
  };
}

function rowOf(letter: ListedLetter, withTopic: boolean): string[] {
  const { at, source, code, rule, timestamp, attempts, replayed, value, key } = letter;
  const place = (position: KeptLetter['at']) =>
    withTopic ? positionText(position) : `${position.partition}@${position.offset}`;
  return [
    place(at),
    place(source),
    rule === null ? code : `${code} ${rule}`,
    timeText(timestamp),
    String(attempts),
    replayed ? 'yes' : 'no',
    value === null ? '-' : String(value.length),
    keyText(key),
  ];
}

export const timeText = (ms: number): string => {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
};

function keyText(key: Uint8Array | null): string {
  const { text, encoding } = textOf(key);
  const shown = encoding === 'base64' ? `base64:${text}` : shownKey(text ?? '-');
  return shown.length > SHOWN_KEY_LENGTH ? `${shown.slice(0, SHOWN_KEY_LENGTH - 1)}…` : shown;
}

/** Text when the bytes are UTF-8, base64 otherwise. */
export function textOf(bytes: Uint8Array | null): {
  readonly text: string | null;
  readonly encoding: 'utf8' | 'base64' | null;
} {
  if (bytes === null) {
    return { text: null, encoding: null };
  }
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return { text: decoder.decode(bytes), encoding: 'utf8' };
  } catch {
    return { text: Buffer.from(bytes).toString('base64'), encoding: 'base64' };
  }
}

/** All but the value and the record's headers. */
export function listedJson(letter: ListedLetter) {
  const { at, stream, source, code, stage, reason, rule, txId } = letter;
  const { attempts, timestamp, replayed } = letter;
  const { text: key, encoding: keyEncoding } = textOf(letter.key);
  const valueBytes = letter.value?.length ?? null;
  return {
    ...at,
    source: { stream, ...source },
    code,
    stage,
    reason,
    rule,
    txId,
    attempts,
    timestamp,
    replayed,
    key,
    keyEncoding,
    valueBytes,
  };
}

function showCommand(cli: Cli): Command {
  const command = new Command('show')
    .description('print one dead letter whole')
    .argument('<letter>', 'where it stands, as list prints it: partition@offset')
    .option('--topic <name>', 'of this source topic (default: ingest.topics)');
  return define(cli, command, { once: true }, async (session, [text = '']) => {
    const { source, partition, offset } = placeOf(session, text);
    const letter = await session.shuttle().deadLetter(source, partition, offset);
    if (session.json) {
      session.print(plainJson(wholeJson(letter)));
    } else {
      wholeText(letter).forEach(session.print);
    }
    return EXIT_OK;
  });
}

function wholeJson(letter: ListedLetter) {
  const { text: value, encoding: valueEncoding } = textOf(letter.value);
  const headers = letter.headers.map((header) => {
    const { text, encoding } = textOf(header.value);
    return { name: header.name, value: text, encoding };
  });
  return { ...listedJson(letter), headers, value, valueEncoding };
}

function wholeText(letter: ListedLetter): string[] {
  const { at, source, stream, origin, attempts } = letter;
  const first = positionText(origin) === positionText(source) ? '' : positionText(origin);
  const rows: string[][] = [
    ['letter', positionText(at)],
    ['record', `${positionText(source)} of stream ${stream}`],
    ...(first === '' ? [] : [['at first', first]]),
    ['code', letter.code],
    ['reason', letter.reason],
    ...(letter.rule === null ? [] : [['rule', letter.rule]]),
    ['refused by', letter.txId === null ? 'the bridge' : `the ledger, ${letter.txId}`],
    ['attempts', String(attempts)],
    ['time', timeText(letter.timestamp)],
    ['replayed', letter.replayed ? 'yes' : 'no'],
    ...letter.headers.map(({ name, value }) => [
      'header',
      `${shownKey(name)}: ${bytesText(value)}`,
    ]),
    ['key', bytesText(letter.key)],
    ['value', bytesText(letter.value)],
    ['do', adviceOf(letter)],
  ];
  return table(rows);
}

function bytesText(bytes: Uint8Array | null): string {
  const { text, encoding } = textOf(bytes);
  if (text === null) {
    return '(null)';
  }
  const size = counted(bytes?.length ?? 0, 'byte');
  // What would move the cursor is quoted.
  return encoding === 'base64' ? `(${size} that are not UTF-8, in base64) ${text}` : shownKey(text);
}

function adviceOf({ at, replayed, code, attempts }: ListedLetter): string {
  if (replayed) {
    return 'nothing: it has been replayed; if it was refused again, that is another letter';
  }
  const replay = `shuttle dead-letters replay ${at.partition}@${at.offset}`;
  const before =
    ADVICE[code] ?? 'send a correct record from where it came; this one is refused again';
  const again = attempts > 1 ? ` (refused ${attempts} times by now)` : '';
  return before.includes('replay') ? `${before}: ${replay}${again}` : `${before}${again}`;
}

/** A replay carries the same bytes, so it helps where something else than the record was wrong. */
const ADVICE: Readonly<Record<string, string>> = {
  KEY_CLAIMED: 'let the claim be shared or released (shuttle claims), then replay it',
  KEY_MISSING: 'set ingest.keyExpression for a new stream, or send it with a key',
  RULE_REFUSED: "see the contract's rule; when it allows the record by now, replay it",
  RULE_FAILED: "mend the contract's rule, then replay it",
  TIMESTAMP_INVALID: 'replay it: it gets a new timestamp',
};
