import { describe, expect, it } from '@jest/globals';
import { createAcks } from '../../../bridge/src/kafka/acks.ts';
import type { GroupOffset } from '../../../bridge/src/kafka/member.ts';
import type { Clock, Owned } from '../../../bridge/src/ports.ts';
import { testClock } from '../../support/fakes.ts';

const clock: Clock = { ...testClock, sleep: () => Promise.resolve() };
const FIRST: Owned = { topic: 't', partition: 0, epoch: 1 };
const SECOND: Owned = { topic: 't', partition: 1, epoch: 2 };

function createPort() {
  const commits: (readonly GroupOffset[])[] = [];
  const owned = new Set([FIRST.epoch, SECOND.epoch]);
  const port = {
    commits,
    owned,
    before: (): Promise<void> => Promise.resolve(),
    isOwned: ({ epoch }: Owned) => owned.has(epoch),
    commit: async (offsets: readonly GroupOffset[]) => {
      await port.before();
      commits.push(offsets);
    },
  };
  return port;
}

const offsetsOf = (commits: readonly (readonly GroupOffset[])[]) =>
  commits.map((offsets) => offsets.map(({ partition, offset }) => [partition, offset]));

describe('an ack', () => {
  it('is answered when Kafka has it, one partition after another', async () => {
    const port = createPort();
    const acks = createAcks(port, clock);
    for (let offset = 1n; offset <= 3n; offset++) {
      expect(await acks.ack(FIRST, offset, 'm')).toBe(true);
      expect(await acks.ack(SECOND, offset, 'm')).toBe(true);
    }
    expect(port.commits).toHaveLength(6);
    expect(port.commits[0]).toEqual([{ topic: 't', partition: 0, offset: 1n, metadata: 'm' }]);
  });

  it('made while another is on its way travels with the newest of its partition', async () => {
    const port = createPort();
    let go = (): void => {};
    port.before = () => new Promise((resolve) => (go = resolve));
    const acks = createAcks(port, clock);
    const first = acks.ack(FIRST, 1n, '');
    port.before = () => Promise.resolve();
    const later = [acks.ack(FIRST, 5n, ''), acks.ack(FIRST, 3n, ''), acks.ack(SECOND, 9n, '')];
    go();
    expect(await Promise.all([first, ...later])).toEqual([true, true, true, true]);
    expect(offsetsOf(port.commits)).toEqual([
      [[0, 1n]],
      [
        [0, 5n],
        [1, 9n],
      ],
    ]);
  });

  it('of a partition that is not owned never reaches Kafka', async () => {
    const port = createPort();
    const acks = createAcks(port, clock);
    expect(await acks.ack({ ...FIRST, epoch: 99 }, 1n, '')).toBe(false);
    expect(port.commits).toEqual([]);
  });

  it('that fails is made again until the partition is lost', async () => {
    const port = createPort();
    let failures = 0;
    port.before = () => {
      failures++;
      if (failures === 3) {
        port.owned.delete(FIRST.epoch);
      }
      return Promise.reject(new Error('not now'));
    };
    const acks = createAcks(port, clock);
    expect(await acks.ack(FIRST, 1n, '')).toBe(false);
    expect(failures).toBe(3);
    port.before = () => Promise.resolve();
    expect(await acks.ack(SECOND, 1n, '')).toBe(true);
  });

  it('that Kafka refuses for good is an error', async () => {
    const port = createPort();
    const refusal = Object.assign(new Error('too large'), { type: 'OFFSET_METADATA_TOO_LARGE' });
    port.before = () => Promise.reject(refusal);
    await expect(createAcks(port, clock).ack(FIRST, 1n, '')).rejects.toBe(refusal);
  });

  it('that waits at the end is sent before the end, and answered false at the deadline', async () => {
    const port = createPort();
    const acks = createAcks(port, clock);
    const last = acks.ack(FIRST, 7n, '');
    await acks.close(1_000);
    expect(await last).toBe(true);
    expect(await acks.ack(FIRST, 8n, '')).toBe(false);

    const stuck = createPort();
    stuck.before = () => testClock.sleep(1).then(() => Promise.reject(new Error('not now')));
    const others = createAcks(stuck, clock);
    const lost = others.ack(FIRST, 7n, '');
    await others.close(20);
    expect(await lost).toBe(false);
  });
});
