/** The bridge's processes: the real pipelines on simulated ports, started again whenever they end. */
import { setMaxListeners } from 'node:events';
import { toShuttleError } from '@shuttle/bridge/dist/errors.js';
import type { IngestOptions, IngestSummary } from '@shuttle/bridge/dist/ingest/context.js';
import { runIngest } from '@shuttle/bridge/dist/ingest/ingest.js';
import type { Log, LogFields, Meter } from '@shuttle/bridge/dist/ports.js';
import { type PublishSummary, runPublish } from '@shuttle/bridge/dist/publish/publish.js';
import type { BatchHeader } from '@shuttle/chaincode/wire';
import { CHAINCODE, CHANNEL } from '../support/blocks.ts';
import { SimulatedLedger } from './fabric/ledger.ts';
import { type Death, Host } from './host.ts';
import { SimulatedDeadLetters, SimulatedSink } from './kafka/producers.ts';
import { SimulatedSource } from './kafka/source.ts';
import { Broken } from './truth.ts';
import { PREFIX, STREAM, type World } from './world.ts';

/** A process that dies at a call of its own does so within its first so many calls. */
const DEATH_CALLS_MAX = 120;
const TRANSACTION_BYTES_MAX = 30_000;
export const BATCH_AGE_MS = 40;
const ACK_INTERVAL_MS = 700;

export interface Settings {
  readonly lanes: number;
  readonly keyExpression: string;
}

export interface RunOptions {
  readonly settings: Settings;
  readonly untilEnd: boolean;
}

/** How a process ended: its summary, the code that stopped it, or null when it was killed. */
export type Ending<T> =
  | { readonly kind: 'over'; readonly summary: T }
  | { readonly kind: 'failed'; readonly code: string; readonly error: unknown }
  | { readonly kind: 'killed' };

/** Settings that differ from the layout on the ledger stop a partition; nothing else may. */
const PASSING = ['PUBLISHER_FENCED'];

export class Process<T> {
  readonly host: Host;
  readonly ended: Promise<Ending<T>>;
  private readonly stopping = new AbortController();

  constructor(world: World, host: Host, run: (signal: AbortSignal) => Promise<T>) {
    this.host = host;
    setMaxListeners(0, this.stopping.signal);
    world.hosts.add(host);
    world.story.tell(host.name, () => 'starts');
    const over = run(this.stopping.signal).then(
      (summary): Ending<T> => ({ kind: 'over', summary }),
      (error: unknown): Ending<T> => ({ kind: 'failed', code: toShuttleError(error).code, error }),
    );
    const killed = host.died.then((): Ending<T> => ({ kind: 'killed' }));
    this.ended = Promise.race([over, killed]).then((ending) => {
      world.hosts.delete(host);
      world.story.tell(
        host.name,
        () => `ends: ${ending.kind === 'failed' ? ending.code : ending.kind}`,
      );
      return ending;
    });
  }

  /** SIGTERM. */
  stop(): void {
    this.host.deliver(() => this.stopping.abort());
  }
}

function createHost(world: World, role: string): Host {
  const { scheduler, network, story } = world;
  const random = world.random.fork(`${role}/${world.hosts.size}/${scheduler.happened}`);
  const dies = network.faulty && random.chance(world.plan.deaths);
  const death: Death | null = dies
    ? { call: random.int(1, DEATH_CALLS_MAX), when: random.pick(['before', 'after'] as const) }
    : null;
  return new Host(role, { scheduler, network, story, random }, death);
}

function createLedger(world: World, host: Host, watch: Partial<Watch>): SimulatedLedger {
  return new SimulatedLedger({
    host,
    channel: world.channel,
    random: host.deps.random.fork('ledger'),
    faults: world.plan.ledger,
    arrived: (header) => world.watch(() => world.truth.submitted(header)),
    submitting: watch.submitting ?? (() => undefined),
    streamed: watch.streamed ?? (() => undefined),
  });
}

interface Watch {
  readonly submitting: (header: BatchHeader, change: 1 | -1) => void;
  readonly streamed: (bytes: number | null) => void;
}

