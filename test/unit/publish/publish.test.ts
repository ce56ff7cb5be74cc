import { describe, expect, it } from '@jest/globals';
import { topicNames } from '../../../bridge/src/block/topics.ts';
import type { ErrorCode } from '../../../bridge/src/errors.ts';
import type { Meter } from '../../../bridge/src/ports.ts';
import {
  type PublishOptions,
  type PublishSummary,
  runPublish,
} from '../../../bridge/src/publish/publish.ts';
import {
  type BuiltBlock,
  buildBlock,
  buildChain,
  CHAINCODE,
  CHANNEL,
} from '../../support/blocks.ts';
import { IdleClock } from '../../support/blocks-clock.ts';
import { BlocksLedger, peerGone } from '../../support/blocks-ledger.ts';
import { kafkaGone, MemoryTopics } from '../../support/blocks-sink.ts';
import { createTestLog, silentMeter } from '../../support/fakes.ts';

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`);
const chainOf = (blocks: number, fork = ''): BuiltBlock[] =>
  buildChain(numbers(blocks - 1).map((number) => [{ txId: `tx${fork}-${number}` }]));

class World {
  readonly chain: BuiltBlock[];
  readonly ledger: BlocksLedger;
  readonly topics = new MemoryTopics(topicNames('shuttle', CHANNEL).blocks);
  readonly clock = new IdleClock();
  readonly log = createTestLog();
  readonly stop = new AbortController();
  readonly metered: { number: bigint; transactions: number }[] = [];
  readonly reachable: [string, boolean][] = [];
  readonly failed: string[] = [];

  constructor(chain: BuiltBlock[] = chainOf(6)) {
    this.chain = chain;
    this.ledger = new BlocksLedger(chain);
  }

  run(options: Partial<PublishOptions> = {}): Promise<PublishSummary> {
    const meter: Meter = {
      ...silentMeter,
      blockPublished: (number, transactions) => this.metered.push({ number, transactions }),
      failed: (code) => this.failed.push(code),
      reachable: (side, yes) => this.reachable.push([side, yes]),
    };
    const { ledger, clock, log, topics } = this;
    return runPublish(
      { openSink: () => topics.sink(), ledger, clock, log, meter },
      {
        channel: CHANNEL,
        chaincode: CHAINCODE,
        prefix: 'shuttle',
        untilEnd: true,
        transactionBytesMax: 1_000_000,
        transactionRecordsMax: 1_000,
        ...options,
      },
      this.stop.signal,
    );
  }

  said(message: string): number {
    return this.log.lines.filter((line) => line.message === message && line.level !== 'debug')
      .length;
  }
}

const refusal = (code: ErrorCode) => expect.objectContaining({ code });
/** One block a Kafka transaction, so that faults fall between blocks. */
const ONE = { transactionRecordsMax: 1 };

describe('publishing', () => {
  it('brings every block once, in order, and returns at the end that it saw', async () => {
    const world = new World();
    const summary = await world.run();
    expect(world.topics.blocks).toEqual(numbers(6));
    expect(summary).toMatchObject({ blocks: 6, transactions: 6, records: 12, lastBlock: 5n });
    expect(world.topics.open).toBe(0);
  });

  it('goes on behind what the topic holds', async () => {
    const world = new World();
    world.ledger.served = 3;
    await world.run();
    world.ledger.served = 6;
    const summary = await world.run();
    expect(world.topics.blocks).toEqual(numbers(6));
    expect(summary.blocks).toBe(3);
    expect(world.ledger.opened).toEqual([0n, 3n]);
  });

  it('has nothing to do when the topic is at the end', async () => {
    const world = new World();
    await world.run();
    expect(await world.run()).toMatchObject({ blocks: 0, commits: 0, lastBlock: 5n });
    expect(world.ledger.opened).toEqual([0n]);
  });

  it('tells each block once, in the log and to the meter', async () => {
    const world = new World();
    await world.run();
    const lines = world.log.lines.filter((line) => line.message === 'published a block');
    expect(lines.map((line) => line.fields.block_number)).toEqual([0n, 1n, 2n, 3n, 4n, 5n]);
    expect(world.metered.map(({ number }) => number)).toEqual([0n, 1n, 2n, 3n, 4n, 5n]);
  });

  it('follows the chain until it is stopped', async () => {
    const world = new World();
    world.ledger.served = 2;
    const running = world.run({ untilEnd: false });
    world.topics.before = (step) => {
      if (step === 'answer' && world.topics.blocks.length === 2) {
        world.ledger.serve(4);
      }
      if (step === 'answer' && world.topics.blocks.length === 4) {
        world.stop.abort();
      }
    };
    expect((await running).lastBlock).toBe(3n);
    expect(world.topics.blocks).toEqual(numbers(4));
    expect(world.topics.open).toBe(0);
    expect(world.ledger.streams).toBe(0);
  });

  it('says of both sides that they answer, once', async () => {
    const world = new World();
    await world.run();
    expect(world.reachable).toEqual([
      ['fabric', true],
      ['kafka', true],
    ]);
  });

  it('publishes blocks alone when asked to', async () => {
    const world = new World();
    await world.run({ outputs: [] });
    expect(world.topics.records).toHaveLength(6);
  });
});

describe('a Kafka transaction', () => {
  it('carries whole blocks up to its bounds', async () => {
    const world = new World();
    // Genesis alone: the reader waits for room, so that later ones gather behind it.
    world.topics.before = async (step) => {
      if (step === 'commit') {
        await world.clock.sleep(1);
      }
    };
    await world.run({ transactionRecordsMax: 5 });
    const sizes = world.topics.transactions.map((records) => records.length);
    expect(sizes.every((size) => size <= 5 && size % 2 === 0)).toBe(true);
    expect(Math.max(...sizes)).toBe(4);
    expect(world.topics.blocks).toEqual(numbers(6));
  });

  it('never splits a block, however large it is', async () => {
    const many = numbers(50).map((number) => ({ txId: `many-${number}` }));
    const world = new World(buildChain([many, [{ txId: 'last' }]]));
    await world.run({ transactionRecordsMax: 10, transactionBytesMax: 100 });
    expect(world.topics.transactions.map((records) => records.length)).toEqual([2, 51, 2]);
  });

  it('does not wait for more blocks than are there', async () => {
    const world = new World();
    world.ledger.served = 1;
    const running = world.run({ untilEnd: false });
    const first = await new Promise<number>((resolve) => {
      world.topics.before = (step) => {
        if (step === 'answer') {
          resolve(world.topics.transactions.length);
        }
      };
    });
    world.stop.abort();
    await running;
    expect(first).toBe(1);
  });
});

describe('when Kafka fails', () => {
  for (const [what, step] of [
    ['before the commit', 'commit'],
    ['after the commit, the answer lost', 'answer'],
    ['while it is opened', 'open'],
  ] as const) {
    it(`publishes exactly once: ${what}`, async () => {
      const world = new World();
      let faults = 0;
      world.topics.before = (now, sink) => {
        if (now === step && sink % 2 === 1 && world.topics.blocks.length >= 2 * faults) {
          faults += 1;
          throw kafkaGone();
        }
      };
      const summary = await world.run(ONE);
      expect(faults).toBeGreaterThan(0);
      expect(world.topics.blocks).toEqual(numbers(6));
      expect(summary.blocks).toBe(6);
      expect(world.metered.map(({ number }) => number)).toEqual([0n, 1n, 2n, 3n, 4n, 5n]);
      expect(world.topics.open).toBe(0);
    });
  }

  it('says once that Kafka is gone, and once that it is back', async () => {
    const world = new World();
    world.topics.before = (step, sink) => {
      if (step === 'open' && sink < 10) {
        throw kafkaGone();
      }
    };
    await world.run();
    expect(world.said('lost the far side, waiting')).toBe(1);
    expect(world.said('reached the far side again')).toBe(1);
    expect(world.reachable.filter(([side]) => side === 'kafka')).toEqual([
      ['kafka', false],
      ['kafka', true],
    ]);
  });

  it('stops when another publisher has taken over', async () => {
    const world = new World();
    world.topics.before = async (step, sink) => {
      if (step === 'commit' && sink === 1 && world.topics.blocks.length === 2) {
        await world.topics.sink().open();
      }
    };
    await expect(world.run(ONE)).rejects.toEqual(refusal('PUBLISHER_FENCED'));
    expect(world.topics.blocks).toEqual(numbers(2));
    expect(world.said('stopped publishing')).toBe(1);
    expect(world.failed).toEqual(['PUBLISHER_FENCED']);
  });

  it('stops at what does not pass by itself, a defect included', async () => {
    const world = new World();
    world.topics.before = () => {
      throw new TypeError('x is not a function');
    };
    await expect(world.run()).rejects.toEqual(refusal('INTERNAL'));
    expect(world.topics.sinks).toBe(1);
  });
});

describe('when the peer fails', () => {
  it('opens a cut stream again at the next block, on the same sink', async () => {
    const world = new World();
    const cut = new Set([2, 4]);
    world.ledger.beforeBlock = (number) => {
      if (cut.delete(number)) {
        throw peerGone();
      }
    };
    await world.run();
    expect(world.topics.blocks).toEqual(numbers(6));
    expect(world.ledger.opened).toEqual([0n, 2n, 4n]);
    expect(world.topics.sinks).toBe(1);
  });

  it('takes a stream that ends by itself for a cut one', async () => {
    const world = new World();
    world.ledger.endsBehind = 2;
    await world.run();
    expect(world.topics.blocks).toEqual(numbers(6));
    expect(world.ledger.opened).toEqual([0n, 3n]);
    expect(world.said('lost the far side, waiting')).toBe(1);
  });

  it('waits for it at the start, and says so once', async () => {
    const world = new World();
    let calls = 0;
    world.ledger.beforeCall = () => {
      calls += 1;
      if (calls < 20) {
        throw peerGone();
      }
    };
    await world.run();
    expect(world.topics.blocks).toEqual(numbers(6));
    expect(world.said('lost the far side, waiting')).toBe(1);
    expect(world.reachable.filter(([side]) => side === 'fabric')).toEqual([
      ['fabric', false],
      ['fabric', true],
    ]);
  });

  it('waits for a peer that is behind the topic, and says so once', async () => {
    const world = new World();
    world.ledger.served = 5;
    await world.run();
    world.ledger.served = 2;
    const running = world.run({ untilEnd: false });
    let asked = 0;
    world.ledger.beforeCall = () => {
      asked += 1;
      if (asked === 5) {
        world.ledger.serve(6);
      }
    };
    world.topics.before = (step) => {
      if (step === 'answer') {
        world.stop.abort();
      }
    };
    await running;
    expect(world.topics.blocks).toEqual(numbers(6));
    expect(world.said('found the peer behind the topic, waiting')).toBe(1);
  });

  it('gives up at the deadline of a bounded run, and tells the cause', async () => {
    const world = new World();
    world.ledger.beforeCall = () => {
      throw peerGone();
    };
    await expect(world.run({ deadlineMs: 60_000 })).rejects.toEqual(
      expect.objectContaining({ code: 'DEADLINE', cause: refusal('FABRIC_UNREACHABLE') }),
    );
  });

  it('gives up as well when Kafka opens and then takes nothing', async () => {
    const world = new World();
    world.topics.before = (step) => {
      if (step === 'commit') {
        throw kafkaGone();
      }
    };
    await expect(world.run({ deadlineMs: 60_000 })).rejects.toEqual(refusal('DEADLINE'));
  });

  it('does not give up while blocks come, however long the run takes', async () => {
    const world = new World();
    world.topics.before = async (step) => {
      if (step === 'commit') {
        await world.clock.sleep(900);
      }
    };
    await world.run({ ...ONE, deadlineMs: 1_000 });
    expect(world.topics.blocks).toEqual(numbers(6));
  });
});

describe('a chain that is not the topic’s', () => {
  it('is refused by its genesis before a block is read', async () => {
    const world = new World();
    await world.run();
    world.ledger.genesisHash = 'ee'.repeat(32);
    await expect(world.run()).rejects.toEqual(refusal('FORKED'));
    expect(world.ledger.opened).toEqual([0n]);
  });

  it('is refused by the first block that does not continue the topic', async () => {
    const world = new World();
    world.ledger.served = 3;
    await world.run();
    const fork = new World(chainOf(6, 'fork'));
    fork.topics.transactions.push(...world.topics.transactions);
    await expect(fork.run()).rejects.toEqual(refusal('FORKED'));
    expect(fork.topics.blocks).toEqual(numbers(3));
  });

  it('is refused when the peer’s own genesis is another than it says', async () => {
    const world = new World();
    world.ledger.genesisHash = 'ee'.repeat(32);
    await expect(world.run()).rejects.toEqual(refusal('BLOCK_INVALID'));
    expect(world.topics.blocks).toEqual([]);
  });

  it('is not continued on a topic that has lost its start', async () => {
    const world = new World();
    const position = { number: 2n, hash: world.chain[2]?.hash ?? '' };
    for (const tail of [
      { kind: 'truncated', logStart: 7n },
      { kind: 'resume', first: position, last: position },
    ] as const) {
      world.topics.tail = tail;
      await expect(world.run()).rejects.toEqual(refusal('BLOCKS_TRUNCATED'));
    }
    expect(world.topics.blocks).toEqual([]);
  });
});

describe('a block that is not what it says', () => {
  it('is never published, and what came before it is', async () => {
    const [genesis, first] = chainOf(2) as [BuiltBlock, BuiltBlock];
    const spoiled = buildBlock({
      number: 2,
      previous: first,
      transactions: [{ txId: 'a' }],
      spoil: (block) => block.getData()?.setDataList([Buffer.from('other data')]),
    });
    const world = new World([genesis, first, spoiled]);
    await expect(world.run()).rejects.toEqual(refusal('BLOCK_INVALID'));
    expect(world.topics.blocks).toEqual(numbers(2));
  });
});

describe('memory', () => {
  it('stays bounded: no block is read beyond the queue while Kafka is slow', async () => {
    const world = new World(chainOf(40));
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let pulledWhileHeld = 0;
    world.topics.before = async (step) => {
      if (step === 'commit' && world.topics.transactions.length === 0) {
        // Virtual time passes only when the reader has nothing left to do.
        await world.clock.sleep(1_000);
        pulledWhileHeld = world.ledger.pulled;
        release();
        await held;
      }
    };
    const bytes = world.chain[1]?.bytes.length ?? 0;
    await world.run({ ...ONE, queueBytesMax: 8 * bytes });
    expect(pulledWhileHeld).toBeGreaterThan(2);
    expect(pulledWhileHeld).toBeLessThanOrEqual(10);
    expect(world.topics.blocks).toEqual(numbers(40));
  });
});

describe('a stop', () => {
  it('lets the Kafka transaction in flight finish', async () => {
    const world = new World();
    world.topics.before = async (step) => {
      if (step === 'commit') {
        world.stop.abort();
        await world.clock.sleep(5_000);
      }
    };
    const summary = await world.run(ONE);
    expect(world.topics.blocks).toEqual(['0']);
    expect(summary).toMatchObject({ blocks: 1, lastBlock: 0n });
    expect(world.topics.open).toBe(0);
  });

  it('leaves one that hangs, and does not count it', async () => {
    const world = new World();
    world.topics.before = async (step) => {
      if (step === 'commit') {
        world.stop.abort();
        await new Promise<never>(() => {});
      }
    };
    expect(await world.run(ONE)).toMatchObject({ blocks: 0, lastBlock: null });
    expect(world.topics.blocks).toEqual([]);
    expect(world.topics.open).toBe(0);
  });

  it('ends every wait at once', async () => {
    const world = new World();
    world.ledger.beforeCall = () => {
      world.stop.abort();
      throw peerGone();
    };
    expect(await world.run()).toMatchObject({ blocks: 0 });
  });
});
