/** A block -> the records of its channel's four topics, always the same ones for the same block. */
import type { BatchHeader } from '@shuttle/chaincode/wire';
import type { OutputHeader, OutputRecord } from '../values.ts';
import { VALID } from './codes.ts';
import type { Block } from './decode.ts';
import type { EncryptRecord } from './encryption.ts';
import {
  readTransaction,
  summaryJson,
  type Transaction,
  timestampMs,
  timestampText,
  usableTxId,
} from './summary.ts';
import {
  BLOCK_HASH_HEADER,
  BLOCK_NUMBER_HEADER,
  CHANGE_COUNT_HEADER,
  COMMIT_HASH_HEADER,
  DATA_HASH_HEADER,
  EVENT_COUNT_HEADER,
  POSITION_HEADER,
  PREVIOUS_HASH_HEADER,
  RAW_HEADER,
  type TopicKind,
  type TopicNames,
  TRANSACTION_COUNT_HEADER,
} from './topics.ts';
import { decodeTransactionHeader, type TransactionHeader } from './transaction.ts';

/** The topics that may be left out; blocks never is, because it is the checkpoint. */
export type Output = 'transactions' | 'changes' | 'events';
export const OUTPUTS: readonly Output[] = ['transactions', 'changes', 'events'];

export interface RecordOptions {
  readonly channel: string;
  readonly chaincode: string;
  readonly topics: TopicNames;
  readonly outputs: readonly Output[];
  /** Headers by which the bridge vouches for the block. */
  readonly attest?: (block: Block) => readonly OutputHeader[];
  /** Encrypts the values; left out, they stay readable. */
  readonly encrypt?: EncryptRecord;
}

export interface BlockRecords {
  /** The blocks record first; then by transaction: itself, its changes, its event. */
  readonly records: readonly OutputRecord[];
  /** What the records take on the wire, near enough to cut Kafka transactions by. */
  readonly bytes: number;
  readonly transactions: number;
  readonly changes: number;
  readonly events: number;
}

const SPEC_VERSION: OutputHeader = { name: 'ce_specversion', value: '1.0' };
const JSON_TYPE: OutputHeader = { name: 'content-type', value: 'application/json' };
const PROTOBUF_TYPE: OutputHeader = { name: 'content-type', value: 'application/protobuf' };
const BLOCK_TYPE: OutputHeader = { name: 'ce_type', value: 'shuttle.block' };
const TRANSACTION_TYPE: OutputHeader = { name: 'ce_type', value: 'shuttle.transaction' };
const CHANGE_TYPE: OutputHeader = { name: 'ce_type', value: 'shuttle.change' };
const RAW: OutputHeader = { name: RAW_HEADER, value: 'true' };

/** Lengths, deltas and framing of one record, and of one header. */
const RECORD_FIXED_BYTES = 24;
const HEADER_FIXED_BYTES = 4;

/**
 * All records of a block that has been checked.
 *
 * @throws ShuttleError BLOCK_INVALID when a valid transaction cannot be decoded
 */
export function blockRecords(block: Block, options: RecordOptions): BlockRecords {
  const out = new Collector(block, options);
  if (options.outputs.length > 0) {
    block.entries.forEach((entry, index) => {
      const code = block.validationCodes[index] ?? 0xff;
      out.addTransaction(readTransaction(entry, index, code, options.chaincode));
    });
  }
  return out.finish();
}

class Collector {
  private readonly block: Block;
  private readonly options: RecordOptions;
  private readonly number: string;
  /** `<channel>:<block>`, the beginning of every id. */
  private readonly id: string;
  private readonly source: OutputHeader;
  private readonly changeSource: OutputHeader;
  private readonly numberHeader: OutputHeader;
  /** Of the first valid transaction; null when there is none. */
  private readonly timeHeader: TransactionHeader | null;
  private readonly time: number | null;
  private readonly wants: Readonly<Record<Output, boolean>>;
  private readonly records: OutputRecord[] = [];
  private changes = 0;
  private events = 0;
  private bytes = 0;

  constructor(block: Block, options: RecordOptions) {
    this.block = block;
    this.options = options;
    this.number = block.header.number.toString();
    this.id = `${options.channel}:${this.number}`;
    this.source = { name: 'ce_source', value: `/${options.channel}` };
    const { channel, chaincode } = options;
    this.changeSource = { name: 'ce_source', value: `/${channel}/${chaincode}` };
    this.numberHeader = { name: BLOCK_NUMBER_HEADER, value: this.number };
    this.timeHeader = blockTimeHeader(block);
    this.time = timestampMs(this.timeHeader?.timestamp ?? null);
    this.wants = {
      transactions: options.outputs.includes('transactions'),
      changes: options.outputs.includes('changes'),
      events: options.outputs.includes('events'),
    };
  }

  addTransaction(tx: Transaction): void {
    const id = `${this.id}:${tx.index}`;
    const own = tx.code === VALID ? timestampMs(tx.header?.timestamp ?? null) : null;
    const time = own ?? this.time;
    if (this.wants.transactions) {
      this.addSummary(tx, id, time);
    }
    if (this.wants.changes) {
      this.addChanges(tx, id, time);
    }
    if (this.wants.events && tx.event !== null) {
      this.addEvent(tx, id, time);
    }
  }

