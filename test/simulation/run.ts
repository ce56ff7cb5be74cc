/** Runs one seed: troubles first, then peace, in which everything must drain and add up. */
import { checkEnd, checkOnceMore } from './final-checks.ts';
import { judge, type Process, type Settings, startIngest, startPublish } from './instances.ts';
import type { Fault } from './network.ts';
import { planOf } from './plan.ts';
import type { Random } from './random.ts';
import { bring, relieve } from './trouble.ts';
import { Broken } from './truth.ts';
import { World } from './world.ts';

/** Virtual time in which everything must drain once the faults have ended; longer is a hang. */
export const DRAIN_MS_MAX = 150_000;
/** Virtual time that an orderly stop may take. */
const STOP_MS_MAX = 60_000;
/** In so many seeds a side is away while all processes are told to stop. */
const AWAY_AT_STOP_SHARE = 0.25;
/** Virtual time for a run to the end that has nothing left to do. */
const ONCE_MORE_MS_MAX = 60_000;
/** What is still under way to the ordering service or to a peer arrives within so long. */
const QUIET_MS = 12_000;
const RESTART_MS_MAX = 4_000;

export interface SeedOptions {
  readonly seed: number;
  readonly isTold?: boolean;
  readonly fences?: boolean;
}

export interface SeedResult {
  readonly seed: number;
  /** Null when every promise was kept. */
  readonly broken: { readonly promise: string; readonly message: string } | null;
  readonly records: number;
  readonly blocks: number;
  readonly transactions: number;
  readonly events: number;
  /** Virtual seconds from the end of the faults to the end of all work. */
  readonly drainSeconds: number;
  readonly faults: Readonly<Partial<Record<Fault, number>>>;
  readonly story: readonly string[];
}

type Role = 'ingest' | 'publish';

export async function runSeed({
  seed,
  isTold = false,
  fences = true,
}: SeedOptions): Promise<SeedResult> {
  const world = new World(planOf(seed), { isTold, fences });
  const supervisor = new Supervisor(world);
  const rejected = (error: unknown): void =>
    world.fail(new Broken('no defect', `a rejection that nobody handles: ${String(error)}`));
  process.on('unhandledRejection', rejected);
  try {
    await supervisor.run();
  } finally {
    process.off('unhandledRejection', rejected);
  }
  const { broken, truth, channel, network, story, scheduler } = world;
  return {
    seed,
    broken: broken === null ? null : { promise: broken.promise, message: broken.message },
    records: truth.size,
    blocks: channel.chain.length,
    transactions: channel.committed.reduce((sum, block) => sum + block.length, 0),
    events: scheduler.happened,
    drainSeconds: supervisor.drainMs / 1_000,
    faults: Object.fromEntries(network.counts),
    story: story.lines,
  };
}

class Supervisor {
  drainMs = 0;
  private readonly world: World;
  private readonly random: Random;
  private readonly running = new Map<string, Process<unknown>>();
  /** Wrong settings, until somebody notices. */
  private readonly astray = new Set<Process<unknown>>();
  /** No process is started any more, but for one publisher and the planned ingests. */
  private isPeace = false;
  private isClosing = false;
  private extras = 0;

  constructor(world: World) {
    this.world = world;
    this.random = world.random.fork('supervisor');
  }

  async run(): Promise<void> {
    const { world } = this;
    const { plan, scheduler, workload } = world;
    for (let n = 1; n <= plan.ingests; n++) {
      void this.keep('ingest', `ingest-${n}`);
    }
    for (let n = 1; n <= plan.publishers; n++) {
      void this.keep('publish', `publish-${n}`);
    }
    void workload.produce(world.sources);
    for (const { atMs, fault } of plan.moments) {
      scheduler.after(atMs, () => bring(world, fault, this.hands(), this.random));
    }
    const isBroken = (): boolean => world.broken !== null;
    await scheduler.run(isBroken, plan.faultsMs);
    await this.drain();
    await this.close();
    await this.onceMore();
    this.check(() => checkEnd(world));
  }

  private check(look: () => void): void {
    if (this.world.broken === null) {
      this.world.watch(look);
    }
  }

  private async drain(): Promise<void> {
    const { world } = this;
    const { scheduler, plan } = world;
    this.isPeace = true;
    relieve(world);
    for (const process of this.astray) {
      process.stop();
    }
    const limitMs = plan.faultsMs + DRAIN_MS_MAX;
    const isOver = (): boolean => world.broken !== null || world.isDrained;
    if (!(await scheduler.run(isOver, limitMs))) {
      const { unfinished } = world.truth;
      const blocks = `${world.blocks.visible} of ${world.channel.chain.length} blocks are published`;
      world.fail(new Broken('drains', `${unfinished} records are unfinished, ${blocks}`));
    }
    this.drainMs = Math.max(0, scheduler.nowMs - plan.faultsMs);
  }

