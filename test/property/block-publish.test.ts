import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { topicNames } from '../../bridge/src/block/topics.ts';
import { toShuttleError } from '../../bridge/src/errors.ts';
import { runPublish } from '../../bridge/src/publish/publish.ts';
import { buildChain, CHAINCODE, CHANNEL } from '../support/blocks.ts';
import { IdleClock } from '../support/blocks-clock.ts';
import { BlocksLedger, peerGone } from '../support/blocks-ledger.ts';
import { kafkaGone, MemoryTopics } from '../support/blocks-sink.ts';
import { createTestLog, silentMeter } from '../support/fakes.ts';

const CHAIN = buildChain(Array.from({ length: 24 }, (_, i) => [{ txId: `tx-${i}` }]));

/** What happens at one step of the sinks, in the order in which the steps come. */
const SINK_FAULTS = ['none', 'none', 'none', 'fails', 'waits', 'stops', 'twin'] as const;
const PEER_FAULTS = ['none', 'none', 'none', 'none', 'cut', 'waits'] as const;

interface Plan {
  readonly sink: readonly (typeof SINK_FAULTS)[number][];
  readonly peer: readonly (typeof PEER_FAULTS)[number][];
  readonly recordsMax: number;
  readonly queueBytesMax: number;
}

const plans: fc.Arbitrary<Plan> = fc.record({
  sink: fc.array(fc.constantFrom(...SINK_FAULTS), { maxLength: 60 }),
  peer: fc.array(fc.constantFrom(...PEER_FAULTS), { maxLength: 60 }),
  recordsMax: fc.integer({ min: 1, max: 12 }),
  queueBytesMax: fc.integer({ min: 1, max: 8_000 }),
});

/** Runs publishers one after another, twins beside them, until the plan's faults are used up. */
async function follow(plan: Plan): Promise<{ topics: MemoryTopics; faults: number; runs: number }> {
  const topics = new MemoryTopics(topicNames('shuttle', CHANNEL).blocks);
  const clock = new IdleClock();
  const sinkPlan = [...plan.sink];
  const peerPlan = [...plan.peer];
  let faults = 0;
  let stop = new AbortController();
  const twins: Promise<unknown>[] = [];

  const start = (signal: AbortSignal): Promise<unknown> => {
    const ledger = new BlocksLedger(CHAIN);
    ledger.beforeBlock = async () => {
      const fault = peerPlan.shift() ?? 'none';
      faults += fault === 'none' ? 0 : 1;
      if (fault === 'cut') {
        throw peerGone();
      }
      if (fault === 'waits') {
        await clock.sleep(7);
      }
    };
    const deps = { openSink: () => topics.sink(), ledger, clock, log: createTestLog() };
    return runPublish(
      { ...deps, meter: silentMeter },
      {
        channel: CHANNEL,
        chaincode: CHAINCODE,
        prefix: 'shuttle',
        untilEnd: true,
        transactionBytesMax: 1_000_000,
        transactionRecordsMax: plan.recordsMax,
        queueBytesMax: plan.queueBytesMax,
      },
      signal,
    ).catch((error: unknown) => {
      // Of two publishers one is told to stop; nothing else may end a run.
      expect(toShuttleError(error).code).toBe('PUBLISHER_FENCED');
    });
  };

  topics.before = async () => {
    const fault = sinkPlan.shift() ?? 'none';
    faults += fault === 'none' ? 0 : 1;
    if (fault === 'fails') {
      throw kafkaGone();
    }
    if (fault === 'waits') {
      await clock.sleep(5);
    }
    if (fault === 'stops') {
      stop.abort();
    }
    if (fault === 'twin') {
      twins.push(start(new AbortController().signal));
      await clock.sleep(3);
    }
  };

  let runs = 0;
  do {
    runs += 1;
    stop = new AbortController();
    await start(stop.signal);
    // A twin may have started another one.
    while (twins.length > 0) {
      await Promise.all(twins.splice(0));
    }
  } while (topics.blocks.length < CHAIN.length && runs < 200);
  return { topics, faults, runs };
}

describe('publishing under faults of both sides', () => {
  it('brings each block exactly once, in order and with all of its records', async () => {
    let faults = 0;
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        const done = await follow(plan);
        faults += done.faults;
        expect(done.topics.blocks).toEqual(CHAIN.map(({ number }) => `${number}`));
        const names = topicNames('shuttle', CHANNEL);
        const transactions = done.topics.records.filter((r) => r.topic === names.transactions);
        expect(transactions).toHaveLength(CHAIN.length);
        expect(done.topics.open).toBe(0);
      }),
      { numRuns: 150 },
    );
    // A run without faults would prove nothing.
    expect(faults).toBeGreaterThan(500);
  }, 30_000);
});
