/** SIGINT and SIGTERM: the first one asks for an orderly stop, a second one exits at once. */

const EXIT_BY_SIGNAL = { SIGINT: 130, SIGTERM: 143 } as const;

type StopSignal = keyof typeof EXIT_BY_SIGNAL;

/** The parts of `process` that matter here. */
export interface SignalSource {
  on(event: StopSignal, listener: (name: StopSignal) => void): unknown;
  off(event: StopSignal, listener: (name: StopSignal) => void): unknown;
  exit(code: number): unknown;
}

export interface StopRequest {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal;
  /** Gives the signals back to their defaults. */
  release(): void;
}

export function watchSignals(source: SignalSource): StopRequest {
  const controller = new AbortController();
  const listener = (name: StopSignal) => {
    if (controller.signal.aborted) {
      source.exit(EXIT_BY_SIGNAL[name]);
    }
    controller.abort();
  };
  source.on('SIGINT', listener);
  source.on('SIGTERM', listener);
  return {
    signal: controller.signal,
    release: () => {
      source.off('SIGINT', listener);
      source.off('SIGTERM', listener);
    },
  };
}
