/** The coordinator of one consumer group: members, generations, assignments and offsets. */
import { partitionName, type TopicPartition } from '@shuttle/bridge/dist/values.js';
import type { Random } from '../random.ts';
import type { Scheduler, Timer } from '../scheduler.ts';
import type { Story } from '../story.ts';

/** A member that is silent for longer is taken for dead. */
export const SESSION_TIMEOUT_MS = 6_000;
export const HEARTBEAT_MS = 1_500;

export interface View {
  readonly memberId: string;
  readonly generation: number;
  readonly partitions: readonly TopicPartition[];
}

export interface GroupOffset {
  readonly offset: bigint;
  readonly metadata: string;
}

export class Group {
  readonly offsets = new Map<string, GroupOffset>();
  /** Called for every offset that the group takes. */
  onAck: (at: TopicPartition, offset: GroupOffset) => void = () => undefined;
  private readonly partitions: readonly TopicPartition[];
  private readonly scheduler: Scheduler;
  private readonly random: Random;
  private readonly story: Story;
  private readonly sessions = new Map<string, Timer>();
  private assignment = new Map<string, readonly TopicPartition[]>();
  private generation = 0;
  private joined = 0;

  constructor(
    partitions: readonly TopicPartition[],
    scheduler: Scheduler,
    random: Random,
    story: Story,
  ) {
    this.partitions = partitions;
    this.scheduler = scheduler;
    this.random = random;
    this.story = story;
  }

  join(): View {
    const memberId = `member-${++this.joined}`;
    this.expect(memberId);
    this.rebalance();
    return this.view(memberId);
  }

  /** Null for a member that is not known (any more). */
  heartbeat(memberId: string): View | null {
    if (!this.sessions.has(memberId)) {
      return null;
    }
    this.expect(memberId);
    return this.view(memberId);
  }

  leave(memberId: string): void {
    if (this.sessions.has(memberId)) {
      this.forget(memberId);
      this.rebalance();
    }
  }

  /** Deals the partitions anew; each member learns of it with its next heartbeat, or too late. */
  rebalance(): void {
    const members = this.random.shuffle([...this.sessions.keys()]);
    this.generation += 1;
    this.assignment = new Map(members.map((member) => [member, []]));
    for (const [index, at] of this.random.shuffle(this.partitions).entries()) {
      const member = members[index % Math.max(1, members.length)];
      if (member !== undefined) {
        this.assignment.set(member, [...(this.assignment.get(member) ?? []), at]);
      }
    }
    this.story.tell('group', () => `deals: ${this.describe()}`);
  }

  /**
   * As brokers do, takes the offsets of members that own the partition no more, and now and then
   * those of members that it does not even know.
   */
  commit(memberId: string, at: TopicPartition, offset: GroupOffset): boolean {
    if (!this.sessions.has(memberId) && this.random.chance(0.5)) {
      return false;
    }
    this.offsets.set(partitionName(at), offset);
    this.onAck(at, offset);
    return true;
  }

  private view(memberId: string): View {
    const { generation } = this;
    return { memberId, generation, partitions: this.assignment.get(memberId) ?? [] };
  }

  private expect(memberId: string): void {
    this.sessions.get(memberId)?.cancel();
    const evict = (): void => {
      this.story.tell('group', () => `takes ${memberId} for dead`);
      this.forget(memberId);
      this.rebalance();
    };
    this.sessions.set(memberId, this.scheduler.after(SESSION_TIMEOUT_MS, evict));
  }

  private forget(memberId: string): void {
    this.sessions.get(memberId)?.cancel();
    this.sessions.delete(memberId);
  }

  private describe(): string {
    const members = [...this.assignment].map(
      ([member, partitions]) => `${member} ${partitions.map(partitionName).join('+') || 'nothing'}`,
    );
    return members.join(', ') || 'nobody is there';
  }
}
