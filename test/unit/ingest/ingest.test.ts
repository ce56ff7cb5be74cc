import { describe, expect, it } from '@jest/globals';
import { laneOf } from '@shuttle/chaincode/wire';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import type { IngestOptions, IngestSummary } from '../../../bridge/src/ingest/context.ts';
import { runIngest } from '../../../bridge/src/ingest/ingest.ts';
import { createTestLog, MemoryDeadLetters, silentMeter, testClock } from '../../support/fakes.ts';
import { type Judgement, type MemoryChannel, MemoryLedger } from '../../support/memory-ledger.ts';
import { MemorySource, MemoryTopic } from '../../support/memory-source.ts';

const OPTIONS: IngestOptions = {
  stream: 'cluster',
  lanes: 4,
  keyExpression: '',
  batchRecords: 10,
  batchBytes: 64 * 1024,
  batchAgeMs: 1,
  inFlightMax: 8,
  bufferRecordsMax: 1_000,
  bufferBytesMax: 1024 * 1024,
  ackIntervalMs: 5,
  gapPatienceMs: 50,
  acceptTruncation: false,
  untilEnd: true,
};

function world(partitions = 1) {
  const topic = new MemoryTopic('cleaned', partitions);
  const ledger = new MemoryLedger();
  const deadLetters = new MemoryDeadLetters();
  const log = createTestLog();
  const run = (
    options: Partial<IngestOptions> = {},
    source = new MemorySource(topic),
    signal = new AbortController().signal,
    on: MemoryLedger = ledger,
  ): Promise<IngestSummary> =>
    runIngest(
      { source, deadLetters, ledger: on, clock: testClock, log, meter: silentMeter },
      { ...OPTIONS, ...options },
      signal,
    );
  return { topic, ledger, channel: ledger.channel, deadLetters, log, run };
}

/** `count` records over `keys` keys; the value tells the position. */
function fill(topic: MemoryTopic, count: number, keys: number): void {
  const { length } = topic.partitions;
  for (let i = 0; i < count; i++) {
    // A key has one partition, as Kafka's partitioner would have it.
    const key = i % keys;
    topic.append(key % length, `key-${key}`, JSON.stringify({ n: i }));
  }
}

/** The records of each key in source order, and as the ledger applied them. */
function sequences(topic: MemoryTopic, channel: MemoryChannel) {
  const sent = new Map<string, unknown[]>();
  for (const partition of topic.partitions) {
    for (const record of partition.records) {
      const key = String(record.key);
      sent.set(key, [
        ...(sent.get(key) ?? []),
        record.value === null ? null : String(record.value),
      ]);
    }
  }
  const applied = new Map<string, unknown[]>();
  for (const { key, value } of channel.applied) {
    applied.set(key, [...(applied.get(key) ?? []), value]);
  }
  const sort = (m: Map<string, unknown[]>) => [...m].sort(([a], [b]) => a.localeCompare(b));
  return { sent: sort(sent), applied: sort(applied) };
}

function expectExactlyOnce(topic: MemoryTopic, channel: MemoryChannel): void {
  const { sent, applied } = sequences(topic, channel);
  expect(applied).toEqual(sent);
}

