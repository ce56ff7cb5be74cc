import { beforeEach, describe, expect, it } from '@jest/globals';
import { EventQueue } from '../../../bridge/src/kafka/event-queue.ts';
import type { Fetched } from '../../../bridge/src/kafka/fetch-response.ts';
import type { Member } from '../../../bridge/src/kafka/member.ts';
import { Partitions } from '../../../bridge/src/kafka/partitions.ts';
import type { Assignment, Clock, Owned, SourceEvent } from '../../../bridge/src/ports.ts';
import { createTestLog, testClock } from '../../support/fakes.ts';

const clock: Clock = { ...testClock, sleep: () => Promise.resolve() };
const at = (partition: number) => ({ topic: 't', partition });

/** Notes what kafkajs would be told. */
class NotingMember implements Member {
  readonly paused = new Set<number>();
  readonly seeks: [number, bigint][] = [];
  start = (): Promise<void> => Promise.resolve();
  commit = (): Promise<void> => Promise.resolve();
  close = (): Promise<void> => Promise.resolve();
  abandon = (): void => {};
  pause = ({ partition }: { partition: number }): void => {
    this.paused.add(partition);
  };
  resume = ({ partition }: { partition: number }): void => {
    this.paused.delete(partition);
  };
  seek = ({ partition }: { partition: number }, offset: bigint): void => {
    this.seeks.push([partition, offset]);
  };
}

const fetchedOf = (from: bigint, next: bigint, bytes = 100): Fetched => ({
  kind: 'records',
  records: Array.from({ length: Number(next - from) }, (_, i) => ({
    offset: from + BigInt(i),
    timestamp: 0,
    key: null,
    value: null,
    headers: [],
  })),
  next,
  logStart: 0n,
  lastStable: next,
  bytes,
});

let queue: EventQueue<SourceEvent>;
let partitions: Partitions;
let member: NotingMember;
let ends: { logStart: bigint; logEnd: bigint; writtenEnd: bigint };
let events: SourceEvent[];
let failure: unknown;
let reading: boolean;

beforeEach(() => {
  events = [];
  failure = null;
  ends = { logStart: 0n, logEnd: 100n, writtenEnd: 100n };
  queue = new EventQueue<SourceEvent>(() => partitions.relieve());
  reading = true;
  partitions = new Partitions({
    queue,
    clock,
    closed: new AbortController().signal,
    log: createTestLog(),
    describe: async () => ({
      ends: [0, 1, 2].map((partition) => ({ ...at(partition), ...ends })),
      acks: [{ ...at(0), offset: 5n, metadata: 'm' }],
    }),
  });
  member = new NotingMember();
  partitions.attach(member);
});