  /** An orderly stop of everything ends soon, even when a side is away. */
  private async close(): Promise<void> {
    const { scheduler, network } = this.world;
    this.isClosing = true;
    if (this.random.chance(AWAY_AT_STOP_SHARE)) {
      network.outage(this.random.pick(['kafka', 'fabric'] as const), 2 * STOP_MS_MAX);
    }
    for (const process of this.running.values()) {
      process.stop();
    }
    const isOver = (): boolean => this.world.broken !== null || this.running.size === 0;
    if (!(await scheduler.run(isOver, scheduler.nowMs + STOP_MS_MAX))) {
      const names = [...this.running.keys()].join(', ');
      this.world.fail(new Broken('stops', `${names} did not stop`));
    }
    network.restore();
  }

  /**
   * A run to the end after the end has nothing to apply: all progress lives outside the bridge. It
   * may publish what was still under way to the orderer at the stop.
   */
  private async onceMore(): Promise<void> {
    const { world } = this;
    if (world.broken !== null) {
      return;
    }
    const { scheduler } = world;
    await scheduler.run(() => false, scheduler.nowMs + QUIET_MS);
    const settings = this.settings();
    const ingest = startIngest(world, 'ingest-again', { settings, untilEnd: true });
    const publish = world.isEmptied ? null : startPublish(world, 'publish-again', true);
    let ended = false;
    const both = Promise.all([ingest.ended, publish?.ended ?? null]);
    void both.then(([ingested, published]) => {
      ended = true;
      this.check(() => checkOnceMore(ingested, published));
    });
    const isOver = (): boolean => world.broken !== null || ended;
    if (!(await scheduler.run(isOver, scheduler.nowMs + ONCE_MORE_MS_MAX))) {
      world.fail(new Broken('drains', 'a run to the end that has nothing to do does not end'));
    }
  }

  private settings(): Settings {
    const { lanes, workload } = this.world.plan;
    return { lanes, keyExpression: workload.keyExpression };
  }

  private start(role: Role, name: string): Process<unknown> {
    return role === 'publish'
      ? startPublish(this.world, name, false)
      : startIngest(this.world, name, { settings: this.settings(), untilEnd: false });
  }

  /** Starts a process again whenever it ends, as an operator's service manager would. */
  private async keep(role: Role, name: string): Promise<void> {
    const { world } = this;
    for (let life = 1; !this.isClosing; life++) {
      const title = `${name}.${life}`;
      const process = this.start(role, title);
      this.running.set(name, process);
      const ending = await process.ended;
      judge(world, title, ending);
      const isTruncated = ending.kind === 'failed' && ending.code === 'BLOCKS_TRUNCATED';
      const isSpare = this.isPeace && role === 'publish' && ending.kind === 'failed';
      if (isTruncated || (isSpare && this.hasOther('publish', name))) {
        break;
      }
      await world.scheduler.wait(this.random.next() * RESTART_MS_MAX);
    }
    this.running.delete(name);
  }

  private hasOther(role: Role, name: string): boolean {
    return [...this.running.keys()].some((other) => other.startsWith(role) && other !== name);
  }

  private hands() {
    return {
      stop: (): void => {
        const all = [...this.running.values()];
        if (all.length > 0) {
          this.random.pick(all).stop();
        }
      },
      another: (role: Role): void => {
        this.extras += 1;
        void this.keep(role, `${role}-extra-${this.extras}`);
      },
      otherSettings: (): void => void this.goAstray(),
    };
  }

  /** Somebody starts a process with settings that are not those of the layout on the ledger. */
  private async goAstray(): Promise<void> {
    const { world } = this;
    if (!world.isOpen) {
      return;
    }
    const { lanes, keyExpression } = this.settings();
    const settings = this.random.chance(0.5)
      ? { lanes: lanes + 1, keyExpression }
      : { lanes, keyExpression: keyExpression === '/id' ? '/alias' : '/id' };
    world.network.happened('other settings');
    this.extras += 1;
    const name = `astray-${this.extras}`;
    const process = startIngest(world, name, { settings, untilEnd: false });
    this.running.set(name, process);
    this.astray.add(process);
    world.scheduler.after(this.random.int(3_000, 9_000), () => process.stop());
    const ending = await process.ended;
    judge(world, name, ending);
    this.astray.delete(process);
    this.running.delete(name);
  }
}
