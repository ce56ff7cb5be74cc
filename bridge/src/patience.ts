/** Asking a far side until it answers: the only loop of its kind, for everybody who waits. */
import { type ShuttleError, toShuttleError } from './errors.ts';
import { backOffMs } from './limits.ts';
import type { Clock } from './ports.ts';

export interface Tries {
  readonly clock: Pick<Clock, 'sleep' | 'random'>;
  /** Ends the wait between two tries, and with `abandons` a try that hangs too. */
  readonly signal: AbortSignal;
  readonly abandons: boolean;
  /** Whether the answer is still wanted; asked before each try. */
  readonly live: () => boolean;
  readonly answered: () => void;
  /** Told of each failure that may pass. What it throws ends the tries. */
  readonly failed: (error: ShuttleError) => void;
}

/**
 * Calls until there is an answer; null when it is no longer wanted.
 *
 * @throws ShuttleError what another try would not mend
 */
export async function tryUntilAnswered<T>(
  call: () => Promise<T>,
  { clock, signal, abandons, live, answered, failed }: Tries,
): Promise<T | null> {
  for (let attempt = 1; live(); attempt++) {
    try {
      const answer = await (abandons ? orStopped(call(), signal) : call());
      if (answer === STOPPED) {
        return null;
      }
      answered();
      return answer;
    } catch (caught) {
      const error = toShuttleError(caught);
      if (error.kind.retry === 'never') {
        throw error;
      }
      failed(error);
    }
    await clock.sleep(backOffMs(attempt, clock.random()), signal);
  }
  return null;
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
