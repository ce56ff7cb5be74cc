/** What both pipelines say of a far side that does not answer. */
import type { ShuttleError } from './errors.ts';
import type { Clock, Log, Meter } from './ports.ts';

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
