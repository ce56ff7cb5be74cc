import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import { Outage } from '../../../bridge/src/outage.ts';
import { systemClock } from '../../../bridge/src/system/clock.ts';
import { createLog } from '../../../bridge/src/system/log.ts';
import { createMeter } from '../../../bridge/src/system/meter.ts';
import { patiently } from '../../../bridge/src/system/patience.ts';
import { type SignalSource, watchSignals } from '../../../bridge/src/system/signals.ts';
import { createTestLog, testClock } from '../../support/fakes.ts';

describe('the clock', () => {
  test('a sleep ends at once when its signal aborts, and never rejects', async () => {
    const stop = new AbortController();
    const asleep = systemClock.sleep(3_600_000, stop.signal);
    stop.abort();
    await expect(asleep).resolves.toBeUndefined();
    await expect(systemClock.sleep(3_600_000, stop.signal)).resolves.toBeUndefined();
  });
});

describe('the log', () => {
  function logged(level: 'info' | 'warn', format: 'json' | 'pretty') {
    const stream = new PassThrough();
    const log = createLog({ level, format, stream });
    log.info({ offset: 12345678901234567890n, code: 'GAP', password: 'x1y2' }, 'was there');
    return (stream.read() as Buffer | null)?.toString() ?? '';
  }

  test('is one line of JSON for each thing done, with offsets in full and no secrets', () => {
    const line = logged('info', 'json');
    expect(JSON.parse(line)).toMatchObject({
      level: 'info',
      offset: '12345678901234567890',
      code: 'GAP',
      msg: 'was there',
    });
    expect(line).not.toContain('x1y2');
  });

  test('leaves out what is below its level', () => {
    expect(logged('warn', 'json')).toBe('');
  });

  test('is readable where a person reads it', () => {
    const line = logged('info', 'pretty');
    expect(line).toContain('was there');
    expect(line).toContain('"code":"GAP"');
    expect(line).not.toContain('x1y2');
  });
});

describe('signals', () => {
  function source() {
    const listeners = new Map<string, (name: 'SIGINT' | 'SIGTERM') => void>();
    const exits: number[] = [];
    const fake: SignalSource = {
      on: (event, listener) => listeners.set(event, listener),
      off: (event) => listeners.delete(event),
      exit: (code) => exits.push(code),
    };
    return { listeners, exits, fake };
  }

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s stops in order at first, and exits with %i when it comes again', (name, code) => {
    const { listeners, exits, fake } = source();
    const { signal } = watchSignals(fake);
    listeners.get(name)?.(name);
    expect([signal.aborted, exits]).toEqual([true, []]);
    listeners.get(name)?.(name);
    expect(exits).toEqual([code]);
  });

  test('are given back when nobody watches any more', () => {
    const { listeners, fake } = source();
    watchSignals(fake).release();
    expect(listeners.size).toBe(0);
  });
});

describe('patience at start', () => {
  const down = new ShuttleError('KAFKA_UNREACHABLE', 'No broker.');
  const setting = (deadlineMs: number | undefined, signal = new AbortController().signal) => {
    const clock = { ...testClock, nowMs: 0, now: () => clock.nowMs, sleep: async () => {} };
    const log = createTestLog();
    const meter = createMeter();
    const outage = new Outage(log, meter, clock);
    return { clock, log, meter, outage, deadlineMs, signal };
  };

  test('waits for a side that is down, and says so once', async () => {
    const patience = setting(undefined);
    let tries = 0;
    const answer = await patiently(
      'kafka',
      async () => {
        tries += 1;
        patience.clock.nowMs += 3_600_000;
        if (tries < 5) {
          throw down;
        }
        return 'here';
      },
      patience,
    );
    const told = patience.log.lines.filter(({ level }) => level !== 'debug');
    expect([answer, tries]).toEqual(['here', 5]);
    expect(told.map(({ level }) => level)).toEqual(['warn', 'info']);
    expect(patience.meter.figures()).toMatchObject({
      errors: { KAFKA_UNREACHABLE: 4 },
      reachable: { kafka: true },
    });
  });

  test('gives up at its deadline when it has one', async () => {
    const patience = setting(1_000);
    const call = () => {
      patience.clock.nowMs += 400;
      return Promise.reject(down);
    };
    await expect(patiently('kafka', call, patience)).rejects.toMatchObject({
      code: 'DEADLINE',
      message: 'Kafka did not answer within 1000 ms.',
      cause: down,
    });
  });

  test('does not wait for what cannot pass', async () => {
    const refused = new ShuttleError('KAFKA_REFUSED', 'No.');
    const call = () => Promise.reject(refused);
    await expect(patiently('kafka', call, setting(undefined))).rejects.toBe(refused);
  });

  test('ends with a stop request', async () => {
    const stop = new AbortController();
    const call = () => {
      stop.abort();
      return Promise.reject(down);
    };
    expect(await patiently('fabric', call, setting(undefined, stop.signal))).toBeNull();
  });

  test('a stop request does not wait for a call that hangs', async () => {
    const stop = new AbortController();
    const call = () => {
      queueMicrotask(() => stop.abort());
      return new Promise<never>(() => {});
    };
    expect(await patiently('fabric', call, setting(undefined, stop.signal))).toBeNull();
  });
});
