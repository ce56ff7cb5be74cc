/** item: where a thing is, what it is in, what it holds, and what has happened to it. */
import type { Happening, LastSeen } from '@shuttle/chaincode/epcis/history';
import type { Held, ItemAnswer } from '@shuttle/chaincode/epcis/questions';
import { Command } from 'commander';
import { type Questions, readAll } from '../../trace/questions.ts';
import { EXIT_FINDINGS, EXIT_OK } from '../io.ts';
import { stateJson } from '../read-model-options.ts';
import { type Cli, define, type Session, wholeOption } from '../session.ts';
import { counted, plainJson, table } from '../text.ts';
import {
  addTraceOptions,
  asOfOption,
  identifierOf,
  plain,
  readableId,
  warnOfPartial,
  withQuestions,
} from '../trace-options.ts';

const LIMIT_DEFAULT = 20;

interface Whole extends Omit<ItemAnswer, 'cursor'> {
  readonly events: readonly Happening[];
}

export function itemCommand(cli: Cli): Command {
  const command = new Command('item')
    .description('tell where a thing was last seen, what it is in, what it holds and its events')
    .argument('<id>', 'an identifier in any spelling: (01)..(21).., a Digital Link, a URN')
    .option('--limit <n>', `parts and events to print, newest last (default: ${LIMIT_DEFAULT})`);
  addTraceOptions(command);
  return define(cli, command, { once: true }, async (session, [text = '']) => {
    const id = identifierOf(text);
    const asOf = asOfOption(session);
    const limit = wholeOption(session, 'limit', 1) ?? LIMIT_DEFAULT;
    const { answer, state } = await withQuestions(session, (ask) => whole(ask, id, asOf));
    warnOfPartial(session, answer.partial);
    if (session.json) {
      session.print(plainJson({ ...answer, asOf, ...stateJson(state) }));
    } else {
      tell(session, answer, limit);
    }
    // The last place may be among what is missing.
    return answer.eventCount === 0 || answer.partial.length > 0 ? EXIT_FINDINGS : EXIT_OK;
  });
}

async function whole(questions: Questions, id: string, asOf: string | null): Promise<Whole> {
  const never = () => false;
  const items = await readAll((cursor) => questions.item(id, { asOf, cursor }), never);
  const lives = await readAll((cursor) => questions.history(id, { asOf, cursor }), never);
  const { cursor: _, ...first } = items.pages[0] as ItemAnswer;
  return {
    ...first,
    parts: items.pages.flatMap(({ parts }) => parts),
    events: lives.pages.flatMap(({ events }) => events),
    partial: [...new Set([...items.pages, ...lives.pages].flatMap(({ partial }) => partial))],
  };
}

function tell(session: Session, answer: Whole, limit: number): void {
  const { id, seen, containers, parts, lots, events } = answer;
  session.print(readableId(id));
  if (answer.eventCount === 0) {
    session.print('  No event names it.');
    return;
  }
  const lines = [
    ...seenLines(seen),
    ...containers.map((held, n) => [n === 0 ? 'in' : '', heldText(held)]),
    ...lots.map((lot) => ['lot', readableId(lot)]),
    ...parts.slice(0, limit).map((held, n) => [n === 0 ? 'holds' : '', heldText(held)]),
    ...(parts.length > limit ? [['', `and ${counted(parts.length - limit, 'more')}`]] : []),
    ['events', String(events.length)],
  ];
  for (const line of table(lines.map(([name = '', text = '']) => [`  ${name}`, text]))) {
    session.print(line);
  }
  const shown = events.slice(-limit);
  for (const line of table(shown.map(eventRow))) {
    session.print(`    ${line}`);
  }
  if (events.length > shown.length) {
    session.io.stderr.write('There are older events: --limit tells more of them.\n');
  }
}

function seenLines({ place, step, disposition }: LastSeen): string[][] {
  return [
    ...(place === null ? [] : [['seen', `${placeOf(place)}  ${place.time}${by(place)}`]]),
    ...(step === null ? [] : [['step', `${plain(step.step ?? '')}  ${step.time}`]]),
    ...(disposition === null
      ? []
      : [['disposition', `${plain(disposition.disposition ?? '')}  ${disposition.time}`]]),
  ];
}

/** Where it is after the event, or else where the event was. */
export function placeOf({ bizLocation, readPoint }: Happening): string {
  const place = bizLocation ?? readPoint;
  return place === null ? '' : readableId(place);
}

const by = ({ through }: Happening): string =>
  through === null ? '' : `  in ${readableId(through)}`;

const heldText = ({ id, time }: Held): string => `${readableId(id)}  since ${time}`;

function eventRow(happening: Happening): string[] {
  const { time, type, action, step, event } = happening;
  const what = `${type.replace(/Event$/, '')}${action === null ? '' : ` ${action}`}`;
  const place = placeOf(happening);
  return [time, what, step ?? '-', place || '-', plain(event), by(happening).trim()];
}
