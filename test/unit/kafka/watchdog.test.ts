import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createWatchdog, type Watchdog } from '../../../bridge/src/kafka/watchdog.ts';

let said: string[];
let watchdog: Watchdog;

beforeEach(() => {
  jest.useFakeTimers();
  said = [];
  watchdog = createWatchdog(30_000, 60_000, {
    silent: () => said.push('silent'),
    sign: () => said.push('sign'),
    died: () => said.push('died'),
  });
  watchdog.start();
  watchdog.sign('member');
});

afterEach(() => {
  watchdog.stop();
  jest.useRealTimers();
});

describe('a group member', () => {
  it('that gives signs is alive', () => {
    for (let i = 0; i < 100; i++) {
      jest.advanceTimersByTime(3_000);
      watchdog.sign('member');
    }
    expect(new Set(said)).toEqual(new Set(['sign']));
  });

  it('that is silent is told after ten seconds, and dead after the session time-out', () => {
    jest.advanceTimersByTime(10_000);
    expect(said).toEqual(['sign']);
    jest.advanceTimersByTime(5_000);
    expect(said).toContain('silent');
    expect(said).not.toContain('died');
    jest.advanceTimersByTime(16_000);
    expect(said).toContain('died');
  });

  it('has the time of a rebalance on top of it', () => {
    watchdog.sign('rebalancing');
    jest.advanceTimersByTime(89_000);
    expect(said).toEqual(['sign']);
    jest.advanceTimersByTime(3_000);
    expect(said).toContain('died');
  });

  it('is not judged by a process that was stopped itself', () => {
    jest.setSystemTime(Date.now() + 3_600_000);
    jest.advanceTimersByTime(2_000);
    expect(said).toEqual(['sign']);
  });

  it('that was left is not watched any more', () => {
    watchdog.stop();
    jest.advanceTimersByTime(100_000);
    expect(said).toEqual(['sign']);
  });
});
