import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import type { Ledger, Submitted } from '../../../bridge/src/ports.ts';
import { runCommand } from '../../support/fake-shuttle.ts';
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts';

/** Parsing and writing it again would change every member of it. */
const VERBATIM = '{ "big": 12345678901234567890, "x": 1e400, "a": 1, "a": 2, "s": "]},\\"" }';

type Call = readonly [transaction: string, args: readonly string[]];

function answering(answers: readonly string[], calls: Call[] = []): Pick<Ledger, 'evaluate'> {
  return {
    evaluate: async (transaction, args) => {
      calls.push([transaction, args]);
      return Buffer.from(answers[calls.length - 1] ?? '');
    },
  };
}

const refusing = (error: ShuttleError): Partial<Ledger> => ({
  evaluate: () => Promise.reject(error),
  submit: () => Promise.reject(error),
});

describe('getData', () => {
  test('prints the exact bytes, with the end of a line on a terminal only', async () => {
    const piped = await runCommand(['getData', 'k'], { ledger: answering([VERBATIM]) });
    expect([piped.code, piped.stdout]).toEqual([0, VERBATIM]);
    const shown = await runCommand(['getData', 'k'], {
      ledger: answering([VERBATIM]),
      terminal: true,
    });
    expect(shown.stdout).toBe(`${VERBATIM}\n`);
    expect(shown.closed).toBe(true);
  });

  test('with --json wraps the document without touching its bytes', async () => {
    const { stdout } = await runCommand(['getData', 'kö"', '--json'], {
      ledger: answering([VERBATIM]),
    });
    expect(stdout).toBe(`{"key":"kö\\"","document":${VERBATIM}}\n`);
  });

  test('takes any key as it is, behind "--" even one that looks like an option', async () => {
    const calls: Call[] = [];
    const ledger = answering(['1', '2'], calls);
    await runCommand(['getData', '鍵 / "x" 🚚\n'], { ledger });
    await runCommand(['getData', '--', '--json'], { ledger });
    expect(calls.map(([, args]) => args)).toEqual([['鍵 / "x" 🚚\n'], ['--json']]);
  });

  test('an absent document is exit code 1 and an error object with --json', async () => {
    const absent = new ShuttleError('NOT_FOUND', 'There is no document under this key.');
    const told = await runCommand(['getData', 'k'], { ledger: refusing(absent) });
    expect([told.code, told.stdout]).toEqual([1, '']);
    expect(told.stderr).toBe(
      'Error: There is no document under this key. [NOT_FOUND]\n  Do:    Check the key.\n',
    );
    const { code, stderr } = await runCommand(['getData', 'k', '--json'], {
      ledger: refusing(absent),
    });
    expect(code).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'NOT_FOUND', exit: 1 } });
  });

  test('gives up at its deadline with exit code 3, and closes what it opened', async () => {
    const { code, stderr, closed } = await runCommand(['getData', 'k', '--deadline', '20'], {
      ledger: { evaluate: () => new Promise(() => {}) },
    });
    expect([code, closed]).toEqual([3, true]);
    expect(stderr).toContain('There was no answer within 20 ms. [DEADLINE]');
  });

  test('says at its deadline who did not answer', async () => {
    const kafka = { side: 'kafka', endpoint: 'a:1,b:2' } as const;
    const fabric = { side: 'fabric', endpoint: 'peer:7051' } as const;
    const late = (unanswered: readonly (typeof kafka | typeof fabric)[]) =>
      runCommand(['getData', 'k', '--deadline', '20'], {
        ledger: { evaluate: () => new Promise(() => {}) },
        shuttle: { unanswered: () => unanswered },
      });
    const one = await late([fabric]);
    expect(one.stderr).toContain("Fabric's peer at peer:7051 did not answer within 20 ms.");
    expect(one.stderr).toContain('fabric: peer:7051');
    const both = await late([kafka, fabric]);
    expect(both.stderr).toContain(
      "Kafka at a:1,b:2 and Fabric's peer at peer:7051 did not answer within 20 ms. [DEADLINE]",
    );
  });
});

const source = '{"stream":"s","topic":"t","partition":1,"offset":"7","timestamp":5}';
const version = (document: string, deleted = false) =>
  `{"txId":"ab","timestamp":0,"mspId":"Org1MSP","source":${source},` +
  `"deleted":${deleted},"document":${document}}`;
const entry = (key: string, document: string) =>
  `{"key":${JSON.stringify(key)},"timestamp":0,"mspId":"M","source":null,"document":${document}}`;

