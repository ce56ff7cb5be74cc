import { describe, expect, test } from '@jest/globals';
import { type ErrorCode, ShuttleError } from '../../bridge/src/errors.ts';
import { BACK_OFF_CAP_MS, BACK_OFF_FIRST_MS, backOffMs } from '../../bridge/src/limits.ts';
import { Outage } from '../../bridge/src/outage.ts';
import { createTestLog, silentMeter, testClock } from '../support/fakes.ts';

const failure = (code: ErrorCode) => new ShuttleError(code, 'It is away.');

function setting() {
  const log = createTestLog();
  const clock = { ...testClock, nowMs: 0, now: () => clock.nowMs };
  const outage = new Outage(log, silentMeter, clock);
  const said = () =>
    log.lines
      .filter(({ level }) => level !== 'debug')
      .map(({ message, fields }) => [message, fields.side, fields.duration_ms]);
  return { clock, outage, said };
}

describe('an outage', () => {
  test('is said once, and its end once, when everybody who waited has been answered', () => {
    const { clock, outage, said } = setting();
    const lanes = Array.from({ length: 16 }, () => outage.waiter());
    for (let n = 0; n < 10; n++) {
      for (const lane of lanes) {
        lane.failed('fabric', failure('FABRIC_UNREACHABLE'));
      }
    }
    clock.nowMs = 120_000;
    for (const lane of lanes.slice(1)) {
      lane.answered('fabric');
    }
    expect(said()).toEqual([['lost the far side, waiting', 'fabric', undefined]]);
    expect(outage.waits()).toEqual([{ side: 'fabric', code: 'FABRIC_UNREACHABLE' }]);
    lanes[0]?.answered('fabric');
    expect(said()).toEqual([
      ['lost the far side, waiting', 'fabric', undefined],
      ['reached the far side again', 'fabric', 120_000],
    ]);
    expect(outage.waits()).toEqual([]);
  });

  test('does not end when the side answers others: a peer reads on while it cannot order', () => {
    const { outage, said } = setting();
    const [lane, reader] = [outage.waiter(), outage.waiter()];
    for (let n = 0; n < 5; n++) {
      lane.failed('fabric', failure('SUBMIT_UNKNOWN'));
      reader.answered('fabric');
    }
    expect(said()).toHaveLength(1);
    expect(outage.waits()).toEqual([{ side: 'fabric', code: 'SUBMIT_UNKNOWN' }]);
  });

  test('is not waited for by who has left, and ends with the next answer to anybody', () => {
    const { outage, said } = setting();
    const [lane, reader] = [outage.waiter(), outage.waiter()];
    lane.failed('kafka', failure('KAFKA_UNREACHABLE'));
    lane.leave();
    expect([outage.waits(), said().length]).toEqual([[], 1]);
    reader.answered('kafka');
    expect(said().map(([message]) => message)).toEqual([
      'lost the far side, waiting',
      'reached the far side again',
    ]);
  });

  test('that comes and goes is told again only when it lasts', () => {
    const { clock, outage, said } = setting();
    const lane = outage.waiter();
    for (let n = 0; n < 20; n++) {
      lane.failed('fabric', failure('LEDGER_BUSY'));
      clock.nowMs += 300;
      lane.answered('fabric');
    }
    expect(said().map(([message]) => message)).toEqual([
      'lost the far side, waiting',
      'reached the far side again',
    ]);
    lane.failed('fabric', failure('FABRIC_UNREACHABLE'));
    expect([said().length, outage.waits().length]).toEqual([2, 1]);
    clock.nowMs += 10_000;
    lane.failed('fabric', failure('FABRIC_UNREACHABLE'));
    lane.failed('fabric', failure('FABRIC_UNREACHABLE'));
    lane.answered('fabric');
    expect(said().slice(2)).toEqual([
      ['lost the far side, waiting', 'fabric', undefined],
      ['reached the far side again', 'fabric', 10_000],
    ]);
  });

  test('of one side says nothing of the other', () => {
    const { outage, said } = setting();
    const waiter = outage.waiter();
    waiter.failed('kafka', failure('KAFKA_UNREACHABLE'));
    waiter.answered('fabric');
    expect(said()).toEqual([['lost the far side, waiting', 'kafka', undefined]]);
  });
});

describe('the wait before another try', () => {
  test('doubles from the first to the cap, and is never longer', () => {
    const longest = Array.from({ length: 40 }, (_, n) => backOffMs(n + 1, 1));
    expect(longest.slice(0, 3)).toEqual([1, 2, 4].map((by) => by * BACK_OFF_FIRST_MS));
    expect(longest.slice(8)).toEqual(Array.from({ length: 32 }, () => BACK_OFF_CAP_MS));
    expect(backOffMs(100_000, 1)).toBe(BACK_OFF_CAP_MS);
  });

  test('is drawn from its upper half, so that those who lost a side together do not come together', () => {
    for (const attempt of [1, 5, 9, 50]) {
      const most = backOffMs(attempt, 1);
      const drawn = Array.from({ length: 100 }, (_, n) => backOffMs(attempt, n / 100));
      expect(Math.min(...drawn)).toBeGreaterThanOrEqual(most / 2);
      expect(Math.max(...drawn)).toBeLessThanOrEqual(most);
      expect(new Set(drawn).size).toBeGreaterThan(5);
    }
  });
});
