/** Rules on what GS1's standards name: identifiers, the words of CBV, EPCIS events. */
import { validateEpcis } from '../epcis.ts';
import { splitEpcis } from '../events.ts';
import { canonicalIdentifier, type Gs1Identifier } from '../identifiers.ts';
import type { Json, JsonObject } from '../json.ts';
import {
  changeValues,
  compileMembers,
  MEMBER_NAME,
  MEMBERS_SCHEMA,
  type Members,
  type Slot,
} from '../members.ts';
import { RefusedError } from '../refusal.ts';
import { type StepKind, settings } from '../step.ts';
import {
  canonicalTerm,
  canonicalUnit,
  VOCABULARY_NAMES,
  type VocabularyName,
} from '../vocabulary.ts';

/** Where qualifiers stand that an identity does without: the lot of an item with a serial. */
const QUALIFIERS_DEFAULT = '_qualifiers';

interface IdentifiersSettings {
  readonly members: Members;
  readonly as?: string;
  readonly others?: 'pass' | 'refuse';
  readonly qualifiers?: string;
}

export const identifiers: StepKind<IdentifiersSettings> = {
  about: 'brings GS1 identifiers in any spelling, alone or in lists, to one form',
  schema: settings(
    {
      members: MEMBERS_SCHEMA,
      as: {
        type: 'string',
        pattern: '^[0-9]{2,4}$',
        description: 'the application identifier that bare digits are meant as, such as "414"',
      },
      others: { enum: ['pass', 'refuse'], description: '"pass" or "refuse"' },
      qualifiers: { ...MEMBER_NAME, description: 'a member name' },
    },
    ['members'],
  ),
  compile: ({ members, as, others = 'pass', qualifiers = QUALIFIERS_DEFAULT }) => {
    const select = compileMembers(members);
    const options = as === undefined ? {} : { as };
    return (document) =>
      changeValues(select, document, (value, slot) =>
        changeTexts(value, pointerOf(slot), (text, pointer) => {
          const found = canonicalIdentifier(text, options);
          if (found.kind === 'refused') {
            throw new RefusedError('IDENTIFIER_INVALID', found.reason, pointer());
          }
          if (found.kind === 'other' && others === 'refuse') {
            const sentence = 'The text is no identifier of GS1.';
            throw new RefusedError('IDENTIFIER_INVALID', sentence, pointer());
          }
          if (found.kind === 'gs1') {
            keepQualifiers(document, qualifiers, found);
          }
          return found.canonical;
        }),
      );
  },
};

/** `{"https://id.gs1.org/01/...": {"10": "LOT-7"}}`, at the top of the document. */
function keepQualifiers(
  document: JsonObject,
  member: string,
  { canonical, further }: Gs1Identifier,
): void {
  if (further.length > 0) {
    const kept = (document[member] ?? {}) as JsonObject;
    const told = Object.fromEntries(further.map(({ ai, value }) => [ai, value]));
    kept[canonical] = { ...(kept[canonical] as JsonObject | undefined), ...told };
    document[member] = kept;
  }
}

interface VocabularySettings {
  readonly members: Members;
  readonly of: VocabularyName | 'unit';
}

export const vocabulary: StepKind<VocabularySettings> = {
  about: 'brings words of the Core Business Vocabulary in any spelling to the bare word',
  schema: settings(
    {
      members: MEMBERS_SCHEMA,
      of: {
        enum: [...VOCABULARY_NAMES, 'unit'],
        description: `one of ${[...VOCABULARY_NAMES, 'unit'].join(', ')}`,
      },
    },
    ['members', 'of'],
  ),
  compile: ({ members, of }) => {
    const select = compileMembers(members);
    return (document) =>
      changeValues(select, document, (value, slot) =>
        changeTexts(value, pointerOf(slot), (text, pointer) => {
          const found = of === 'unit' ? canonicalUnit(text) : canonicalTerm(of, text);
          if (found.kind === 'refused') {
            throw new RefusedError('WORD_UNKNOWN', found.reason, pointer());
          }
          return found.term;
        }),
      );
  },
};

export const epcis: StepKind<Readonly<Record<string, never>>> = {
  about: 'takes only EPCIS 2.0 documents and events, and splits documents into their events',
  schema: settings({}, []),
  compile: () => (document) => {
    const [found] = validateEpcis(document) ?? [];
    if (found !== undefined) {
      throw new RefusedError('SCHEMA_VIOLATED', found.sentence, found.path);
    }
    const events = splitEpcis(document);
    if (!Array.isArray(events)) {
      const { sentence, path } = events as Exclude<typeof events, readonly unknown[]>;
      throw new RefusedError('SCHEMA_VIOLATED', sentence, path);
    }
    return events.map(({ event }) => event as JsonObject);
  },
};

/** Made for refusals only. */
type Pointer = () => string;

const pointerOf =
  (slot: Slot): Pointer =>
  () =>
    slot.pointer;

/** A text, or each text of a list. @throws RefusedError TYPE_WRONG */
function changeTexts(
  value: Json,
  pointer: Pointer,
  change: (text: string, pointer: Pointer) => string,
): Json {
  if (Array.isArray(value)) {
    return value.map((each: Json, n) => changeTexts(each, () => `${pointer()}/${n}`, change));
  }
  if (typeof value !== 'string') {
    throw new RefusedError('TYPE_WRONG', `The value is a ${typeof value}, not a text.`, pointer());
  }
  return change(value, pointer);
}
