/** A command line run in the test's own process, on a Shuttle that answers what a test says. */
import { createHash } from 'node:crypto';
import type { Io } from '../../bridge/src/cli/io.ts';
import { runProgram } from '../../bridge/src/cli/program.ts';
import type { Shuttle } from '../../bridge/src/cli/shuttle.ts';
import type { LoadedSettings } from '../../bridge/src/config/load.ts';
import type { IngestSummary } from '../../bridge/src/ingest/context.ts';
import type { Ledger } from '../../bridge/src/ports.ts';
import type { PublishSummary } from '../../bridge/src/publish/publish.ts';
import { createMeter } from '../../bridge/src/system/meter.ts';
import { testClock } from './fakes.ts';

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The settings that the Shuttle was opened with; undefined when none was. */
  readonly opened: LoadedSettings | undefined;
  readonly closed: boolean;
}

export interface CommandOptions {
  readonly shuttle?: Partial<Shuttle>;
  readonly ledger?: Partial<Ledger>;
  readonly terminal?: boolean;
  readonly stdin?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stop?: AbortSignal;
}

export const INGESTED: IngestSummary = {
  recordsRead: 5_000,
  applied: 4_997,
  rejected: 2,
  repeated: 1,
  batches: 12,
  stops: [],
};

export const PUBLISHED: PublishSummary = {
  blocks: 3,
  transactions: 12,
  changes: 4_997,
  events: 12,
  records: 5_024,
  commits: 1,
  lastBlock: 4n,
};

/** Runs one command line to its end. */
export async function runCommand(
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const out = collector();
  const err = collector();
  const seen: { opened: LoadedSettings | undefined; closed: boolean } = {
    opened: undefined,
    closed: false,
  };
  const isTTY = options.terminal === true;
  const io: Io = {
    stdout: { write: out.write, isTTY },
    stderr: { write: err.write, isTTY },
    stdin: async function* () {
      yield* options.stdin ?? [];
    },
    env: options.env ?? {},
    cwd: options.cwd ?? '/nowhere',
    stopRequest: () => options.stop ?? new AbortController().signal,
  };
  const code = await runProgram(args, io, (loaded) => {
    seen.opened = loaded;
    return fakeShuttle(options, () => {
      seen.closed = true;
    });
  });
  return { code, stdout: out.text(), stderr: err.text(), ...seen };
}

function fakeShuttle({ shuttle, ledger }: CommandOptions, closed: () => void): Shuttle {
  const meter = createMeter();
  return {
    clock: testClock,
    figures: () => meter.figures(),
    unanswered: () => [],
    ledger: async () => ledger as Ledger,
    ingest: async () => INGESTED,
    publish: async () => PUBLISHED,
    clean: () => Promise.reject(new TypeError('no cleaning')),
    load: () => Promise.reject(new TypeError('no load')),
    serve: async () => null,
    tail: async function* () {},
    consume: () => Promise.reject(new TypeError('no topic')),
    status: () => Promise.reject(new TypeError('no status')),
    reconcile: () => Promise.reject(new TypeError('no comparison')),
    relane: async () => [],
    offsets: async () => [],
    resetOffsets: async () => [],
    deadLetters: async function* () {},
    deadLetter: () => Promise.reject(new TypeError('no letter')),
    replay: () => Promise.reject(new TypeError('no replay')),
    origins: () => {
      throw new TypeError('no origins');
    },
    blockSource: () => Promise.reject(new TypeError('no blocks')),
    otherPeer: () => Promise.reject(new TypeError('no other peer')),
    index: () => Promise.reject(new TypeError('no index')),
    readModel: () => null,
    check: async () => [],
    close: async () => closed(),
    ...shuttle,
  };
}

function collector() {
  const chunks: Buffer[] = [];
  return {
    write: (chunk: string | Uint8Array) => chunks.push(Buffer.from(chunk)),
    text: () => Buffer.concat(chunks).toString(),
  };
}

/** A transaction id that a test can tell from another. */
export const txId = (name: string) => createHash('sha256').update(name).digest('hex');
