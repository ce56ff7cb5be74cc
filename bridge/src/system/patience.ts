/** Waiting for a far side that is away when the service starts. */
import { ShuttleError, toShuttleError } from '../errors.ts';
import { backOffMs } from '../limits.ts';
import type { Outage, Side } from '../outage.ts';
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
  try {
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        const answer = await orStopped(call(), signal);
        if (answer !== STOPPED) {
          waiter.answered(side);
          return answer;
        }
      } catch (caught) {
        const error = toShuttleError(caught);
        if (error.kind.retry === 'never') {
          throw error;
        }
        waiter.failed(side, error);
        if (deadlineMs !== undefined && clock.now() - startedMs > deadlineMs) {
          throw lateError(side, deadlineMs, error);
        }
      }
      await clock.sleep(backOffMs(attempt, clock.random()), signal);
    }
    return null;
  } finally {
    waiter.leave();
  }
}

function lateError(side: Side, deadlineMs: number, cause: ShuttleError): ShuttleError {
  const message = `${NAMES[side]} did not answer within ${deadlineMs} ms.`;
  return new ShuttleError('DEADLINE', message, { cause, at: { side } });
}

const STOPPED = Symbol('stopped');

/** A call may take long to fail by itself; a stop does not wait for that. */
async function orStopped<T>(call: Promise<T>, signal: AbortSignal): Promise<T | typeof STOPPED> {
  const over = new AbortController();
  const stopped = new Promise<typeof STOPPED>((resolve) => {
    const stop = () => resolve(STOPPED);
    signal.addEventListener('abort', stop, { signal: over.signal });
    if (signal.aborted) {
      stop();
    }
  });
  try {
    return await Promise.race([call, stopped]);
  } finally {
    over.abort();
  }
}