export function startIngest(
  world: World,
  name: string,
  { settings, untilEnd }: RunOptions,
): Process<IngestSummary> {
  const { plan, topics, group } = world;
  const host = createHost(world, name);
  const fetchRecordsMax = plan.fetchRecordsMax;
  const source = new SimulatedSource(host, topics, group, {
    topics: plan.topics.map((topic) => topic.name),
    fetchRecordsMax,
  });
  const ledger = createLedger(world, host, { submitting: watchInFlight(world, host) });
  const deadLetters = new SimulatedDeadLetters(host, (letter) =>
    world.watch(() => world.truth.buried(letter)),
  );
  const options: IngestOptions = {
    ...settings,
    stream: STREAM,
    batchRecords: plan.batchRecords,
    batchBytes: plan.workload.batchBytes,
    batchAgeMs: BATCH_AGE_MS,
    inFlightMax: plan.inFlightMax,
    bufferRecordsMax: plan.bufferRecordsMax,
    bufferBytesMax: 1_000_000,
    ackIntervalMs: ACK_INTERVAL_MS,
    gapPatienceMs: 60_000,
    acceptTruncation: false,
    untilEnd,
  };
  const isOther =
    settings.lanes !== plan.lanes || settings.keyExpression !== plan.workload.keyExpression;
  // Each partition may fill its share of what it was then: more partitions leave less for each,
  // but take nothing away. What is fetched when a partition is paused comes on top.
  const buffersMax = (): number =>
    world.sources.reduce(
      (sum, _, index) => sum + plan.bufferRecordsMax / (index + 1) + fetchRecordsMax,
      0,
    );
  const meter = createMeter({
    buffered: (records) => {
      if (records > buffersMax()) {
        world.fail(new Broken('bounded memory', `${host.name} holds ${records} records`));
      }
    },
    partitionStopped: ({ topic, partition }, code) => {
      if (!(isOther && code === 'LAYOUT_MISMATCH')) {
        const message = `${host.name} stopped ${topic}/${partition} with ${code}`;
        world.fail(new Broken('goes on', message));
      }
    },
  });
  const log = createLog(world, host);
  const deps = { source, deadLetters, ledger, clock: host.clock, log, meter };
  return new Process(world, host, (signal) => runIngest(deps, options, signal));
}

/**
 * Never more transactions in flight than the window has room for. One lane may have two when its
 * partition was taken away and given back in between: MVCC decides between them.
 */
function watchInFlight(world: World, host: Host): Watch['submitting'] {
  let inFlight = 0;
  return ({ topic, partition, lane, first }, change) => {
    inFlight += change;
    if (inFlight > world.plan.inFlightMax) {
      const message = `${host.name} submits ${topic}/${partition}#${lane} ${first} beyond the window`;
      world.fail(new Broken('in flight', message));
    }
  };
}

export function startPublish(
  world: World,
  name: string,
  untilEnd: boolean,
): Process<PublishSummary> {
  const { plan, topics, coordinator, names, network } = world;
  const host = createHost(world, name);
  const random = host.deps.random.fork('sink');
  let held = 0;
  const largest = (): number =>
    world.channel.chain.reduce((most, { bytes }) => Math.max(most, bytes.length), 0);
  const ledger = createLedger(world, host, {
    streamed: (bytes) => {
      held = bytes === null ? 0 : held + bytes;
      if (held > plan.publishQueueBytesMax + TRANSACTION_BYTES_MAX + 2 * largest()) {
        world.fail(new Broken('bounded memory', `${host.name} holds ${held} bytes of blocks`));
      }
    },
  });
  const isPartial = (): boolean => {
    const yes = network.faulty && random.chance(plan.partialProduce);
    if (yes) {
      network.happened('partial produce');
    }
    return yes;
  };
  const sinkDeps = { host, topics, coordinator, blocksTopic: names.blocks, isPartial };
  const meter = createMeter({
    blockPublished: (number) => {
      held -= world.channel.chain[Number(number)]?.bytes.length ?? 0;
    },
  });
  const log = createLog(world, host);
  const openSink = () => new SimulatedSink(sinkDeps);
  return new Process(world, host, (signal) =>
    runPublish(
      { openSink, ledger, clock: host.clock, log, meter },
      {
        channel: CHANNEL,
        chaincode: CHAINCODE,
        prefix: PREFIX,
        untilEnd,
        transactionBytesMax: TRANSACTION_BYTES_MAX,
        transactionRecordsMax: plan.publishRecordsMax,
        queueBytesMax: plan.publishQueueBytesMax,
      },
      signal,
    ),
  );
}

/** What ends a process beside a kill and a stop must be one of the stops that it is due. */
export function judge(world: World, name: string, ending: Ending<unknown>): void {
  if (ending.kind !== 'failed' || PASSING.includes(ending.code)) {
    return;
  }
  if (ending.code === 'BLOCKS_TRUNCATED' && world.isEmptied) {
    return;
  }
  world.fail(new Broken('goes on', `${name} ended with ${String(ending.error)}`));
}

const ignore = (): void => undefined;

function createMeter(watched: Partial<Meter>): Meter {
  return {
    recordsRead: ignore,
    recordsFinished: ignore,
    batchCommitted: ignore,
    recordsCleaned: ignore,
    inFlight: ignore,
    buffered: ignore,
    position: ignore,
    partitionStopped: ignore,
    partitionReleased: ignore,
    blockPublished: ignore,
    failed: ignore,
    reachable: ignore,
    ...watched,
  };
}

function createLog(world: World, host: Host): Log {
  const say = (fields: LogFields, message: string): void =>
    world.story.tell(host.name, () => {
      const shown = Object.entries(fields).filter(([name]) => !HIDDEN.includes(name));
      return `${message} ${shown.map(([name, value]) => `${name}=${String(value)}`).join(' ')}`;
    });
  return { debug: say, info: say, warn: say, error: say };
}

const HIDDEN = ['channel', 'chaincode', 'duration_ms', 'side', 'transaction_count'];
