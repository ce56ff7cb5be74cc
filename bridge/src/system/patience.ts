/** Waiting for a far side that is away when the service starts. */
import { ShuttleError } from '../errors.ts';
import type { Outage, Side } from '../outage.ts';
import { tryUntilAnswered } from '../patience.ts';
import type { Clock } from '../ports.ts';

export interface Patience {
  readonly clock: Clock;
  readonly outage: Outage;
  /** Give up after this; undefined waits for as long as it takes. */
  readonly deadlineMs: number | undefined;
  readonly signal: AbortSignal;
}

const NAMES: Readonly<Record<Side, string>> = { kafka: 'Kafka', fabric: "Fabric's peer" };

/**
 * Calls until there is an answer; null when the signal aborts first.
 *
 * @throws ShuttleError what waiting does not mend; DEADLINE
 */
export async function patiently<T>(
  side: Side,
  call: () => Promise<T>,
  { clock, outage, deadlineMs, signal }: Patience,
): Promise<T | null> {
  const startedMs = clock.now();
  const waiter = outage.waiter();
  const answered = () => waiter.answered(side);
  const failed = (error: ShuttleError) => {
    waiter.failed(side, error);
    if (deadlineMs !== undefined && clock.now() - startedMs > deadlineMs) {
      throw lateError(side, deadlineMs, error);
    }
  };
  const live = () => !signal.aborted;
  try {
    const tries = { clock, signal, abandons: true, live, answered, failed };
    return await tryUntilAnswered(call, tries);
  } finally {
    waiter.leave();
  }
}

function lateError(side: Side, deadlineMs: number, cause: ShuttleError): ShuttleError {
  const message = `${NAMES[side]} did not answer within ${deadlineMs} ms.`;
  return new ShuttleError('DEADLINE', message, { cause, at: { side } });
}