describe('every record is applied exactly once, in order per key', () => {
  it('over several partitions and lanes, with gaps in the offsets', async () => {
    const { topic, channel, run } = world(3);
    fill(topic, 100, 17);
    topic.skip(1, 5);
    fill(topic, 400, 17);
    topic.skip(2, 2);
    const summary = await run();
    expectExactlyOnce(topic, channel);
    expect(summary).toMatchObject({ applied: 500, rejected: 0, repeated: 0, stops: [] });
    expect(summary.batches).toBeLessThan(200);
  });

  it('when answers are lost before and after the commit', async () => {
    const { topic, channel, ledger, run } = world(2);
    fill(topic, 600, 23);
    let call = 0;
    const sometimes = (every: number, code: 'SUBMIT_UNKNOWN' | 'ENDORSE_FAILED') => () => {
      call += 1;
      if (call % every === 0) {
        throw new ShuttleError(code, 'lost');
      }
    };
    ledger.faults = {
      beforeEndorse: sometimes(7, 'ENDORSE_FAILED'),
      beforeCommit: sometimes(5, 'SUBMIT_UNKNOWN'),
      afterCommit: sometimes(3, 'SUBMIT_UNKNOWN'),
    };
    await run();
    expectExactlyOnce(topic, channel);
  });

  it('when two instances both believe that they own the partition', async () => {
    const { topic, channel, run } = world(1);
    fill(topic, 500, 11);
    const twins = [new MemoryLedger(channel), new MemoryLedger(channel)];
    const never = new AbortController().signal;
    await Promise.all(
      twins.map((twin, i) =>
        run({ batchRecords: 7 + i * 4 }, new MemorySource(topic), never, twin),
      ),
    );
    expectExactlyOnce(topic, channel);
  });

  it('when the group is lost: a second run submits nothing', async () => {
    const { topic, channel, ledger, run } = world(2);
    fill(topic, 300, 13);
    await run();
    const { submits } = ledger;
    topic.acks.clear();
    const summary = await run();
    expect(ledger.submits).toBe(submits);
    expect(summary).toMatchObject({ applied: 0, repeated: 300, batches: 0 });
    expectExactlyOnce(topic, channel);
  });

  it('when the ack names another ledger: it is read again from the log start', async () => {
    const { topic, channel, run } = world(1);
    fill(topic, 50, 5);
    await run();
    channel.layouts.clear();
    channel.watermarks.clear();
    channel.applied.length = 0;
    channel.genesisHash = 'b2'.repeat(32);
    await run();
    expectExactlyOnce(topic, channel);
  });

  it('when a partition is taken away in mid run and given back', async () => {
    const { topic, channel, ledger, run } = world(2);
    fill(topic, 400, 19);
    const source = new MemorySource(topic);
    let commits = 0;
    ledger.faults.afterCommit = () => {
      commits += 1;
      if (commits === 5 || commits === 15) {
        source.revoke(1);
        source.assign([1]);
      }
    };
    await run({}, source);
    expectExactlyOnce(topic, channel);
  });
});

describe('only contiguous finished offsets are acked', () => {
  it('never beyond a record that is unfinished', async () => {
    const { topic, ledger, channel, run } = world(1);
    fill(topic, 200, 20);
    const source = new MemorySource(topic);
    const finished = new Set<bigint>();
    ledger.faults.afterCommit = () => {
      for (const { offset } of channel.applied) {
        finished.add(offset);
      }
    };
    await run({ ackIntervalMs: 1 }, source);
    expect(source.ackLog.at(-1)?.offset).toBe(200n);
    expect(source.ackLog.length).toBeGreaterThan(1);
  });

  it('not while the first batch of a lane hangs', async () => {
    const { topic, ledger, run } = world(1);
    fill(topic, 100, 30);
    const stuck = laneOf(Buffer.from('key-0'), OPTIONS.lanes);
    const source = new MemorySource(topic);
    const stop = new AbortController();
    let others = 0;
    ledger.faults.beforeEndorse = async (header) => {
      if (header.lane === stuck) {
        await new Promise<void>((resolve) => {
          stop.signal.addEventListener('abort', () => resolve(), { once: true });
        });
        throw new ShuttleError('ENDORSE_FAILED', 'too late');
      }
      others += header.count;
      if (others > 20) {
        setTimeout(() => stop.abort(), 30);
      }
    };
    await run({}, source, stop.signal);
    expect(source.ackLog.map((ack) => ack.offset)).toEqual([0n]);
  });
});

