/** What the ledger says of a partition at its assignment, and where reading begins. */
import type { Layout, PartitionState, Watermark } from '@shuttle/chaincode/ledger';
import { encodeRecords, LANE_HASH_VERSION, sha256Hex } from '@shuttle/chaincode/wire';
import { carry } from '../batch/carry.ts';
import { ShuttleError, toShuttleError } from '../errors.ts';
import { backOffMs } from '../limits.ts';
import type { Assignment } from '../ports.ts';
import { partitionName, type SourceRecord, type TopicPartition } from '../values.ts';
import { ackMetadata, type Context } from './context.ts';
import { awaitOlder } from './older-partitions.ts';
import { persist } from './persist.ts';

export interface Opened {
  readonly layout: Layout;
  /** By lane; null where the lane has none. */
  readonly watermarks: readonly (Watermark | null)[];
  /** The first offset to read. */
  readonly start: bigint;
}

/**
 * Reads layout and watermarks, writes the layout at the first assignment ever, and compares both
 * with the source.
 *
 * @throws ShuttleError LAYOUT_MISMATCH, SOURCE_REWOUND, SOURCE_REPLACED, SOURCE_TRUNCATED, or what
 * else cannot pass
 * @returns null when the partition was taken away meanwhile
 */
export async function openPartition(
  context: Context,
  assignment: Assignment,
  live: () => boolean,
): Promise<Opened | null> {
  const state = await readOrWriteLayout(context, assignment, live);
  if (state === null) {
    return null;
  }
  checkLayout(context, assignment, state.layout);
  const highest = state.watermarks.reduce<Reached>(
    (most, w) => (w !== null && w.offset > most.offset ? w : most),
    { offset: state.layout.base },
  );
  if (highest.offset >= assignment.logEnd) {
    await checkEnd(context, assignment, highest, live);
  }
  const compare = () => checkFingerprints(context, assignment, state);
  if ((await persist(context, 'kafka', live, compare)) === null) {
    return null;
  }
  const start = chooseStart(context, assignment, state);
  return { ...state, start };
}

async function readOrWriteLayout(
  context: Context,
  at: TopicPartition,
  live: () => boolean,
): Promise<{ layout: Layout; watermarks: PartitionState['watermarks'] } | null> {
  const { clock, ledger, options, keyExpression, signal } = context;
  const read = () => ledger.getPartition(options.stream, at);
  for (let attempt = 1; live(); attempt++) {
    const state = await persist(context, 'fabric', live, read);
    if (state?.layout) {
      return { ...state, layout: state.layout };
    }
    const older = state?.older ?? 0;
    const partitions = await awaitOlder(context, at, older, live);
    if (partitions === null) {
      return null;
    }
    const digest = keyExpression?.digest ?? '';
    const opening = { partitions, older, lanes: options.lanes, keyExpressionDigest: digest };
    const open = () => unlessOutdated(ledger.openPartition(options.stream, at, opening));
    const layout = await persist(context, 'fabric', live, open);
    if (layout !== null && layout !== 'outdated') {
      const fields = { topic: at.topic, partition: at.partition, lanes: layout.lanes };
      context.log.info(fields, 'opened a partition on the ledger');
      return { layout, watermarks: [] };
    }
    await clock.sleep(backOffMs(attempt, clock.random()), signal);
  }
  return null;
}

/** Openings of other partitions of the topic came first: what was read has to be read again. */
async function unlessOutdated(opening: Promise<Layout>): Promise<Layout | 'outdated'> {
  try {
    return await opening;
  } catch (error) {
    const { code, at } = toShuttleError(error);
    if (code === 'COMMIT_INVALID' || at.refusal === 'OLDER_PARTITIONS') {
      return 'outdated';
    }
    throw error;
  }
}

function checkLayout(context: Context, at: TopicPartition, layout: Layout): void {
  const { options, keyExpression } = context;
  const found =
    layout.lanes === options.lanes &&
    layout.hashVersion === LANE_HASH_VERSION &&
    layout.keyExpressionDigest === (keyExpression?.digest ?? '');
  if (!found) {
    const ledger = `${layout.lanes} lanes, key expression ${layout.keyExpressionDigest || 'none'}`;
    const ours = `${options.lanes} lanes, key expression ${keyExpression?.digest ?? 'none'}`;
    throw new ShuttleError(
      'LAYOUT_MISMATCH',
      `${partitionName(at)} has ${ledger} on the ledger, and ${ours} here.`,
      { at: { topic: at.topic, partition: at.partition } },
    );
  }
}

/** How far the ledger says that a partition is finished, and by which transaction. */
type Reached = Pick<Watermark, 'offset'> & Partial<Pick<Watermark, 'txId'>>;

/**
 * A watermark stands for a record that was read from the source, so the source must reach beyond
 * it. The end is read again here, because a twin may have moved both since the assignment; while
 * Kafka does not answer, it is asked again.
 *
 * @throws ShuttleError SOURCE_REWOUND
 */
