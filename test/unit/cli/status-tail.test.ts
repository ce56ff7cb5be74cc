import { describe, expect, test } from '@jest/globals';
import type { Shuttle, TailOptions, TailRecord } from '../../../bridge/src/cli/shuttle.ts';
import { runCommand } from '../../support/fake-shuttle.ts';

const status: Shuttle['status'] = async () => ({
  kafka: { clusterId: 'k1', stream: 's1', groupId: 's1.c.cc' },
  ledger: { channel: 'c', chaincode: 'cc', mspId: 'M', genesisHash: 'ab', lastBlock: 9n },
  blocks: { topic: 'p.c.blocks', lastBlock: 7n },
  partitions: [
    {
      topic: 't',
      partition: 0,
      logStart: 0n,
      logEnd: 12345678901234567890n,
      acked: null,
      lag: 5n,
      lanes: 16,
      watermark: null,
    },
  ],
});

describe('status', () => {
  test('shows how far both directions are', async () => {
    const { code, stdout } = await runCommand(['status'], { shuttle: { status } });
    expect(code).toBe(0);
    expect(stdout).toMatchSnapshot();
  });

  test('with --json keeps offsets in full', async () => {
    const { stdout } = await runCommand(['status', '--json'], { shuttle: { status } });
    expect(JSON.parse(stdout)).toMatchObject({
      ledger: { lastBlock: '9' },
      partitions: [{ logEnd: '12345678901234567890', acked: null }],
    });
  });
});

const record = (value: string | null, headers: Readonly<Record<string, string>> = {}) => ({
  partition: 0,
  offset: 3n,
  timestamp: 0,
  key: Buffer.from('k'),
  value: value === null ? null : Buffer.from(value),
  headers: Object.entries(headers).map(([name, text]) => ({ name, value: Buffer.from(text) })),
});

function tailing(records: readonly TailRecord[], asked: TailOptions[] = []): Partial<Shuttle> {
  return {
    tail: async function* (options) {
      asked.push(options);
      yield* records;
    },
  };
}

describe('tail', () => {
  test('shows changes with their documents byte for byte, and deletions', async () => {
    const shuttle = tailing([record('{"n": 1e400}'), record(null)]);
    const { stdout } = await runCommand(['tail', 'changes'], { shuttle });
    expect(stdout).toBe('k  {"n": 1e400}\nk  (deleted)\n');
    const { stdout: json } = await runCommand(['tail', 'changes', '--json'], { shuttle });
    expect(json.split('\n')[0]).toBe(
      '{"partition":0,"offset":"3","timestamp":0,"key":"k","headers":{},"value":{"n": 1e400}}',
    );
  });

  test('with --json is one line a record, whatever its value holds', async () => {
    const shuttle = tailing([record('{\n  "n": 1\n}'), record('no JSON')]);
    const { stdout } = await runCommand(['tail', 'events', '--json'], { shuttle });
    const values = stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { value: unknown }).value);
    expect(values).toEqual([{ n: 1 }, Buffer.from('no JSON').toString('base64')]);
  });

  test('shows of a block its number, hash and counts', async () => {
    const headers = {
      shuttle_block_number: '8',
      shuttle_block_hash: '0123456789abcdef',
      shuttle_transaction_count: '2',
      shuttle_change_count: '5',
      shuttle_event_count: '1',
    };
    const shuttle = tailing([record('bytes', headers)]);
    const { stdout } = await runCommand(['tail', 'blocks'], { shuttle });
    expect(stdout).toBe(
      'block 8  1970-01-01T00:00:00.000Z  0123456789ab…  ' +
        '2 transactions, 5 changes, 1 event, 5 bytes\n',
    );
    const { stdout: json } = await runCommand(['tail', 'blocks', '--json'], { shuttle });
    expect(JSON.parse(json)).toMatchObject({
      headers,
      value: Buffer.from('bytes').toString('base64'),
    });
  });

  test('starts where it is told to', async () => {
    const asked: TailOptions[] = [];
    const shuttle = tailing([], asked);
    await runCommand(['tail', 'events'], { shuttle });
    await runCommand(['tail', 'events', '--last', '3', '--follow'], { shuttle });
    await runCommand(['tail', 'events', '--from-beginning'], { shuttle });
    expect(asked.map(({ from, follow }) => [from, follow])).toEqual([
      [{ last: 10 }, false],
      [{ last: 3 }, true],
      ['beginning', false],
    ]);
    const both = await runCommand(['tail', 'events', '--from-beginning', '--last', '3']);
    expect(both.code).toBe(2);
  });

  test('that does not follow gives up at its deadline; one that follows does not', async () => {
    const stop = new AbortController();
    const hanging: Partial<Shuttle> = {
      tail: (_, signal) => ({
        [Symbol.asyncIterator]: () => ({
          next: async () => {
            await new Promise<void>((resolve) => {
              signal.addEventListener('abort', () => resolve());
            });
            return { done: true, value: undefined };
          },
        }),
      }),
    };
    const options = { shuttle: hanging, stop: stop.signal };
    expect((await runCommand(['tail', 'events', '--deadline', '20'], options)).code).toBe(3);
    const following = runCommand(['tail', 'events', '--deadline', '20', '--follow'], options);
    setTimeout(() => stop.abort(), 60);
    expect((await following).code).toBe(0);
  });
});
