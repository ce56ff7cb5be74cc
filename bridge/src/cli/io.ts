/** The world of a command, as far as it may touch it: tests give their own. */

export interface Output {
  write(chunk: string | Uint8Array): unknown;
  readonly isTTY: boolean;
  /** Of a stream that takes no more for now: `write` has answered false. */
  readonly once?: (event: 'drain', listener: () => void) => unknown;
}

export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  /** The bytes of standard input. */
  readonly stdin: () => AsyncIterable<Uint8Array | string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Watches for SIGINT and SIGTERM from now on; aborts when an orderly stop is asked for. */
  readonly stopRequest: () => AbortSignal;
}

/** Exit codes beside those of the error table. */
export const EXIT_OK = 0;
export const EXIT_FINDINGS = 1;
export const EXIT_STOPPED = 5;
