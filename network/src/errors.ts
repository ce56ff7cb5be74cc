/**
 * What can go wrong, as a closed table: exit code 2 needs another command or setting, 3 can be
 * tried again.
 */
const CODES = {
  USAGE: { exit: 2, help: 'See `shuttle-network --help`.' },
  REQUIREMENT_MISSING: { exit: 2, help: 'Install what is named, then run the same command again.' },
  OPTIONS_DIFFER: {
    exit: 2,
    help: 'Leave these options out, or run `shuttle-network down --delete`, or use another --dir.',
  },
  NO_NETWORK: { exit: 2, help: 'Run `shuttle-network up` first, or name its folder with --dir.' },
  STATE_UNREADABLE: {
    exit: 2,
    help: 'Run `shuttle-network down --delete` to start afresh, or use the version that wrote it.',
  },
  PORT_BUSY: {
    exit: 2,
    help: 'Stop that process, or choose other ports with --port-offset and another --dir.',
  },
  UNKNOWN_PROCESS: { exit: 2, help: '`shuttle-network status` lists the names.' },
  CHAINCODE_INVALID: { exit: 2, help: 'Name a built chaincode folder with --chaincode.' },
  LOCKED: { exit: 3, help: 'Wait for the other command to end, then run this one again.' },
  TOOLS_FAILED: { exit: 3, help: 'Look at the lines above, then run the same command again.' },
  CHECKSUM_MISMATCH: {
    exit: 3,
    help: 'Do not use these files. Clear the local Maven repository, then run it again.',
  },
  COMMAND_FAILED: {
    exit: 3,
    help: 'Run `shuttle-network up` again; it continues where it stopped.',
  },
  PROCESS_DIED: { exit: 3, help: 'Read its log, then run `shuttle-network up` again.' },
  NOT_READY: { exit: 3, help: 'Read the logs, then run `shuttle-network up` again.' },
  INTERNAL: { exit: 3, help: 'This is a defect of shuttle-network; please report it.' },
} as const;

/** The name of a failure; scripts may rely on it. */
export type NetworkErrorCode = keyof typeof CODES;

/** Details that help to find the place: a log file, a port, a command. */
export interface NetworkErrorDetails {
  /** Where it happened: a file, a port or a command. */
  readonly at?: string;
  /** The last lines of the log or output that tell why. */
  readonly lines?: readonly string[];
  readonly cause?: unknown;
  /** Replaces the table's advice when there is better one. */
  readonly help?: string;
}

/** The one error of this package: a code, a sentence, and what to do. */
export class NetworkError extends Error {
  readonly code: NetworkErrorCode;
  readonly exitCode: 2 | 3;
  readonly at: string | undefined;
  readonly lines: readonly string[];
  readonly help: string;

  constructor(code: NetworkErrorCode, sentence: string, details: NetworkErrorDetails = {}) {
    super(sentence, details.cause === undefined ? {} : { cause: details.cause });
    this.name = 'NetworkError';
    this.code = code;
    this.exitCode = CODES[code].exit;
    this.at = details.at;
    this.lines = details.lines ?? [];
    this.help = details.help ?? CODES[code].help;
  }
}

/** Turns anything thrown into a NetworkError, so that nothing ends without a code. */
export function asNetworkError(error: unknown): NetworkError {
  if (error instanceof NetworkError) return error;
  const sentence = error instanceof Error ? error.message : String(error);
  return new NetworkError('INTERNAL', sentence, { cause: error });
}

/** The text a person reads: sentence, place, the log's last lines, what to do. */
export function renderError(error: NetworkError): string {
  const parts = [`${error.code}: ${error.message}`];
  if (error.at !== undefined) parts.push(`  At: ${error.at}`);
  for (const line of error.lines) parts.push(`    | ${line}`);
  if (error.cause instanceof Error) parts.push(`  Cause: ${error.cause.message}`);
  const causeLines = error.cause instanceof NetworkError ? error.cause.lines : [];
  for (const line of causeLines) parts.push(`    | ${line}`);
  parts.push(`  Do: ${error.help}`);
  return parts.join('\n');
}
