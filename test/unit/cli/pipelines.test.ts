import { describe, expect, test } from '@jest/globals';
import type { Shuttle } from '../../../bridge/src/cli/shuttle.ts';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import { INGESTED, PUBLISHED, runCommand } from '../../support/fake-shuttle.ts';

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) {
      resolve();
    }
    signal.addEventListener('abort', () => resolve(), { once: true });
  });

describe('run, ingest and publish', () => {
  test('say at the end what they have done', async () => {
    const { code, stdout } = await runCommand(['run', '--until-end']);
    expect(code).toBe(0);
    expect(stdout.replaceAll(/in [\d.]+ s \([\d,]+/g, 'in T s (N')).toBe(
      'Ingested: 5,000 records read, 4,997 applied, 2 to the dead letters, ' +
        '1 on the ledger already; 12 transactions in T s (N records/s).\n' +
        'Published: 3 blocks with 12 transactions, 4,997 changes and 12 events ' +
        'in T s (N records/s).\n',
    );
  });

  test('with --json answer one object, offsets and numbers in full', async () => {
    const { stdout } = await runCommand(['run', '--until-end', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      ingest: { ...INGESTED },
      publish: { ...PUBLISHED, lastBlock: '4' },
      errors: [],
    });
  });

  test('run --until-end publishes after it has ingested, so that its own blocks are there', async () => {
    const steps: string[] = [];
    const shuttle: Partial<Shuttle> = {
      ingest: async ({ untilEnd }) => {
        steps.push(`ingest ${untilEnd}`);
        await Promise.resolve();
        steps.push('ingested');
        return INGESTED;
      },
      publish: async ({ untilEnd }) => {
        steps.push(`publish ${untilEnd}`);
        return PUBLISHED;
      },
    };
    await runCommand(['run', '--until-end'], { shuttle });
    expect(steps).toEqual(['ingest true', 'ingested', 'publish true']);
  });

  test('a stop request ends a run in order, with exit code 0', async () => {
    const stop = new AbortController();
    const shuttle: Partial<Shuttle> = {
      ingest: async (_, signal) => {
        stop.abort();
        await aborted(signal);
        return INGESTED;
      },
      publish: async (_, signal) => {
        await aborted(signal);
        return PUBLISHED;
      },
    };
    const { code, closed } = await runCommand(['run'], { shuttle, stop: stop.signal });
    expect([code, closed]).toEqual([0, true]);
  });

  test('when one pipeline stops with a code the other is stopped too, and the code decides', async () => {
    const forked = new ShuttleError('FORKED', 'Another chain.', { at: { topic: 'b' } });
    const shuttle: Partial<Shuttle> = {
      ingest: async (_, signal) => {
        await aborted(signal);
        return INGESTED;
      },
      publish: () => Promise.reject(forked),
    };
    const { code, stdout, stderr } = await runCommand(['run'], { shuttle });
    expect(code).toBe(5);
    expect(stdout).toContain('Ingested: ');
    expect(stderr).toContain('Error: Another chain. [FORKED]\n  At:    topic: b\n');
  });

  test('a partition that stopped is exit code 5, with its code in the summary', async () => {
    const error = new ShuttleError('SOURCE_TRUNCATED', 'Records are gone.');
    const stops = [{ topic: 't', partition: 1, error }];
    const shuttle: Partial<Shuttle> = { ingest: async () => ({ ...INGESTED, stops }) };
    const { code, stdout, stderr } = await runCommand(['ingest', '--until-end', '--json'], {
      shuttle,
    });
    expect([code, stderr]).toEqual([5, '']);
    expect(JSON.parse(stdout)).toMatchObject({
      ingest: { stops: [{ topic: 't', partition: 1, code: 'SOURCE_TRUNCATED' }] },
      errors: [{ code: 'SOURCE_TRUNCATED', exit: 5 }],
    });
  });

  test('a defect is told as INTERNAL and never as success', async () => {
    const shuttle: Partial<Shuttle> = { ingest: () => Promise.reject(new TypeError('x of y')) };
    const { code, stderr } = await runCommand(['ingest'], { shuttle });
    expect(code).toBe(5);
    expect(stderr).toContain('x of y [INTERNAL]');
  });

  test('say where health and metrics are', async () => {
    const shuttle: Partial<Shuttle> = { serve: async () => 'http://127.0.0.1:9464' };
    const { stderr } = await runCommand(['publish', '--until-end'], { shuttle });
    expect(stderr).toBe('Health and metrics at http://127.0.0.1:9464\n');
  });
});
