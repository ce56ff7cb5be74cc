/** Cuts drained partitions into other lanes, or by another key expression. */
import type { Layout, PartitionState } from '@shuttle/chaincode/ledger';
import { LANE_HASH_VERSION } from '@shuttle/chaincode/wire';
import { createKeyExpression, type KeyExpression } from '../batch/key-expression.ts';
import type { Ledger, Source } from '../ports.ts';
import { partitionName, type TopicPartition } from '../values.ts';
import { ackMetadata } from './context.ts';
import { checkFingerprints } from './open-partition.ts';

export interface RelaneOptions {
  readonly stream: string;
  /** Only this topic's partitions; null for all. */
  readonly topic: string | null;
  /** The cut that is wanted. */
  readonly lanes: number;
  readonly keyExpression: string;
  /** Look, and change nothing. */
  readonly dryRun: boolean;
}

/**
 * What became of a partition. `unopened`: it takes the configured cut when it begins. `standing`:
 * it has that cut already. `undrained`: records are begun or, as far as the group tells, not
 * finished.
 */
export type RelaneOutcome = 'unopened' | 'standing' | 'undrained' | 'drained' | 'relaned';

export interface Relaned extends TopicPartition {
  readonly outcome: RelaneOutcome;
  /** Lanes on the ledger before; null when it was never opened. */
  readonly lanesBefore: number | null;
  /** The first offset that is not finished, by the group's ack; null without an ack. */
  readonly position: bigint | null;
  /** The last offset that any lane has finished; null when none has. */
  readonly finished: bigint | null;
  readonly txId: string | null;
}

/**
 * Goes over the partitions. One is drained when the group's ack, made under this very ledger, lies
 * behind everything that any of its lanes has finished: what is below an ack is finished, and above
 * it nothing is begun. The chaincode looks at the watermarks again, in the transaction itself.
 *
 * @throws ShuttleError SOURCE_REPLACED; LEDGER_REFUSED when a bridge has gone on meanwhile
 */
export async function relane(
  { source, ledger }: { readonly source: Source; readonly ledger: Ledger },
  options: RelaneOptions,
): Promise<readonly Relaned[]> {
  const keyExpression = createKeyExpression(options.keyExpression);
  const identity = await ledger.identity();
  const mine = ackMetadata({ identity, options });
  const [ends, acks] = await Promise.all([source.ends(), source.acks()]);
  const acked = new Map(
    acks.filter(({ metadata }) => metadata === mine).map((ack) => [partitionName(ack), ack.offset]),
  );
  const all = ends.filter(({ topic }) => options.topic === null || topic === options.topic);
  const results: Relaned[] = [];
  for (const end of all) {
    const position = acked.get(partitionName(end)) ?? null;
    const state = await ledger.getPartition(options.stream, end);
    const found = look(end, state, position, options.lanes, keyExpression);
    if (found.outcome !== 'drained' || state.layout === null || position === null) {
      results.push(found);
      continue;
    }
    const { layout, watermarks } = state;
    await checkFingerprints({ source, keyExpression }, end, { layout, watermarks });
    const { dryRun } = options;
    results.push(dryRun ? found : await cutAnew(ledger, options, found, position, keyExpression));
  }
  return results;
}

function look(
  { topic, partition }: TopicPartition,
  { layout, watermarks }: PartitionState,
  position: bigint | null,
  lanes: number,
  keyExpression: KeyExpression | null,
): Relaned {
  const base = layout === null || layout.base < 0n ? null : layout.base;
  const finished = watermarks.reduce<bigint | null>(
    (most, w) => (w !== null && (most === null || w.offset > most) ? w.offset : most),
    base,
  );
  return {
    topic,
    partition,
    outcome: outcomeOf(layout, finished, position, lanes, keyExpression),
    lanesBefore: layout?.lanes ?? null,
    position,
    finished,
    txId: null,
  };
}

function outcomeOf(
  layout: Layout | null,
  finished: bigint | null,
  position: bigint | null,
  lanes: number,
  keyExpression: KeyExpression | null,
): RelaneOutcome {
  if (layout === null) {
    return 'unopened';
  }
  const digest = keyExpression?.digest ?? '';
  if (layout.lanes === lanes && layout.keyExpressionDigest === digest) {
    return 'standing';
  }
  return position !== null && position > (finished ?? -1n) ? 'drained' : 'undrained';
}

async function cutAnew(
  ledger: Ledger,
  { stream, lanes }: RelaneOptions,
  found: Relaned,
  position: bigint,
  keyExpression: KeyExpression | null,
): Promise<Relaned> {
  const numbers = [found.partition, position, lanes, LANE_HASH_VERSION].map(String);
  const args = [stream, found.topic, ...numbers, keyExpression?.digest ?? ''];
  const { txId } = await ledger.submit('relane', args);
  return { ...found, outcome: 'relaned', txId };
}
