/** Waits for a far side that is away, for as long as the partition is ours. */
import { toShuttleError } from '../errors.ts';
import { backOffMs } from '../limits.ts';
import type { Side } from '../outage.ts';
import type { Context } from './context.ts';

/**
 * Tries until it is answered, or until the partition is no longer ours.
 *
 * @throws ShuttleError what another try would not mend
 * @returns null when the partition was taken away meanwhile
 */
export async function persist<T>(
  context: Context,
  side: Side,
  live: () => boolean,
  call: () => Promise<T>,
): Promise<T | null> {
  const { clock, outage, signal } = context;
  const waiter = outage.waiter();
  try {
    for (let attempt = 1; live(); attempt++) {
      try {
        const answer = await call();
        waiter.answered(side);
        return answer;
      } catch (caught) {
        const error = toShuttleError(caught);
        if (error.kind.retry === 'never') {
          throw error;
        }
        waiter.failed(side, error);
      }
      await clock.sleep(backOffMs(attempt, clock.random()), signal);
    }
    return null;
  } finally {
    waiter.leave();
  }
}
