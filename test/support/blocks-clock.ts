/** Time that passes only when nothing else is left to do: waits are free and keep their order. */
import type { Clock } from '../../bridge/src/ports.ts';

/** Turns of the event loop without a new timer before the clock moves on. */
const IDLE_TURNS = 4;

interface Timer {
  readonly atMs: number;
  readonly end: () => void;
}

export class IdleClock implements Clock {
  private nowMs = 1_000_000;
  private timers: Timer[] = [];
  private running = false;

  now(): number {
    return this.nowMs;
  }

  random(): number {
    return 0.5;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const end = (): void => {
        this.timers = this.timers.filter((other) => other !== timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = { atMs: this.nowMs + ms, end };
      this.timers.push(timer);
      signal?.addEventListener('abort', end, { once: true });
      this.run();
    });
  }

  private run(): void {
    if (!this.running) {
      this.running = true;
      this.turn(IDLE_TURNS);
    }
  }

  private turn(left: number): void {
    setImmediate(() => {
      if (this.timers.length === 0) {
        this.running = false;
      } else if (left > 0) {
        this.turn(left - 1);
      } else {
        const next = this.timers.reduce((a, b) => (b.atMs < a.atMs ? b : a));
        this.nowMs = Math.max(this.nowMs, next.atMs);
        next.end();
        this.turn(IDLE_TURNS);
      }
    });
  }
}