describe('no record disappears', () => {
  it('a record without a key is a dead letter before anything behind it on lane 0', async () => {
    const { topic, channel, deadLetters, run } = world(1);
    const zero = Array.from({ length: 50 }, (_, i) => `k${i}`).filter(
      (key) => laneOf(Buffer.from(key), OPTIONS.lanes) === 0,
    );
    topic.append(0, zero[0] ?? '', '1');
    topic.append(0, null, '{"no":"key"}', [{ name: 'trace', value: Buffer.from('x') }]);
    topic.append(0, zero[1] ?? '', '2');
    deadLetters.before = () => {
      expect(channel.applied.map((a) => a.value)).toEqual(['1']);
    };
    const summary = await run();
    expect(deadLetters.letters).toHaveLength(1);
    expect(deadLetters.letters[0]).toMatchObject({
      code: 'KEY_MISSING',
      stage: 'carry',
      partition: 0,
      record: { offset: 1n, headers: [{ name: 'trace' }] },
    });
    expect(summary).toMatchObject({ applied: 2, rejected: 1 });
    expect(topic.acks.get('cleaned/0')?.offset).toBe(3n);
  });

  it('what the ledger rejects is a dead letter with its transaction before the lane goes on', async () => {
    const { topic, channel, deadLetters, ledger, run } = world(1);
    channel.judge = (record) => (String(record.value) === 'bad' ? 'VALUE_NOT_JSON' : null);
    for (let i = 0; i < 40; i++) {
      topic.append(0, 'one', i % 10 === 3 ? 'bad' : String(i));
    }
    let lettersAtSubmit = 0;
    ledger.faults.beforeEndorse = (header) => {
      const refused = [3n, 13n, 23n, 33n].filter((offset) => offset < header.first);
      expect(deadLetters.letters.map((letter) => letter.record.offset)).toEqual(refused);
      lettersAtSubmit += 1;
    };
    const summary = await run();
    expect(lettersAtSubmit).toBeGreaterThan(3);
    expect(summary).toMatchObject({ applied: 36, rejected: 4 });
    expect(deadLetters.letters[0]).toMatchObject({ code: 'VALUE_NOT_JSON', stage: 'ledger' });
    expect(deadLetters.letters[0]?.txId).toMatch(/^tx/);
  });

  it('a crash between commit and dead letter is mended by the next owner', async () => {
    const { topic, channel, deadLetters, run } = world(1);
    channel.judge = (record) => (String(record.value) === 'bad' ? 'VALUE_NOT_JSON' : null);
    topic.append(0, 'one', '1');
    topic.append(0, 'one', 'bad');
    topic.append(0, 'one', '3');
    const crash = new AbortController();
    deadLetters.before = async () => {
      crash.abort();
      throw new ShuttleError('PRODUCE_FAILED', 'crashed');
    };
    await run({}, new MemorySource(topic), crash.signal);
    expect(deadLetters.letters).toEqual([]);
    expect(topic.acks.get('cleaned/0')?.offset).toBe(0n);
    deadLetters.before = () => {};
    await run();
    expect(deadLetters.letters.map((l) => [l.record.offset, l.code])).toEqual([
      [1n, 'VALUE_NOT_JSON'],
    ]);
    expect(channel.applied.map((a) => a.value)).toEqual(['1', '3']);
    expect(channel.transactions).toBe(1);
    expect(topic.acks.get('cleaned/0')?.offset).toBe(3n);
  });

  it('what a contract’s own rule refuses says so in the rule’s words, whoever learns of it', async () => {
    const { topic, channel, deadLetters, run } = world(1);
    const rule = { name: 'OUT_OF_ORDER', sentence: 'It was received before.' };
    channel.judge = (record) =>
      new Map<string, Judgement>([
        ['rule', { code: 'RULE_REFUSED', rule }],
        ['bare', { code: 'RULE_REFUSED' }],
        ['new', 'CODE_OF_A_LATER_VERSION'],
      ]).get(String(record.value)) ?? null;
    for (const value of ['1', 'rule', 'bare', 'new', '2']) {
      topic.append(0, 'one', value);
    }
    const expected = [
      ['RULE_REFUSED', 'OUT_OF_ORDER', 'It was received before.'],
      ['RULE_REFUSED', undefined, "The contract's own rule refused the record."],
      ['CODE_OF_A_LATER_VERSION', undefined, 'The record was refused.'],
    ];
    const told = () => deadLetters.letters.map((l) => [l.code, l.rule, l.reason]);
    const crash = new AbortController();
    deadLetters.before = () => {
      crash.abort();
      throw new ShuttleError('PRODUCE_FAILED', 'crashed');
    };
    await run({}, new MemorySource(topic), crash.signal);
    deadLetters.before = () => {};
    // The transaction is committed: the next owner has the watermark alone to learn it from.
    await run();
    expect(told()).toEqual(expected);
    for (const value of ['rule', 'bare', 'new']) {
      topic.append(0, 'one', value);
    }
    await run();
    expect(told()).toEqual([...expected, ...expected]);
    expect(channel.applied.map((a) => a.value)).toEqual(['1', '2']);
  });

  it('takes the key from the value by the key expression', async () => {
    const { topic, channel, deadLetters, run } = world(1);
    topic.append(0, null, '{"id":"a/1","n":1}');
    topic.append(0, null, '{"id":7}');
    topic.append(0, null, '{"id":null}');
    topic.append(0, null, 'not json');
    await run({ keyExpression: '/id' });
    expect(channel.applied.map((a) => a.key).sort()).toEqual(['7', 'a/1']);
    expect(deadLetters.letters.map((l) => l.code)).toEqual(['KEY_MISSING', 'KEY_MISSING']);
  });
});