describe('history', () => {
  test('shows each version with its position, newest first', async () => {
    const page = `{"versions":[${version('null', true)},${version(VERBATIM)}],"bookmark":""}`;
    const { code, stdout } = await runCommand(['history', 'k'], { ledger: answering([page]) });
    expect(code).toBe(0);
    expect(stdout).toBe(
      '1970-01-01T00:00:00.000Z  t/1@7  tx ab\n  (deleted)\n' +
        `1970-01-01T00:00:00.000Z  t/1@7  tx ab\n  ${VERBATIM}\n`,
    );
  });

  test('with --json keeps every byte of every version over all pages', async () => {
    const calls: Call[] = [];
    const pages = [
      `{"versions":[${version(VERBATIM)}],"bookmark":"b1"}`,
      `{"versions":[${version('null', true)}],"bookmark":"b2"}`,
    ];
    const { stdout } = await runCommand(['history', 'k', '--json', '--limit', '2'], {
      ledger: answering(pages, calls),
    });
    const versions = `${version(VERBATIM)},${version('null', true)}`;
    expect(stdout).toBe(`{"key":"k","versions":[${versions}],"bookmark":"b2"}\n`);
    expect(calls).toEqual([
      ['getHistory', ['k', '2', '']],
      ['getHistory', ['k', '1', 'b1']],
    ]);
  });

  test('a key that never was is exit code 1', async () => {
    const ledger = answering(['{"versions":[],"bookmark":""}']);
    expect((await runCommand(['history', 'k'], { ledger })).code).toBe(1);
  });
});

describe('list', () => {
  test('shows keys and documents, and how to go on', async () => {
    const page = `{"documents":[${entry('a/1', VERBATIM)},${entry('a/\u001b[2J', '2')}],"bookmark":"a/3"}`;
    const { stdout, stderr } = await runCommand(['list', 'a/', '--limit', '2'], {
      ledger: answering([page]),
    });
    expect(stdout).toBe(`a/1  ${VERBATIM}\n"a/\\u001b[2J"  2\n`);
    expect(stderr).toBe('There are more: --bookmark "a/3"\n');
  });

  test('with --json passes the entries through', async () => {
    const ledger = answering([`{"documents":[${entry('a', VERBATIM)}],"bookmark":""}`]);
    const { stdout } = await runCommand(['list', '--json'], { ledger });
    expect(stdout).toBe(`{"documents":[${entry('a', VERBATIM)}],"bookmark":""}\n`);
  });

  test('a limit that is no number is a usage error', async () => {
    const { code, stderr } = await runCommand(['list', '--limit', 'many']);
    expect(code).toBe(2);
    expect(stderr).toContain('--limit is not a whole number from 1 on. [USAGE]');
  });
});

describe('set and delete', () => {
  let folder: TemporaryFolder;
  const done: Submitted = { txId: 'ab', blockNumber: 5n, result: Buffer.alloc(0) };

  beforeEach(() => {
    folder = createTemporaryFolder();
  });
  afterEach(() => {
    folder.remove();
  });

  function taking(calls: Call[]): Pick<Ledger, 'submit'> {
    return {
      submit: async (transaction, args) => {
        calls.push([transaction, args]);
        return done;
      },
    };
  }

  test('the document is an argument, a file or standard input, byte for byte', async () => {
    const calls: Call[] = [];
    folder.write('d.json', `\uFEFF${VERBATIM}\n`);
    const options = { ledger: taking(calls), cwd: folder.path, stdin: ['{"a"', ':1}\n'] };
    await runCommand(['set', 'k', VERBATIM], options);
    await runCommand(['set', 'k', '@d.json'], options);
    const { stdout } = await runCommand(['set', 'k', '-'], options);
    expect(calls.map(([, [, document]]) => document)).toEqual([
      VERBATIM,
      `\uFEFF${VERBATIM}\n`,
      '{"a":1}\n',
    ]);
    expect(stdout).toBe('Set k by transaction ab in block 5.\n');
  });

  test('a file that is not there, and one that is not UTF-8, change nothing', async () => {
    const calls: Call[] = [];
    const options = { ledger: taking(calls), cwd: folder.path };
    const absent = await runCommand(['set', 'k', '@none'], options);
    expect([absent.code, calls]).toEqual([2, []]);
    expect(absent.stderr).toContain('The file with the document cannot be read. [USAGE]');
  });

  test('a transaction that another writer made invalid is submitted again', async () => {
    const conflict = new ShuttleError('COMMIT_INVALID', 'MVCC_READ_CONFLICT');
    let tries = 0;
    const submit = async () => {
      tries += 1;
      if (tries < 3) {
        throw conflict;
      }
      return done;
    };
    const { code, stdout } = await runCommand(['delete', 'k', '--json'], { ledger: { submit } });
    expect([code, tries]).toEqual([0, 3]);
    expect(JSON.parse(stdout)).toEqual({ key: 'k', txId: 'ab', blockNumber: '5' });
  });

  test('an unknown outcome is never submitted again', async () => {
    const unknown = new ShuttleError('COMMIT_UNKNOWN', 'No answer.');
    let tries = 0;
    const submit = () => {
      tries += 1;
      return Promise.reject(unknown);
    };
    const { code } = await runCommand(['set', 'k', '1'], { ledger: { submit } });
    expect([code, tries]).toEqual([3, 1]);
  });
});
