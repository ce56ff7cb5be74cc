/** recall: everything that a lot or a product went into, and where each was last seen. */
import type { RecallAnswer, RecallRow } from '@shuttle/chaincode/epcis/questions';
import { Command } from 'commander';
import { readAll } from '../../trace/questions.ts';
import { startBar } from '../bar.ts';
import { csvRow } from '../csv.ts';
import { EXIT_FINDINGS, EXIT_OK } from '../io.ts';
import { stateJson } from '../read-model-options.ts';
import { type Cli, define, type Session, wholeOption } from '../session.ts';
import { counted, grouped, plainJson } from '../text.ts';
import {
  addTraceOptions,
  asOfOption,
  identifierOf,
  readableId,
  warnOfPartial,
  withQuestions,
} from '../trace-options.ts';

const NODES_DEFAULT = 100_000;
const BAR = 'recall  {shown} found';

const HEADER = [
  'identifier',
  'readable',
  'depth',
  'found_by',
  'via',
  'last_seen',
  'business_location',
  'read_point',
  'inside',
  'step',
  'disposition',
  'event',
];

export function recallCommand(cli: Cli): Command {
  const command = new Command('recall')
    .description('list as CSV all that a lot or a product went into, and where it was last seen')
    .argument('<id>', 'a lot, an item, or a product for all its lots and items')
    .option('--max-nodes <n>', `stop after so many things (default: ${NODES_DEFAULT})`);
  addTraceOptions(command);
  return define(cli, command, { once: true }, async (session, [text = '']) => {
    const id = identifierOf(text);
    const asOf = asOfOption(session);
    const rowsMax = wholeOption(session, 'maxNodes', 1) ?? NODES_DEFAULT;
    const { answer, state } = await withQuestions(session, (questions) =>
      withProgress(session, rowsMax, (enough) =>
        readAll((cursor) => questions.recall(id, { asOf, cursor }), enough),
      ),
    );
    const all = answer.pages.flatMap(({ rows }) => rows);
    const rows = all.slice(0, rowsMax);
    const isCut = !answer.isWhole || all.length > rowsMax || answer.pages.some((p) => p.isCut);
    const partial = [...new Set(answer.pages.flatMap((page) => page.partial))];
    tell(session, rows, { id, asOf, rows, isCut, partial, ...stateJson(state) });
    warnOfPartial(session, partial);
    if (isCut) {
      const sentence = 'there are more. --max-nodes takes more of them; shuttle index, all.';
      session.io.stderr.write(
        `This is not all: after ${counted(rows.length, 'row')} ${sentence}\n`,
      );
    }
    // A list that lacks something must not pass for a whole one.
    return isCut || partial.length > 0 || rows.length === 0 ? EXIT_FINDINGS : EXIT_OK;
  });
}

function tell(session: Session, rows: readonly RecallRow[], answer: object): void {
  if (session.json) {
    session.print(plainJson(answer));
    return;
  }
  session.print(csvRow(HEADER));
  for (const row of rows) {
    session.print(csvRow(cellsOf(row)));
  }
}

function cellsOf({ id, depth, by, via, seen }: RecallRow): (string | number | null)[] {
  const place = seen?.place ?? null;
  return [
    id,
    readableId(id),
    depth,
    by,
    via,
    place?.time ?? null,
    place?.bizLocation ?? null,
    place?.readPoint ?? null,
    place?.through ?? null,
    seen?.step?.step ?? null,
    seen?.disposition?.disposition ?? null,
    place?.event ?? null,
  ];
}

async function withProgress<T>(
  { io, json }: Session,
  rowsMax: number,
  work: (enough: (page: RecallAnswer) => boolean) => Promise<T>,
): Promise<T> {
  const bar = json || !io.stderr.isTTY ? null : startBar(io.stderr, BAR, { shown: '0' });
  let count = 0;
  try {
    return await work(({ rows }) => {
      count += rows.length;
      bar?.show(count, count + 1, { shown: grouped(count) });
      return count >= rowsMax;
    });
  } finally {
    bar?.stop();
  }
}
