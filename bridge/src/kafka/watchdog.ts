/** Watches that a group member is alive: kafkajs may wait for ever, and says nothing then. */

const WATCH_EVERY_MS = 1_000;
/** Without a sign for so long the brokers count as unreachable. */
const SILENT_AFTER_MS = 10_000;

export interface WatchdogListener {
  silent(): void;
  sign(): void;
  died(error: Error): void;
}

export interface Watchdog {
  start(): void;
  /** A sign of life, and whether the group is being rebalanced, which takes its time. */
  sign(state: 'member' | 'rebalancing'): void;
  stop(): void;
}

/** Tells silence and death by the age of the last sign of life. */
export function createWatchdog(
  sessionTimeoutMs: number,
  rebalanceTimeoutMs: number,
  listener: WatchdogListener,
): Watchdog {
  let last = Date.now();
  let rebalancing = true;
  let ticked = Date.now();
  let timer: NodeJS.Timeout | null = null;
  const tick = (): void => {
    const now = Date.now();
    // A process that was stopped itself has no right to judge.
    const late = now - ticked - WATCH_EVERY_MS;
    ticked = now;
    last = late > WATCH_EVERY_MS ? last + late : last;
    const age = now - last;
    if (age > sessionTimeoutMs + (rebalancing ? rebalanceTimeoutMs : 0)) {
      listener.died(new Error(`The group member has not been heard of for ${age} ms.`));
    } else if (age > SILENT_AFTER_MS && !rebalancing) {
      listener.silent();
    }
  };
  return {
    start: () => {
      last = Date.now();
      timer = setInterval(tick, WATCH_EVERY_MS);
    },
    sign: (state: 'member' | 'rebalancing') => {
      last = Date.now();
      rebalancing = state === 'rebalancing';
      if (!rebalancing) {
        listener.sign();
      }
    },
    stop: () => {
      if (timer !== null) {
        clearInterval(timer);
      }
    },
  };
}
