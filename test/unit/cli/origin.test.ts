/** origin tells position, transaction and block of an entry, whichever of them is asked for. */
import { describe, expect, test } from '@jest/globals';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import type { OriginDeps } from '../../../bridge/src/origin/origin.ts';
import type { SourceRecord } from '../../../bridge/src/values.ts';
import { type BuiltBlock, batchTransaction, buildChain, CHAINCODE } from '../../support/blocks.ts';
import { runCommand, txId } from '../../support/fake-shuttle.ts';

const BATCH = txId('batch');
const CLIENT = txId('client');
const REFUSED = txId('refused');

const [, block] = buildChain([
  [
    { txId: REFUSED, code: 11, args: ['setData', 'k', '1'] },
    batchTransaction({ txId: BATCH, documents: { k: [[7n, null]] } }),
    { txId: CLIENT, args: ['setData', 'k', '2'] },
  ],
]) as [BuiltBlock, BuiltBlock];

const RAW_POSITION = 'cluster/of/slashes/shuttle.raw/1/42';
const cleaned = (key: string | null): SourceRecord => ({
  offset: 7n,
  timestamp: 1,
  key: key === null ? null : Buffer.from(key),
  value: Buffer.from('{"id":"k"}'),
  headers: [{ name: 'shuttle_position', value: Buffer.from(RAW_POSITION) }],
});

const version = (tx: string, source: object | null, deleted = false) =>
  `{"txId":"${tx}","timestamp":0,"mspId":"Org1MSP","source":${JSON.stringify(source)},` +
  `"deleted":${deleted},"document":{"big":12345678901234567890}}`;
const SOURCE = { stream: 'cluster', topic: 'shuttle.cleaned', partition: 3, offset: '7' };
const HISTORY = [version(CLIENT, null), version(BATCH, { ...SOURCE, timestamp: 1 }, true)];

interface Given {
  readonly record?: SourceRecord | null;
  readonly history?: readonly string[];
  readonly kafka?: 'away';
}

function origin(args: readonly string[], given: Given = {}) {
  const { record = cleaned('k'), history = HISTORY, kafka } = given;
  const deps: OriginDeps = {
    chaincode: CHAINCODE,
    blockOf: async (id) => {
      if (![BATCH, CLIENT, REFUSED].includes(id)) {
        throw new ShuttleError('NOT_FOUND', 'The channel has no such transaction.');
      }
      return block.bytes;
    },
    record: async (at, offset) => {
      if (kafka === 'away') {
        throw new ShuttleError('KAFKA_UNREACHABLE', 'No broker.');
      }
      const isThere = at.topic === 'shuttle.cleaned' && at.partition === 3 && offset === 7n;
      return isThere ? record : null;
    },
  };
  const evaluate = async () => Buffer.from(`{"versions":[${history.join(',')}],"bookmark":""}`);
  return runCommand(['origin', ...args], {
    shuttle: { origins: () => deps },
    ledger: { evaluate },
  });
}

const BATCH_LINES = `  transaction  ${BATCH}
               VALID, by Org1MSP, shuttle: submitBatch, 2023-11-14T22:13:20.123Z
  batch        10 records of shuttle.cleaned/3, offsets 0 to 9, lane 1
  block        1, entry 1, hash ${block.hash}
`;

describe('origin', () => {
  test('of a key tells each version from the raw record to the block', async () => {
    const { code, stdout } = await origin(['k']);
    expect(code).toBe(0);
    expect(stdout).toContain(`a client of Org1MSP\n  transaction  ${CLIENT}\n`);
    expect(stdout).toContain(
      `shuttle.cleaned/3@7  (deleted)\n  raw record   shuttle.raw/1@42\n${BATCH_LINES}`,
    );
  });

  test('of a key answers without Kafka, but for the raw record', async () => {
    const { code, stdout } = await origin(['k'], { kafka: 'away' });
    expect([code, stdout]).toEqual([0, expect.stringContaining(`(deleted)\n${BATCH_LINES}`)]);
  });

  test('of a position finds the version that came from there', async () => {
    const { code, stdout } = await origin(['shuttle.cleaned/3@7', '--json']);
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      {
        key: 'k',
        versions: [
          {
            deleted: true,
            position: { stream: 'cluster', topic: 'shuttle.cleaned', partition: 3, offset: '7' },
            raw: { stream: 'cluster/of/slashes', topic: 'shuttle.raw', partition: 1, offset: '42' },
            transaction: expect.objectContaining({
              txId: BATCH,
              validationCode: 'VALID',
              block: { number: '1', hash: block.hash, index: 1 },
            }),
          },
        ],
      },
    ]);
  });

  test('of a position whose record names its key inside finds it too', async () => {
    const given = { record: cleaned(null) };
    const { code } = await origin(
      ['shuttle.cleaned/3@7', '--set', 'ingest.keyExpression=/id'],
      given,
    );
    expect(code).toBe(0);
    expect((await origin(['shuttle.cleaned/3@7'], given)).code).toBe(1);
  });

  test('of a transaction tells its batch and its block, of an invalid one why', async () => {
    expect((await origin([BATCH])).stdout).toBe(BATCH_LINES);
    expect((await origin([REFUSED])).stdout).toContain('MVCC_READ_CONFLICT, by Org1MSP');
  });

  test.each([
    ['a key that never was', ['k'], { history: [] }, ''],
    ['a position that the topic has lost', ['shuttle.cleaned/3@8'], {}, 'NOT_FOUND'],
    ['a position that is not carried yet', ['shuttle.cleaned/3@7'], { history: [] }, 'NOT_FOUND'],
    ['a transaction that is not there', [txId('other')], {}, 'NOT_FOUND'],
  ])('of %s is exit code 1', async (_, args, given, error) => {
    const { code, stderr } = await origin(args, given);
    expect([code, stderr]).toEqual([1, expect.stringContaining(error)]);
  });

  test('takes a key that looks like a position when it is told so', async () => {
    const { code, stdout } = await origin(['shuttle.cleaned/3@7', '--as', 'key']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('a client of Org1MSP')]);
    const { code: wrong, stderr } = await origin(['k', '--as', 'position']);
    expect([wrong, stderr]).toEqual([2, expect.stringContaining('shuttle.cleaned/0@123')]);
  });
});