describe('a fault that will not pass stops the partition with its code', () => {
  const codes = (summary: IngestSummary) =>
    summary.stops.map(({ partition, error }) => [partition, error.code]);

  it('LAYOUT_MISMATCH: lanes or key expression differ; the other partition goes on', async () => {
    const { topic, channel, ledger, run } = world(2);
    await ledger.openPartition(
      'cluster',
      { topic: 'cleaned', partition: 0 },
      { partitions: 2, older: 0, lanes: 9, keyExpressionDigest: '' },
    );
    fill(topic, 60, 10);
    expect(codes(await run())).toEqual([[0, 'LAYOUT_MISMATCH']]);
    expect(channel.applied).toHaveLength(30);
    expect(codes(await run({ keyExpression: '/id' }))).toContainEqual([1, 'LAYOUT_MISMATCH']);
  });

  it('ends by itself when every partition has stopped, though it was to run for ever', async () => {
    const { topic, ledger, run } = world(2);
    for (const partition of [0, 1]) {
      await ledger.openPartition(
        'cluster',
        { topic: 'cleaned', partition },
        { partitions: 2, older: 0, lanes: 9, keyExpressionDigest: '' },
      );
    }
    fill(topic, 10, 2);
    const summary = await run({ untilEnd: false });
    expect(codes(summary)).toEqual([
      [0, 'LAYOUT_MISMATCH'],
      [1, 'LAYOUT_MISMATCH'],
    ]);
  });

  it('SOURCE_REWOUND: the ledger is ahead of the source', async () => {
    const { topic, channel, run } = world(1);
    fill(topic, 40, 4);
    await run();
    const again = new MemoryTopic('cleaned', 1);
    fill(again, 20, 4);
    const { transactions } = channel;
    expect(codes(await run({}, new MemorySource(again)))).toEqual([[0, 'SOURCE_REWOUND']]);
    expect(channel.transactions).toBe(transactions);
  });

  it('SOURCE_REPLACED: another topic of the same name, as long or longer', async () => {
    const { topic, channel, ledger, run } = world(1);
    fill(topic, 40, 4);
    await run();
    const again = new MemoryTopic('cleaned', 1);
    for (let n = 0; n < 60; n++) {
      again.append(0, `key-${n % 4}`, JSON.stringify({ other: n }));
    }
    const { submits } = ledger;
    expect(codes(await run({}, new MemorySource(again)))).toEqual([[0, 'SOURCE_REPLACED']]);
    expect(ledger.submits).toBe(submits);
    expect(channel.applied).toHaveLength(40);
  });

  it.each([
    ['SOURCE_REPLACED', 'to a record that it has read, with another fingerprint', 30n],
    ['SOURCE_REPLACED', 'to a record of another lane', 31n],
    ['SOURCE_REWOUND', 'beyond the end of the source', 4_000n],
  ])('%s: a client of the own organisation moves a watermark in mid run %s', async (...args) => {
    const [code, , offset] = args;
    const { topic, channel, ledger, run } = world();
    fill(topic, 40, 4);
    const source = new MemorySource(topic);
    let moved = false;
    ledger.faults.beforeEndorse = ({ lane, last }) => {
      const name = [...channel.watermarks.keys()].find((key) => key.endsWith(`/${lane}`));
      if (name !== undefined && !moved && last < 30n) {
        moved = true;
        const forged = { offset, txId: 'rogue', timestamp: 1, sha256: '00', rejections: [] };
        channel.watermarks.set(name, forged);
      }
    };
    const summary = await run({ batchRecords: 2 }, source);
    expect([moved, codes(summary)]).toEqual([true, [[0, code]]]);
    // What it claims is not taken for finished.
    const acked = source.ackLog.at(-1)?.offset ?? 0n;
    const applied = new Set(channel.applied.map(({ value }) => JSON.parse(String(value)).n));
    for (let n = 0; n < Number(acked); n++) {
      expect(applied.has(n)).toBe(true);
    }
  });

  it('goes on when the record of a watermark was compacted away', async () => {
    const { topic, channel, run } = world(1);
    fill(topic, 40, 4);
    await run();
    const log = topic.partition(0);
    log.records = log.records.filter((record) => record.offset < 36n);
    fill(topic, 40, 4);
    expect(codes(await run())).toEqual([]);
    expect(channel.applied).toHaveLength(80);
  });

  it('SOURCE_TRUNCATED: unfinished records are gone at assignment', async () => {
    const { topic, run, log } = world(1);
    fill(topic, 40, 4);
    await run();
    fill(topic, 40, 4);
    topic.truncate(0, 60n);
    expect(codes(await run())).toEqual([[0, 'SOURCE_TRUNCATED']]);
    const accepted = await run({ acceptTruncation: true });
    expect(accepted).toMatchObject({ applied: 20, stops: [] });
    expect(log.lines.map((line) => line.message)).toContain('accepted the loss of records');
  });

  it('SOURCE_TRUNCATED: without an ack, records behind the lowest watermark may be gone', async () => {
    const { topic, run } = world(1);
    fill(topic, 40, 4);
    await run();
    fill(topic, 40, 4);
    topic.truncate(0, 60n);
    topic.acks.clear();
    expect(codes(await run())).toEqual([[0, 'SOURCE_TRUNCATED']]);
  });

  it('SOURCE_TRUNCATED: records are gone in mid run', async () => {
    const { topic, ledger, run } = world(1);
    fill(topic, 300, 4);
    const source = new MemorySource(topic);
    source.batchRecordsMax = 20;
    let done = false;
    ledger.faults.afterCommit = () => {
      if (!done) {
        done = true;
        topic.truncate(0, 250n);
      }
    };
    expect(codes(await run({}, source))).toEqual([[0, 'SOURCE_TRUNCATED']]);
  });

  it('GAP: the own peer stays below what the ledger had confirmed', async () => {
    const { topic, channel, ledger, run } = world(1);
    fill(topic, 100, 1);
    ledger.faults.afterCommit = () => {
      if (channel.transactions === 3) {
        channel.watermarks.clear();
      }
    };
    expect(codes(await run())).toEqual([[0, 'GAP']]);
  });

  it('a first start on a topic that was trimmed before owes nothing', async () => {
    const { topic, channel, run } = world(1);
    fill(topic, 40, 4);
    topic.truncate(0, 30n);
    expect(codes(await run())).toEqual([]);
    expect(channel.applied).toHaveLength(10);
  });
});

