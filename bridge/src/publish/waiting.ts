/** Waiting that ends with a signal, and saying once that it goes on. */
import type { ShuttleError } from '../errors.ts';
import type { Clock, Log, Meter } from '../ports.ts';

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

export type Side = 'kafka' | 'fabric';

/** Says once that a side is gone and once that it is back, however often it is tried. */
export class Outage {
  private readonly log: Log;
  private readonly meter: Meter;
  private readonly clock: Clock;
  private readonly since = new Map<Side, number>();
  private readonly reached = new Set<Side>();
  /** What went wrong last, for the error of a deadline. */
  last: ShuttleError | null = null;

  constructor(log: Log, meter: Meter, clock: Clock) {
    this.log = log;
    this.meter = meter;
    this.clock = clock;
  }

  failed(side: Side, error: ShuttleError): void {
    this.last = error;
    this.meter.failed(error.code);
    const fields = { side, code: error.code, err: error.message };
    if (this.since.has(side)) {
      this.log.debug(fields, 'tried the far side in vain');
      return;
    }
    this.since.set(side, this.clock.now());
    this.reached.delete(side);
    this.meter.reachable(side, false);
    this.log.warn(fields, 'lost the far side, waiting');
  }

  /** To be called whenever a side has answered. */
  answered(side: Side): void {
    if (this.reached.has(side)) {
      return;
    }
    this.reached.add(side);
    this.meter.reachable(side, true);
    const start = this.since.get(side);
    if (start !== undefined) {
      this.since.delete(side);
      const fields = { side, duration_ms: this.clock.now() - start };
      this.log.info(fields, 'reached the far side again');
    }
  }
}