/** Reads what is queued, as the pipeline would. */
function read(): void {
  void (async () => {
    for await (const event of queue) {
      events.push(event);
      if (!reading) {
        return;
      }
    }
  })().catch((error: unknown) => {
    failure = error;
  });
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const assignments = (): Assignment[] =>
  events.flatMap((event) => (event.kind === 'assigned' ? [event.assignment] : []));
const offsetsOf = (): bigint[] =>
  events.flatMap((event) =>
    event.kind === 'records' ? event.batch.records.map(({ offset }) => offset) : [],
  );

async function own(...wanted: number[]): Promise<Owned[]> {
  read();
  partitions.joined('member-1', wanted.map(at));
  await settled();
  return assignments();
}

describe('an assignment', () => {
  it('is paused before anything is fetched, and told with the group`s ack', async () => {
    partitions.joined('member-1', [at(0), at(1)]);
    expect([...member.paused]).toEqual([0, 1]);
    read();
    await settled();
    expect(assignments()).toMatchObject([
      { partition: 0, epoch: 1, logEnd: 100n, ack: { offset: 5n, metadata: 'm' } },
      { partition: 1, epoch: 2, ack: null },
    ]);
    expect(partitions.fetched(at(0), 0n, fetchedOf(0n, 5n))).toBe(false);
  });

  it('that is kept by the same member goes on where it stood', async () => {
    const [first] = await own(0, 1);
    partitions.start(first as Owned, 0n);
    partitions.fetched(at(0), 0n, fetchedOf(0n, 7n));
    partitions.joined('member-1', [at(0), at(2)]);
    await settled();
    expect(member.seeks.at(-1)).toEqual([0, 7n]);
    expect(partitions.isOwned(first as Owned)).toBe(true);
    expect(events.filter(({ kind }) => kind === 'revoked')).toMatchObject([
      { owned: { partition: 1, epoch: 2 } },
    ]);
    expect(assignments().map(({ partition }) => partition)).toEqual([0, 1, 2]);
  });

  it('of a member with a new id is a new one', async () => {
    const [first] = await own(0);
    partitions.joined('member-2', [at(0)]);
    await settled();
    expect(partitions.isOwned(first as Owned)).toBe(false);
    expect(events.map(({ kind }) => kind)).toEqual(['assigned', 'revoked', 'assigned']);
    expect(assignments().map(({ epoch }) => epoch)).toEqual([1, 2]);
  });
});

describe('what was fetched', () => {
  it('is delivered from the start`s offset on, without what stands before it', async () => {
    const [owned] = await own(0);
    partitions.start(owned as Owned, 3n);
    expect(partitions.fetched(at(0), 3n, fetchedOf(0n, 6n))).toBe(true);
    await settled();
    expect(offsetsOf()).toEqual([3n, 4n, 5n]);
  });

  it('from another position than the next is left out and asked for anew', async () => {
    const [owned] = await own(0);
    partitions.start(owned as Owned, 0n);
    partitions.fetched(at(0), 0n, fetchedOf(0n, 6n));
    expect(partitions.fetched(at(0), 9n, fetchedOf(9n, 12n))).toBe(false);
    expect(member.seeks.at(-1)).toEqual([0, 6n]);
    await settled();
    expect(offsetsOf()).toEqual([0n, 1n, 2n, 3n, 4n, 5n]);
  });

  it('is not delivered any more once the partition is revoked', async () => {
    const [owned] = await own(0);
    partitions.start(owned as Owned, 0n);
    partitions.fetched(at(0), 0n, fetchedOf(0n, 6n));
    partitions.joined('member-1', []);
    await settled();
    expect(events.map(({ kind }) => kind)).toEqual(['assigned', 'revoked']);
    expect(partitions.fetched(at(0), 6n, fetchedOf(6n, 8n))).toBe(false);
  });

  it('in amounts that nobody takes holds all partitions back until they are taken', async () => {
    reading = true;
    const owned = await own(0, 1);
    for (const each of owned) {
      partitions.start(each, 0n);
    }
    expect(member.paused.size).toBe(0);
    partitions.fetched(at(0), 0n, fetchedOf(0n, 1n, 20_000_000));
    expect([...member.paused]).toEqual([0, 1]);
    partitions.hold(owned[1] as Owned, 'pipeline');
    await settled();
    expect([...member.paused]).toEqual([1]);
  });
});

describe('calls with a past epoch', () => {
  it('do nothing', async () => {
    const [owned] = await own(0);
    const past = { ...(owned as Owned), epoch: 77 };
    partitions.start(past, 9n);
    partitions.release(past, 'new');
    expect([...member.paused]).toEqual([0]);
    expect(member.seeks).toEqual([]);
  });
});

describe('an offset that the log does not hold', () => {
  it('below the log start is told by an empty batch that begins there', async () => {
    const [owned] = await own(0);
    partitions.start(owned as Owned, 3n);
    ends = { logStart: 50n, logEnd: 100n, writtenEnd: 100n };
    expect(partitions.fetched(at(0), 3n, { kind: 'out-of-range' })).toBe(false);
    await settled();
    expect(events.at(-1)).toMatchObject({
      kind: 'records',
      batch: { records: [], next: 50n, logStart: 50n },
    });
    expect(member.seeks.at(-1)).toEqual([0, 50n]);
    expect(member.paused.size).toBe(0);
  });

  it('beyond the end is asked for again, and in the end stops the source', async () => {
    const [owned] = await own(0);
    partitions.start(owned as Owned, 500n);
    for (let tries = 1; tries < 6; tries++) {
      partitions.fetched(at(0), 500n, { kind: 'out-of-range' });
      await settled();
      expect(failure).toBeNull();
    }
    partitions.fetched(at(0), 500n, { kind: 'out-of-range' });
    await settled();
    expect(failure).toMatchObject({ code: 'SOURCE_REWOUND' });
  });
});
