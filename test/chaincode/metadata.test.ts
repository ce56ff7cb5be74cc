import '../support/stub-quiet.ts';
import { expect, test } from '@jest/globals';
// Context is imported as a class, not as a type: the decorators look at it when they run.
import { Context, Returns, Transaction } from 'fabric-contract-api';
import { BatchContract } from '../../chaincode/src/base-contract.ts';
import { ShuttleContract } from '../../chaincode/src/contract.ts';
import { StubNetwork } from '../support/stub-network.ts';
import { chaincodeOf } from '../support/stub-peer.ts';

class Context2 extends Context {}

class Apples extends BatchContract {
  constructor() {
    super('apples');
  }

  @Transaction(false)
  @Returns('string')
  async countApples(_ctx: Context): Promise<string> {
    return '1';
  }
}

class Pears extends BatchContract {
  constructor() {
    super('pears');
  }

  override createContext(): Context2 {
    return new Context2();
  }

  @Transaction(false)
  @Returns('string')
  async countPears(_ctx: Context2, crate: string): Promise<string> {
    return crate;
  }
}

class MyShuttle extends ShuttleContract {
  constructor() {
    super('mine');
  }

  @Transaction(false)
  @Returns('string')
  async mine(_ctx: Context): Promise<string> {
    return 'mine';
  }
}

const INHERITED = [
  'getData',
  'getHistory',
  'listData',
  'info',
  'claim',
  'releaseClaim',
  'getClaims',
  'openPartition',
  'relane',
  'submitBatch',
  'getWatermarks',
];

function transactionsOf(contracts: readonly (new () => object)[], name: string): string[] {
  const { metadata } = chaincodeOf(contracts);
  const contract = metadata.contracts[name] as { transactions: { name: string }[] };
  return contract.transactions.map((each) => each.name);
}

test('the contract’s metadata is what clients know', () => {
  expect(chaincodeOf([ShuttleContract]).metadata.contracts.shuttle).toMatchSnapshot();
});

test('contracts on one base do not see each other’s transactions', () => {
  const contracts = [Apples, Pears, ShuttleContract, MyShuttle];
  expect(transactionsOf(contracts, 'apples')).toEqual([...INHERITED, 'countApples']);
  expect(transactionsOf(contracts, 'pears')).toEqual([...INHERITED, 'countPears']);
  const shuttle = transactionsOf(contracts, 'shuttle');
  expect(shuttle.some((name) => name.startsWith('count') || name === 'mine')).toBe(false);
  expect(transactionsOf(contracts, 'mine')).toEqual([...shuttle, 'mine']);
});

test('inherited and own transactions can be called, in their own contract only', async () => {
  const network = new StubNetwork([Apples, Pears, ShuttleContract, MyShuttle]);
  const call = async (fn: string, args: string[] = []) => {
    const { isOk, text } = await network.evaluate({ fn, args });
    return isOk ? text : 'refused';
  };
  expect(await call('apples:countApples')).toBe('1');
  expect(await call('pears:countPears', ['2'])).toBe('2');
  expect(await call('apples:countPears', ['2'])).toBe('refused');
  expect(await call('shuttle:mine')).toBe('refused');
  expect(await call('mine:mine')).toBe('mine');
  expect(await call('mine:getWatermarks', ['s', 't', '0'])).toContain('"layout":null');
  expect(await call('pears:getWatermarks', ['s', 't', '0'])).toContain('"layout":null');
});

test('helpers of the contract are no transactions', async () => {
  const network = new StubNetwork([ShuttleContract]);
  for (const fn of [
    'apply',
    'readsCurrent',
    'askRule',
    'applyRecords',
    'constructor',
    'createContext',
  ]) {
    expect((await network.evaluate({ fn })).isOk).toBe(false);
  }
});

test('the metadata can be asked for over the network', async () => {
  const network = new StubNetwork([ShuttleContract]);
  const { text } = await network.evaluate({ fn: 'org.hyperledger.fabric:GetMetadata' });
  expect(JSON.parse(text).contracts.shuttle.transactions).toHaveLength(17);
});
