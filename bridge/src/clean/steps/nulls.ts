/** Texts that mean "there is no value": null instead, and why beside it. */
import type { Json } from '../json.ts';
import { compileMembers, MEMBERS_SCHEMA, type Members, writeBeside } from '../members.ts';
import { compilePattern } from '../pattern.ts';
import { type Step, type StepKind, settings } from '../step.ts';

interface NullsSettings {
  readonly members: Members;
  readonly texts?: readonly string[] | Readonly<Record<string, string>>;
  readonly patterns?: readonly string[];
  readonly reasonSuffix?: string;
}

const TEXTS_SCHEMA = {
  description: 'a list of texts, or texts each with a reason',
  anyOf: [
    { type: 'array', items: { type: 'string' } },
    { type: 'object', additionalProperties: { type: 'string', minLength: 1 } },
  ],
};

export const nulls: StepKind<NullsSettings> = {
  about: 'replaces texts that stand for a missing value by null, and keeps the reason beside it',
  schema: settings(
    {
      members: MEMBERS_SCHEMA,
      texts: TEXTS_SCHEMA,
      patterns: {
        description: 'a list of regular expressions',
        type: 'array',
        items: { type: 'string' },
      },
      reasonSuffix: { type: 'string', minLength: 1, description: 'a text, such as Reason' },
    },
    ['members'],
  ),
  compile: ({ members, texts = [], patterns = [], reasonSuffix = 'Reason' }, report): Step => {
    const select = compileMembers(members);
    const reasons = new Map<string, string>(
      Array.isArray(texts)
        ? (texts as string[]).map((text) => [text, text === '' ? 'empty' : text])
        : Object.entries(texts as Record<string, string>),
    );
    const patternsReady = patterns.flatMap((source, index) => {
      const found = compilePattern(source, ['patterns', index], report);
      return found === null ? [] : [found];
    });
    const reasonOf = (value: Json | undefined): string | undefined =>
      typeof value === 'string'
        ? (reasons.get(value) ??
          (patternsReady.some((pattern) => pattern.whole(value) !== null) ? value : undefined))
        : undefined;
    return (document) => {
      for (const slot of select(document)) {
        const reason = reasonOf(slot.holder[slot.name]);
        if (reason !== undefined) {
          slot.holder[slot.name] = null;
          writeBeside(slot, reasonSuffix, reason);
        }
      }
      return document;
    };
  },
};