describe('when the ledger is slow or gone, Shuttle waits', () => {
  it('pauses the partition at its bounds and goes on later', async () => {
    const { topic, channel, ledger, run } = world(1);
    fill(topic, 2_000, 50);
    const source = new MemorySource(topic);
    await run({ bufferRecordsMax: 200 }, source);
    expect(source.pauses.get('cleaned/0')).toBeGreaterThan(1);
    expectExactlyOnce(topic, channel);
    expect(ledger.inFlightMax).toBeLessThanOrEqual(OPTIONS.lanes);
  });

  it('keeps to the window of transactions in flight over all partitions', async () => {
    const { topic, ledger, run } = world(3);
    fill(topic, 900, 60);
    await run({ inFlightMax: 3 });
    expect(ledger.inFlightMax).toBe(3);
  });

  it('says once that the ledger is gone, and once that it is back', async () => {
    const { topic, channel, ledger, log, run } = world(1);
    fill(topic, 100, 10);
    let left = 12;
    ledger.faults.beforeEndorse = () => {
      left -= 1;
      if (left > 0) {
        throw new ShuttleError('FABRIC_UNREACHABLE', 'down');
      }
    };
    await run();
    expectExactlyOnce(topic, channel);
    const told = log.lines.filter((line) => line.level !== 'debug').map((line) => line.message);
    const said = told.filter((message) => message.includes('far side'));
    expect(said).toEqual(['lost the far side, waiting', 'reached the far side again']);
  });

  it('goes on when Kafka is away just as a watermark of a twin is held against its end', async () => {
    const { topic, ledger, channel, run } = world();
    fill(topic, 12, 3);
    const source = new MemorySource(topic);
    const ends = source.ends.bind(source);
    let asked = 0;
    source.ends = async () => {
      asked += 1;
      // The first two belong to the start and to the opening of the partition.
      if (asked === 3) {
        throw new ShuttleError('KAFKA_UNREACHABLE', 'gone');
      }
      return await ends();
    };
    source.batchRecordsMax = 4;
    let twin: Promise<unknown> | null = null;
    ledger.faults.beforeEndorse = async () => {
      twin ??= run({}, new MemorySource(topic), undefined, new MemoryLedger(channel));
      await twin;
    };
    const { stops } = await run({ batchRecords: 2, bufferRecordsMax: 4 }, source);
    expect(stops).toEqual([]);
    expect(asked).toBeGreaterThan(3);
    expectExactlyOnce(topic, channel);
  });

  it('gives up with DEADLINE in a bounded run when nothing moves', async () => {
    const { topic, ledger, run } = world(1);
    fill(topic, 10, 2);
    ledger.faults.beforeRead = () => {
      throw new ShuttleError('FABRIC_UNREACHABLE', 'down');
    };
    await expect(run({ deadlineMs: 50 })).rejects.toMatchObject({ code: 'DEADLINE' });
  });
});
