/** The Log port on pino: JSON lines on standard error, or readable ones for a person. */
import { pino } from 'pino';
import pretty from 'pino-pretty';
import type { Log } from '../ports.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'json' | 'pretty';
  /** Where lines go; standard error unless a test says otherwise. */
  readonly stream?: NodeJS.WritableStream;
}

/** Members that may hold a secret, wherever they stand: a log line never shows them. */
const SECRETS = [
  'password',
  'privateKey',
  'key_pem',
  'sasl.password',
  '*.password',
  '*.privateKey',
];

/**
 * Lines are written synchronously: the last ones before an exit are those that matter, and there is
 * one per batch or block, not one per record.
 */
export function createLog(options: LogOptions): Log {
  const { level, format, stream } = options;
  const target =
    format === 'pretty'
      ? pretty({
          destination: stream ?? 2,
          sync: true,
          colorize: stream === undefined,
          ignore: 'pid,hostname',
          translateTime: 'SYS:HH:MM:ss.l',
          singleLine: true,
        })
      : (stream ?? pino.destination({ fd: 2, sync: true }));
  return pino(
    {
      level,
      redact: SECRETS,
      // Without process id and host name: whoever collects the logs of a service knows them.
      base: null,
      formatters: { level: (label) => ({ level: label }), log: plainFields },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { error: pino.stdSerializers.err },
    },
    target,
  );
}

/** Offsets and block numbers are bigint, which JSON does not know. */
function plainFields(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'bigint' ? value.toString() : value,
    ]),
  );
}
