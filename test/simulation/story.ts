/** What happened, in order, with virtual times. Told only for a seed that failed. */
import type { Scheduler } from './scheduler.ts';

export class Story {
  readonly lines: string[] = [];
  private readonly scheduler: Pick<Scheduler, 'nowMs'>;
  private readonly isTold: boolean;

  constructor(scheduler: Pick<Scheduler, 'nowMs'>, isTold: boolean) {
    this.scheduler = scheduler;
    this.isTold = isTold;
  }

  /** `what` is built only when somebody will read it. */
  tell(who: string, what: () => string): void {
    if (this.isTold) {
      const seconds = (this.scheduler.nowMs / 1_000).toFixed(3).padStart(8);
      this.lines.push(`${seconds}  ${who.padEnd(11)} ${what()}`);
    }
  }
}
