/** Waiting for a far side that is away when the service starts. */
import { ShuttleError, toShuttleError } from '../errors.ts';
import { backOffMs } from '../limits.ts';
import type { Clock, Log, Meter } from '../ports.ts';

export interface Patience {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** Give up after this; undefined waits for as long as it takes. */
  readonly deadlineMs: number | undefined;
  readonly signal: AbortSignal;
}

/**
 * Calls until there is an answer; null when the signal aborts first.
 *
 * @throws ShuttleError what waiting does not mend; DEADLINE
 */
export async function patiently<T>(
  side: 'kafka' | 'fabric',
  call: () => Promise<T>,
  { clock, log, meter, deadlineMs, signal }: Patience,
): Promise<T | null> {
  const startedMs = clock.now();
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      const answer = await call();
      meter.reachable(side, true);
      return answer;
    } catch (caught) {
      const error = toShuttleError(caught);
      if (error.kind.retry === 'never') {
        throw error;
      }
      meter.failed(error.code);
      meter.reachable(side, false);
      if (attempt === 1) {
        log.warn({ side, code: error.code, err: error.message }, 'waited for the far side');
      }
      if (deadlineMs !== undefined && clock.now() - startedMs > deadlineMs) {
        throw new ShuttleError('DEADLINE', `There was no answer within ${deadlineMs} ms.`, {
          cause: error,
          at: { side },
        });
      }
    }
    await clock.sleep(backOffMs(attempt, clock.random()), signal);
  }
  return null;
}