  private addSummary(tx: Transaction, id: string, time: number | null): void {
    const { options } = this;
    const txId = usableTxId(tx);
    this.add('transactions', {
      topic: options.topics.transactions,
      // An orderer's config transaction has no id, and an invalid one may have any.
      key: txId === '' ? id : txId,
      value: summaryJson(options.channel, this.number, tx),
      headers: [
        SPEC_VERSION,
        TRANSACTION_TYPE,
        this.source,
        { name: 'ce_id', value: id },
        ...timeHeader(tx.header),
        { name: 'ce_subject', value: txId === '' ? id : txId },
        JSON_TYPE,
        this.numberHeader,
      ],
      ...stamp(time),
    });
  }

  /**
   * No more headers than CloudEvents requires, and the position: time, subject and content type
   * are the record's own timestamp, key and JSON. Each header costs bytes on every change.
   */
  private addChanges(tx: Transaction, id: string, time: number | null): void {
    const { topics } = this.options;
    const position = tx.source === null ? '' : positionPrefix(tx.source);
    let nth = 0;
    for (const { key, value, offset, raw } of tx.changes) {
      const ceId = { name: 'ce_id', value: `${id}:${nth}` };
      const headers: OutputHeader[] = [SPEC_VERSION, CHANGE_TYPE, this.changeSource, ceId];
      if (offset !== null) {
        headers.push({ name: POSITION_HEADER, value: position + offset });
      }
      if (raw) {
        headers.push(RAW);
      }
      const record = { topic: topics.changes, key, value, headers, ...stamp(time) };
      this.add('changes', record);
      nth += 1;
    }
    this.changes += nth;
  }

  private addEvent(tx: Transaction, id: string, time: number | null): void {
    const { event, header } = tx;
    if (event === null || header === null) {
      return;
    }
    const { channel, topics } = this.options;
    this.add('events', {
      topic: topics.events,
      // The same key as on transactions, so that both can be joined partition by partition.
      key: header.txId,
      value: event.payload,
      headers: [
        SPEC_VERSION,
        { name: 'ce_type', value: `shuttle.event.${event.name}` },
        { name: 'ce_source', value: `/${channel}/${event.chaincode}` },
        { name: 'ce_id', value: `${id}:event` },
        ...timeHeader(header),
        { name: 'ce_subject', value: header.txId },
        this.numberHeader,
      ],
      ...stamp(time),
    });
    this.events += 1;
  }

  finish(): BlockRecords {
    const { entries } = this.block;
    const block = this.encrypted('blocks', this.blockRecord());
    this.bytes += recordBytes(block);
    return {
      records: [block, ...this.records],
      bytes: this.bytes,
      transactions: entries.length,
      changes: this.changes,
      events: this.events,
    };
  }

  private blockRecord(): OutputRecord {
    const { block, wants } = this;
    const headers: OutputHeader[] = [
      this.numberHeader,
      { name: BLOCK_HASH_HEADER, value: block.hash },
      {
        name: PREVIOUS_HASH_HEADER,
        value: Buffer.from(block.header.previousHash).toString('hex'),
      },
      { name: DATA_HASH_HEADER, value: Buffer.from(block.header.dataHash).toString('hex') },
    ];
    if (block.commitHash !== null) {
      headers.push({ name: COMMIT_HASH_HEADER, value: block.commitHash });
    }
    headers.push({ name: TRANSACTION_COUNT_HEADER, value: block.entries.length.toString() });
    if (wants.changes) {
      headers.push({ name: CHANGE_COUNT_HEADER, value: this.changes.toString() });
    }
    if (wants.events) {
      headers.push({ name: EVENT_COUNT_HEADER, value: this.events.toString() });
    }
    headers.push(SPEC_VERSION, BLOCK_TYPE, this.source, { name: 'ce_id', value: this.id });
    headers.push(...timeHeader(this.timeHeader), PROTOBUF_TYPE);
    headers.push(...(this.options.attest?.(block) ?? []));
    return {
      topic: this.options.topics.blocks,
      partition: 0,
      key: this.number,
      value: block.bytes,
      headers,
      ...stamp(this.time),
    };
  }

  private add(kind: TopicKind, plain: OutputRecord): void {
    const record = this.encrypted(kind, plain);
    this.records.push(record);
    this.bytes += recordBytes(record);
  }

  private encrypted(kind: TopicKind, record: OutputRecord): OutputRecord {
    return this.options.encrypt?.(kind, this.number, record) ?? record;
  }
}

/** Topic names hold no slash, so the position can be read from the right whatever the stream is. */
function positionPrefix({ stream, topic, partition }: BatchHeader): string {
  return `${stream}/${topic}/${partition}/`;
}

/**
 * Fabric's blocks have no time of their own: the first valid transaction's that is usable. Nobody
 * has endorsed the time of an invalid one; far in the future, Kafka would refuse the record.
 */
function blockTimeHeader(block: Block): TransactionHeader | null {
  for (const [index, entry] of block.entries.entries()) {
    if (block.validationCodes[index] === VALID) {
      const header = decodeTransactionHeader(entry);
      if (timestampMs(header.timestamp) !== null) {
        return header;
      }
    }
  }
  return null;
}

function timeHeader(header: TransactionHeader | null): OutputHeader[] {
  const text =
    header === null || header.timestamp === null ? null : timestampText(header.timestamp);
  return text === null ? [] : [{ name: 'ce_time', value: text }];
}

const stamp = (time: number | null): { timestamp?: number } =>
  time === null ? {} : { timestamp: time };

function recordBytes({ key, value, headers }: OutputRecord): number {
  let bytes = RECORD_FIXED_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
  for (const { name, value: text } of headers) {
    bytes += HEADER_FIXED_BYTES + name.length + (text?.length ?? 0);
  }
  return bytes;
}
