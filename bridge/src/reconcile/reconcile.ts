/** Reads source topic, dead letters, channel and blocks topic once, and tells every difference. */
import { createKeyExpression } from '../batch/key-expression.ts';
import { type ChainTip, checkBlock } from '../block/check.ts';
import { type Block, decodeBlock } from '../block/decode.ts';
import { ShuttleError, toShuttleError } from '../errors.ts';
import { backOffMs } from '../limits.ts';
import type { Clock, Ledger } from '../ports.ts';
import { BlockCheck } from './blocks.ts';
import { type Finding, type FindingKind, FindingLog } from './findings.ts';
import { ledgerEvents, type Origin } from './ledger-events.ts';
import { type Letter, Letters } from './letters.ts';
import { PartitionCheck, type SourcePartition } from './partition.ts';

/** A block stream that fails so often without a block in between is given up. */
const STREAM_ATTEMPTS = 8;

/** The topics from their starts to their ends as they were when they were opened. */
export interface ReconcileTopics {
  readonly partitions: readonly SourcePartition[];
  readonly letters: AsyncIterable<Letter>;
  /** Values of the blocks topic, in its order. */
  readonly blocks: AsyncIterable<Uint8Array>;
}

export interface ReconcileDeps {
  readonly ledger: Pick<Ledger, 'identity' | 'height' | 'blocks'>;
  /** Opened before the ledger's height is read, so that the topics never hold more than it. */
  readonly openTopics: () => Promise<ReconcileTopics>;
  readonly clock: Clock;
}

export interface ReconcileOptions {
  readonly stream: string;
  readonly topic: string;
  /** JSON Pointer into the value, or '' for the record's own key. */
  readonly keyExpression: string;
  readonly compareValues: boolean;
  /** What is not carried or published yet is a finding, too. */
  readonly complete: boolean;
  /** Findings of one kind that are told in full; all are counted. */
  readonly toldMax: number;
  readonly onFinding: (finding: Finding) => void;
  readonly onProgress: (blocks: bigint, height: bigint) => void;
}

export interface ReconcileSummary {
  readonly recordsRead: number;
  readonly applied: number;
  readonly refused: number;
  /** Finished records that the source does not hold any more: they cannot be compared. */
  readonly gone: number;
  /** Records that the ledger has not finished. */
  readonly pending: number;
  readonly channelBlocks: bigint;
  readonly topicBlocks: number;
  /** Blocks that are not on the topic yet. */
  readonly pendingBlocks: bigint;
  readonly findings: Readonly<Partial<Record<FindingKind, number>>>;
  readonly findingCount: number;
}

/**
 * Compares, holding no more than what is between the fastest and the slowest lane, and the dead
 * letters.
 *
 * @throws ShuttleError TOPIC_MISSING, KAFKA_UNREACHABLE, FABRIC_UNREACHABLE; BLOCK_INVALID when the
 * peer's own chain is not sound
 */
export async function reconcile(
  deps: ReconcileDeps,
  options: ReconcileOptions,
  signal: AbortSignal,
): Promise<ReconcileSummary> {
  const identity = await deps.ledger.identity();
  const { stream, topic, keyExpression, compareValues } = options;
  const origin: Origin = { ...identity, stream, topic };
  const topics = await deps.openTopics();
  const findings = new FindingLog(options.onFinding, options.toldMax);
  const letters = new Letters();
  for await (const letter of topics.letters) {
    if (letter.stream === stream && letter.topic === topic) {
      letters.add(letter);
    }
  }
  const rules = { keyExpression: createKeyExpression(keyExpression), compareValues };
  const partitions = new Map(
    topics.partitions.map((source) => [
      source.partition,
      new PartitionCheck(source, letters, findings, rules),
    ]),
  );
  const blocks = new BlockCheck(topics.blocks, findings);
  const height = await deps.ledger.height();
  for await (const block of channelBlocks(deps, height, signal)) {
    await blocks.channel(block);
    for (const event of ledgerEvents(block, origin)) {
      const partition = partitions.get(event.partition);
      await (event.kind === 'layout' ? partition?.layout(event.layout) : partition?.batch(event));
    }
    options.onProgress(block.header.number + 1n, height);
  }
  const pendingBlocks = (await blocks.finish(height)).pending;
  for (const partition of partitions.values()) {
    await partition.finish();
  }
  tellUnfounded(letters, topics.partitions, findings);
  const checks = [...partitions.values()];
  if (options.complete) {
    tellPending(checks, height, pendingBlocks, findings);
  }
  return summaryOf(checks, blocks, { height, pendingBlocks }, findings);
}

function summaryOf(
  checks: readonly PartitionCheck[],
  blocks: BlockCheck,
  { height, pendingBlocks }: { readonly height: bigint; readonly pendingBlocks: bigint },
  findings: FindingLog,
): ReconcileSummary {
  const sum = (of: keyof PartitionCheck['counts']): number =>
    checks.reduce((total, { counts }) => total + counts[of], 0);
  return {
    recordsRead: sum('read'),
    applied: sum('applied'),
    refused: sum('refused'),
    gone: sum('gone'),
    pending: sum('pending'),
    channelBlocks: height,
    topicBlocks: blocks.compared,
    pendingBlocks,
    findings: Object.fromEntries(findings.counts),
    findingCount: findings.total,
  };
}

/** A letter may tell of a record that is gone from the source, or that came after the start. */
function tellUnfounded(
  letters: Letters,
  partitions: readonly SourcePartition[],
  findings: FindingLog,
): void {
  for (const { partition, offset, code } of letters.rest()) {
    const source = partitions.find((each) => each.partition === partition);
    const isGone = source !== undefined && (offset < source.logStart || offset >= source.logEnd);
    if (!isGone) {
      const detail = `the letter says ${code}`;
      findings.add({ kind: 'LETTER_UNFOUNDED', partition, offset, detail });
    }
  }
}

function tellPending(
  checks: readonly PartitionCheck[],
  height: bigint,
  pendingBlocks: bigint,
  findings: FindingLog,
): void {
  for (const check of checks) {
    for (const finding of check.pending()) {
      findings.add(finding);
    }
  }
  for (let number = height - pendingBlocks; number < height; number += 1n) {
    findings.add({ kind: 'BLOCK_PENDING', blockNumber: number });
  }
}

/** The channel's blocks up to a height; a stream that is cut goes on where it was. */
async function* channelBlocks(
  { ledger, clock }: ReconcileDeps,
  height: bigint,
  signal: AbortSignal,
): AsyncGenerator<Block> {
  let tip: ChainTip | null = null;
  let attempt = 0;
  for (let next = 0n; next < height; ) {
    try {
      for await (const bytes of ledger.blocks(next, signal)) {
        const block = decodeBlock(bytes);
        checkBlock(block, tip);
        tip = { number: block.header.number, hash: block.hash, from: 'stream' };
        next = block.header.number + 1n;
        attempt = 0;
        yield block;
        if (next >= height) {
          return;
        }
      }
    } catch (caught) {
      const error = toShuttleError(caught);
      attempt += 1;
      if (error.kind.retry === 'never' || attempt >= STREAM_ATTEMPTS) {
        throw error;
      }
      await clock.sleep(backOffMs(attempt, clock.random()), signal);
    }
    if (signal.aborted) {
      throw new ShuttleError('FABRIC_UNREACHABLE', 'The comparison was stopped before its end.');
    }
  }
}
