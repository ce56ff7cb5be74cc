/** The sinks of a cleaned topic and its group in memory, behind the CleanSink port. */

import { ShuttleError } from '../../bridge/src/errors.ts';
import type { CleanPosition, CleanSink, CleanStep } from '../../bridge/src/ports.ts';
import { partitionName, type SourceRecord, type TopicPartition } from '../../bridge/src/values.ts';
import type { MemoryTopic } from './memory-source.ts';

/** What committed readers see, and which sink of each partition is the latest. */
export class MemoryCleanTarget {
  readonly topic: MemoryTopic;
  readonly steps: (CleanStep & { readonly partition: number })[] = [];
  /** Called before each commit; what it throws is the outcome, `lost` when it took effect. */
  beforeCommit: (step: CleanStep, at: TopicPartition) => void | Promise<void> = () => {};
  isTargetWritten = false;
  valueBytesMax = 1_000_000;
  private readonly latest = new Map<string, object>();

  constructor(topic: MemoryTopic) {
    this.topic = topic;
  }

  get values(): string[] {
    return this.steps.flatMap(({ cleaned }) => cleaned.map(({ value }) => String(value)));
  }

  get letters(): CleanStep['letters'] {
    return this.steps.flatMap(({ letters }) => letters);
  }

  readonly createSink = (at: TopicPartition): CleanSink => {
    const me = {};
    const name = partitionName(at);
    const { topic, latest } = this;
    return {
      open: async (): Promise<CleanPosition> => {
        latest.set(name, me);
        const { logStart, logEnd } = topic.partition(at.partition);
        return {
          ...at,
          logStart,
          logEnd,
          writtenEnd: logEnd,
          offset: topic.acks.get(name)?.offset ?? null,
          isGroupKnown: topic.acks.size > 0,
          isTargetWritten: this.isTargetWritten,
        };
      },
      commit: async (step) => {
        await this.beforeCommit(step, at);
        if (latest.get(name) !== me) {
          throw new ShuttleError('CLEAN_FENCED', 'Another sink is open.');
        }
        topic.acks.set(name, { offset: step.next, metadata: '' });
        this.steps.push({ ...step, partition: at.partition });
      },
      misfit: ({ value }) =>
        (value?.length ?? 0) > this.valueBytesMax ? 'The cleaned record is too large.' : null,
      read: (from, to) => this.read(at, from, to),
      close: async () => {},
    };
  };

  private async *read(
    { partition }: TopicPartition,
    from: bigint,
    to: bigint,
  ): AsyncGenerator<readonly SourceRecord[]> {
    const { records } = this.topic.partition(partition);
    yield records.filter(({ offset }) => offset >= from && offset < to);
  }
}
