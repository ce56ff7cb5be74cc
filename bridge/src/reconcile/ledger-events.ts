/** What the blocks of a channel say of one submitter's source: layouts, batches, refusals. */
import { decodeLayout, LAYOUT_TYPE, type Layout } from '@shuttle/chaincode/ledger';
import { type BatchHeader, type BatchReceipt, decodeReceipt } from '@shuttle/chaincode/wire';
import type { Change } from '../block/changes.ts';
import { VALID } from '../block/codes.ts';
import type { Block } from '../block/decode.ts';
import { readTransaction, type Transaction } from '../block/summary.ts';
import { type ChaincodeAction, decodeWrites, readWriteSets } from '../block/transaction.ts';
import { ShuttleError } from '../errors.ts';

interface Event {
  readonly blockNumber: bigint;
  readonly txId: string;
  readonly partition: number;
}

export interface LayoutEvent extends Event {
  readonly kind: 'layout';
  readonly layout: Layout;
}

export interface BatchEvent extends Event {
  readonly kind: 'batch';
  readonly header: BatchHeader;
  readonly receipt: BatchReceipt;
  /** Versions of documents in the order of the write set; those of one key are together. */
  readonly versions: readonly Change[];
}

export type LedgerEvent = LayoutEvent | BatchEvent;

/** Whose records are looked for. */
export interface Origin {
  readonly chaincode: string;
  readonly mspId: string;
  readonly stream: string;
  readonly topic: string;
}

const LAYOUT_PREFIX = Buffer.from(`\0${LAYOUT_TYPE}\0`);

/**
 * The events of the valid transactions of a block, in its order.
 *
 * @throws ShuttleError BLOCK_INVALID when a valid transaction cannot be read
 */
export function ledgerEvents(block: Block, origin: Origin): LedgerEvent[] {
  return block.entries.flatMap((entry, index) => {
    const code = block.validationCodes[index] ?? 0xff;
    if (code !== VALID) {
      return [];
    }
    const transaction = readTransaction(entry, index, code, origin.chaincode);
    return eventsOf(transaction, block.header.number, origin);
  });
}

function eventsOf(transaction: Transaction, blockNumber: bigint, origin: Origin): LedgerEvent[] {
  const { header, action, source, changes } = transaction;
  if (header === null || action === null || action.chaincode !== origin.chaincode) {
    return [];
  }
  const at = { blockNumber, txId: header.txId };
  if (source === null) {
    return layoutsOf(action, origin).map((layout) => ({
      kind: 'layout',
      ...at,
      partition: layout.partition,
      layout,
    }));
  }
  const isOurs =
    header.creatorMspId === origin.mspId &&
    source.stream === origin.stream &&
    source.topic === origin.topic;
  if (!isOurs) {
    return [];
  }
  const receipt = receiptOf(action, at);
  const { partition } = source;
  return [{ kind: 'batch', ...at, partition, header: source, receipt, versions: changes }];
}

function layoutsOf(action: ChaincodeAction, origin: Origin): Layout[] {
  return readWriteSets(action.results)
    .filter(({ namespace }) => namespace === origin.chaincode)
    .flatMap(({ rwset }) => decodeWrites(rwset))
    .filter(({ key }) => Buffer.from(key).subarray(0, LAYOUT_PREFIX.length).equals(LAYOUT_PREFIX))
    .map(({ value }) => decodeLayout(Buffer.from(value).toString('utf8')))
    .filter(
      ({ mspId, stream, topic }) =>
        mspId === origin.mspId && stream === origin.stream && topic === origin.topic,
    );
}

function receiptOf(action: ChaincodeAction, at: { blockNumber: bigint; txId: string }) {
  try {
    return decodeReceipt(Buffer.from(action.response.payload).toString('utf8'));
  } catch (cause) {
    throw new ShuttleError('BLOCK_INVALID', 'A valid batch has no readable receipt.', {
      at: { block_number: at.blockNumber, tx_id: at.txId },
      cause: cause as Error,
    });
  }
}
