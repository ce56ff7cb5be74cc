/** Waiting that ends with a signal. */
import type { Clock } from '../ports.ts';

/** Settles as the promise does, or rejects with the signal's reason when it aborts first. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) {
      abort();
    }
    signal.addEventListener('abort', abort, { once: true });
    const off = (): void => signal.removeEventListener('abort', abort);
    promise.then(resolve, reject).finally(off);
  });
}

/** Settles as the promise does; resolves false when it takes longer than `ms`. */
export async function withPatience(
  promise: Promise<void>,
  clock: Clock,
  ms: number,
): Promise<boolean> {
  const over = new AbortController();
  const timer = clock.sleep(ms, over.signal).then(() => false);
  try {
    return await Promise.race([promise.then(() => true), timer]);
  } finally {
    over.abort();
  }
}
