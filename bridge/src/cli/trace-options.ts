/** What trace, item and recall share: identifiers in any spelling, moments, and whom they ask. */
import { utcInstant } from '@shuttle/chaincode/epcis/event';
import { thingOf, URI_AI } from '@shuttle/chaincode/epcis/things';
import type { Command } from 'commander';
import { canonicalIdentifier } from '../clean/identifiers.ts';
import { ShuttleError } from '../errors.ts';
import type { ModelState } from '../read-model/queries.ts';
import { askLedger, askStore, type Questions } from '../trace/questions.ts';
import { addLedgerOption, withReadModel } from './read-model-options.ts';
import type { Session } from './session.ts';

export function addTraceOptions(command: Command): Command {
  command.option('--as-of <instant>', 'as it was then, such as 2026-11-21T12:00:00Z');
  return addLedgerOption(command);
}

/**
 * The canonical form of an identifier in any spelling.
 *
 * @throws ShuttleError USAGE
 */
export function identifierOf(text: string): string {
  const found = canonicalIdentifier(text);
  if (found.kind === 'refused') {
    throw new ShuttleError('USAGE', `${text} is no identifier: ${found.reason}`);
  }
  return found.canonical;
}

/** @throws ShuttleError USAGE */
export function asOfOption({ options }: Session): string | null {
  const { asOf } = options;
  if (asOf === undefined) {
    return null;
  }
  const instant = typeof asOf === 'string' ? utcInstant(asOf) : null;
  if (instant === null) {
    const example = '2026-11-21T12:00:00Z';
    throw new ShuttleError('USAGE', `--as-of takes an instant with a time zone, as ${example}.`);
  }
  return instant;
}

/** Asks the read model where it is there, or the ledger. */
export async function withQuestions<T>(
  session: Session,
  ask: (questions: Questions) => Promise<T>,
): Promise<{ readonly answer: T; readonly state: ModelState | null }> {
  return await withReadModel(
    session,
    (model) => ask(askStore(model.events)),
    async () => ask(askLedger(await session.shuttle().ledger())),
  );
}

/** As people read it, on labels too: (01)09506000134352(21)A-7. Other texts stay what they are. */
export function readableId(id: string): string {
  const { ai, key, qualifierAi, qualifier } = thingOf(id);
  if (ai === URI_AI) {
    return plain(id);
  }
  return plain(`(${ai})${key}${qualifierAi === '' ? '' : `(${qualifierAi})${qualifier}`}`);
}

/** What holds control characters is quoted, so that it cannot move the terminal's cursor. */
export function plain(text: string): string {
  return /\p{Cc}/u.test(text) ? JSON.stringify(text) : text;
}

/** Tells on standard error what an answer lacks. */
export function warnOfPartial({ io }: Session, partial: readonly string[]): void {
  for (const id of new Set(partial)) {
    const sentence = 'has more events than were looked at; something may be missing.';
    io.stderr.write(`${readableId(id)} ${sentence}\n`);
  }
}
