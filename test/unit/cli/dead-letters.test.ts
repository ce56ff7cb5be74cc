import { describe, expect, test } from '@jest/globals';
import type { ReplayRequest } from '../../../bridge/src/cli/shuttle.ts';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import type { Left, ReplaySummary } from '../../../bridge/src/letters/replay.ts';
import type { ListedLetter } from '../../../bridge/src/letters/walk.ts';
import { runCommand, txId } from '../../support/fake-shuttle.ts';

const LETTERS = 'shuttle.cleaned.dead-letters';
const source = (offset: bigint) => ({ topic: 'shuttle.cleaned', partition: 0, offset });

const letter = (offset: bigint, more: Partial<ListedLetter> = {}): ListedLetter => ({
  at: { topic: LETTERS, partition: 0, offset },
  stream: 'cluster',
  source: source(offset + 40n),
  origin: source(offset + 40n),
  code: 'KEY_CLAIMED',
  stage: 'ledger',
  reason: 'Another organisation has claimed the keys that start like this one.',
  rule: null,
  txId: txId('a'),
  attempts: 1,
  timestamp: Date.UTC(2026, 0, 31, 8),
  key: Buffer.from(`order/${offset}`),
  value: Buffer.from('{"item":"rope"}'),
  headers: [{ name: 'source', value: Buffer.from('erp') }],
  replayed: false,
  ...more,
});

const ALL = [
  letter(1n),
  letter(2n, { replayed: true, code: 'VALUE_NOT_JSON' }),
  letter(3n, { key: Buffer.from([0xc3, 0x28]), value: null, attempts: 2 }),
  letter(4n, { key: null, timestamp: Date.UTC(2026, 1, 1) }),
];

const listed = (found: readonly ListedLetter[] = ALL) => ({
  deadLetters: async function* () {
    yield* found;
  },
});

describe('dead-letters list', () => {
  test('prints where each letter stands, and why, without its value', async () => {
    const told = await runCommand(['dead-letters', 'list'], { shuttle: listed() });
    expect([told.code, told.stderr]).toEqual([0, '4 dead letters, 1 of them replayed\n']);
    expect(told.stdout).toMatchInlineSnapshot(`
"LETTER  RECORD  CODE            TIME                      ATTEMPTS  REPLAYED  BYTES  KEY
0@1     0@41    KEY_CLAIMED     2026-01-31T08:00:00.000Z  1         no        15     order/1
0@2     0@42    VALUE_NOT_JSON  2026-01-31T08:00:00.000Z  1         yes       15     order/2
0@3     0@43    KEY_CLAIMED     2026-01-31T08:00:00.000Z  2         no        -      base64:wyg=
0@4     0@44    KEY_CLAIMED     2026-02-01T00:00:00.000Z  1         no        15     -
"
`);
    expect(told.stdout).not.toContain('rope');
  });

  test.each([
    [['--code', 'VALUE_NOT_JSON'], ['2']],
    [['--key', 'order/1'], ['1']],
    [['--open'], ['1', '3', '4']],
    [['--since', '2026-02-01T00:00Z'], ['4']],
    [
      ['--until', '2026-02-01T00:00Z', '--max', '2'],
      ['1', '2'],
    ],
  ])('with %j prints those alone, in JSON one a line', async (options, offsets) => {
    const args = ['dead-letters', 'list', '--json', ...options];
    const { stdout } = await runCommand(args, { shuttle: listed() });
    const lines = stdout.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).offset)).toEqual(offsets);
  });

  test('says of bytes that are not UTF-8 that they are base64', async () => {
    const args = ['dead-letters', 'list', '--json'];
    const { stdout } = await runCommand(args, { shuttle: listed([letter(3n), ALL[2] as never]) });
    const [text, bytes] = stdout.trim().split('\n');
    expect(JSON.parse(text ?? '')).toMatchObject({ key: 'order/3', keyEncoding: 'utf8' });
    expect(JSON.parse(bytes ?? '')).toMatchObject({ key: 'wyg=', keyEncoding: 'base64' });
  });

  test('asks the topics that are configured, or the one that is given', async () => {
    const asked: (readonly string[])[] = [];
    const shuttle = {
      deadLetters: async function* (sources: readonly string[]) {
        asked.push(sources);
        yield* [];
      },
    };
    const env = { SHUTTLE_INGEST__TOPICS: 'a,b' };
    await runCommand(['dead-letters', 'list'], { shuttle, env });
    await runCommand(['dead-letters', 'list', '--topic', 'c'], { shuttle, env });
    expect(asked).toEqual([['a', 'b'], ['c']]);
  });

  test('refuses a time that is none', async () => {
    const told = await runCommand(['dead-letters', 'list', '--since', 'soon']);
    expect([told.code, told.stderr]).toEqual([2, expect.stringContaining('--since is not a time')]);
  });
});

