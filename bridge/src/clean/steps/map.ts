/** A document, or one member of it, made by a JSONata expression. */
import { compileExpression } from '../expression.ts';
import { isObject, type JsonObject } from '../json.ts';
import { MEMBER_NAME } from '../members.ts';
import { RefusedError } from '../refusal.ts';
import { type StepKind, type StepResult, settings } from '../step.ts';

interface MapSettings {
  readonly expression: string;
  readonly to?: string;
}

export const map: StepKind<MapSettings> = {
  about:
    'evaluates JSONata on the document; its result is the new document, or several, or with `to` ' +
    'one member',
  schema: settings(
    {
      expression: { type: 'string', minLength: 1, description: 'a JSONata expression' },
      to: { ...MEMBER_NAME, description: 'a member name' },
    },
    ['expression'],
  ),
  compile: ({ expression, to }, report) => {
    const evaluate = compileExpression(expression, ['expression'], report);
    return async (document, raw) => {
      const found = await evaluate?.(document, raw);
      if (to === undefined) {
        return documentsOf(found);
      }
      const { [to]: _, ...others } = document;
      return found === undefined ? others : { ...document, [to]: found };
    };
  },
};

function documentsOf(found: unknown): StepResult {
  const documents = Array.isArray(found) ? (found as unknown[]) : [found];
  if (documents.length === 0 || !documents.every((one) => isObject(one as JsonObject))) {
    // A record must never vanish: an expression that leaves it out refuses it.
    const what = documents.length === 0 || found === undefined ? 'nothing' : 'no object';
    throw new RefusedError('EXPRESSION_FAILED', `The expression gave ${what} for the document.`);
  }
  return documents as JsonObject[];
}
