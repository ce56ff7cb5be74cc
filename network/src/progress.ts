/** Tells a person what is going on; never part of a command's result. */
export interface Progress {
  /** A step that begins; replaces the step before it on a terminal. */
  readonly step: (sentence: string) => void;
  /** A step that takes minutes: its elapsed seconds are shown until `end`. */
  readonly long: (sentence: string) => { readonly end: () => void };
}

/** Says nothing: for calls from programs. */
export const SILENT: Progress = { step: () => undefined, long: () => ({ end: () => undefined }) };

const TERMINAL_REFRESH_MS = 1000;
const LOG_REFRESH_MS = 15_000;

/** Progress on a stream: one line that changes on a terminal, now and then a new line elsewhere. */
export function createProgress(stream: NodeJS.WriteStream): Progress {
  const startedAt = performance.now();
  const seconds = (since: number): string => ((performance.now() - since) / 1000).toFixed(0);
  const stamp = (): string =>
    `${((performance.now() - startedAt) / 1000).toFixed(1)} s`.padStart(7);
  return {
    step: (sentence) => {
      stream.write(`${stamp()}  ${sentence}\n`);
    },
    long: (sentence) => {
      const since = performance.now();
      const refresh = stream.isTTY ? TERMINAL_REFRESH_MS : LOG_REFRESH_MS;
      const clear = stream.isTTY ? '\r\u001b[K' : '';
      const end = stream.isTTY ? '' : '\n';
      stream.write(`${stamp()}  ${sentence}${end}`);
      const timer = setInterval(() => {
        stream.write(`${clear}${stamp()}  ${sentence} (${seconds(since)} s)${end}`);
      }, refresh);
      timer.unref();
      return {
        end: () => {
          clearInterval(timer);
          stream.write(`${clear}${stamp()}  ${sentence}: done in ${seconds(since)} s\n`);
        },
      };
    },
  };
}