describe('dead-letters show', () => {
  const shuttle = {
    deadLetter: async (topic: string, partition: number, offset: bigint) => {
      if (offset > 9n) throw new ShuttleError('LETTER_MISSING', 'There is none.');
      return letter(offset, { at: { topic: `${topic}.dead-letters`, partition, offset } });
    },
  };

  test('prints one whole, and what to do', async () => {
    const told = await runCommand(['dead-letters', 'show', '0@7'], { shuttle });
    expect(told.code).toBe(0);
    expect(told.stdout).toMatchInlineSnapshot(`
"letter      shuttle.cleaned.dead-letters/0@7
record      shuttle.cleaned/0@47 of stream cluster
code        KEY_CLAIMED
reason      Another organisation has claimed the keys that start like this one.
refused by  the ledger, ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb
attempts    1
time        2026-01-31T08:00:00.000Z
replayed    no
header      source: erp
key         order/7
value       {"item":"rope"}
do          let the claim be shared or released (shuttle claims), then replay it: shuttle dead-letters replay 0@7
"
`);
  });

  test('prints it in JSON with its value and headers', async () => {
    const { stdout } = await runCommand(['dead-letters', 'show', '0@7', '--json'], { shuttle });
    expect(JSON.parse(stdout)).toMatchObject({
      topic: LETTERS,
      partition: 0,
      offset: '7',
      source: { stream: 'cluster', topic: 'shuttle.cleaned', partition: 0, offset: '47' },
      headers: [{ name: 'source', value: 'erp', encoding: 'utf8' }],
      value: '{"item":"rope"}',
      valueEncoding: 'utf8',
    });
  });

  test('takes the whole place, and needs it when there are several topics', async () => {
    const env = { SHUTTLE_INGEST__TOPICS: 'a,b' };
    const whole = await runCommand(['dead-letters', 'show', 'b.dead-letters/2@3'], {
      shuttle,
      env,
    });
    expect(whole.stdout).toContain('b.dead-letters/2@3');
    for (const place of ['2@3', 'c.dead-letters/2@3', 'a/2@3', '2', '2@x']) {
      const told = await runCommand(['dead-letters', 'show', place], { shuttle, env });
      expect([place, told.code, told.stderr]).toEqual([place, 2, expect.stringContaining('USAGE')]);
    }
  });

  test('of no letter is not found', async () => {
    const told = await runCommand(['dead-letters', 'show', '0@10'], { shuttle });
    expect([told.code, told.stderr]).toEqual([1, expect.stringContaining('LETTER_MISSING')]);
  });
});

