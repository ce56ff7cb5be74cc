import { setTimeout as delay } from 'node:timers/promises';
import { NetworkError } from './errors.ts';

/** How long to wait for a condition, and for what. */
export interface WaitOptions {
  /** Completes the sentence "<what> did not become ready". */
  readonly what: string;
  readonly deadlineMs: number;
  readonly intervalMs?: number;
  /** Throws when waiting on is pointless, for example because a process died. */
  readonly giveUp?: () => void;
  /** The log whose last lines explain a time-out. */
  readonly logLines?: () => readonly string[];
  readonly at?: string;
}

/**
 * Calls `probe` until it returns a value other than undefined; what it throws counts as not yet.
 *
 * @throws NetworkError NOT_READY at the deadline, with the last refusal as its cause.
 */
export async function waitFor<T>(
  probe: () => Promise<T | undefined> | T | undefined,
  options: WaitOptions,
): Promise<T> {
  const deadline = performance.now() + options.deadlineMs;
  let last: unknown;
  for (;;) {
    options.giveUp?.();
    try {
      const value = await probe();
      if (value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) throw notReady(options, last);
    await delay(options.intervalMs ?? 50);
  }
}

function notReady(options: WaitOptions, cause: unknown): NetworkError {
  const seconds = Math.round(options.deadlineMs / 1000);
  return new NetworkError('NOT_READY', `${options.what} did not become ready in ${seconds} s.`, {
    lines: options.logLines?.() ?? [],
    ...(options.at === undefined ? {} : { at: options.at }),
    ...(cause === undefined ? {} : { cause }),
  });
}
