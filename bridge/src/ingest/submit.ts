/** Brings one batch to the ledger, whatever the first answers are. */
import type { Watermark } from '@shuttle/chaincode/ledger';
import {
  type BatchHeader,
  encodeRecords,
  type Rejection,
  sha256Hex,
} from '@shuttle/chaincode/wire';
import type { Item } from '../batch/queue.ts';
import { ShuttleError, toShuttleError } from '../errors.ts';
import { backOffMs } from '../limits.ts';
import type { TopicPartition } from '../values.ts';
import type { Context } from './context.ts';
import { persist } from './persist.ts';

/** Where a batch stands: everything that its header says beside its records. */
export interface BatchPlace extends TopicPartition {
  readonly lane: number;
  readonly layout: string;
  readonly after: bigint;
  /** The layout's base: what a lane without a watermark stands at. */
  readonly base: bigint;
}

/**
 * So many tries, and so long, pass for ordinary before it is told: peers at different heights, a
 * twin, the peer's limit hit for a moment.
 */
const ORDINARY_TRIES = 5;
const ORDINARY_MS = 2_000;

/**
 * How a batch ended. `committed`: this transaction did it. `overtaken`: the ledger's watermark has
 * moved by another transaction (an earlier try, or a twin): the lane adopts it and cuts again.
 * `abandoned`: the partition is no longer ours.
 */
export type Outcome =
  | {
      readonly kind: 'committed';
      readonly txId: string;
      readonly blockNumber: bigint;
      readonly offset: bigint;
      readonly applied: number;
      readonly rejections: readonly Rejection[];
    }
  | { readonly kind: 'overtaken'; readonly watermark: Watermark }
  | { readonly kind: 'abandoned' };

/**
 * Submits until the outcome is known. A try without effect is made again after a back-off; an
 * unknown one reads the watermark first. The batch is never sent under a new meaning: `after` and
 * the records stay, so of two tries that both reach the orderer, MVCC lets one through.
 *
 * @throws ShuttleError that stops the partition: LAYOUT_MISMATCH, GAP, LEDGER_REFUSED, ...
 */
export async function submitBatch(
  context: Context,
  place: BatchPlace,
  items: readonly Item[],
  live: () => boolean,
): Promise<Outcome> {
  const { bytes, header } = seal(context, place, items);
  const { clock, ledger } = context;
  const patience = createPatience(context, place);
  const tries = createTries(context, header);
  try {
    for (let attempt = 1; live(); attempt++) {
      try {
        const receipt = await ledger.submitBatch(header, bytes);
        tries.answered();
        return { kind: 'committed', ...receipt };
      } catch (caught) {
        const error = passing(caught);
        tries.failed(error, attempt);
        const watermark = needsWatermark(error) ? await readWatermark(context, place, live) : null;
        if (watermark !== null && watermark.offset > place.after) {
          tries.answered();
          return { kind: 'overtaken', watermark };
        }
        patience.check(error, watermark);
      }
      await clock.sleep(backOffMs(attempt, clock.random()), context.signal);
    }
    return { kind: 'abandoned' };
  } finally {
    tries.leave();
  }
}

/** Lets errors through that another try may mend. @throws those that it cannot */
function passing(caught: unknown): ShuttleError {
  const error = toShuttleError(caught);
  if (error.kind.retry === 'never' && error.code !== 'GAP') {
    throw error;
  }
  return error;
}

/**
 * GAP from an endorser that lags behind passes by itself. But `after` was confirmed by the ledger,
 * so when the own peer stays below it, it serves another ledger.
 */
function createPatience(
  context: Context,
  place: BatchPlace,
): { check(error: ShuttleError, watermark: Watermark | null): void } {
  let sinceMs: number | null = null;
  return {
    check: (error, watermark) => {
      const nowMs = context.clock.now();
      const behind = error.code === 'GAP' && (watermark?.offset ?? place.base) < place.after;
      sinceMs = behind ? (sinceMs ?? nowMs) : null;
      if (sinceMs !== null && nowMs - sinceMs > context.options.gapPatienceMs) {
        throw error;
      }
    },
  };
}

function seal(
  context: Context,
  place: BatchPlace,
  items: readonly Item[],
): { readonly header: BatchHeader; readonly bytes: Buffer } {
  const records = items.flatMap((item) => item.wire ?? []);
  const first = records[0];
  const last = records.at(-1);
  if (first === undefined || last === undefined) {
    throw new ShuttleError('INTERNAL', 'A batch without records was cut.');
  }
  const bytes = encodeRecords(records);
  const header = {
    stream: context.options.stream,
    topic: place.topic,
    partition: place.partition,
    lane: place.lane,
    layout: place.layout,
    after: place.after,
    first: first.offset,
    last: last.offset,
    count: records.length,
    digest: sha256Hex(bytes),
  };
  return { header, bytes };
}

function needsWatermark(error: ShuttleError): boolean {
  return error.kind.retry === 'resolve' || error.code === 'GAP';
}

interface Tries {
  failed(error: ShuttleError, attempt: number): void;
  answered(): void;
  leave(): void;
}

/** Tells how the tries of a batch go; that one waits, once it is not the ordinary any more. */
function createTries(context: Context, header: BatchHeader): Tries {
  const { clock, log, meter, outage } = context;
  const { topic, partition, lane, first, last } = header;
  const startMs = clock.now();
  const waiter = outage.waiter();
  return {
    failed: (error, attempt) => {
      // One transaction that orderers took and lost is found out late, and sent again at once.
      const lone = attempt === 1 && error.code === 'COMMIT_UNKNOWN';
      const long = !lone && clock.now() - startMs >= ORDINARY_MS;
      if (long || attempt >= ORDINARY_TRIES || error.code === 'FABRIC_UNREACHABLE') {
        waiter.failed('fabric', error);
      } else {
        meter.failed(error.code);
      }
      const fields = { topic, partition, lane, offset_first: first, offset_last: last, attempt };
      log.debug({ ...fields, code: error.code, err: error.message }, 'did not commit a batch');
    },
    answered: () => waiter.answered('fabric'),
    leave: () => waiter.leave(),
  };
}

/** Reads the lane's watermark from the own organisation's peers until one answers. */
async function readWatermark(
  context: Context,
  place: BatchPlace,
  live: () => boolean,
): Promise<Watermark | null> {
  const { ledger, options } = context;
  const read = () => ledger.getPartition(options.stream, place);
  const state = await persist(context, 'fabric', live, read);
  return state?.watermarks[place.lane] ?? null;
}
