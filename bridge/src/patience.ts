/** Asking a far side until it answers: the only loop of its kind, for everybody who waits. */
import { ShuttleError, toShuttleError } from './errors.ts';
import { backOffMs } from './limits.ts';
import type { Outage } from './outage.ts';
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

/** Who asks Kafka until it answers, and for how long. */
export interface KafkaPatience {
  readonly clock: Clock;
  readonly outage: Outage;
  readonly signal: AbortSignal;
  /** Without it, nobody waits for an end: the deadline does not count. */
  readonly untilEnd: boolean;
  /** Null waits for as long as it takes. */
  readonly deadlineMs?: number | null | undefined;
}

/**
 * Asks until Kafka answers; outages are told. Null when the signal ends it.
 *
 * @throws ShuttleError DEADLINE, and what does not pass by itself
 */
export async function untilKafkaAnswers<T>(
  call: () => Promise<T>,
  { clock, outage, signal, untilEnd, deadlineMs = null }: KafkaPatience,
): Promise<T | null> {
  const startedMs = clock.now();
  const waiter = outage.waiter();
  try {
    return await tryUntilAnswered(call, {
      clock,
      signal,
      abandons: true,
      live: () => !signal.aborted,
      answered: () => waiter.answered('kafka'),
      failed: (error) => {
        waiter.failed('kafka', error);
        if (untilEnd && deadlineMs !== null && clock.now() - startedMs > deadlineMs) {
          const message = `Kafka did not answer within ${deadlineMs} ms.`;
          throw new ShuttleError('DEADLINE', message, { cause: error });
        }
      },
    });
  } finally {
    waiter.leave();
  }
}
