/** `shuttle consume` as a command: what it asks for, and the lines that it prints. */
import { describe, expect, test } from '@jest/globals';
import type { ConsumeRequest, Shuttle } from '../../../bridge/src/cli/shuttle.ts';
import type { ConsumedRecord } from '../../../bridge/src/consume/consume.ts';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import { runCommand } from '../../support/fake-shuttle.ts';

type Bytes = Uint8Array | string | null;

const bytes = (value: Bytes): Uint8Array | null =>
  typeof value === 'string' ? Buffer.from(value) : value;

const record = (value: Bytes, key: Bytes = 'k'): ConsumedRecord => ({
  topic: 'shuttle.mychannel.changes',
  partition: 2,
  offset: 12_345_678_901_234_567n,
  timestamp: 1_700_000_000_123,
  key: bytes(key),
  value: bytes(value),
  headers: [
    { name: 'ce_id', value: Buffer.from('mychannel:1:0:0') },
    { name: 'ce_id', value: Buffer.from('of somebody else') },
  ],
});

function consuming(records: readonly ConsumedRecord[], asked: ConsumeRequest[] = []) {
  const consume: Shuttle['consume'] = async (request) => {
    asked.push(request);
    for (const each of records) {
      request.onRecord(each);
    }
    const next = [{ partition: 2, offset: 12_345_678_901_234_568n }];
    return { topic: request.topic, records: records.length, next };
  };
  return { shuttle: { consume } };
}

const run = (args: readonly string[], records: readonly ConsumedRecord[] = []) =>
  runCommand(['consume', ...args], consuming(records));

describe('the lines', () => {
  test('tell all of a record, the document as it stands', async () => {
    const { code, stdout, stderr } = await run(['--topic', 'changes'], [record('{"n": 1e400}')]);
    expect(code).toBe(0);
    expect(stdout).toBe(
      '{"topic":"shuttle.mychannel.changes","partition":2,"offset":"12345678901234567",' +
        '"timestamp":1700000000123,"key":"k","headers":{"ce_id":"mychannel:1:0:0"},' +
        '"value":{"n": 1e400}}\n',
    );
    expect(stderr).toBe('Read 1 record of shuttle.mychannel.changes; next: 2@12345678901234568.\n');
  });

  test.each<[string, Bytes, string]>([
    ['a deletion', null, '"value":null'],
    ['JSON over several lines', '{\r\n "a":\n1}', '"value":{  "a": 1}'],
    ['text that is no JSON', 'no "JSON"\n', '"valueText":"no \\"JSON\\"\\n"'],
    ['other bytes', Uint8Array.of(0xff, 0), '"valueBase64":"/wA="'],
    ['nothing', '', '"valueText":""'],
  ])('tell %s in a form of its own, on one line', async (_, value, told) => {
    const { stdout } = await run(['--topic', 'changes'], [record(value)]);
    expect(stdout.endsWith(`,${told}}\n`)).toBe(true);
    expect(stdout.trimEnd()).not.toContain('\n');
    expect(() => JSON.parse(stdout) as unknown).not.toThrow();
  });

  test('tell keys that are no text, and records without a key', async () => {
    const records = [record('1', Uint8Array.of(0xff)), record('1', null)];
    const { stdout } = await run(['--topic', 'changes'], records);
    expect(stdout).toContain('"keyBase64":"/w=="');
    expect(stdout).toContain('"key":null');
  });

  test('are left out with --raw: the bytes of the values stand alone', async () => {
    const records = [record('a\n'), record(null), record('b')];
    const { stdout } = await run(['--topic', 'changes', '--raw'], records);
    expect(stdout).toBe('a\nb');
  });

  test('have their summary in JSON beside them with --json', async () => {
    const { stderr } = await run(['--topic', 'blocks', '--json']);
    expect(JSON.parse(stderr)).toEqual({
      topic: 'shuttle.mychannel.blocks',
      records: 0,
      next: [{ partition: 2, offset: '12345678901234568' }],
    });
  });
});

describe('what is asked for', () => {
  const asked = async (...args: string[]) => {
    const requests: ConsumeRequest[] = [];
    const { code } = await runCommand(['consume', ...args], consuming([], requests));
    expect(code).toBe(0);
    return requests[0];
  };

  test('is a topic of the channel by kind, or any prefix by full name', async () => {
    const byKind = ['--topic', 'events', '--set', 'publish.prefix=p', '--channel', 'c.d'];
    expect(await asked(...byKind)).toMatchObject({ topic: 'p.c.d.events', kind: 'events' });
    const full = 'mirror.p.mychannel.blocks';
    expect(await asked('--topic', full)).toMatchObject({ topic: full, kind: 'blocks' });
  });

  test('begins at the beginning unless it is said', async () => {
    const from = async (...args: string[]) => (await asked('--topic', 'blocks', ...args))?.from;
    expect(await from()).toEqual({ kind: 'beginning' });
    expect(await from('--from', 'end')).toEqual({ kind: 'end' });
    expect(await from('--from', '12')).toEqual({ kind: 'offset', offset: 12n });
    const timeMs = Date.UTC(2026, 0, 2, 3, 4, 5);
    expect(await from('--from', '2026-01-02T04:04:05+01:00')).toEqual({ kind: 'time', timeMs });
  });

  test('ends where it is said', async () => {
    const args = ['--max', '5', '--partition', '0', '--key', 'ä', '--until-end'];
    const request = await asked('--topic', 'changes', ...args);
    expect(request).toMatchObject({ max: 5, partition: 0, untilEnd: true });
    expect(Buffer.from(request?.key ?? '').toString()).toBe('ä');
  });

  test.each([
    ['no topic', [], "required option '--topic <topic>' not specified"],
    ['a topic of another channel', ['--topic', 'shuttle.other.blocks'], 'nor a topic of mychannel'],
    ['a topic of another kind', ['--topic', 'shuttle.cleaned'], 'nor a topic of mychannel'],
    ['no place', ['--topic', 'blocks', '--from', 'start'], '--from is none of these'],
    ['a time without its offset', ['--topic', 'blocks', '--from', '2026-01-01T00:00'], '--from'],
    ['no records at all', ['--topic', 'blocks', '--max', '0'], '--max is not a whole number'],
  ])('is refused when it is %s', async (_, args, sentence) => {
    const { code, stderr, opened } = await run(args);
    expect([code, opened]).toEqual([2, undefined]);
    expect(stderr.toLowerCase()).toContain(sentence.toLowerCase());
  });
});

test('a record that does not decrypt ends it with its position and a code of its own', async () => {
  const consume: Shuttle['consume'] = (request) => {
    request.onRecord(record('1'));
    const at = { topic: 't', partition: 0, offset: 7n, key_id: 'k1' };
    throw new ShuttleError('DECRYPTION_FAILED', 'The record does not decrypt.', { at });
  };
  const args = ['consume', '--topic', 'changes'];
  const { code, stdout, stderr } = await runCommand(args, { shuttle: { consume } });
  expect(code).toBe(5);
  expect(stdout.split('\n')).toHaveLength(2);
  expect(stderr).toContain('DECRYPTION_FAILED');
  expect(stderr).toContain('offset');
});
