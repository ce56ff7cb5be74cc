/** The group's acked offsets: whose they are, and moving them back. */
import { ShuttleError } from '../errors.ts';
import type { Assignment, Ledger, Source } from '../ports.ts';
import { partitionName, type TopicPartition } from '../values.ts';
import { ackMetadata } from './context.ts';

/** Whose an ack is: only one of this very ledger and stream tells where reading begins. */
export type AckOf = 'this ledger' | 'another ledger' | null;

export interface OffsetRow extends TopicPartition {
  readonly logStart: bigint;
  readonly logEnd: bigint;
  /** Null when the group has none. */
  readonly acked: bigint | null;
  readonly of: AckOf;
  /** The first offset that some lane has not finished; null when the partition never began. */
  readonly unfinished: bigint | null;
}

interface Deps {
  readonly source: Source;
  readonly ledger: Ledger;
}

/** All partitions of the topics, with the group's ack and what the ledger says. */
export async function showOffsets(
  { source, ledger }: Deps,
  stream: string,
): Promise<readonly OffsetRow[]> {
  const mine = ackMetadata({ identity: await ledger.identity(), options: { stream } });
  const [ends, acks] = await Promise.all([source.ends(), source.acks()]);
  const byName = new Map(acks.map((ack) => [partitionName(ack), ack]));
  const rows: OffsetRow[] = [];
  for (const { topic, partition, logStart, logEnd } of ends) {
    const ack = byName.get(partitionName({ topic, partition }));
    const { layout, watermarks } = await ledger.getPartition(stream, { topic, partition });
    const base = layout?.base ?? -1n;
    const lanes = watermarks.map((w) => (w !== null && w.offset > base ? w.offset : base));
    const least = lanes.reduce((min, offset) => (offset < min ? offset : min), lanes[0] ?? base);
    rows.push({
      topic,
      partition,
      logStart,
      logEnd,
      acked: ack?.offset ?? null,
      of: ack === undefined ? null : ack.metadata === mine ? 'this ledger' : 'another ledger',
      unfinished: layout === null ? null : least + 1n,
    });
  }
  return rows;
}

export interface ResetOptions {
  readonly stream: string;
  readonly topic: string;
  /** Null for all partitions of the topic. */
  readonly partition: number | null;
  /** Where reading is to begin; 'earliest' for the first offset that the log holds. */
  readonly to: bigint | 'earliest';
}

export interface Reset extends TopicPartition {
  readonly before: bigint;
  readonly after: bigint;
}

/**
 * Moves acks back, as the group's only member: the caller has made sure that there is no other. An
 * ack is never moved forward, and none is made where there was none, because an ack says that
 * everything below it is finished.
 *
 * @throws ShuttleError USAGE naming the partition, before anything is moved
 */
export async function resetOffsets(
  { source, ledger }: Deps,
  options: ResetOptions,
  signal: AbortSignal,
): Promise<readonly Reset[]> {
  const rows = await showOffsets({ source, ledger }, options.stream);
  const chosen = rows.filter(
    ({ topic, partition }) =>
      topic === options.topic && (options.partition === null || partition === options.partition),
  );
  if (chosen.length === 0) {
    throw new ShuttleError('USAGE', `There is no such partition of ${options.topic}.`);
  }
  const wanted = new Map(chosen.map((row) => [partitionName(row), planned(row, options.to)]));
  const metadata = ackMetadata({ identity: await ledger.identity(), options });
  const done: Reset[] = [];
  const missing = new Set([...wanted].flatMap(([name, plan]) => (plan === null ? [] : name)));
  for await (const event of missing.size === 0 ? [] : source.events(signal)) {
    const plan = event.kind === 'assigned' ? wanted.get(partitionName(event.assignment)) : null;
    if (event.kind === 'assigned' && plan != null) {
      await move(source, event.assignment, plan, metadata);
      done.push(plan);
      missing.delete(partitionName(plan));
    }
    if (missing.size === 0) {
      break;
    }
  }
  return done;
}

/** Null when nothing has to move. */
function planned(row: OffsetRow, to: bigint | 'earliest'): Reset | null {
  const { topic, partition, acked, of, logStart } = row;
  const name = partitionName(row);
  const after = to === 'earliest' ? logStart : to;
  if (acked === null || of !== 'this ledger') {
    const message = `The group has no ack of this ledger for ${name}: it is read from its start.`;
    throw new ShuttleError('USAGE', message, { at: { topic, partition } });
  }
  if (after > acked) {
    throw new ShuttleError(
      'USAGE',
      `Offset ${after} of ${name} is beyond the ack ${acked}: what is in between is not finished.`,
      { at: { topic, partition, offset: after } },
    );
  }
  if (after < logStart) {
    const message = `${name} begins at offset ${logStart}.`;
    throw new ShuttleError('USAGE', message, { at: { topic, partition, offset: after } });
  }
  return after === acked ? null : { topic, partition, before: acked, after };
}

async function move(
  source: Source,
  assignment: Assignment,
  { after }: Reset,
  metadata: string,
): Promise<void> {
  if (!(await source.ack(assignment, after, metadata))) {
    const { topic, partition } = assignment;
    const message = `Another member of the group has taken ${partitionName(assignment)} over.`;
    throw new ShuttleError('GROUP_ACTIVE', message, { at: { topic, partition } });
  }
}