async function checkEnd(
  context: Context,
  at: TopicPartition,
  { offset, txId }: Reached,
  live: () => boolean,
): Promise<void> {
  const ends = await persist(context, 'kafka', live, () => context.source.ends());
  if (ends === null) {
    return;
  }
  const end = ends.find((e) => e.topic === at.topic && e.partition === at.partition)?.logEnd;
  if (end === undefined || offset >= end) {
    const by = txId === undefined ? 'The ledger' : `The ledger's transaction ${txId}`;
    throw new ShuttleError(
      'SOURCE_REWOUND',
      `${by} has finished offset ${offset} of ${partitionName(at)}, which ends at ${end}.`,
      { at: { topic: at.topic, partition: at.partition, offset } },
    );
  }
}

/**
 * A watermark that another transaction has moved, in mid run: the source reaches beyond it, and its
 * record is the source's. While Kafka does not answer, it is asked again.
 *
 * @param held - the record at the watermark's offset, when it has been read already
 * @throws ShuttleError SOURCE_REWOUND, SOURCE_REPLACED
 */
export async function checkMoved(
  context: Context,
  at: TopicPartition,
  watermark: Watermark,
  held: SourceRecord | null,
  live: () => boolean,
): Promise<void> {
  if (held === null) {
    await checkEnd(context, at, watermark, live);
  }
  const read = async () => ({ record: await context.source.read(at, watermark.offset) });
  const found = held === null ? await persist(context, 'kafka', live, read) : { record: held };
  if (found !== null && found.record !== null) {
    checkFingerprint(context, at, watermark, found.record);
  }
}

/**
 * While the source still holds the record of a watermark, it must be the one that the ledger
 * finished. Otherwise the topic is another one of the same name, and its records would be taken
 * for finished ones.
 *
 * @throws ShuttleError SOURCE_REPLACED
 */
export async function checkFingerprints(
  context: Pick<Context, 'source' | 'keyExpression'>,
  at: TopicPartition & { readonly logStart: bigint },
  { layout, watermarks }: Pick<Opened, 'layout' | 'watermarks'>,
): Promise<true> {
  const digest = context.keyExpression?.digest ?? '';
  for (const watermark of watermarks) {
    const retained = watermark !== null && watermark.offset >= at.logStart;
    const record = retained ? await context.source.read(at, watermark.offset) : null;
    // Those up to the base were made under another layout, by another key expression perhaps.
    const isComparable = (offset: bigint) =>
      record?.key != null || (offset > layout.base && layout.keyExpressionDigest === digest);
    if (watermark !== null && record !== null && isComparable(watermark.offset)) {
      checkFingerprint(context, at, watermark, record);
    }
  }
  return true;
}

/** @throws ShuttleError SOURCE_REPLACED unless the watermark is of this record */
function checkFingerprint(
  context: Pick<Context, 'keyExpression'>,
  at: TopicPartition,
  watermark: Watermark,
  record: SourceRecord,
): void {
  // The lane is no part of what travels, so any number of lanes does.
  const carried = carry(record, 1, context.keyExpression);
  const found = carried.kind === 'carried' ? sha256Hex(encodeRecords([carried.wire])) : null;
  if (found !== watermark.sha256) {
    throw new ShuttleError(
      'SOURCE_REPLACED',
      `Offset ${watermark.offset} of ${partitionName(at)} is not the record that the ` +
        `ledger finished in transaction ${watermark.txId}.`,
      { at: { topic: at.topic, partition: at.partition, offset: watermark.offset } },
    );
  }
}

function chooseStart(
  context: Context,
  assignment: Assignment,
  state: { layout: Layout; watermarks: PartitionState['watermarks'] },
): bigint {
  const { ack, logStart } = assignment;
  const ours = ack !== null && ack.metadata === ackMetadata(context);
  // Without an ack of this ledger, only the watermarks tell what may be unfinished: anything
  // behind the lowest of them. A partition that never began owes nothing.
  const begun = state.watermarks.some((w) => w !== null);
  const lowest = lowestUnfinished(state);
  const unfinished = ours ? ack.offset : begun ? lowest : logStart;
  if (unfinished < logStart) {
    truncated(context, assignment, unfinished, logStart, ours);
  }
  return ours && ack.offset > logStart ? ack.offset : logStart;
}

function lowestUnfinished(state: {
  layout: Layout;
  watermarks: PartitionState['watermarks'];
}): bigint {
  const { base } = state.layout;
  const offsets = state.watermarks.map((w) => (w !== null && w.offset > base ? w.offset : base));
  return offsets.reduce((least, o) => (o < least ? o : least), offsets[0] ?? base) + 1n;
}

/**
 * Records that may not be on the ledger are gone from the source.
 *
 * @throws ShuttleError SOURCE_TRUNCATED unless the configuration accepts the loss
 */
export function truncated(
  context: Context,
  at: TopicPartition,
  unfinished: bigint,
  logStart: bigint,
  certain: boolean,
): void {
  const { topic, partition } = at;
  if (context.options.acceptTruncation) {
    context.log.warn(
      { topic, partition, offset_first: unfinished, offset_last: logStart - 1n },
      'accepted the loss of records',
    );
    return;
  }
  const which = `offsets ${unfinished} to ${logStart - 1n} of ${partitionName(at)}`;
  throw new ShuttleError(
    'SOURCE_TRUNCATED',
    certain
      ? `The source no longer holds ${which}, which are not finished.`
      : `The source no longer holds ${which}, and without the group's ack nobody knows whether ` +
          'some of them are unfinished.',
    { at: { topic, partition, offset: unfinished } },
  );
}
