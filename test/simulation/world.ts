/** One seed's world: a cluster, a channel, producers, and the ground truth that watches them. */
import { topicNames } from '@shuttle/bridge/dist/block/topics.js';
import type { TopicPartition } from '@shuttle/bridge/dist/values.js';
import { CHANNEL } from '../support/blocks.ts';
import { Channel, CODES } from './fabric/channel.ts';
import type { Host } from './host.ts';
import { Group, type GroupOffset } from './kafka/group.ts';
import { type PartitionLog, Topics } from './kafka/log.ts';
import { Coordinator } from './kafka/producers.ts';
import { Network, type Side } from './network.ts';
import type { Plan } from './plan.ts';
import { Random } from './random.ts';
import { Scheduler } from './scheduler.ts';
import { Story } from './story.ts';
import { Broken, Truth } from './truth.ts';
import { Workload } from './workload.ts';

export const STREAM = 'cluster';
export const PREFIX = 'shuttle';
const OUTPUT_PARTITIONS = 2;
/** An answer about readiness is good for 5 s: it is asked for when no older one is left. */
const ASK_AFTER_MS = 5_200;
const ANSWER_MS_MAX = 3_100;

export interface WorldOptions {
  readonly isTold: boolean;
  /** False in the mutation that fences nobody. */
  readonly fences: boolean;
}

export class World {
  readonly plan: Plan;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly story: Story;
  readonly network: Network;
  readonly topics = new Topics();
  readonly group: Group;
  readonly coordinator: Coordinator;
  readonly channel: Channel;
  readonly truth: Truth;
  readonly workload: Workload;
  /** Grows when partitions are added. */
  readonly sources: PartitionLog[];
  readonly names = topicNames(PREFIX, CHANNEL);
  /** Processes that live. */
  readonly hosts = new Set<Host>();
  /** What the group was told of each partition, oldest first. */
  readonly ackLog: {
    readonly at: TopicPartition;
    readonly offset: GroupOffset;
    readonly atMs: number;
  }[] = [];
  /** The first promise that was seen broken. */
  broken: Broken | null = null;
  /** The blocks topic has lost its records: no publisher may go on. */
  isEmptied = false;

  constructor(plan: Plan, options: WorldOptions) {
    this.plan = plan;
    this.random = new Random(`world/${plan.seed}`);
    this.scheduler = new Scheduler(this.random.fork('scheduler'));
    this.story = new Story(this.scheduler, options.isTold);
    const { scheduler, story, random } = this;
    this.network = new Network(scheduler, random.fork('network'), story, plan.calls);
    this.sources = plan.topics.flatMap(({ name, partitions }) =>
      this.topics.create(name, partitions),
    );
    this.topics.create(this.names.blocks, 1);
    for (const name of [this.names.transactions, this.names.changes, this.names.events]) {
      this.topics.create(name, OUTPUT_PARTITIONS);
    }
    this.group = new Group(this.sources, scheduler, random.fork('group'), story);
    this.coordinator = new Coordinator(scheduler, random.fork('coordinator'));
    this.coordinator.fences = options.fences;
    this.channel = new Channel(scheduler, random.fork('channel'), story, plan.cut);
    this.truth = new Truth(plan.lanes);
    const { network, truth } = this;
    const partitionsOf = (topic: string) => ({
      before: plan.topics.find(({ name }) => name === topic)?.partitions ?? 0,
      now: this.topics.of(topic).length,
    });
    const deps = { random: random.fork('workload'), scheduler, network, truth, partitionsOf };
    this.workload = new Workload(plan.workload, deps);
    this.channel.onBlock = (_, transactions) => this.watch(() => truth.committed(transactions));
    this.group.onAck = (at, offset) => {
      this.ackLog.push({ at, offset, atMs: scheduler.nowMs });
      this.watch(() => truth.acked(at, offset.offset));
    };
    network.onOutage = (side, forMs) => {
      const outage = network.outageOf(side);
      scheduler.after(ASK_AFTER_MS, () => {
        for (const host of forMs > ASK_AFTER_MS + ANSWER_MS_MAX ? this.hosts : []) {
          void this.askReadiness(host, side, outage);
        }
      });
    };
  }

  /** While a side is away, no process may say that it is ready. */
  private async askReadiness(host: Host, side: Side, outage: number | null): Promise<void> {
    const reasons = await host.ready();
    // It may have ended, and another have begun, whose first seconds nobody has to know of yet.
    const goesOn = this.network.outageOf(side) === outage;
    if (goesOn && !reasons.includes(`${side} is unreachable`)) {
      this.fail(new Broken('readiness', `${host.name} is ready, though ${side} is away`));
    }
  }

  /** Looks at something that must hold; what does not ends the run. */
  watch(look: () => void): void {
    try {
      look();
    } catch (error) {
      const broken = error instanceof Broken ? error : new Broken('no defect', String(error));
      this.fail(broken);
    }
  }

  fail(broken: Broken): void {
    this.broken ??= broken;
    this.story.tell('CHECK', () => `${broken.promise}: ${broken.message}`);
  }

  get blocks(): PartitionLog {
    return this.topics.log(this.names.blocks, 0);
  }

  /** Whether every partition has its layout on the ledger. */
  get isOpen(): boolean {
    const opened = this.channel.committed
      .flat()
      .filter(({ envelope, code }) => envelope.fn === 'openPartition' && code === CODES.valid)
      .map(({ envelope }) => `${envelope.args[1]}/${envelope.args[2]}`);
    const all = new Set(opened);
    return this.sources.every(({ topic, partition }) => all.has(`${topic}/${partition}`));
  }

  /** All records are finished, all partitions have begun, and all blocks are on their topic or may not get there. */
  get isDrained(): boolean {
    const { truth, workload, channel } = this;
    return (
      workload.isOver &&
      truth.unfinished === 0 &&
      this.isOpen &&
      (this.isEmptied || this.blocks.visible === channel.chain.length)
    );
  }
}
