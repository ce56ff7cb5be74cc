/** The one place that shows an error to a person or a program. */
import type { ShuttleError } from '../errors.ts';

const CAUSES_MAX = 5;

/** Sentence, At:, Cause:, Do:. */
export function renderError(error: ShuttleError): string {
  const places = Object.entries(error.at).map(([name, value]) => `${name}: ${value}`);
  return [
    `Error: ${error.message} [${error.code}]`,
    ...labelled('At:', places),
    ...labelled('Cause:', causes(error)),
    ...labelled('Do:', [error.kind.help]),
    '',
  ].join('\n');
}

/** The same as one line of JSON. */
export function errorJson(error: ShuttleError): string {
  return JSON.stringify({ error: errorObject(error) });
}

export function errorObject(error: ShuttleError): Record<string, unknown> {
  const { effect, retry, exit, help } = error.kind;
  const at = Object.fromEntries(
    Object.entries(error.at).map(([name, value]) => [
      name,
      typeof value === 'bigint' ? value.toString() : value,
    ]),
  );
  const { code, message } = error;
  return { code, message, at, causes: causes(error), do: help, effect, retry, exit };
}

function labelled(label: string, lines: readonly string[]): string[] {
  return lines.map((line, index) => `  ${(index === 0 ? label : '').padEnd(7)}${line}`);
}

/** What lies below, outermost first, without repeating what a level only passes on. */
function causes(error: Error): string[] {
  const found: string[] = [];
  let cause: unknown = error.cause;
  let above = error.message;
  for (let depth = 0; depth < CAUSES_MAX && cause !== undefined && cause !== null; depth++) {
    const message = messageOf(cause);
    if (message !== '' && !above.includes(message)) {
      found.push(message);
    }
    above = message;
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return found;
}

function messageOf(cause: unknown): string {
  // Connecting to a name with several addresses fails with one error for each and no message.
  if (cause instanceof AggregateError && cause.message === '') {
    return cause.errors.map(messageOf).join('; ');
  }
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.replaceAll(/\s*\n\s*/g, ' ').trim();
}
