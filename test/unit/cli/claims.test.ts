import { describe, expect, test } from '@jest/globals';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import { runCommand, txId } from '../../support/fake-shuttle.ts';

type Call = readonly [transaction: string, args: readonly string[]];

const SHARED = { prefix: 'a/', mspId: 'Org1MSP', shared: ['Org2MSP', 'Org3MSP'] };
const PLAIN = { prefix: 'b/', mspId: 'Org2MSP', shared: [] };

function ledger(claims: readonly object[], calls: Call[] = []) {
  const answer = Buffer.from(JSON.stringify({ claims }));
  return {
    evaluate: async () => answer,
    submit: async (transaction: string, args: readonly string[]) => {
      calls.push([transaction, args]);
      return { txId: txId('c'), blockNumber: 7n, result: answer };
    },
  };
}

describe('claim', () => {
  test('claims a prefix and shares it with exactly the organisations that are given', async () => {
    const calls: Call[] = [];
    const args = ['claim', 'a/', '--share', 'Org2MSP', 'Org3MSP'];
    const told = await runCommand(args, { ledger: ledger([SHARED], calls) });
    expect(calls).toEqual([['claim', ['a/', '["Org2MSP","Org3MSP"]']]]);
    expect([told.code, told.stdout]).toEqual([
      0,
      'Claimed a/ for Org1MSP, shared with Org2MSP, Org3MSP ' +
        `by transaction ${txId('c')} in block 7.\n`,
    ]);
    const json = await runCommand([...args, '--json'], { ledger: ledger([SHARED]) });
    expect(JSON.parse(json.stdout)).toEqual({
      prefix: 'a/',
      claim: SHARED,
      txId: txId('c'),
      blockNumber: '7',
    });
  });

  test('releases one, and does not share at the same time', async () => {
    const calls: Call[] = [];
    const told = await runCommand(['claim', 'a/', '--release'], { ledger: ledger([], calls) });
    expect(calls).toEqual([['releaseClaim', ['a/']]]);
    expect(told.stdout).toBe(`Released a/ by transaction ${txId('c')} in block 7.\n`);
    const both = await runCommand(['claim', 'a/', '--release', '--share', 'Org2MSP'], {
      ledger: ledger([], calls),
    });
    expect([both.code, calls.length]).toEqual([2, 1]);
  });

  test('that the ledger refuses is exit code 4, with the ledger’s own sentence', async () => {
    const refused = new ShuttleError('LEDGER_REFUSED', 'Org2MSP has claimed "a/".', {
      at: { refusal: 'CLAIM_TAKEN' },
    });
    const told = await runCommand(['claim', 'a/x'], {
      ledger: { submit: () => Promise.reject(refused) },
    });
    expect(told.code).toBe(4);
    expect(told.stderr).toContain('Org2MSP has claimed "a/".');
    expect(told.stderr).toContain('CLAIM_TAKEN');
  });
});

describe('claims', () => {
  test('lists prefix, owner and shares', async () => {
    const told = await runCommand(['claims'], { ledger: ledger([SHARED, PLAIN]) });
    expect(told.stdout).toBe(
      'prefix  owner\na/      Org1MSP  shared with Org2MSP, Org3MSP\nb/      Org2MSP\n',
    );
    const json = await runCommand(['claims', '--json'], { ledger: ledger([SHARED, PLAIN]) });
    expect(JSON.parse(json.stdout)).toEqual({ claims: [SHARED, PLAIN] });
  });

  test('says when there are none', async () => {
    const told = await runCommand(['claims'], { ledger: ledger([]) });
    expect([told.code, told.stdout]).toEqual([
      0,
      'There are no claims: every organisation of the channel writes any key.\n',
    ]);
  });
});