describe('dead-letters replay', () => {
  const NOTHING: ReplaySummary = {
    replayed: 0,
    forced: 0,
    already: 0,
    foreign: 0,
    left: {},
    leftCount: 0,
    stopped: false,
  };
  const replaying = (summary: Partial<ReplaySummary>, left: readonly Left[] = []) => {
    const requests: ReplayRequest[] = [];
    const replay = async (request: ReplayRequest): Promise<ReplaySummary> => {
      requests.push(request);
      left.forEach(request.onLeft);
      request.onProgress(1, 1, 2);
      return { ...NOTHING, ...summary };
    };
    return { requests, shuttle: { replay } };
  };
  const LEFT: Left = {
    reason: 'NEWER',
    detail: 'the ledger has a newer document of shuttle.cleaned/0@99',
    place: '0@1',
    letter: letter(1n),
  };

  test('says what was replayed, and exits 0 when nothing is left', async () => {
    const { shuttle, requests } = replaying({ replayed: 1_234, forced: 1, already: 3 });
    const args = ['dead-letters', 'replay', '--all', '--force'];
    const told = await runCommand(args, { shuttle, terminal: true });
    expect([told.code, told.stdout]).toEqual([
      0,
      '1,234 dead letters replayed, 1 of them over a newer document, 3 replayed before\n',
    ]);
    expect(requests).toMatchObject([
      { source: 'shuttle.cleaned', selection: {}, force: true, dryRun: false },
    ]);
  });

  test('tells what is left and why, and exits 1', async () => {
    const { shuttle } = replaying({ replayed: 1, left: { NEWER: 1 }, leftCount: 1 }, [LEFT]);
    const told = await runCommand(['dead-letters', 'replay', '--code', 'KEY_CLAIMED'], { shuttle });
    expect(told.code).toBe(1);
    expect(told.stdout).toMatchInlineSnapshot(`
"shuttle.cleaned 0@1  NEWER  the ledger has a newer document of shuttle.cleaned/0@99
1 x NEWER: the key has a newer document; --force replays it all the same
1 dead letter replayed, 1 left
"
`);
    const json = await runCommand(['dead-letters', 'replay', '--all', '--json'], { shuttle });
    expect([json.code, JSON.parse(json.stdout)]).toEqual([
      1,
      expect.objectContaining({
        replayed: 1,
        leftCounts: { NEWER: 1 },
        left: [{ source: 'shuttle.cleaned', letter: '0@1', reason: 'NEWER', detail: LEFT.detail }],
      }),
    ]);
  });

  test('that was stopped says so, and exits 1', async () => {
    const { shuttle } = replaying({ replayed: 5, stopped: true });
    const told = await runCommand(['dead-letters', 'replay', '--all'], { shuttle });
    expect([told.code, told.stdout]).toEqual([
      1,
      '5 dead letters replayed, stopped before the end\n',
    ]);
  });

  test('takes places, several topics one after another, and a dry run', async () => {
    const { shuttle, requests } = replaying({ replayed: 1 });
    const env = { SHUTTLE_INGEST__TOPICS: 'a,b' };
    const places = ['a.dead-letters/0@1', 'b.dead-letters/1@2', 'a.dead-letters/0@3'];
    const told = await runCommand(['dead-letters', 'replay', ...places, '--dry-run'], {
      shuttle,
      env,
    });
    expect(told.stdout).toBe('2 dead letters would be replayed\n');
    expect(requests).toMatchObject([
      { source: 'a', selection: { positions: new Set(['0@1', '0@3']) }, dryRun: true },
      { source: 'b', selection: { positions: new Set(['1@2']) }, dryRun: true },
    ]);
  });

  test.each([[[]], [['--all', '--code', 'X']], [['--all', '0@1']], [['--topic', 'a']]])(
    'with %j does not guess which letters are meant',
    async (options) => {
      const told = await runCommand(['dead-letters', 'replay', ...options]);
      expect([told.code, told.stderr]).toEqual([2, expect.stringContaining('Say which dead')]);
    },
  );

  test('that fails says what was replayed before', async () => {
    const replay = ({ onProgress }: ReplayRequest) => {
      onProgress(400, 401, 900);
      return Promise.reject(new ShuttleError('REPLAY_FENCED', 'Another one.'));
    };
    const told = await runCommand(['dead-letters', 'replay', '--all'], { shuttle: { replay } });
    expect([told.code, told.stderr]).toEqual([5, expect.stringContaining('REPLAY_FENCED')]);
    expect(told.stdout).toBe('400 dead letters replayed, stopped before the end\n');
  });
});
