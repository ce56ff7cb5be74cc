/** Small stand-ins for the ports that only listen. */
import type {
  Clock,
  DeadLetter,
  DeadLetters,
  Log,
  LogFields,
  Meter,
} from '../../bridge/src/ports.ts';

/** Real time for unit tests that wait on conditions; no randomness in its jitter. */
export const testClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal?.addEventListener('abort', end, { once: true });
    }),
  random: () => 0.5,
};

export interface LogLine {
  readonly level: string;
  readonly fields: LogFields;
  readonly message: string;
}

export function createTestLog(): Log & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: string) => (fields: LogFields, message: string) => {
    lines.push({ level, fields, message });
  };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

export const silentMeter: Meter = {
  recordsRead: () => {},
  recordsFinished: () => {},
  batchCommitted: () => {},
  recordsCleaned: () => {},
  inFlight: () => {},
  buffered: () => {},
  position: () => {},
  partitionStopped: () => {},
  partitionReleased: () => {},
  blockPublished: () => {},
  failed: () => {},
  reachable: () => {},
};

/** Keeps the letters; `before` may throw or wait. */
export class MemoryDeadLetters implements DeadLetters {
  readonly letters: DeadLetter[] = [];
  before: (letters: readonly DeadLetter[]) => void | Promise<void> = () => {};

  async send(letters: readonly DeadLetter[]): Promise<void> {
    await this.before(letters);
    this.letters.push(...letters);
  }

  async close(): Promise<void> {}
}
