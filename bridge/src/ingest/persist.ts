/** Waits for a far side that is away, for as long as the partition is ours. */
import type { Side } from '../outage.ts';
import { tryUntilAnswered } from '../patience.ts';
import type { Context } from './context.ts';

/**
 * Tries until it is answered, or until the partition is no longer ours.
 *
 * @throws ShuttleError what another try would not mend
 * @returns null when the partition was taken away meanwhile
 */
export async function persist<T>(
  { clock, outage, signal }: Context,
  side: Side,
  live: () => boolean,
  call: () => Promise<T>,
): Promise<T | null> {
  const waiter = outage.waiter();
  const answered = () => waiter.answered(side);
  try {
    return await tryUntilAnswered(call, {
      clock,
      signal,
      abandons: false,
      live,
      answered,
      failed: (error) => waiter.failed(side, error),
    });
  } finally {
    waiter.leave();
  }
}
