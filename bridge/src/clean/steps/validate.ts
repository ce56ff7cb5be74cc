/** A JSON Schema of the rule file's own, which the document must fit. */

import { RefusedError } from '../refusal.ts';
import { compileOwnSchema } from '../schema.ts';
import { type StepKind, settings } from '../step.ts';

export const validate: StepKind<{ readonly schema: Readonly<Record<string, unknown>> }> = {
  about: 'takes only documents that fit a JSON Schema (2020-12)',
  schema: settings({ schema: { type: 'object', description: 'a JSON Schema' } }, ['schema']),
  compile: ({ schema }, report) => {
    const check = compileOwnSchema(schema, report);
    return (document) => {
      const found = check?.(document) ?? null;
      if (found !== null) {
        throw new RefusedError('SCHEMA_VIOLATED', found.sentence, found.pointer);
      }
      return document;
    };
  },
};
