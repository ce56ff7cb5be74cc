/** Topics in memory that sinks write to in transactions, as Kafka does for one channel. */
import { BLOCK_HASH_HEADER, BLOCK_NUMBER_HEADER } from '../../bridge/src/block/topics.ts';
import { ShuttleError } from '../../bridge/src/errors.ts';
import type { BlockPosition, BlockSink, BlockTail } from '../../bridge/src/ports.ts';
import type { OutputRecord } from '../../bridge/src/values.ts';

export class MemoryTopics {
  /** Committed transactions, in order. */
  readonly transactions: (readonly OutputRecord[])[] = [];
  readonly blocksTopic: string;
  /** Sinks that were opened and not closed. */
  open = 0;
  sinks = 0;
  /** Called at the named step; throwing there is the fault. */
  before: (step: 'open' | 'commit' | 'answer', sink: number) => void | Promise<void> = () => {};
  /** The tail as it is told, when a test wants to lie. */
  tail: BlockTail | null = null;
  private owner = 0;

  constructor(blocksTopic: string) {
    this.blocksTopic = blocksTopic;
  }

  get records(): OutputRecord[] {
    return this.transactions.flat();
  }

  /** Numbers on the blocks topic, in its order. */
  get blocks(): string[] {
    return this.records.filter((r) => r.topic === this.blocksTopic).map((r) => String(r.key));
  }

  sink(): BlockSink {
    const id = ++this.sinks;
    let usable = false;
    return {
      open: async () => {
        this.open += 1;
        await this.before('open', id);
        this.owner = id;
        usable = true;
        return this.tail ?? this.readTail();
      },
      publish: async (records) => {
        if (!usable) {
          throw new Error('a sink was used after it failed, or before it was opened');
        }
        // Only a call that succeeds leaves it usable.
        usable = false;
        await this.before('commit', id);
        if (this.owner !== id) {
          throw new ShuttleError('PUBLISHER_FENCED', 'Another publisher has taken over.');
        }
        this.transactions.push(records);
        await this.before('answer', id);
        usable = true;
      },
      close: async () => {
        this.open -= 1;
      },
    };
  }

  private readTail(): BlockTail {
    const blocks = this.records.filter((record) => record.topic === this.blocksTopic);
    const [first] = blocks;
    const last = blocks.at(-1);
    return first === undefined || last === undefined
      ? { kind: 'new' }
      : { kind: 'resume', first: position(first), last: position(last) };
  }
}

function position(record: OutputRecord): BlockPosition {
  const header = (wanted: string): string => {
    const found = record.headers.find(({ name }) => name === wanted);
    return Buffer.from(found?.value ?? '').toString();
  };
  return { number: BigInt(header(BLOCK_NUMBER_HEADER)), hash: header(BLOCK_HASH_HEADER) };
}

export const kafkaGone = (): ShuttleError =>
  new ShuttleError('PRODUCE_FAILED', 'Kafka did not acknowledge the transaction.');
