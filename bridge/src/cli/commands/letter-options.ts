/** Options by which dead letters are chosen. */
import type { Command } from 'commander';
import { ShuttleError } from '../../errors.ts';
import { parsePosition } from '../../letters/letter.ts';
import { deadLetterTopic } from '../../letters/names.ts';
import type { Selection } from '../../letters/selection.ts';
import type { Session } from '../session.ts';

/** Options by which letters are chosen, on every command that does. */
export function addSelection(command: Command): Command {
  return command
    .option('--topic <name>', 'of this source topic alone (default: ingest.topics)')
    .option('--code <code>', 'refused with this code, or by the contract rule of this name')
    .option('--key <key>', "with exactly this record's key")
    .option('--since <time>', 'whose record is from this time or later, such as 2026-01-31T08:00Z')
    .option('--until <time>', 'whose record is from before this time');
}

/** @throws ShuttleError USAGE */
export function selectionOf({ options }: Session): Selection {
  const time = (name: string): number | undefined => {
    const given = options[name];
    const ms = typeof given === 'string' ? Date.parse(given) : Number.NaN;
    if (given !== undefined && Number.isNaN(ms)) {
      throw new ShuttleError('USAGE', `--${name} is not a time, such as 2026-01-31T08:00Z.`, {
        at: { [`--${name}`]: JSON.stringify(given) },
      });
    }
    return given === undefined ? undefined : ms;
  };
  const [sinceMs, untilMs] = [time('since'), time('until')];
  return {
    ...(typeof options.code === 'string' ? { code: options.code } : {}),
    ...(typeof options.key === 'string' ? { key: options.key } : {}),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
  };
}

/** The source topics that the command is about. */
export function sourcesOf({ options, loaded }: Session): readonly string[] {
  return typeof options.topic === 'string' ? [options.topic] : loaded.settings.ingest.topics;
}

/**
 * A letter's place as people give it: `partition@offset`, or with the dead-letter topic before it.
 *
 * @throws ShuttleError USAGE
 */
export function placeOf(session: Session, text: string) {
  const sources = sourcesOf(session);
  const only = sources.length === 1 ? deadLetterTopic(sources[0] ?? '') : '';
  const position = parsePosition(text.includes('/') ? text : `${only}/${text}`);
  const source = sources.find((each) => deadLetterTopic(each) === position?.topic);
  if (position === null || source === undefined) {
    const place = sources.length === 1 ? 'partition@offset' : 'topic.dead-letters/partition@offset';
    throw new ShuttleError('USAGE', `${JSON.stringify(text)} is not where a letter stands.`, {
      at: { letter: `${place}, such as \`shuttle dead-letters list\` prints` },
    });
  }
  return { source, partition: position.partition, offset: position.offset };
}
