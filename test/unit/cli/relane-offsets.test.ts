import { describe, expect, it } from '@jest/globals';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import { runCommand } from '../../support/fake-shuttle.ts';

const at = { topic: 'cleaned', partition: 0 };

describe('shuttle relane', () => {
  const found = { ...at, lanesBefore: 4, position: 100n, finished: 99n, txId: null };

  it('tells what became of each partition, and ends with 0 when all are cut as wanted', async () => {
    const shuttle = {
      relane: async () => [
        { ...found, outcome: 'relaned' as const },
        { ...found, partition: 1, outcome: 'standing' as const },
      ],
    };
    const { code, stdout } = await runCommand(['relane', '--set', 'ingest.lanes=9'], { shuttle });
    expect(code).toBe(0);
    expect(stdout).toContain('cleaned/0  4      100    99        cut into 9 lanes at offset 100');
    expect(stdout).toContain('is cut like this already');
  });

  it('ends with 1 when one is not drained, and says why', async () => {
    const shuttle = {
      relane: async () => [
        { ...found, position: 30n, outcome: 'undrained' as const },
        { ...found, position: null, outcome: 'undrained' as const },
      ],
    };
    const { code, stdout } = await runCommand(['relane'], { shuttle });
    expect(code).toBe(1);
    expect(stdout).toContain('not drained: offset 99 is finished, but not all below it');
    expect(stdout).toContain('the group has no ack of this ledger');
  });

  it('passes the topic and the dry run on', async () => {
    const asked: unknown[] = [];
    const relane = async (options: unknown) => {
      asked.push(options);
      return [];
    };
    await runCommand(['relane', '--topic', 'x', '--dry-run', '--json'], { shuttle: { relane } });
    await runCommand(['relane'], { shuttle: { relane } });
    expect(asked).toEqual([
      { topic: 'x', dryRun: true },
      { topic: null, dryRun: false },
    ]);
  });
});

describe('shuttle offsets', () => {
  it('shows whose each ack is', async () => {
    const row = { ...at, logStart: 0n, logEnd: 60n, acked: 12n, unfinished: 10n };
    const shuttle = {
      offsets: async () => [
        { ...row, of: 'this ledger' as const },
        { ...row, partition: 1, of: 'another ledger' as const },
        { ...row, partition: 2, acked: null, of: null, unfinished: null },
      ],
    };
    const { code, stdout } = await runCommand(['offsets', 'show'], { shuttle });
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual([
      'PARTITION  START  END  ACKED  FOR             UNFINISHED',
      'cleaned/0  0      60   12     this ledger     10',
      'cleaned/1  0      60   12     another ledger  10',
      'cleaned/2  0      60   -      -               -',
      '',
    ]);
  });

  it('resets to an offset or to earliest, and to nothing else', async () => {
    const asked: unknown[] = [];
    const resetOffsets = async (options: unknown) => {
      asked.push(options);
      return [{ ...at, before: 60n, after: 7n }];
    };
    const reset = (...to: string[]) =>
      runCommand(['offsets', 'reset', '--topic', 'cleaned', '--to', ...to], {
        shuttle: { resetOffsets },
      });
    const { code, stdout } = await reset('7', '--partition', '0');
    expect([code, stdout]).toEqual([0, 'cleaned/0 is read from offset 7, before 60.\n']);
    await reset('earliest');
    expect(asked).toEqual([
      { topic: 'cleaned', partition: 0, to: 7n },
      { topic: 'cleaned', partition: null, to: 'earliest' },
    ]);
    for (const to of ['latest', '-1', '']) {
      expect((await reset(to)).code).toBe(2);
    }
    expect(asked).toHaveLength(2);
  });

  it('tells with 4 that the group has members', async () => {
    const resetOffsets = () => Promise.reject(new ShuttleError('GROUP_ACTIVE', 'It has one.'));
    const args = ['offsets', 'reset', '--topic', 'cleaned', '--to', 'earliest'];
    const { code, stderr } = await runCommand(args, { shuttle: { resetOffsets } });
    expect([code, stderr]).toEqual([4, expect.stringContaining('Stop every bridge')]);
  });
});
