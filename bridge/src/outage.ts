/** What both pipelines say of a far side that does not answer, or does not do what it is asked. */
import type { ErrorCode, ShuttleError } from './errors.ts';
import type { Clock, Log, Meter } from './ports.ts';

export type Side = 'kafka' | 'fabric';

/** A side that somebody waits for, and what it said last. */
export interface Wait {
  readonly side: Side;
  readonly code: ErrorCode;
}

/** One who tries, and tells how it went. Has to `leave` when it tries no more. */
export interface Waiter {
  failed(side: Side, error: ShuttleError): void;
  answered(side: Side): void;
  leave(): void;
}

/** What is lost again so soon after it was reached is told only when it lasts as long. */
const CALM_MS = 10_000;

const LOST = 'lost the far side, waiting';

interface Lost {
  readonly sinceMs: number;
  code: ErrorCode;
  isTold: boolean;
  /** Who has not been answered since. */
  readonly waiting: Set<Waiter>;
}

/**
 * Says once that a side is gone and once that it is back, however many try it and however often.
 * It is back when everybody has been answered who was not: while the orderers are gone, a peer goes
 * on answering those who only read.
 */
export class Outage {
  private readonly log: Log;
  private readonly meter: Meter;
  private readonly clock: Clock;
  private readonly lost = new Map<Side, Lost>();
  private readonly reached = new Set<Side>();
  /** When a side was reached again last. */
  private readonly backMs = new Map<Side, number>();
  /** What went wrong last, for the error of a deadline. */
  last: ShuttleError | null = null;

  constructor(log: Log, meter: Meter, clock: Clock) {
    this.log = log;
    this.meter = meter;
    this.clock = clock;
  }

  waiter(): Waiter {
    const waiter: Waiter = {
      failed: (side, error) => this.failed(side, error, waiter),
      answered: (side) => this.answered(side, waiter),
      leave: () => {
        for (const { waiting } of this.lost.values()) {
          waiting.delete(waiter);
        }
      },
    };
    return waiter;
  }

  /** The sides that somebody waits for now. */
  waits(): readonly Wait[] {
    return [...this.lost].flatMap(([side, { code, waiting }]) =>
      waiting.size === 0 ? [] : [{ side, code }],
    );
  }

  private failed(side: Side, error: ShuttleError, waiter: Waiter): void {
    this.last = error;
    this.meter.failed(error.code);
    const { code } = error;
    const fields = { side, code, err: error.message };
    const nowMs = this.clock.now();
    const known = this.lost.get(side);
    if (known !== undefined) {
      known.code = code;
      known.waiting.add(waiter);
      this.log.debug(fields, 'tried the far side in vain');
      if (!known.isTold && nowMs - known.sinceMs >= CALM_MS) {
        known.isTold = true;
        this.log.warn(fields, LOST);
      }
      return;
    }
    const isTold = nowMs - (this.backMs.get(side) ?? Number.NEGATIVE_INFINITY) >= CALM_MS;
    this.lost.set(side, { sinceMs: nowMs, code, isTold, waiting: new Set([waiter]) });
    this.reached.delete(side);
    this.meter.reachable(side, false);
    this.log[isTold ? 'warn' : 'debug'](fields, LOST);
  }

  private answered(side: Side, waiter: Waiter): void {
    if (this.reached.has(side)) {
      return;
    }
    const lost = this.lost.get(side);
    lost?.waiting.delete(waiter);
    if (lost !== undefined && lost.waiting.size > 0) {
      return;
    }
    this.reached.add(side);
    this.lost.delete(side);
    this.meter.reachable(side, true);
    if (lost !== undefined) {
      const nowMs = this.clock.now();
      this.backMs.set(side, nowMs);
      const fields = { side, duration_ms: nowMs - lost.sinceMs };
      this.log[lost.isTold ? 'info' : 'debug'](fields, 'reached the far side again');
    }
  }
}
